// Max pooling against a naive loop: values, places, ties, NaN, padding, overlapping windows, threads.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"

namespace iskra::kernels::testing {
namespace {

struct Case {
  int64_t n, c, h, w;
  Pool2d at;
  int64_t out(int axis) const {
    return ((axis == 0 ? h : w) + 2 * at.padding[axis] - at.size[axis]) / at.stride[axis] + 1;
  }
  Shape x_shape() const { return {n, c, h, w}; }
  Shape y_shape() const { return {n, c, out(0), out(1)}; }
  std::string str() const {
    return text("x ", x_shape(), " size ", at.size[0], " stride ", at.stride[0], " padding ", at.padding[0]);
  }
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {1, 1, 2, 2, {}},
      {3, 7, 8, 6, {}},
      {2, 33, 7, 9, {}},  // a row and a column left over
      {2, 64, 14, 14, {}},
      {1, 19, 9, 11, {.size = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}},
      {2, 5, 6, 7, {.size = {3, 2}, .stride = {1, 1}, .padding = {1, 0}}},
      {2, 16, 5, 5, {.size = {5, 5}, .stride = {5, 5}}},
      {1, 3, 6, 6, {.size = {1, 1}, .stride = {3, 3}}},
      {0, 3, 6, 6, {}},
  };
  return all;
}

/// As the definition says: the first largest value of each window, or its last NaN.
void naive(const Case& t, const Array& x, std::vector<double>& y, std::vector<double>& place) {
  for (int64_t n = 0; n < t.n; ++n)
    for (int64_t c = 0; c < t.c; ++c)
      for (int64_t oh = 0; oh < t.out(0); ++oh)
        for (int64_t ow = 0; ow < t.out(1); ++ow) {
          double best = -std::numeric_limits<double>::infinity();
          int64_t at = -1;
          for (int64_t r = 0; r < t.at.size[0]; ++r)
            for (int64_t s = 0; s < t.at.size[1]; ++s) {
              const int64_t h = oh * t.at.stride[0] - t.at.padding[0] + r,
                            w = ow * t.at.stride[1] - t.at.padding[1] + s;
              if (h < 0 || h >= t.h || w < 0 || w >= t.w) continue;
              const double v = x(n, c, h, w);
              if (at < 0 || v > best || std::isnan(v)) {
                best = v;
                at = h * t.w + w;
              }
            }
          y.push_back(best);
          place.push_back(static_cast<double>(at));
        }
}

class Pool : public ::testing::TestWithParam<DType> {
 protected:
  HeapScratch scratch;
  Cpu on(int threads) { return {threads, Provider::fastest, &scratch}; }
  static Array pictures(const Shape& shape, uint64_t seed) {
    return Array::random(GetParam(), shape, channels_last_strides(shape), seed);
  }
  static Array places(const Case& t) { return {DType::i32, t.y_shape(), channels_last_strides(t.y_shape())}; }
};

TEST_P(Pool, Forward) {
  for (const Case& t : cases()) {
    const Array x = pictures(t.x_shape(), 1);
    Array y = pictures(t.y_shape(), 2), place = places(t);
    std::vector<double> want, want_place;
    naive(t, x, want, want_place);
    max_pool2d(on(2), t.at, x.view(), y.view(), place.view());
    expect_close(y, want, 0, t.str());
    expect_close(place, want_place, 0, t.str() + " place");
  }
}

TEST_P(Pool, TheFirstOfEqualsWins) {
  const Case t{1, 37, 6, 6, {.size = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}};
  Array x = pictures(t.x_shape(), 1);
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, std::floor(2 * x.get(i)));
  Array y = pictures(t.y_shape(), 2), place = places(t);
  std::vector<double> want, want_place;
  naive(t, x, want, want_place);
  max_pool2d(on(1), t.at, x.view(), y.view(), place.view());
  expect_close(place, want_place, 0, "ties");
}

TEST_P(Pool, NanAndInfinityPass) {
  const Case t{1, 3, 4, 4, {}};
  Array x = pictures(t.x_shape(), 1);
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t w = 0; w < 2; ++w) x.set(x.place(0, 0, h, w), -inf);
  x.set(x.place(0, 1, 0, 0), nan);  // first of its window
  x.set(x.place(0, 2, 1, 0), nan);  // after numbers, before one
  x.set(x.place(0, 2, 3, 3), inf);
  Array y = pictures(t.y_shape(), 2), place = places(t);
  max_pool2d(on(1), t.at, x.view(), y.view(), place.view());
  EXPECT_EQ(y(0, 0, 0, 0), -inf);
  EXPECT_EQ(place(0, 0, 0, 0), 0);
  EXPECT_TRUE(std::isnan(y(0, 1, 0, 0)));
  EXPECT_EQ(place(0, 1, 0, 0), 0);
  EXPECT_TRUE(std::isnan(y(0, 2, 0, 0)));
  EXPECT_EQ(place(0, 2, 0, 0), 4);
  EXPECT_EQ(y(0, 2, 1, 1), inf);
  EXPECT_FALSE(std::isnan(y(0, 0, 0, 1)));
}

TEST_P(Pool, BackwardAddsWhereWindowsOverlap) {
  for (const Case& t : cases()) {
    const Array x = pictures(t.x_shape(), 1), dy = pictures(t.y_shape(), 2);
    Array place = places(t), dx = pictures(t.x_shape(), 3);
    std::vector<double> y, at, want(static_cast<size_t>(dx.numel()));
    naive(t, x, y, at);
    const int64_t area = t.out(0) * t.out(1), pixels = t.h * t.w;
    for (int64_t i = 0; i < dy.numel(); ++i) {
      const double to = at[static_cast<size_t>(i)];
      place.set(i, to);
      want[static_cast<size_t>(i / area * pixels + static_cast<int64_t>(to))] += dy.get(i);
    }
    max_pool2d_backward(on(2), t.at, place.view(), dy.view(), dx.view());
    expect_close(dx, want, 1e-6, t.str());
  }
}

TEST_P(Pool, BitsDoNotDependOnThreads) {
  const Case t{7, 48, 31, 29, {.size = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}};
  const Array x = pictures(t.x_shape(), 1), dy = pictures(t.y_shape(), 2);
  std::vector<Array> first;
  for (int threads : {1, 2, 3}) {
    Array y = dy, dx = x, place = places(t);
    max_pool2d(on(threads), t.at, x.view(), y.view(), place.view());
    max_pool2d_backward(on(threads), t.at, place.view(), dy.view(), dx.view());
    const std::vector<Array> now = {y, place, dx};
    if (first.empty()) first = now;
    for (size_t i = 0; i < now.size(); ++i)
      expect_same_bits(first[i], now[i], text("result ", i, " threads ", threads));
  }
}

TEST_P(Pool, SaysWhatIsWrong) {
  const Array x = pictures({1, 2, 6, 6}, 1);
  Array y = pictures({1, 2, 2, 3}, 2), place(DType::i32, {1, 2, 2, 3}, channels_last_strides({1, 2, 2, 3}));
  try {
    max_pool2d(on(1), {}, x.view(), y.view(), place.view());
    FAIL() << "accepted a wrong output size";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "max_pool2d: pictures (1, 2, 6, 6) cannot give (1, 2, 2, 3); expected size 3 along axis 2");
  }
}

INSTANTIATE_TEST_SUITE_P(All, Pool, ::testing::Values(DType::f32, DType::f64),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
