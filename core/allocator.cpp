// One pool per device. Size classes are four steps per power of two, so at most a fifth of a block is wasted.
// Blocks that last (parameters, optimizer state) and blocks that come and go with every step are cached
// apart: a moment made in the first step would otherwise take a block that the second step needs again.
// Sanitizer builds do not cache: a use after free must stay one.
#include <iskra/core/allocator.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include <iskra/core/context.h>
#include <iskra/core/system_memory.h>
#include <iskra/kernels/check.h>

namespace iskra {
namespace {

constexpr size_t kAlignment = 64;
/// From this size on the system is asked first: it promises more memory than it has, and kills who uses it.
constexpr size_t kAskFirst = size_t{64} << 20;
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

/// "1.5 GiB", "12.0 MiB", "640 bytes"
std::string size_text(size_t bytes) {
  if (bytes < 1024) return text(bytes, " bytes");
  const char* const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double size = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; size >= 1024 && unit + 1 < std::size(units); ++unit) size /= 1024;
  char out[32];
  std::snprintf(out, sizeof out, "%.1f %s", size, units[unit]);
  return out;
}

class CpuPool {
 public:
  void* allocate(size_t bytes, MemoryTag tag) {
    ISKRA_CHECK(bytes < (size_t{1} << 62), "out of memory: ", bytes,
                " bytes wanted at once; use a smaller batch or model");
    const size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    void* block = take(size, free_[lasts(tag)]);
    MemoryStats::Use& use = stats_.by[static_cast<size_t>(tag)];
    stats_.current_bytes += size;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
    use.current_bytes += size;
    use.peak_bytes = std::max(use.peak_bytes, use.current_bytes);
    return block;
  }

  void deallocate(void* block, size_t bytes, MemoryTag tag) {
    const size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    stats_.current_bytes -= size;
    stats_.by[static_cast<size_t>(tag)].current_bytes -= size;
    if (kCaching) {
      free_[lasts(tag)][size].push_back(block);
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
    for (MemoryStats::Use& use : stats_.by) use.peak_bytes = use.current_bytes;
  }

  void release() {
    std::lock_guard lock(mutex_);
    release_locked();
  }

  void set_limit(size_t bytes) {
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
    if (block == nullptr) throw Error(refusal(size, cached));
    stats_.reserved_bytes += size;
    ++stats_.system_calls;
    return block;
  }

  void* from_system(size_t size) const {
    if (stats_.limit_bytes > 0 && size + stats_.reserved_bytes > stats_.limit_bytes) return nullptr;
    if (size >= kAskFirst && size > detail::available_host_memory()) return nullptr;
    return detail::allocate_host(kAlignment, size);
  }

  std::string refusal(size_t size, size_t cached) const {
    std::string held;
    for (int tag = 0; tag < kMemoryTags; ++tag) {
      const size_t bytes = stats_.by[static_cast<size_t>(tag)].current_bytes;
      if (bytes > 0)
        held += text(held.empty() ? " (" : ", ", name_of(static_cast<MemoryTag>(tag)), " ", size_text(bytes));
    }
    if (!held.empty()) held += ")";
    const std::string free =
        stats_.limit_bytes > 0 ? text("the limit is ", size_text(stats_.limit_bytes))
                               : text("the system has ", size_text(detail::available_host_memory()), " left");
    return text("out of memory: wanted ", size_text(size), ", tensors hold ", size_text(stats_.current_bytes),
                held, ", ", size_text(cached), " were cached and given back, ", free,
                "; use a smaller batch or model, or activation checkpointing");
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

// Never destroyed: tensors with static storage duration may outlive any pool that is.
CpuPool& pool(Device device) {
  ISKRA_CHECK(device.is_cpu(), "memory of device ", device, ": this build has no CUDA");
  static auto* cpu = new CpuPool;
  return *cpu;
}

}  // namespace

const char* name_of(MemoryTag tag) {
  static constexpr const char* kNames[kMemoryTags] = {"activations", "gradients", "parameters",
                                                      "optimizer",   "scratch",   "data"};
  return kNames[static_cast<size_t>(tag)];
}

MemoryScope::MemoryScope(MemoryTag tag) : before_(context().memory_tag) { context().memory_tag = tag; }
MemoryScope::~MemoryScope() { context().memory_tag = before_; }

MemoryStats memory_stats(Device device) { return pool(device).stats(); }
void reset_peak_memory(Device device) { pool(device).reset_peak(); }
void release_cached_memory(Device device) { pool(device).release(); }
void set_memory_limit(Device device, size_t bytes) { pool(device).set_limit(bytes); }

namespace detail {
MemoryTag current_memory_tag() { return context().memory_tag; }
void* allocate(Device device, size_t bytes, MemoryTag tag) { return pool(device).allocate(bytes, tag); }
void deallocate(Device device, void* block, size_t bytes, MemoryTag tag) {
  pool(device).deallocate(block, bytes, tag);
}
}  // namespace detail

}  // namespace iskra
