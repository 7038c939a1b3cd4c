// The caching allocators: freed memory is kept and handed out again, so that a training step after the first
// asks the system for nothing. On the CPU by size class (cpu_pool.cpp); on a CUDA device in the order of its
// streams (cuda_pool.cpp).
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
  size_t largest_free_bytes = 0;    ///< the largest block that can be handed out without asking the system
  size_t limit_bytes = 0;           ///< set_memory_limit(); 0: none
  uint64_t system_calls = 0;        ///< how often the system was asked
  std::array<Use, kMemoryTags> by;  ///< by MemoryTag
  const Use& operator[](MemoryTag tag) const { return by[static_cast<size_t>(tag)]; }
  size_t cached_bytes() const { return reserved_bytes - current_bytes; }
  /// 0 when all that is cached is one block, near 1 when it lies in many small ones.
  double fragmentation() const {
    return cached_bytes() == 0
               ? 0
               : 1 - static_cast<double>(largest_free_bytes) / static_cast<double>(cached_bytes());
  }
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
/// `bytes` and `tag` as they were asked for. On a CUDA device work that was asked for before may still use
/// it.
void deallocate(Device device, void* block, size_t bytes, MemoryTag tag);
/// Pinned host memory, cached as well; a block that the device still reads or writes is not handed out.
void* allocate_pinned(size_t bytes);
void deallocate_pinned(void* block);
/// What the stream has to do now reads or writes the block.
void note_pinned_use(void* block, int device, void* stream);
/// A block of a CUDA device is used in this stream, too (see use_in() in stream.h).
void note_use(Device device, void* block, void* stream);

/// Within its scope memory of a CUDA device comes from blocks of its own number, and goes back to them: what
/// a captured graph writes at every replay must not be handed out to others.
class MemorySet {
 public:
  explicit MemorySet(uint64_t number);
  ~MemorySet();
  MemorySet(const MemorySet&) = delete;
  MemorySet& operator=(const MemorySet&) = delete;

 private:
  uint64_t before_;
};
/// A number that no other set has.
uint64_t new_memory_set();
/// The end of a set: its free blocks serve everybody.
void dissolve_memory_set(Device device, uint64_t number);
}  // namespace detail

}  // namespace iskra
