// What all ways of computing a convolution share: sizes and checks; and, on the CPU, the cut of the weight
// gradient.
// The public functions are in kernels.h.
#pragma once

#include <cstdint>

#include <iskra/kernels/gemm.h>
#include <iskra/kernels/kernels.h>

namespace iskra::kernels {

struct ConvShape {
  Conv2d at;
  int64_t images, channels, height, width;
  int64_t filters, filter_height, filter_width;
  int64_t out_height, out_width;

  int64_t group_channels() const { return channels / at.groups; }
  int64_t group_filters() const { return filters / at.groups; }
  /// Values that one output value is the sum of.
  int64_t taps() const { return group_channels() * filter_height * filter_width; }
  int64_t weights() const { return filters * taps(); }
  int64_t out_pixels() const { return out_height * out_width; }
  /// Values of one picture, before and after.
  int64_t picture() const { return channels * height * width; }
  int64_t out_picture() const { return filters * out_pixels(); }
  double operations() const { return 2.0 * static_cast<double>(out_picture()) * static_cast<double>(taps()); }
};

/// The sizes of a convolution from x to y; throws, naming `op`, what is wrong with the operands.
ConvShape checked_conv(const Conv2d& at, const View& x, const View& w, const View& y, const char* op);
/// Those of conv2d_backward_weight; without dw, of dy alone.
ConvShape checked_conv_gradients(const Conv2d& at, const View& x, const View& dy, const View& dw,
                                 const View& dbias);
/// Throws unless x, called `name`, is undefined or of y's type, shape and layout.
void check_like_y(const View& x, const View& y, const char* op, const char* name);

inline constexpr int64_t kMostPartials = int64_t{1} << 24;  ///< values of partial sums, 64 MiB of f32

/// The weight gradient is a sum over pictures: each chunk of them is summed on one thread, and the chunks are
/// added in order. Chosen from the shape alone.
struct WeightChunks {
  int64_t count, images;  // images of a chunk; the last may have fewer
  explicit WeightChunks(const ConvShape& s);
};

/// partials (count, n): the first becomes the sum of all, in order.
template <class T>
void add_partials(const Cpu& on, T* partials, int64_t count, int64_t n);

/// to (n) = beta * to + from; beta 0 or 1.
template <class D>
void store_gradient(const Cpu& on, const Compute<D>* from, int64_t n, float beta, D* to);

/// What follows a convolution (see Epilogue); the bias is of the type that S is computed in, the pictures lie
/// like y. `bias` alone goes with the transposed convolution.
template <class S>
struct ConvThen {
  const Compute<S>* bias = nullptr;
  Activation activation = Activation::none;
  const S* residual = nullptr;
  S* preactivation = nullptr;

  bool beyond_bias() const {
    return activation != Activation::none || residual != nullptr || preactivation != nullptr;
  }
};

/// y = then(sums + bias) for `pixels` pixels of `channels` values, `at` values after the first; null bias: it
/// is in the sums. `y` may be `sums`.
template <class S>
void finish_pixels(const ConvThen<S>& then, int64_t pixels, int64_t channels, const Compute<S>* sums,
                   const Compute<S>* bias, int64_t at, S* y) {
  const EpilogueRows rows{pixels, channels, channels, channels, channels, channels, then.activation, false};
  epilogue<S>().finish(rows, sums, bias, then.residual == nullptr ? nullptr : then.residual + at,
                       then.preactivation == nullptr ? nullptr : then.preactivation + at, y + at);
}

/// By oneDNN, f32, and bf16 where the machine multiplies it. False when it has no good implementation for
/// this shape: nothing was written then. `out`, the type of dw, is S or f32.
namespace vendor {
template <class S>
bool conv2d(const Cpu& on, const ConvShape& s, const S* x, const S* w, const ConvThen<S>& then, S* y);
template <class S>
bool conv2d_backward_data(const Cpu& on, const ConvShape& s, const S* w, const S* dy, const float* bias,
                          S* dx);
template <class S, class D>
bool conv2d_backward_weight(const Cpu& on, const ConvShape& s, const S* x, const S* dy, D* dw, float beta);
}  // namespace vendor

/// By our own gemm over blocks of unfolded pixels, all four floating types. A bias of the data gradient makes
/// it a transposed convolution.
namespace native {
template <class S>
void conv2d(const Cpu& on, const ConvShape& s, const S* x, const S* w, const ConvThen<S>& then, S* y);
template <class S>
void conv2d_backward_data(const Cpu& on, const ConvShape& s, const S* w, const S* dy, const Compute<S>* bias,
                          S* dx);
template <class S, class D>
void conv2d_backward_weight(const Cpu& on, const ConvShape& s, const S* x, const S* dy, D* dw, float beta);
}  // namespace native

}  // namespace iskra::kernels
