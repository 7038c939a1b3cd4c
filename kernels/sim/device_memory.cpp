#include <iskra/kernels/sim/device_memory.h>

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

constexpr size_t kAlignment = 512;
constexpr size_t kStep = size_t{2} << 20;  // the range is opened by so much at a time
#ifdef ISKRA_SIM_ASAN
constexpr size_t kRedZone = kAlignment;
#else
constexpr size_t kRedZone = 0;
#endif

size_t rounded(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

// Twice the addresses that are to be had, so that no gap in between is ever too small.
DeviceMemory::DeviceMemory(size_t total) : total_(total), reserved_(rounded(2 * total + kStep, kStep)) {
  void* p =
      mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);  // NOLINT
  if (p == MAP_FAILED) throw std::bad_alloc();
  // In large pages, opening and closing a gigabyte takes 60 microseconds instead of 30 milliseconds.
  madvise(p, reserved_, MADV_HUGEPAGE);
  base_ = static_cast<char*>(p);
  gaps_[base_] = reserved_;
}

DeviceMemory::~DeviceMemory() {
  asan_unpoison(base_, committed_);
  munmap(base_, reserved_);
}

void DeviceMemory::protect(bool open) {
  open_ = open;
  if (committed_ > 0) mprotect(base_, committed_, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void DeviceMemory::grow(size_t to) {
  to = std::min(rounded(to, kStep), reserved_);
  if (to <= committed_) return;
  size_t before = committed_;
  if (mprotect(base_ + before, to - before, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  committed_ = to;
  asan_poison(base_ + before, to - before);
}

void* DeviceMemory::allocate(size_t bytes) {
  if (bytes > total_ || rounded(bytes, kAlignment) > total_ - held_) return nullptr;
  size_t size = rounded(bytes, kAlignment) + kRedZone;
  auto gap = std::find_if(gaps_.begin(), gaps_.end(), [&](const auto& g) { return g.second >= size; });
  if (gap == gaps_.end()) return nullptr;
  auto [begin, room] = *gap;
  grow(static_cast<size_t>(begin - base_) + size);
  gaps_.erase(gap);
  if (room > size) gaps_[begin + size] = room - size;
  live_[begin] = bytes;
  held_ += rounded(bytes, kAlignment);
  asan_unpoison(begin, bytes);
  raw_fill(begin, 0xFF, bytes);
  return begin;
}

bool DeviceMemory::release(void* memory) {
  auto allocation = live_.find(static_cast<char*>(memory));
  if (allocation == live_.end()) return false;
  auto [begin, bytes] = *allocation;
  live_.erase(allocation);
  held_ -= rounded(bytes, kAlignment);
  raw_fill(begin, 0xFF, bytes);
  asan_poison(begin, bytes);
  auto gap = gaps_.emplace(begin, rounded(bytes, kAlignment) + kRedZone).first;
  if (auto behind = std::next(gap); behind != gaps_.end() && gap->first + gap->second == behind->first) {
    gap->second += behind->second;
    gaps_.erase(behind);
  }
  if (gap != gaps_.begin()) {
    auto before = std::prev(gap);
    if (before->first + before->second == gap->first) {
      before->second += gap->second;
      gaps_.erase(gap);
    }
  }
  return true;
}

DeviceMemory::Allocation DeviceMemory::find(const void* p) const {
  auto* at = static_cast<char*>(const_cast<void*>(p));
  auto behind = live_.upper_bound(at);
  if (behind == live_.begin()) return {nullptr, 0};
  auto [begin, bytes] = *std::prev(behind);
  return at <= begin + bytes ? Allocation{begin, bytes} : Allocation{nullptr, 0};
}

// --- pinned memory

void* PinnedMemory::allocate(size_t bytes) {
  auto* p = static_cast<char*>(::operator new(bytes, std::align_val_t{kAlignment}));
  raw_fill(p, 0xFF, bytes);
  live_[p] = bytes;
  return p;
}

bool PinnedMemory::release(void* memory) {
  if (live_.erase(static_cast<char*>(memory)) == 0) return false;
  ::operator delete(memory, std::align_val_t{kAlignment});
  return true;
}

bool PinnedMemory::holds(const void* p, size_t bytes, bool* some) const {
  auto* begin = static_cast<char*>(const_cast<void*>(p));
  if (some != nullptr) *some = false;
  auto next = live_.lower_bound(begin + bytes);  // the first that begins behind it
  if (next == live_.begin()) return false;
  auto [start, size] = *std::prev(next);
  if (some != nullptr) *some = start + size > begin;
  return begin >= start && begin + bytes <= start + size;
}

}  // namespace iskra::sim
