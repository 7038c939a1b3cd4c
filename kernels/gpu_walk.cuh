// Walking several operands of one shape and any strides: what strided.h finds out on the host, as kernels
// take it.
#pragma once

#include <iskra/kernels/gpu.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {

/// A walk over N operands, by value. Element i lies at offset[o] = locate(i)[o] of operand o, in elements.
template <int N>
struct Walk {
  int64_t numel;
  int rank;
  int64_t size[Shape::kMaxRank];  ///< innermost first
  int64_t stride[N][Shape::kMaxRank];

  /// Every axis divides once; 32 bits, which are several times faster, do for all but the largest tensors.
  DEV void locate(int64_t i, int64_t (&offset)[N]) const {
    for (int o = 0; o < N; ++o) offset[o] = 0;
    if (numel <= 0x7fffffff) {
      auto rest = static_cast<uint32_t>(i);
      for (int axis = 0; axis < rank && rest > 0; ++axis) {
        auto length = static_cast<uint32_t>(size[axis]);
        uint32_t place = rest % length;
        rest /= length;
        for (int o = 0; o < N; ++o) offset[o] += place * stride[o][axis];
      }
    } else {
      for (int axis = 0; axis < rank && i > 0; ++axis) {
        int64_t place = i % size[axis];
        i /= size[axis];
        for (int o = 0; o < N; ++o) offset[o] += place * stride[o][axis];
      }
    }
  }
};

template <int N>
Walk<N> make_walk(const StridedLoop& loop) {
  Walk<N> walk{};
  walk.numel = loop.numel;
  walk.rank = loop.rank;
  for (int axis = 0; axis < loop.rank; ++axis) {
    walk.size[axis] = loop.size[axis];
    for (int o = 0; o < N; ++o) walk.stride[o][axis] = loop.stride[o][axis];
  }
  return walk;
}

/// Whether operand o, if it is read at all, is walked element after element.
inline bool walks_densely(const StridedLoop& loop, int o) {
  return (loop.size[0] == 1 || loop.stride[o][0] == 1) && loop.size[1] == 1;
}

/// Blocks of `threads` threads for n elements, `each` a thread; kernels stride over what is more than that.
inline unsigned blocks_for(int64_t n, int64_t threads, int64_t each = 1) {
  constexpr int64_t kMost = 4096;  // some waves of the largest GPUs
  return static_cast<unsigned>(std::clamp<int64_t>((n + threads * each - 1) / (threads * each), 1, kMost));
}

}  // namespace iskra::kernels
