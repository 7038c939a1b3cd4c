// What the two ways of computing a convolution on the CPU share: sizes, and the cut of the weight gradient.
// The public functions are in kernels.h.
#pragma once

#include <cstdint>

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

/// The weight gradient is a sum over pictures: each chunk of them is summed on one thread, and the chunks are
/// added in order. Chosen from the shape alone.
struct WeightChunks {
  int64_t count, images;  // images of a chunk; the last may have fewer
  explicit WeightChunks(const ConvShape& s);
};

/// partials (count, n): the first becomes the sum of all, in order.
template <class T>
void add_partials(const Cpu& on, T* partials, int64_t count, int64_t n);

/// By oneDNN, f32. False when it has no good implementation for this shape: nothing was written then.
namespace vendor {
bool conv2d(const Cpu& on, const ConvShape& s, const float* x, const float* w, const float* bias, float* y);
bool conv2d_backward_data(const Cpu& on, const ConvShape& s, const float* w, const float* dy, float* dx);
bool conv2d_backward_weight(const Cpu& on, const ConvShape& s, const float* x, const float* dy, float* dw,
                            float beta);
}  // namespace vendor

/// By our own gemm over blocks of unfolded pixels, f32 and f64.
namespace native {
template <class T>
void conv2d(const Cpu& on, const ConvShape& s, const T* x, const T* w, const T* bias, T* y);
template <class T>
void conv2d_backward_data(const Cpu& on, const ConvShape& s, const T* w, const T* dy, T* dx);
template <class T>
void conv2d_backward_weight(const Cpu& on, const ConvShape& s, const T* x, const T* dy, T* dw, T beta);
}  // namespace native

}  // namespace iskra::kernels
