// The CPU's pool. Size classes are four steps per power of two, so at most a fifth of a block is wasted.
// Blocks that last (parameters, optimizer state) and blocks that come and go with every step are cached
// apart: a moment made in the first step would otherwise take a block that the second step needs again.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include <iskra/core/pool.h>
#include <iskra/core/system_memory.h>
#include <iskra/kernels/check.h>

namespace iskra::detail {
namespace {

constexpr size_t kAlignment = 64;
/// From this size on the system is asked first: it promises more memory than it has, and kills who uses it.
constexpr size_t kAskFirst = size_t{64} << 20;

size_t size_class(size_t bytes) {
  if (bytes <= 4 * kAlignment)
    return (bytes + kAlignment - 1) / kAlignment * kAlignment + (bytes == 0 ? kAlignment : 0);
  size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

class CpuPool final : public Pool {
 public:
  void* allocate(size_t bytes, MemoryTag tag) override {
    ISKRA_CHECK(bytes < (size_t{1} << 62), "out of memory: ", bytes,
                " bytes wanted at once; use a smaller batch or model");
    const size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    void* block = take(size, free_[lasts(tag)]);
    count_in(stats_, size, tag);
    return block;
  }

  void deallocate(void* block, size_t bytes, MemoryTag tag) override {
    const size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    count_out(stats_, size, tag);
    if (kCaching) {
      free_[lasts(tag)][size].push_back(block);
    } else {
      give_back(block, size);
    }
  }

  MemoryStats stats() override {
    std::lock_guard lock(mutex_);
    MemoryStats now = stats_;
    for (const FreeBlocks& free : free_) {
      for (const auto& [size, blocks] : free) {
        if (!blocks.empty()) now.largest_free_bytes = std::max(now.largest_free_bytes, size);
      }
    }
    return now;
  }

  void reset_peak() override {
    std::lock_guard lock(mutex_);
    detail::reset_peak(stats_);
  }

  void release() override {
    std::lock_guard lock(mutex_);
    release_locked();
  }

  void set_limit(size_t bytes) override {
    std::lock_guard lock(mutex_);
    stats_.limit_bytes = bytes;
  }

 private:
  using FreeBlocks = std::map<size_t, std::vector<void*>>;

  static bool lasts(MemoryTag tag) { return tag == MemoryTag::parameters || tag == MemoryTag::optimizer; }

  void* take(size_t size, FreeBlocks& free) {
    if (auto it = free.find(size); it != free.end() && !it->second.empty()) {
      void* block = it->second.back();
      it->second.pop_back();
      return block;
    }
    const size_t cached = stats_.reserved_bytes - stats_.current_bytes;
    void* block = from_system(size);
    if (block == nullptr && cached > 0) {
      release_locked();  // blocks of other sizes may make room
      block = from_system(size);
    }
    if (block == nullptr) throw Error(refusal(stats_, size, cached, what_is_free()));
    stats_.reserved_bytes += size;
    ++stats_.system_calls;
    return block;
  }

  void* from_system(size_t size) const {
    if (stats_.limit_bytes > 0 && size + stats_.reserved_bytes > stats_.limit_bytes) return nullptr;
    if (size >= kAskFirst && size > available_host_memory()) return nullptr;
    return allocate_host(kAlignment, size);
  }

  std::string what_is_free() const {
    return stats_.limit_bytes > 0 ? text("the limit is ", size_text(stats_.limit_bytes))
                                  : text("the system has ", size_text(available_host_memory()), " left");
  }

  void give_back(void* block, size_t size) {
    std::free(block);
    stats_.reserved_bytes -= size;
  }

  void release_locked() {
    for (FreeBlocks& free : free_) {
      for (auto& [size, blocks] : free) {
        for (void* block : blocks) give_back(block, size);
      }
      free.clear();
    }
  }

  std::mutex mutex_;
  FreeBlocks free_[2];  // of what comes and goes, of what lasts
  MemoryStats stats_;
};

}  // namespace

Pool& cpu_pool() {
  static auto* pool = new CpuPool;
  return *pool;
}

}  // namespace iskra::detail
