// Philox words of a stretch of elements, for the files that are compiled once per ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/philox.h>

namespace iskra::kernels {
namespace {

/// The words of the Philox blocks [first, first + blocks), in order, under `at`'s key and step.
template <class At>
inline void draw_blocks(const At& at, uint64_t first, int64_t blocks, uint32_t* words) {
#pragma omp simd
  for (int64_t b = 0; b < blocks; ++b) {
    PhiloxBlock block = philox(first + static_cast<uint64_t>(b), at.step, at.key);
    words[4 * b] = block.word[0];
    words[4 * b + 1] = block.word[1];
    words[4 * b + 2] = block.word[2];
    words[4 * b + 3] = block.word[3];
  }
}

}  // namespace
}  // namespace iskra::kernels
