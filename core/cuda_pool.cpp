// The pool of a CUDA device. Memory comes from the driver in segments, which are cut into pieces: the
// smallest free piece that fits is taken, and free neighbours are joined. A piece belongs to the stream that
// it was made for. There it is handed out again at once, because the stream does its work in order; another
// stream gets it only when memory is short, and waits for all that the first one has to do. Where other
// streams have used a piece (use_in()), the next owner waits for what they had to do when it was given back.
// So nothing here waits for the device, but for giving memory back to it.
#include <algorithm>
#include <compare>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include <iskra/core/on_device.h>
#include <iskra/core/pool.h>
#include <iskra/core/stream.h>
#include <iskra/kernels/check.h>
#include <iskra/kernels/device_api.h>

namespace iskra::detail {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kQuantum = 512;  // sizes and addresses of pieces are multiples
constexpr size_t kSmall = kMiB;   // up to this size pieces share small segments
constexpr size_t kSmallSegment = 2 * kMiB;
constexpr size_t kLargeSegment = 20 * kMiB;
constexpr size_t kOwnSegment = 10 * kMiB;  // from this size on a piece gets a segment of its own

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

/// Whom a piece belongs to.
struct Lane {
  device::Stream stream;
  uint64_t set;  // see MemorySet
  bool small;
  auto operator<=>(const Lane&) const = default;
};

struct Piece {
  char* data;
  size_t size;
  Lane lane;
  bool used = false;
  Piece* before = nullptr;  // neighbours in the segment
  Piece* after = nullptr;
  std::vector<device::Stream> visitors = {};  // other streams that use it
  std::vector<device::Event> waits = {};      // what its next owner waits for
};

struct BySize {
  bool operator()(const Piece* a, const Piece* b) const {
    return a->size != b->size ? a->size < b->size : std::less<>()(a->data, b->data);
  }
};

class CudaPool final : public Pool {
 public:
  explicit CudaPool(int index) : device_(Device::cuda(index)) {}

  void* allocate(size_t bytes, MemoryTag tag) override {
    ISKRA_CHECK(bytes < (size_t{1} << 62), "out of memory: ", bytes,
                " bytes wanted at once; use a smaller batch or model");
    const size_t size = rounded(std::max<size_t>(bytes, 1), kQuantum);
    const Lane lane = {static_cast<device::Stream>(current_stream_handle(device_.index())),
                       current_memory_set(), size <= kSmall};
    std::lock_guard lock(mutex_);
    return on_device(device_, "memory", [&] {
      Piece* piece = find(lane, size);
      if (piece == nullptr) piece = grow(lane, size);
      take(*piece, size);
      count_in(stats_, piece->size, tag);
      return piece->data;
    });
  }

  void deallocate(void* block, size_t /*bytes*/, MemoryTag tag) override {
    std::lock_guard lock(mutex_);
    Piece& piece = *pieces_.at(static_cast<char*>(block));
    count_out(stats_, piece.size, tag);
    try {
      on_device(device_, "memory", [&] { give_back(piece); });
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // A destructor calls this, and the device has failed: whoever uses it next is told so.
    }
  }

  MemoryStats stats() override {
    std::lock_guard lock(mutex_);
    MemoryStats now = stats_;
    for (const auto& [lane, pieces] : free_) {
      if (!pieces.empty())
        now.largest_free_bytes = std::max(now.largest_free_bytes, (*pieces.rbegin())->size);
    }
    return now;
  }

  void reset_peak() override {
    std::lock_guard lock(mutex_);
    detail::reset_peak(stats_);
  }

  void release() override {
    std::lock_guard lock(mutex_);
    on_device(device_, "giving back memory", [&] { release_locked(); });
  }

  void set_limit(size_t bytes) override {
    std::lock_guard lock(mutex_);
    stats_.limit_bytes = bytes;
  }

  void note_use(void* block, void* stream) override {
    std::lock_guard lock(mutex_);
    Piece& piece = *pieces_.at(static_cast<char*>(block));
    auto* visitor = static_cast<device::Stream>(stream);
    if (visitor == piece.lane.stream) return;
    if (std::find(piece.visitors.begin(), piece.visitors.end(), visitor) == piece.visitors.end())
      piece.visitors.push_back(visitor);
  }

  void dissolve(uint64_t set) override {
    std::lock_guard lock(mutex_);
    for (auto& [data, piece] : pieces_) {
      if (piece->lane.set != set) continue;
      if (!piece->used) free_[piece->lane].erase(piece.get());
      piece->lane.set = 0;
      if (!piece->used) free_[piece->lane].insert(piece.get());
    }
  }

 private:
  using FreePieces = std::set<Piece*, BySize>;

  Piece* find(const Lane& lane, size_t size) {
    if (!kCaching && lane.set == 0) return nullptr;
    auto& pieces = free_[lane];
    Piece wanted{nullptr, size, lane};
    auto found = pieces.lower_bound(&wanted);
    return found == pieces.end() ? nullptr : *found;
  }

  /// A free piece of new memory, or of another stream's.
  Piece* grow(const Lane& lane, size_t size) {
    size_t wanted = lane.small ? kSmallSegment : size < kOwnSegment ? kLargeSegment : rounded(size, 2 * kMiB);
    if (!kCaching && lane.set == 0) wanted = size;
    if (Piece* piece = new_segment(lane, wanted)) return piece;
    if (Piece* piece = from_other_stream(lane, size)) return piece;
    const size_t cached = stats_.reserved_bytes - stats_.current_bytes;
    if (cached > 0 && !device::is_capturing(lane.stream)) {
      release_locked();
      if (Piece* piece = new_segment(lane, wanted)) return piece;
    }
    if (wanted > size) {
      if (Piece* piece = new_segment(lane, size)) return piece;
    }
    throw Error(refusal(stats_, size, cached, what_is_free()));
  }

  Piece* new_segment(const Lane& lane, size_t bytes) {
    if (stats_.limit_bytes > 0 && bytes + stats_.reserved_bytes > stats_.limit_bytes) return nullptr;
    void* data = nullptr;
    try {
      data = device::allocate(bytes);
    } catch (const device::DeviceError& e) {
      if (e.code() != device::ErrorCode::out_of_memory) throw;
      return nullptr;
    }
    stats_.reserved_bytes += bytes;
    ++stats_.system_calls;
    return add(Piece{static_cast<char*>(data), bytes, lane});
  }

  /// Moves a free piece to the lane, whose stream then waits for all that the other one has to do.
  Piece* from_other_stream(const Lane& lane, size_t size) {
    for (auto& [other, pieces] : free_) {
      if (other.set != lane.set || other.small != lane.small || other.stream == lane.stream) continue;
      Piece wanted{nullptr, size, other};
      auto found = pieces.lower_bound(&wanted);
      if (found == pieces.end()) continue;
      Piece* piece = *found;
      pieces.erase(found);
      piece->waits.push_back(device::create_event());
      device::record(piece->waits.back(), other.stream);
      piece->lane = lane;
      free_[lane].insert(piece);
      return piece;
    }
    return nullptr;
  }

  Piece* add(Piece&& made) {
    auto piece = std::make_unique<Piece>(std::move(made));
    Piece* added = piece.get();
    pieces_[added->data] = std::move(piece);
    free_[added->lane].insert(added);
    return added;
  }

  void take(Piece& piece, size_t size) {
    free_[piece.lane].erase(&piece);
    for (device::Event event : piece.waits) {
      device::wait(piece.lane.stream, event);
      device::destroy(event);
    }
    piece.waits.clear();
    // What is left of a large piece, and too small for other large ones, stays with it.
    if (piece.size - size >= (piece.lane.small ? kQuantum : kSmall)) {
      Piece rest{piece.data + size, piece.size - size, piece.lane};
      rest.before = &piece;
      rest.after = piece.after;
      Piece* added = add(std::move(rest));
      if (added->after != nullptr) added->after->before = added;
      piece.after = added;
      piece.size = size;
    }
    piece.used = true;
  }

  void give_back(Piece& piece) {
    piece.used = false;
    if (!kCaching && piece.lane.set == 0 && piece.before == nullptr && piece.after == nullptr) {
      device::synchronize(piece.lane.stream);
      for (device::Stream visitor : piece.visitors) device::synchronize(visitor);
      free_[piece.lane].insert(&piece);
      drop_segment(piece);
      return;
    }
    for (device::Stream visitor : piece.visitors) {
      piece.waits.push_back(device::create_event());
      device::record(piece.waits.back(), visitor);
    }
    piece.visitors.clear();
    Piece* joined = &piece;
    if (can_join(piece.before, piece)) {
      free_[piece.lane].erase(piece.before);
      joined = piece.before;
      join(*joined, piece);
    }
    if (can_join(joined->after, *joined)) {
      free_[joined->lane].erase(joined->after);
      join(*joined, *joined->after);
    }
    free_[joined->lane].insert(joined);
  }

  static bool can_join(const Piece* neighbour, const Piece& piece) {
    return neighbour != nullptr && !neighbour->used && neighbour->lane == piece.lane;
  }

  /// The second becomes part of the first; neither is among the free ones.
  void join(Piece& first, Piece& second) {
    first.size += second.size;
    first.waits.insert(first.waits.end(), second.waits.begin(), second.waits.end());
    first.after = second.after;
    if (first.after != nullptr) first.after->before = &first;
    pieces_.erase(second.data);
  }

  /// Waits for the device, so that it does not matter whose the pieces were.
  void release_locked() {
    device::synchronize();
    std::vector<Piece*> heads;
    for (auto& [data, piece] : pieces_) {
      if (piece->before == nullptr) heads.push_back(piece.get());
    }
    for (Piece* head : heads) {
      bool free = true;
      for (Piece* piece = head; piece != nullptr; piece = piece->after) free = free && !piece->used;
      if (!free) continue;
      while (head->after != nullptr) {
        free_[head->after->lane].erase(head->after);
        free_[head->lane].erase(head);
        join(*head, *head->after);
        free_[head->lane].insert(head);
      }
      drop_segment(*head);
    }
  }

  /// A whole, free segment, of which all work is done.
  void drop_segment(Piece& piece) {
    free_[piece.lane].erase(&piece);
    for (device::Event event : piece.waits) device::destroy(event);
    stats_.reserved_bytes -= piece.size;
    char* data = piece.data;
    pieces_.erase(data);
    device::release(data);
  }

  std::string what_is_free() const {
    if (stats_.limit_bytes > 0) return text("the limit is ", size_text(stats_.limit_bytes));
    const device::MemoryInfo info = device::memory_info();
    return text("device ", device_, " has ", size_text(info.free), " of ", size_text(info.total), " free");
  }

  Device device_;
  std::mutex mutex_;
  std::map<Lane, FreePieces> free_;
  std::map<char*, std::unique_ptr<Piece>> pieces_;
  MemoryStats stats_;
};

}  // namespace

Pool& cuda_pool(int index) {
  static auto* mutex = new std::mutex;
  static auto* pools = new std::map<int, std::unique_ptr<CudaPool>>;
  std::lock_guard lock(*mutex);
  auto& pool = (*pools)[index];
  if (!pool) {
    select_cuda(index);
    pool = std::make_unique<CudaPool>(index);
  }
  return *pool;
}

}  // namespace iskra::detail
