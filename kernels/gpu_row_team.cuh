// The threads that work on one row together: a warp where rows are short, so that a block has several, else a
// block.
#pragma once

#include <algorithm>

#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_rows.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kTeamThreads = 256;       // of a block
constexpr int64_t kWarpRow = 512;       // elements of the longest row that a warp takes
constexpr unsigned kTeamBlocks = 1024;  // of a launch, at most: about what the largest GPUs run at once

/// Kernels step over their rows: for (row = team.first(); row < rows; row += team.step()).
struct RowTeam {
  bool warp;
  DEV int lane() const { return static_cast<int>(warp ? threadIdx.x % 32 : threadIdx.x); }
  DEV int threads() const { return warp ? 32 : kTeamThreads; }
  DEV int64_t first() const {
    return warp ? int64_t{blockIdx.x} * (kTeamThreads / 32) + threadIdx.x / 32 : blockIdx.x;
  }
  DEV int64_t step() const { return warp ? int64_t{gridDim.x} * (kTeamThreads / 32) : gridDim.x; }

  /// All threads' values put together, for all of them; all call.
  template <class How, class T>
  DEV T over(T value) const {
    if (!warp) return over_block<How>(value);
    for (int distance = 16; distance > 0; distance /= 2) {
      value = How::both(value, __shfl_xor_sync(0xffffffffU, value, distance));
    }
    return value;
  }

  gpu::LaunchShape shape(int64_t rows) const {
    return {std::min(blocks_for(rows, warp ? kTeamThreads / 32 : 1), kTeamBlocks), kTeamThreads};
  }
};

/// By length alone, because sums depend on it.
inline RowTeam team_of(int64_t length) { return {length <= kWarpRow}; }

/// Elements that a thread takes at a time: 16 bytes.
template <class S>
constexpr int kPack = 16 / static_cast<int>(sizeof(S));

/// Elements [at, at + kPack) of a row, as far as there are any; gives their number.
template <class S>
DEV int load_pack(const S* row, int64_t length, int64_t at, S (&x)[kPack<S>]) {
  const S* from = row + at;
  if (at + kPack<S> <= length && reinterpret_cast<uintptr_t>(from) % 16 == 0) {
    uint4 bits = *reinterpret_cast<const uint4*>(from);
    __builtin_memcpy(x, &bits, sizeof bits);
    return kPack<S>;
  }
  int count = static_cast<int>(min(length - at, int64_t{kPack<S>}));
  for (int j = 0; j < kPack<S>; ++j) {
    if (j < count) x[j] = from[j];
  }
  return count;
}

template <class S>
DEV void store_pack(S* row, int64_t length, int64_t at, const S (&y)[kPack<S>]) {
  S* to = row + at;
  if (at + kPack<S> <= length && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
    uint4 bits;
    __builtin_memcpy(&bits, y, sizeof bits);
    *reinterpret_cast<uint4*>(to) = bits;
    return;
  }
  for (int j = 0; j < kPack<S>; ++j) {
    if (at + j < length) to[j] = y[j];
  }
}

}  // namespace
}  // namespace iskra::kernels
