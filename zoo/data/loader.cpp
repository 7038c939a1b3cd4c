#include <iskra/zoo/data/loader.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include <iskra/core/context.h>
#include <iskra/core/ops.h>
#include <iskra/core/stream.h>
#include <iskra/kernels/check.h>

namespace iskra::zoo {
namespace {

void check_options(const Dataset& dataset, const LoaderOptions& options) {
  constexpr int kMostWorkers = 64;
  const std::string& from = dataset.source();
  ISKRA_CHECK(options.batch >= 1, from, ": a batch of ", options.batch, " pictures; it needs at least one");
  ISKRA_CHECK(options.workers >= 0 && options.workers <= kMostWorkers, from, ": ", options.workers,
              " loader threads; 0 … ", kMostWorkers, " are possible");
  ISKRA_CHECK(options.prefetch >= 1, from, ": prefetch is ", options.prefetch, "; it must be at least 1");
  int64_t shift = options.augment.shift;
  ISKRA_CHECK(shift >= 0, from, ": pictures cannot be shifted by up to ", shift, " pixels");
  ISKRA_CHECK(shift == 0 || dataset.empty() || (shift < dataset.height() && shift < dataset.width()), from,
              ": shifts by up to ", shift, " pixels move pictures of ", dataset.height(), "x",
              dataset.width(), " out of sight; choose less");
  auto fits = [&](const std::vector<float>& v) {
    return v.empty() || dataset.empty() || static_cast<int64_t>(v.size()) == dataset.channels();
  };
  ISKRA_CHECK(fits(options.mean) && fits(options.std), from, ": ", static_cast<uint64_t>(options.mean.size()),
              " means and ", static_cast<uint64_t>(options.std.size()),
              " standard deviations for pictures with ", dataset.channels(),
              " channels; give one of each a channel");
  for (float value : options.std) {
    ISKRA_CHECK(value > 0, from, ": a standard deviation of ", value, "; it must be above 0");
  }
}

/// Counts batches through epochs.
struct Place {
  int64_t epoch = 0, batch = 0;
  /// The batch after this one; true when that is the first of an epoch.
  bool advance(int64_t batches) {
    if (++batch < batches) return false;
    ++epoch;
    batch = 0;
    return true;
  }
};

}  // namespace

struct Loader::Impl {
  using Order = std::shared_ptr<const std::vector<int64_t>>;
  struct Slot {
    bool ready = false;
    Batch batch;
    std::optional<Event> arrived;  // on a CUDA device, behind the work that makes the batch
    std::exception_ptr error;
  };

  Impl(Dataset data, LoaderOptions opts) : dataset(std::move(data)), options(std::move(opts)) {
    check_options(dataset, options);
    auto channels = static_cast<size_t>(dataset.channels());
    if (options.mean.empty()) options.mean.assign(channels, 0.0F);
    if (options.std.empty()) options.std.assign(channels, 1.0F);
    batches = dataset.size() / options.batch;
    if (!options.drop_last && dataset.size() % options.batch != 0) ++batches;
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool next(Batch& out) {
    if (batches == 0) return ++here.epoch, false;
    if (at_end) return at_end = false;
    out = options.workers == 0 ? make(here, order_of(here.epoch)) : take();
    at_end = here.advance(batches);
    return true;
  }

  void seek(int64_t epoch, int64_t batch) {
    ISKRA_CHECK(epoch >= 0 && batch >= 0 && batch <= batches, dataset.source(), ": no batch ", batch,
                " in epoch ", epoch, "; an epoch has ", batches);
    stop();
    bool past = batch == batches && batches > 0;
    here = past ? Place{epoch + 1, 0} : Place{epoch, batch};
    at_end = false;
  }

  /// The batch at a place, from scratch: a function of the options and its arguments alone.
  Batch make(Place place, const Order& its_order) const {
    int64_t begin = place.batch * options.batch;
    int64_t count = std::min(options.batch, dataset.size() - begin);
    Shape shape{count, dataset.height(), dataset.width(), dataset.channels()};
    MemoryScope scope(MemoryTag::data);
    Tensor pictures = Tensor::empty(shape, {.dtype = DType::u8, .device = Device::cpu()});
    Tensor labels = Tensor::empty({count}, {.dtype = DType::i64, .device = Device::cpu()});
    auto* to = pictures.data<uint8_t>();
    for (int64_t i = 0; i < count; ++i, to += dataset.picture_bytes()) {
      int64_t sample = its_order ? (*its_order)[static_cast<size_t>(begin + i)] : begin + i;
      AugmentChoice choice = choose_augment(options.augment, options.seed, place.epoch, sample);
      apply_augment(choice, dataset.picture(sample), to, dataset.height(), dataset.width(),
                    dataset.channels());
      if (options.transform) options.transform(to, place.epoch, sample);
      labels.data<int64_t>()[i] = dataset.label(sample);
    }
    if (options.device.is_cuda()) {
      pictures = pictures.pinned().to(options.device);
      labels = labels.pinned().to(options.device);
    }
    return {normalize_images(pictures, options.mean, options.std), labels};
  }

  /// The order of an epoch, kept until another is asked for; null without shuffling.
  Order order_of(int64_t epoch) {
    if (!options.shuffle) return nullptr;
    if (!order || order_epoch != epoch) {
      order = std::make_shared<const std::vector<int64_t>>(epoch_order(dataset.size(), options.seed, epoch));
      order_epoch = epoch;
    }
    return order;
  }

  /// The next batch from the workers, which are started when there are none.
  Batch take() {
    if (threads.empty()) start();
    Batch batch;
    std::exception_ptr error;
    {
      std::unique_lock lock(mutex);
      Slot& slot = slots[static_cast<size_t>(taken) % slots.size()];
      made_one.wait(lock, [&] { return slot.ready; });
      batch = std::move(slot.batch);
      if (slot.arrived) {
        const Stream here_now = current_stream(options.device);
        slot.arrived->wait_in(here_now);
        use_in(batch.images, here_now);
        use_in(batch.labels, here_now);
      }
      error = slot.error;
      slot = Slot{};
      ++taken;
    }
    room_for_one.notify_one();
    if (error) {
      stop();  // asked again, it begins at the same place
      std::rethrow_exception(error);
    }
    return batch;
  }

  void start() {
    slots.assign(static_cast<size_t>(options.prefetch), Slot{});
    ahead = here;
    begun = taken = 0;
    stopping = false;
    for (int i = 0; i < options.workers; ++i) threads.emplace_back([this] { work(); });
  }

  void stop() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    room_for_one.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    slots.clear();
  }

  /// A worker: takes the next number while there is room, makes that batch, puts it into its slot.
  void work() {
    set_threads(1);  // workers open no parallel region
    context().grad_enabled = false;
    const Stream stream(options.device);
    StreamScope scope(stream);
    std::unique_lock lock(mutex);
    while (true) {
      room_for_one.wait(lock, [&] { return stopping || begun < taken + options.prefetch; });
      if (stopping) return;
      Slot& slot = slots[static_cast<size_t>(begun++) % slots.size()];
      Place place = ahead;
      ahead.advance(batches);
      Batch batch;
      std::exception_ptr error;
      std::optional<Event> arrived;
      try {
        Order its_order = order_of(place.epoch);
        lock.unlock();
        batch = make(place, its_order);
        if (options.device.is_cuda()) arrived.emplace(stream);
      } catch (...) {
        error = std::current_exception();
      }
      if (!lock.owns_lock()) lock.lock();
      slot.batch = std::move(batch);
      slot.arrived = std::move(arrived);
      slot.error = error;
      slot.ready = true;
      made_one.notify_one();
    }
  }

  Dataset dataset;
  LoaderOptions options;
  int64_t batches = 0;

  // The consumer's alone.
  Place here;
  bool at_end = false;  // the last batch of an epoch was given out, its end not yet told
  std::vector<std::thread> threads;

  // Shared under the mutex (without workers the consumer's).
  std::mutex mutex;
  std::condition_variable made_one, room_for_one;
  std::vector<Slot> slots;  // batch number n lies in slot n % size; there is room for `prefetch` untaken ones
  Place ahead;              // of the next batch to make
  int64_t begun = 0, taken = 0;
  bool stopping = false;
  Order order;
  int64_t order_epoch = -1;
};

Loader::Loader(Dataset dataset, LoaderOptions options)
    : impl_(std::make_unique<Impl>(std::move(dataset), std::move(options))) {}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

bool Loader::next(Batch& batch) { return impl_->next(batch); }
void Loader::seek(int64_t epoch, int64_t batch) { impl_->seek(epoch, batch); }
int64_t Loader::epoch() const { return impl_->here.epoch; }
int64_t Loader::batch() const { return impl_->here.batch; }
int64_t Loader::batches() const { return impl_->batches; }
const Dataset& Loader::dataset() const { return impl_->dataset; }
const LoaderOptions& Loader::options() const { return impl_->options; }

Loader::Iterator Loader::begin() {
  impl_->at_end = false;  // a loop left after the last batch of an epoch goes on with the next epoch
  return Iterator(this);
}

}  // namespace iskra::zoo
