// Sums and extremes over the threads of a block. The order of what is put together depends on the block's
// size alone.
#pragma once

#include <iskra/kernels/gpu.h>

namespace iskra::kernels {
namespace {

struct Sum {
  template <class T>
  DEV static T both(T a, T b) {
    return a + b;
  }
};
/// Of numbers: a NaN loses against any, and is found by the sum that follows.
struct Largest {
  template <class T>
  DEV static T both(T a, T b) {
    return b > a || a != a ? b : a;
  }
};

constexpr int kMaxWarps = 32;

/// Every thread of the block gets all threads' values put together; a multiple of 32 threads, all of which
/// call.
template <class How, class T>
DEV T over_block(T value) {
  SHARED(of_warp, T[kMaxWarps]);
  for (int distance = 16; distance > 0; distance /= 2) {
    value = How::both(value, __shfl_xor_sync(0xffffffffU, value, distance));
  }
  int warps = static_cast<int>(blockDim.x) / 32;
  __syncthreads();  // whoever still reads the values before
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  T all = of_warp[0];
  for (int w = 1; w < warps; ++w) all = How::both(all, of_warp[w]);
  return all;
}

/// Threads for a row of n elements: a multiple of 32, enough for some elements each.
inline unsigned threads_for_row(int64_t n) {
  unsigned threads = 32;
  while (threads < 256 && int64_t{threads} * 4 < n) threads *= 2;
  return threads;
}

}  // namespace
}  // namespace iskra::kernels
