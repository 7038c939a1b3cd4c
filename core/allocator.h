// The caching allocator: freed blocks are kept by size class and handed out again, so that a training step
// after the first asks the system for nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include <iskra/core/device.h>

namespace iskra {

struct MemoryStats {
  size_t current_bytes = 0;   ///< in use by tensors and scratch, as rounded to size classes
  size_t peak_bytes = 0;      ///< the most that was ever in use since start or reset_peak_memory()
  size_t reserved_bytes = 0;  ///< taken from the system: in use plus cached
  uint64_t system_calls = 0;  ///< how often the system was asked
};

MemoryStats memory_stats(Device device);
void reset_peak_memory(Device device);
/// Gives every cached block back to the system.
void release_cached_memory(Device device);

namespace detail {
/// Never null; aligned to 64 bytes; size 0 is allowed. Throws Error saying what was wanted, held and free.
void* allocate(Device device, size_t bytes);
void deallocate(Device device, void* block, size_t bytes);
}  // namespace detail

}  // namespace iskra
