// Instructions that the lanes of a warp execute together.
#pragma once

#include <cstdint>

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

/// Every lane of `mask` meets here with the same call, bringing `mine`; the last one calls all(lanes, mask),
/// where lanes[i] is what lane i brought (null for lanes outside of the mask), which computes every lane's
/// result. Lanes that have ended, do not exist, wait for something else or name another mask are faults, as
/// is a mask without the caller. Does not order memory.
void warp_collective(const char* what, uint32_t mask, void* mine,
                     void (*all)(void* const* lanes, uint32_t mask), const Site& at);
/// __syncwarp: the same, and orders memory.
void warp_barrier(uint32_t mask, const Site& at);
/// The lanes that __activemask promises: the caller alone, which is legal and finds those who hope for more.
uint32_t active_mask();
/// 0 … 31
int lane_of_thread();

enum class Shuffle : uint8_t { index, up, down, exclusive_or };
/// 64 bits of another lane. `width` is a power of two up to 32.
uint64_t shuffle(Shuffle kind, uint32_t mask, uint64_t value, int argument, int width, const Site& at);
enum class Vote : uint8_t { ballot, all, any };
uint32_t vote(Vote kind, uint32_t mask, bool predicate, const Site& at);
/// The lanes of the mask whose values equal this one's.
uint32_t match_any(uint32_t mask, uint64_t value, const Site& at);
enum class WarpReduce : uint8_t { add, min, max, bit_and, bit_or, bit_xor };
uint32_t warp_reduce(WarpReduce kind, bool is_signed, uint32_t mask, uint32_t value, const Site& at);

}  // namespace iskra::sim
