// The work that streams do: copies, fills, host functions and kernels.
#include <cstring>
#include <utility>

#include <iskra/kernels/sim/device_state.h>
#include <iskra/kernels/sim/fiber.h>
#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

using device::ErrorCode;

enum class Side : uint8_t { device, pinned, staged, pageable };

// Whether memory is still what it was when the work was enqueued; says what is wrong with it.
std::string trouble_with(const void* p, size_t bytes, Side side) {
  Runtime& all = Runtime::get();
  if (side == Side::pinned) {
    if (all.pinned.holds(p, bytes)) return "";
    return "pinned memory at " + address_of(p) + " was released before the work that uses it was done";
  }
  if (side != Side::device) return "";
  for (auto& d : all.devices) {
    auto found = d->memory.find(p);
    if (found.begin != nullptr && static_cast<const char*>(p) + bytes <= found.begin + found.bytes) return "";
  }
  return "device memory at " + address_of(p) + " was released before the work that uses it was done";
}

class Copy final : public Operation {
 public:
  Copy(void* to, Side to_side, const void* from, Side from_side, size_t bytes)
      : to_(to), from_(from), bytes_(bytes), to_side_(to_side), from_side_(from_side) {
    if (from_side_ != Side::staged) return;
    staged_ = std::make_unique_for_overwrite<char[]>(bytes);
    asan_check(from, bytes);
    tsan_read(from, bytes);
    raw_copy(staged_.get(), from, bytes);
    from_ = staged_.get();
  }

  std::string problem() override {
    std::string of_from = trouble_with(from_, bytes_, from_side_);
    return of_from.empty() ? trouble_with(to_, bytes_, to_side_) : of_from;
  }

  void run() override {
    asan_check(from_, bytes_);
    asan_check(to_, bytes_);
    if (from_side_ != Side::staged) tsan_read(from_, bytes_);
    tsan_write(to_, bytes_);
    raw_copy(to_, from_, bytes_);
  }

  bool reads_host(const char* begin, const char* end) const override {
    const char* from = static_cast<const char*>(from_);
    return from_side_ == Side::pinned && from < end && begin < from + bytes_;
  }

  // Unless somebody is still to read what stands there now.
  void undefine_host() const override {
    auto* begin = static_cast<char*>(to_);
    if (to_side_ != Side::pinned || Runtime::get().someone_reads(begin, begin + bytes_)) return;
    raw_fill(to_, 0xFF, bytes_);
  }

 private:
  void* to_;
  const void* from_;
  size_t bytes_;
  Side to_side_, from_side_;
  std::unique_ptr<char[]> staged_;
};

class Fill final : public Operation {
 public:
  Fill(void* to, uint8_t value, size_t bytes) : to_(to), value_(value), bytes_(bytes) {}
  std::string problem() override { return trouble_with(to_, bytes_, Side::device); }
  void run() override {
    asan_check(to_, bytes_);
    tsan_write(to_, bytes_);
    raw_fill(to_, value_, bytes_);
  }

 private:
  void* to_;
  uint8_t value_;
  size_t bytes_;
};

class HostCall final : public Operation {
 public:
  HostCall(void (*f)(void*), void* data) : f_(f), data_(data) {}
  void run() override {
    struct Inside {
      Inside() { in_host_function() = true; }
      ~Inside() { in_host_function() = false; }
    } inside;
    f_(data_);
  }
  bool is_of_the_host() const override { return true; }
  bool reads_host(const char*, const char*) const override { return true; }  // for all that is known

 private:
  void (*f_)(void*);
  void* data_;
};

void check_device_range(Runtime& all, const char* what, const void* p, size_t bytes) {
  for (auto& d : all.devices) {
    if (!d->memory.owns(p)) continue;
    auto found = d->memory.find(p);
    if (found.begin == nullptr) {
      refuse(ErrorCode::invalid_argument, what, address_of(p) + " is not allocated; was it released before?");
    }
    auto left = static_cast<size_t>(found.begin + found.bytes - static_cast<const char*>(p));
    if (bytes <= left) return;
    refuse(ErrorCode::invalid_argument, what,
           std::to_string(bytes) + " bytes at " + address_of(p) + ", where the allocation of " +
               std::to_string(found.bytes) + " bytes has " + std::to_string(left) + " left");
  }
  refuse(ErrorCode::invalid_argument, what,
         address_of(p) + " is not device memory; is it the host's? Only copies have a host side");
}

// Whether it is pinned; pageable memory is refused where a stream is captured.
bool host_is_pinned(Runtime& all, const char* what, const void* p, size_t bytes, const StreamState& stream) {
  for (auto& d : all.devices) {
    if (d->memory.owns(p))
      refuse(ErrorCode::invalid_argument, what, address_of(p) + " is device memory; use copy_on_device");
  }
  bool some = false;
  if (all.pinned.holds(p, bytes, &some)) return true;
  if (some) {
    refuse(
        ErrorCode::invalid_argument, what,
        std::to_string(bytes) + " bytes at " + address_of(p) + " are only partly in one pinned allocation");
  }
  if (stream.capture != nullptr)
    Runtime::lose(*stream.capture, std::string(what) + " with pageable memory; use pinned memory");
  return false;
}

}  // namespace

void KernelOperation::run() {
  TsanIgnore ignore;  // the launcher's own lists; not the kernel's threads
  Schedule before = sim::schedule();
  set_schedule(schedule_);
  try {
    sim::run({record_, shape_, call_, arguments()});
  } catch (...) {
    set_schedule(before);
    throw;
  }
  set_schedule(before);
}

std::string KernelOperation::problem() {
  Runtime& all = Runtime::get();
  if (all.launches_left == 0 || --all.launches_left > 0) return "";
  return "kernel " + record_->name + ": an injected fault";
}

void enqueue_kernel(device::Stream stream, std::shared_ptr<KernelOperation> launch) {
  constexpr const char* kWhat = "launch";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  const std::string& name = launch->record().name;
  if (std::string why = refusal(launch->shape()); !why.empty()) {
    refuse(ErrorCode::invalid_argument, kWhat,
           "kernel " + name + ": cannot launch " + why + "; launched at " + str(launch->shape().at));
  }
  if (state->device != selected_device()) {
    refuse(ErrorCode::invalid_argument, kWhat,
           "kernel " + name + ": the stream is of device " + std::to_string(state->device) + " and device " +
               std::to_string(selected_device()) + " is selected; select the stream's");
  }
  all.enqueue(lock, state, std::move(launch));
}

}  // namespace iskra::sim

namespace iskra::device {

using sim::Runtime;
using sim::Side;

void copy_to_device(void* to, const void* from_host, size_t bytes, Stream stream) {
  constexpr const char* kWhat = "copy_to_device";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  all.check_failure(state->device);
  if (bytes == 0) return;
  sim::check_device_range(all, kWhat, to, bytes);
  Side side = sim::host_is_pinned(all, kWhat, from_host, bytes, *state) ? Side::pinned : Side::staged;
  all.enqueue(lock, state, std::make_shared<sim::Copy>(to, Side::device, from_host, side, bytes));
}

void copy_to_host(void* to_host, const void* from, size_t bytes, Stream stream) {
  constexpr const char* kWhat = "copy_to_host";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  all.check_failure(state->device);
  if (bytes == 0) return;
  sim::check_device_range(all, kWhat, from, bytes);
  bool pinned = sim::host_is_pinned(all, kWhat, to_host, bytes, *state);
  Side side = pinned ? Side::pinned : Side::pageable;
  all.enqueue(lock, state, std::make_shared<sim::Copy>(to_host, side, from, Side::device, bytes));
  if (pinned) return;
  all.run_until(lock, state, state->enqueued);
  sim::tsan_acquire(&state->finished);
  all.check_failure(state->device);
}

void copy_on_device(void* to, const void* from, size_t bytes, Stream stream) {
  constexpr const char* kWhat = "copy_on_device";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  all.check_failure(state->device);
  if (bytes == 0) return;
  sim::check_device_range(all, kWhat, from, bytes);
  sim::check_device_range(all, kWhat, to, bytes);
  const char *a = static_cast<const char*>(from), *b = static_cast<const char*>(to);
  if (a < b + bytes && b < a + bytes)
    sim::refuse(ErrorCode::invalid_argument, kWhat, "source and destination overlap");
  all.enqueue(lock, state, std::make_shared<sim::Copy>(to, Side::device, from, Side::device, bytes));
}

void fill_bytes(void* to, uint8_t value, size_t bytes, Stream stream) {
  constexpr const char* kWhat = "fill_bytes";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  all.check_failure(state->device);
  if (bytes == 0) return;
  sim::check_device_range(all, kWhat, to, bytes);
  all.enqueue(lock, state, std::make_shared<sim::Fill>(to, value, bytes));
}

void call_on_host(Stream stream, void (*f)(void*), void* data) {
  constexpr const char* kWhat = "call_on_host";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  all.enqueue(lock, state, std::make_shared<sim::HostCall>(f, data));
}

}  // namespace iskra::device
