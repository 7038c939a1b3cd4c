// Pooling against naive loops: values, places, ties, NaN, padding, overlapping and adaptive windows, threads.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

/// The pixels of one window along one axis, and how many of them a mean counts.
struct Window {
  std::vector<int64_t> places;
  int64_t counted = 0;
};

struct Case {
  int64_t n, c, h, w;
  Pool2d at;
  int64_t adaptive[2] = {1, 1};  ///< the result's size, if the windows are

  int64_t in(int axis) const { return axis == 0 ? h : w; }
  int64_t reach(int axis) const { return at.dilation[axis] * (at.size[axis] - 1) + 1; }
  /// One more window as long as it lies in the padded picture, or, in ceil mode, begins before its last
  /// padding while the one before left something over.
  int64_t out(int axis) const {
    if (at.adaptive) return adaptive[axis];
    const int64_t end = in(axis) + at.padding[axis];
    int64_t count = 0;
    for (int64_t first = -at.padding[axis];; first += at.stride[axis], ++count) {
      const bool fits = first + reach(axis) <= end;
      const bool left_over = count > 0 && first - at.stride[axis] + reach(axis) < end && first < in(axis);
      if (!fits && !(at.ceil_mode && left_over)) return count;
    }
  }
  Window window(int axis, int64_t o) const {
    Window found;
    if (at.adaptive) {
      const double step = static_cast<double>(in(axis)) / static_cast<double>(adaptive[axis]);
      for (int64_t i = 0; i < in(axis); ++i)
        if (static_cast<double>(i + 1) > static_cast<double>(o) * step + 1e-9 &&
            static_cast<double>(i) < static_cast<double>(o + 1) * step - 1e-9)
          found.places.push_back(i);
      found.counted = static_cast<int64_t>(found.places.size());
      return found;
    }
    for (int64_t r = 0; r < at.size[axis]; ++r) {
      const int64_t i = o * at.stride[axis] - at.padding[axis] + r * at.dilation[axis];
      if (i >= 0 && i < in(axis)) found.places.push_back(i);
      if (at.count_include_pad ? i < in(axis) + at.padding[axis] : i >= 0 && i < in(axis)) ++found.counted;
    }
    return found;
  }
  Shape x_shape() const { return {n, c, h, w}; }
  Shape y_shape() const { return {n, c, out(0), out(1)}; }
  std::string str() const {
    return text("x ", x_shape(), " y ", y_shape(), " size ", at.size[0], " stride ", at.stride[0],
                " padding ", at.padding[0], " dilation ", at.dilation[0], at.ceil_mode ? " ceil" : "",
                at.adaptive ? " adaptive" : "", at.count_include_pad ? "" : " without padding");
  }
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {1, 1, 2, 2, {}},
      {1, 1, 1, 1, {.size = {1, 1}, .stride = {1, 1}}},
      {3, 7, 8, 6, {}},
      {2, 33, 7, 9, {}},  // a row and a column left over
      {2, 33, 7, 9, {.ceil_mode = true}},
      {2, 64, 14, 14, {}},
      {1, 19, 9, 11, {.size = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}},
      {1, 16, 9, 10, {.size = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .ceil_mode = true}},
      {2, 8, 6, 7, {.size = {4, 3}, .stride = {3, 3}, .padding = {2, 1}, .ceil_mode = true}},
      {2, 5, 6, 7, {.size = {3, 2}, .stride = {1, 1}, .padding = {1, 0}}},
      {2, 16, 5, 5, {.size = {5, 5}, .stride = {5, 5}}},
      {1, 3, 6, 6, {.size = {1, 1}, .stride = {3, 3}}},
      {0, 3, 6, 6, {}},
      {2, 0, 6, 6, {}},
      {2, 11, 5, 7, {.adaptive = true}, {3, 2}},
      {1, 24, 7, 3, {.adaptive = true}, {5, 7}},  // windows overlap, and are more than pixels
      {2, 8, 4, 6, {.adaptive = true}, {1, 1}},
  };
  return all;
}

std::vector<Case> maxima_cases() {
  std::vector<Case> all = cases();
  all.push_back({1, 8, 9, 8, {.size = {3, 3}, .stride = {1, 2}, .padding = {2, 1}, .dilation = {2, 3}}});
  all.push_back({2, 3, 7, 8, {.size = {2, 2}, .stride = {3, 1}, .dilation = {3, 2}, .ceil_mode = true}});
  return all;
}

std::vector<Case> means_cases() {
  std::vector<Case> all = cases();
  for (const Case& t : cases())
    if (t.at.padding[0] > 0) {
      all.push_back(t);
      all.back().at.count_include_pad = false;
    }
  return all;
}

/// Calls f(n, c, oh, ow) for every element of the result.
template <class F>
void for_each_window(const Case& t, F f) {
  for (int64_t n = 0; n < t.n; ++n)
    for (int64_t c = 0; c < t.c; ++c)
      for (int64_t oh = 0; oh < t.out(0); ++oh)
        for (int64_t ow = 0; ow < t.out(1); ++ow) f(n, c, oh, ow);
}

/// As the definition says: the first largest value of each window, or its last NaN.
void naive(const Case& t, const Array& x, std::vector<double>& y, std::vector<double>& place) {
  for_each_window(t, [&](int64_t n, int64_t c, int64_t oh, int64_t ow) {
    double best = -std::numeric_limits<double>::infinity();
    int64_t at = -1;
    for (int64_t h : t.window(0, oh).places)
      for (int64_t w : t.window(1, ow).places) {
        const double v = x(n, c, h, w);
        if (at >= 0 && !(v > best) && !std::isnan(v)) continue;
        best = v;
        at = h * t.w + w;
      }
    y.push_back(best);
    place.push_back(static_cast<double>(at));
  });
}

class Pool : public ::testing::TestWithParam<DType> {
 protected:
  HeapScratch scratch;
  auto on(int threads) { return testing::on(threads, &scratch); }
  static Array pictures(const Shape& shape, uint64_t seed) {
    return Array::random(GetParam(), shape, channels_last_strides(shape), seed);
  }
  static Array places(const Case& t) { return {DType::i32, t.y_shape(), channels_last_strides(t.y_shape())}; }
};

TEST_P(Pool, Forward) {
  for (const Case& t : maxima_cases()) {
    const Array x = pictures(t.x_shape(), 1);
    Array y = pictures(t.y_shape(), 2), place = places(t);
    std::vector<double> want, want_place;
    naive(t, x, want, want_place);
    max_pool2d(on(2), t.at, x.view(), y.view(), place.view());
    expect_close(y, want, 0, t.str());
    expect_close(place, want_place, 0, t.str() + " place");
    Array alone = pictures(t.y_shape(), 3);
    max_pool2d(on(2), t.at, x.view(), alone.view(), MutView{});
    expect_same_bits(alone, y, t.str() + " without places");
  }
}

TEST_P(Pool, AWindowOfPaddingHasNoPlace) {
  const Case t{1, 8, 1, 2, {.size = {2, 1}, .stride = {1, 1}, .padding = {2, 1}, .dilation = {4, 1}}};
  const Array x = pictures(t.x_shape(), 1);
  Array y = pictures(t.y_shape(), 2), place = places(t), dx = pictures(t.x_shape(), 3);
  max_pool2d(on(1), t.at, x.view(), y.view(), place.view());
  max_pool2d_backward(on(1), t.at, place.view(), y.view(), dx.view());
  for (int64_t i = 0; i < y.numel(); ++i) {
    EXPECT_EQ(place.get(i), -1);
    EXPECT_EQ(y.get(i), -std::numeric_limits<double>::infinity());
  }
  for (int64_t i = 0; i < dx.numel(); ++i) EXPECT_EQ(dx.get(i), 0);
}

TEST_P(Pool, Means) {
  for (const Case& t : means_cases()) {
    const Array x = pictures(t.x_shape(), 1), dy = pictures(t.y_shape(), 2);
    Array y = pictures(t.y_shape(), 3), dx = pictures(t.x_shape(), 4);
    std::vector<double> want, want_dx(static_cast<size_t>(dx.numel()));
    for_each_window(t, [&](int64_t n, int64_t c, int64_t oh, int64_t ow) {
      const Window high = t.window(0, oh), wide = t.window(1, ow);
      const double part = 1.0 / static_cast<double>(high.counted * wide.counted);
      double sum = 0;
      for (int64_t h : high.places)
        for (int64_t w : wide.places) {
          sum += x(n, c, h, w);
          want_dx[static_cast<size_t>(x.place(n, c, h, w))] += part * dy(n, c, oh, ow);
        }
      want.push_back(sum * part);
    });
    avg_pool2d(on(2), t.at, x.view(), y.view());
    avg_pool2d_backward(on(2), t.at, dy.view(), dx.view());
    expect_close(y, want, 1e-6, t.str());
    expect_close(dx, want_dx, 1e-6, t.str() + " gradient");
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
  for (const Case& t : maxima_cases()) {
    const Array x = pictures(t.x_shape(), 1), dy = pictures(t.y_shape(), 2);
    Array place = places(t), dx = pictures(t.x_shape(), 3);
    std::vector<double> y, at, want(static_cast<size_t>(dx.numel()));
    naive(t, x, y, at);
    const int64_t area = t.out(0) * t.out(1), pixels = t.h * t.w;
    for (int64_t i = 0; i < dy.numel(); ++i) {
      const double to = at[static_cast<size_t>(i)];
      place.set(i, to);
      if (to >= 0) want[static_cast<size_t>(i / area * pixels + static_cast<int64_t>(to))] += dy.get(i);
    }
    max_pool2d_backward(on(2), t.at, place.view(), dy.view(), dx.view());
    expect_close(dx, want, 1e-6, t.str());
  }
}

TEST_P(Pool, BitsDoNotDependOnThreads) {
  const int64_t n = kOnCuda ? 2 : 7, c = kOnCuda ? 24 : 48, h = kOnCuda ? 11 : 31, w = kOnCuda ? 9 : 29;
  const Case t{n, c, h, w, {.size = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}};
  const Array x = pictures(t.x_shape(), 1), dy = pictures(t.y_shape(), 2);
  std::vector<Array> first;
  for (int threads : {1, 2, 3}) {
    Array y = dy, dx = x, place = places(t);
    max_pool2d(on(threads), t.at, x.view(), y.view(), place.view());
    max_pool2d_backward(on(threads), t.at, place.view(), dy.view(), dx.view());
    Array mean = dy, dx_of_mean = x;
    avg_pool2d(on(threads), t.at, x.view(), mean.view());
    avg_pool2d_backward(on(threads), t.at, dy.view(), dx_of_mean.view());
    const std::vector<Array> now = {y, place, dx, mean, dx_of_mean};
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

INSTANTIATE_TEST_SUITE_P(All, Pool, ::testing::Values(DType::f32, DType::f64, DType::bf16, DType::f16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
