// What convolution kernels share: both directions as sums over what a pixel takes, division by numbers that
// stay the same, and the kernels for groups of few channels.
#pragma once

#include <algorithm>

#include <iskra/kernels/conv.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gemm.cuh>

namespace iskra::kernels::simt {

/// Division by a number below 2^30: a multiplication and a shift, exact up to 2^31.
class Divider {
 public:
  ISKRA_HD explicit Divider(int64_t by) : by_(static_cast<uint32_t>(by < 1 ? 1 : by)) {
    while ((uint32_t{1} << shift_) < by_) ++shift_;
    multiplier_ = static_cast<uint32_t>((uint64_t{1} << 32) * ((uint64_t{1} << shift_) - by_) / by_ + 1);
  }
  DEV uint32_t quotient(uint32_t n) const {
    return (static_cast<uint32_t>(uint64_t{n} * multiplier_ >> 32) + n) >> shift_;
  }
  DEV uint32_t rest(uint32_t n, uint32_t quotient) const { return n - quotient * by_; }
  /// Of any n.
  DEV int64_t wide(int64_t n) const {
    return n <= 0x7fffffff ? int64_t{quotient(static_cast<uint32_t>(n))} : n / by_;
  }
  DEV int64_t by() const { return by_; }

 private:
  uint32_t by_, shift_ = 0, multiplier_;
};

/// One direction of a convolution: what the pixels `out` are sums of, over pixels `in` and taps. Forward, out
/// is y and in is x; backward, for the data gradient, out is x and in is y.
struct Gather {
  bool backward;
  int groups, in, out;  ///< channels of a group
  int in_size[2], out_size[2], filter[2], stride[2], padding[2], dilation[2];
  int64_t images;

  ISKRA_HD int64_t in_channels() const { return int64_t{groups} * in; }
  ISKRA_HD int64_t out_channels() const { return int64_t{groups} * out; }
};
Gather gather_of(const ConvShape& s, bool backward, const char* op);

/// Few channels in a group: tiles would be nearly empty.
inline bool small_groups(const ConvShape& s) { return s.group_channels() <= 8 && s.group_filters() <= 8; }

/// The weights of `g`, w (K, C/groups, R, S), in temporary memory: as (out channel, R, S, in channel of its
/// group), or with `out_last` as (R, S, in channel of its group, out channel). Where they lie so already, w.
const void* arranged_weights(const Cuda& on, const Gather& g, DType type, const void* w, bool out_last,
                             const char* op);

/// The sums of `g`, each by one thread; weights are arranged with `out_last`.
template <class S>
void conv_small(const Cuda& on, const Gather& g, const S* in, const S* w, const Results& to);

/// The gradient dw (K, C/groups, R, S) of a forward `g`, each of its sums over pixels by the threads of a
/// block. A null x is ones: of a 1 x 1 filter of 1 channel, that is the bias gradient.
template <class S>
void conv_small_weights(const Cuda& on, const Gather& g, const S* x, const S* dy, const Results& to,
                        const char* op);

/// Four elements that lie beside each other, read at once.
template <class S>
struct alignas(4 * sizeof(S)) Four {
  S of[4];
};
/// Takes four of them if `vector`, else one; zeros where there are none.
template <bool vector, class S, class T>
DEV void take(const S* from, bool there, T* to) {
  if constexpr (vector) {
    Four<S> four{};
    if (there) four = *reinterpret_cast<const Four<S>*>(from);
#pragma unroll
    for (int i = 0; i < 4; ++i) to[i] = load(four.of[i]);
  } else {
    *to = there ? load(*from) : T(0);
  }
}
template <class S>
bool aligned_to_four(const void* data) {
  return reinterpret_cast<uintptr_t>(data) % sizeof(Four<S>) == 0;
}

}  // namespace iskra::kernels::simt
