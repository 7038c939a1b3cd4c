// The caching allocator: freed blocks are kept by size class and handed out again, so that a training step
// after the first asks the system for nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <iskra/core/device.h>

namespace iskra {

/// What memory is for. Set by whoever asks for it (MemoryScope); statistics are kept for each.
enum class MemoryTag : uint8_t { activations, gradients, parameters, optimizer, scratch, data };
inline constexpr int kMemoryTags = 6;
const char* name_of(MemoryTag tag);

/// Within its scope this thread's tensors are counted under `tag`. Outside of all scopes they are
/// activations; the library itself marks gradients, parameters, optimizer state, kernels' scratch and loaded
/// data.
class MemoryScope {
 public:
  explicit MemoryScope(MemoryTag tag);
  ~MemoryScope();
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;

 private:
  MemoryTag before_;
};

struct MemoryStats {
  /// Bytes as rounded to size classes.
  struct Use {
    size_t current_bytes = 0;  ///< in use now
    size_t peak_bytes = 0;     ///< the most that was ever in use since start or reset_peak_memory()
  };
  size_t current_bytes = 0;         ///< in use by tensors and scratch
  size_t peak_bytes = 0;            ///< the most of it at one time since start or reset_peak_memory()
  size_t reserved_bytes = 0;        ///< taken from the system: in use plus cached
  size_t limit_bytes = 0;           ///< set_memory_limit(); 0: none
  uint64_t system_calls = 0;        ///< how often the system was asked
  std::array<Use, kMemoryTags> by;  ///< by MemoryTag
  const Use& operator[](MemoryTag tag) const { return by[static_cast<size_t>(tag)]; }
};

MemoryStats memory_stats(Device device);
void reset_peak_memory(Device device);
/// Gives every cached block back to the system.
void release_cached_memory(Device device);
/// The most that may be taken from the system; 0 for no limit but the machine's. What is beyond is refused
/// with an Error that says what was wanted, held and free; nothing is lost by it, and work can go on.
void set_memory_limit(Device device, size_t bytes);

namespace detail {
MemoryTag current_memory_tag();
/// Never null; aligned to 64 bytes; size 0 is allowed. Throws Error saying what was wanted, held and free.
void* allocate(Device device, size_t bytes, MemoryTag tag);
/// `bytes` and `tag` as they were asked for.
void deallocate(Device device, void* block, size_t bytes, MemoryTag tag);
}  // namespace detail

}  // namespace iskra
