// Resizing pictures and its gradient against matrices of weights in double, one for each axis.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

struct Case {
  int64_t n, c, h, w, out_h, out_w;
  Interpolate2d at = {};
  Shape x_shape() const { return {n, c, h, w}; }
  Shape y_shape() const { return {n, c, out_h, out_w}; }
  std::string str() const {
    return text(x_shape(), " to ", y_shape(), " mode ", static_cast<int>(at.mode),
                at.align_corners ? " corners" : "", at.antialias ? " antialias" : "", " scale ", at.scale[0]);
  }
};

double hat(double x) { return std::max(0.0, 1 - std::abs(x)); }
double keys(double x, double a) {
  x = std::abs(x);
  if (x >= 2) return 0;
  return x < 1 ? (a + 2) * x * x * x - (a + 3) * x * x + 1 : a * (x * x * x - 5 * x * x + 8 * x - 4);
}

/// Row o, column i: by what pixel o of the result takes pixel i.
using Matrix = std::vector<std::vector<double>>;

Matrix weights(const Interpolate2d& at, int axis, int64_t in, int64_t out) {
  Matrix all(static_cast<size_t>(out), std::vector<double>(static_cast<size_t>(in)));
  const bool cubic = at.mode == Interpolation::bicubic, nearest = at.mode == Interpolation::nearest;
  double scale = at.scale[axis] > 0 ? 1 / at.scale[axis] : static_cast<double>(in) / static_cast<double>(out);
  if (at.align_corners) scale = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
  for (int64_t o = 0; o < out; ++o) {
    std::vector<double>& row = all[static_cast<size_t>(o)];
    auto add = [&](int64_t i, double weight) {
      row[static_cast<size_t>(std::clamp<int64_t>(i, 0, in - 1))] += weight;
    };
    if (nearest) {
      add(static_cast<int64_t>(static_cast<float>(o) * static_cast<float>(scale)), 1);
    } else if (at.antialias) {
      const double wide = std::max(scale, 1.0), centre = scale * (static_cast<double>(o) + 0.5);
      double total = 0;
      for (int64_t i = 0; i < in; ++i) {
        const double x = (static_cast<double>(i) + 0.5 - centre) / wide;
        row[static_cast<size_t>(i)] = cubic ? keys(x, -0.5) : hat(x);
        total += row[static_cast<size_t>(i)];
      }
      for (double& weight : row) weight /= total;
    } else {
      const auto place = static_cast<double>(o);
      const double centre = at.align_corners ? scale * place : scale * (place + 0.5) - 0.5;
      for (int64_t i = -4; i < in + 4; ++i) {
        const double x = centre - static_cast<double>(i);
        add(i, cubic ? keys(x, -0.75) : hat(x));
      }
    }
  }
  return all;
}

/// result = rows x cols^T for each picture and channel, or, `back`, rows^T x cols.
std::vector<double> between(const Array& x, const Matrix& rows, const Matrix& cols, bool back) {
  auto made = [&](const Matrix& m) { return static_cast<int64_t>(back ? m[0].size() : m.size()); };
  auto weight = [&](const Matrix& m, int64_t to, int64_t from) {
    return back ? m[static_cast<size_t>(from)][static_cast<size_t>(to)]
                : m[static_cast<size_t>(to)][static_cast<size_t>(from)];
  };
  const Shape& s = x.shape();
  std::vector<double> all;
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t c = 0; c < s[1]; ++c)
      for (int64_t i = 0; i < made(rows); ++i)
        for (int64_t j = 0; j < made(cols); ++j) {
          double sum = 0;
          for (int64_t h = 0; h < s[2]; ++h)
            for (int64_t w = 0; w < s[3]; ++w)
              if (const double of = weight(rows, i, h) * weight(cols, j, w); of != 0)
                sum += of * x(n, c, h, w);
          all.push_back(sum);
        }
  return all;
}

std::vector<Case> cases() {
  const std::vector<Case> sizes = {
      {2, 3, 5, 7, 10, 13}, {1, 8, 5, 4, 11, 12}, {1, 16, 13, 11, 5, 4}, {2, 8, 6, 9, 13, 4},
      {1, 5, 1, 1, 3, 2},   {1, 8, 7, 6, 1, 1},   {1, 1, 4, 3, 4, 3},    {1, 2, 37, 29, 3, 2},
      {1, 8, 2, 3, 17, 19}, {0, 3, 4, 4, 8, 8},   {1, 0, 4, 4, 8, 8},    {1, 4, 1, 9, 6, 3},
  };
  std::vector<Case> all;
  auto add = [&](Case t, const Interpolate2d& at) {
    t.at = at;
    all.push_back(t);
  };
  for (const Case& t : sizes) {
    add(t, {.mode = Interpolation::nearest});
    for (Interpolation mode : {Interpolation::bilinear, Interpolation::bicubic}) {
      add(t, {.mode = mode});
      add(t, {.mode = mode, .align_corners = true});
      add(t, {.mode = mode, .antialias = true});
    }
  }
  // A user's scale is not the quotient of the sizes.
  for (Interpolation mode : {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic}) {
    add({1, 3, 5, 7, 11, 12}, {.mode = mode, .scale = {2.3, 1.8}});
    add({1, 8, 9, 14, 3, 5}, {.mode = mode, .scale = {0.4, 0.37}});
    if (mode != Interpolation::nearest)
      add({1, 8, 9, 14, 3, 5}, {.mode = mode, .antialias = true, .scale = {0.4, 0.37}});
  }
  return all;
}

class Interpolated : public ::testing::TestWithParam<DType> {
 protected:
  static double eps() { return GetParam() == DType::f64 ? 1e-15 : 3e-7; }
  static Array pictures(const Shape& shape, uint64_t seed) {
    return Array::random(GetParam(), shape, channels_last_strides(shape), seed);
  }
};

TEST_P(Interpolated, Forward) {
  for (const Case& t : cases()) {
    const Array x = pictures(t.x_shape(), 1);
    Array first;
    for (int threads : {1, 3}) {
      HeapScratch scratch;
      Array y = pictures(t.y_shape(), 2);
      interpolate(on(threads, &scratch), t.at, x.view(), y.view());
      if (threads > 1) {
        expect_same_bits(y, first, t.str());
        continue;
      }
      first = y;
      const std::vector<double> want =
          between(x, weights(t.at, 0, t.h, t.out_h), weights(t.at, 1, t.w, t.out_w), false);
      expect_close(y, want, 12 * eps(), t.str());
    }
  }
}

TEST_P(Interpolated, Backward) {
  for (const Case& t : cases()) {
    const Array dy = pictures(t.y_shape(), 3);
    Array first;
    for (int threads : {1, 3}) {
      HeapScratch scratch;
      Array dx = pictures(t.x_shape(), 4);
      interpolate_backward(on(threads, &scratch), t.at, dy.view(), dx.view());
      if (threads > 1) {
        expect_same_bits(dx, first, t.str());
        continue;
      }
      first = dx;
      const std::vector<double> want =
          between(dy, weights(t.at, 0, t.h, t.out_h), weights(t.at, 1, t.w, t.out_w), true);
      // As many terms as output pixels for one of x.
      const int64_t terms = (t.out_h / t.h + 1) * (t.out_w / t.w + 1);
      expect_close(dx, want, static_cast<double>(12 + terms) * eps(), t.str());
    }
  }
}

TEST_P(Interpolated, NearestCopiesEveryBit) {
  Array x = pictures({1, 2, 2, 2}, 1), y = pictures({1, 2, 4, 4}, 2);
  x.set(0, -0.0);
  x.set(1, std::numeric_limits<double>::infinity());
  HeapScratch scratch;
  interpolate(on(1, &scratch), {}, x.view(), y.view());
  EXPECT_TRUE(std::signbit(y(0, 0, 1, 1)));
  for (int64_t h = 0; h < 4; ++h)
    for (int64_t w = 0; w < 4; ++w)
      for (int64_t c = 0; c < 2; ++c) EXPECT_EQ(y(0, c, h, w), x(0, c, h / 2, w / 2));
}

INSTANTIATE_TEST_SUITE_P(All, Interpolated,
                         ::testing::Values(DType::f32, DType::f64, DType::bf16, DType::f16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
