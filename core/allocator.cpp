// One pool per device. Size classes are four steps per power of two, so at most a fifth of a block is wasted.
// Sanitizer builds do not cache: a use after free must stay one.
#include <iskra/core/allocator.h>

#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include <iskra/kernels/check.h>

namespace iskra {
namespace {

constexpr size_t kAlignment = 64;
#ifdef ISKRA_SANITIZED
constexpr bool kCaching = false;
#else
constexpr bool kCaching = true;
#endif

size_t size_class(size_t bytes) {
  if (bytes <= 4 * kAlignment)
    return (bytes + kAlignment - 1) / kAlignment * kAlignment + (bytes == 0 ? kAlignment : 0);
  size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

std::string mebibytes(size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

class CpuPool {
 public:
  void* allocate(size_t bytes) {
    ISKRA_CHECK(bytes < (size_t{1} << 62), "out of memory: ", bytes,
                " bytes wanted at once; use a smaller batch or model");
    size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    void* block = take(size);
    stats_.current_bytes += size;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
    return block;
  }

  void deallocate(void* block, size_t bytes) {
    size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    stats_.current_bytes -= size;
    if (kCaching) {
      free_[size].push_back(block);
    } else {
      give_back(block, size);
    }
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.current_bytes;
  }

  void release() {
    std::lock_guard lock(mutex_);
    release_locked();
  }

 private:
  void* take(size_t size) {
    if (auto it = free_.find(size); it != free_.end() && !it->second.empty()) {
      void* block = it->second.back();
      it->second.pop_back();
      return block;
    }
    void* block = std::aligned_alloc(kAlignment, size);
    if (block == nullptr) {
      release_locked();
      block = std::aligned_alloc(kAlignment, size);
    }
    ISKRA_CHECK(block != nullptr, "out of memory: wanted ", mebibytes(size), ", tensors hold ",
                mebibytes(stats_.current_bytes), ", the system gives no more; use a smaller batch or model");
    stats_.reserved_bytes += size;
    ++stats_.system_calls;
    return block;
  }

  void give_back(void* block, size_t size) {
    std::free(block);
    stats_.reserved_bytes -= size;
  }

  void release_locked() {
    for (auto& [size, blocks] : free_) {
      for (void* block : blocks) give_back(block, size);
    }
    free_.clear();
  }

  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  MemoryStats stats_;
};

// Never destroyed: tensors with static storage duration may outlive any pool that is.
CpuPool& pool(Device device) {
  ISKRA_CHECK(device.is_cpu(), "memory of device ", device, ": this build has no CUDA");
  static auto* cpu = new CpuPool;
  return *cpu;
}

}  // namespace

MemoryStats memory_stats(Device device) { return pool(device).stats(); }
void reset_peak_memory(Device device) { pool(device).reset_peak(); }
void release_cached_memory(Device device) { pool(device).release(); }

namespace detail {
void* allocate(Device device, size_t bytes) { return pool(device).allocate(bytes); }
void deallocate(Device device, void* block, size_t bytes) { pool(device).deallocate(block, bytes); }
}  // namespace detail

}  // namespace iskra
