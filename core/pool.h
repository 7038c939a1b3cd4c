// What the caching allocators of all devices have in common.
#pragma once

#include <string>

#include <iskra/core/allocator.h>

namespace iskra::detail {

#ifdef ISKRA_SANITIZED
/// Sanitizer builds do not cache: a use after free must stay one.
inline constexpr bool kCaching = false;
#else
inline constexpr bool kCaching = true;
#endif

/// The memory of one device. Thread-safe; never destroyed, since tensors with static storage duration may
/// outlive any pool that is.
class Pool {
 public:
  virtual ~Pool() = default;
  virtual void* allocate(size_t bytes, MemoryTag tag) = 0;
  virtual void deallocate(void* block, size_t bytes, MemoryTag tag) = 0;
  virtual MemoryStats stats() = 0;
  virtual void reset_peak() = 0;
  virtual void release() = 0;
  virtual void set_limit(size_t bytes) = 0;
  virtual void note_use(void* /*block*/, void* /*stream*/) {}
  virtual void dissolve(uint64_t /*set*/) {}
};

Pool& cpu_pool();
/// Throws when there is no such device.
Pool& cuda_pool(int index);

/// Counting in and out.
void count_in(MemoryStats& stats, size_t bytes, MemoryTag tag);
void count_out(MemoryStats& stats, size_t bytes, MemoryTag tag);
void reset_peak(MemoryStats& stats);

/// "1.5 GiB", "12.0 MiB", "640 bytes"
std::string size_text(size_t bytes);
/// What to say when `bytes` were wanted; `free` says what is left, and where.
std::string refusal(const MemoryStats& stats, size_t bytes, size_t cached, const std::string& free);

/// The set of MemorySet that this thread allocates from; 0 is everybody's.
uint64_t current_memory_set();

}  // namespace iskra::detail
