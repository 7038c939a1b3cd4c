// Convolutions for tests, and their sums made naively in double.
#pragma once

#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"

namespace iskra::kernels::testing {

struct ConvCase {
  int64_t n, c, h, w, k, r, s;
  Conv2d at;

  int64_t out(int axis) const {
    const int64_t size = axis == 0 ? h : w, filter = axis == 0 ? r : s;
    return (size + 2 * at.padding[axis] - at.dilation[axis] * (filter - 1) - 1) / at.stride[axis] + 1;
  }
  Shape x_shape() const { return {n, c, h, w}; }
  Shape w_shape() const { return {k, c / at.groups, r, s}; }
  Shape y_shape() const { return {n, k, out(0), out(1)}; }
  std::string str() const {
    return text("x ", x_shape(), " w ", w_shape(), " stride ", at.stride[0], " padding ", at.padding[0],
                " dilation ", at.dilation[0], " groups ", at.groups);
  }
  double taps() const { return static_cast<double>(c / at.groups * r * s); }
};

/// Calls f(x place, w place, y place) for every product that the convolution sums.
template <class F>
void for_products(const ConvCase& t, const Array& x, const Array& w, const Array& y, F&& f) {
  const int64_t group_c = t.c / t.at.groups, group_k = t.k / t.at.groups;
  for (int64_t n = 0; n < t.n; ++n)
    for (int64_t k = 0; k < t.k; ++k)
      for (int64_t oh = 0; oh < t.out(0); ++oh)
        for (int64_t ow = 0; ow < t.out(1); ++ow)
          for (int64_t c = 0; c < group_c; ++c)
            for (int64_t r = 0; r < t.r; ++r)
              for (int64_t s = 0; s < t.s; ++s) {
                const int64_t h = oh * t.at.stride[0] - t.at.padding[0] + r * t.at.dilation[0];
                const int64_t v = ow * t.at.stride[1] - t.at.padding[1] + s * t.at.dilation[1];
                if (h < 0 || h >= t.h || v < 0 || v >= t.w) continue;
                f(x.place(n, k / group_k * group_c + c, h, v), w.place(k, c, r, s), y.place(n, k, oh, ow));
              }
}

inline Array pictures(DType type, const Shape& shape, uint64_t seed) {
  return Array::random(type, shape, channels_last_strides(shape), seed);
}

/// What conv2d, its data gradient and its weight gradient sum.
inline std::vector<double> conv_sums(const ConvCase& t, const Array& x, const Array& w, const Array& y) {
  std::vector<double> sums(static_cast<size_t>(y.numel()));
  const std::vector<double> of_x = x.values(), of_w = w.values();
  for_products(t, x, w, y, [&](int64_t i, int64_t j, int64_t o) {
    sums[static_cast<size_t>(o)] += of_x[static_cast<size_t>(i)] * of_w[static_cast<size_t>(j)];
  });
  return sums;
}
inline std::vector<double> conv_data_sums(const ConvCase& t, const Array& dx, const Array& w,
                                          const Array& dy) {
  std::vector<double> sums(static_cast<size_t>(dx.numel()));
  const std::vector<double> of_w = w.values(), of_dy = dy.values();
  for_products(t, dx, w, dy, [&](int64_t i, int64_t j, int64_t o) {
    sums[static_cast<size_t>(i)] += of_dy[static_cast<size_t>(o)] * of_w[static_cast<size_t>(j)];
  });
  return sums;
}
/// Added to `sums`, one for each of dw.
inline void add_conv_weight_sums(const ConvCase& t, const Array& x, const Array& dw, const Array& dy,
                                 std::vector<double>& sums) {
  const std::vector<double> of_x = x.values(), of_dy = dy.values();
  for_products(t, x, dw, dy, [&](int64_t i, int64_t j, int64_t o) {
    sums[static_cast<size_t>(j)] += of_x[static_cast<size_t>(i)] * of_dy[static_cast<size_t>(o)];
  });
}

}  // namespace iskra::kernels::testing
