// Running sums at the lengths where tiles, chunks and lanes end, in every type and layout, against plain
// loops in double. On both devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

constexpr int64_t kLengths[] = {1,   2,   7,   16,  31,  32,   33,   63,   64,   65,   100,
                                127, 128, 129, 200, 255, 1000, 1023, 1024, 1025, 2049, 4100};
constexpr DType kFloats[] = {DType::f32, DType::f64, DType::bf16, DType::f16};
constexpr double kInf = std::numeric_limits<double>::infinity();

std::string named(DType dtype, int64_t n) { return std::string(name_of(dtype)) + " " + std::to_string(n); }

// The running sums of each line of x along an axis, by logical place.
std::vector<double> running_sums(const Array& x, int axis, bool reverse) {
  const Shape& shape = x.shape();
  int64_t step = 1, n = shape[axis];
  for (int i = axis + 1; i < shape.rank(); ++i) step *= shape[i];
  std::vector<double> want(static_cast<size_t>(x.numel()));
  for (int64_t line = 0; line < x.numel() / n; ++line) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = line / step * step * n + line % step + (reverse ? n - 1 - i : i) * step;
      want[static_cast<size_t>(at)] = sum += x.get(at);
    }
  }
  return want;
}

TEST(Scan, LinesAndColumns) {
  for (DType dtype : kFloats)
    for (int64_t n : kLengths)
      for (int axis : {0, 1})
        for (bool reverse : {false, true}) {
          if (kOnCuda && dtype != DType::f32 && n != 33 && n != 1025) continue;
          const Shape shape = axis == 1 ? Shape{7, n} : Shape{n, 7};
          const Array x = Array::random(dtype, shape, 15);
          const std::vector<double> want = running_sums(x, axis, reverse);
          Array y(dtype, shape), turned(dtype, shape, {1, shape[0]});
          HeapScratch scratch;
          cumsum(on(2, &scratch), x.view(), axis, reverse, y.view());
          cumsum(on(2, &scratch), x.view(), axis, reverse, turned.view());
          expect_close(y, want, 1e-5, named(dtype, n));
          ASSERT_EQ(turned.values(), y.values()) << named(dtype, n);
        }
}

// Sums that lie just beside the middle of two bf16 numbers: rounding to f32 first would put them there.
TEST(Scan, RunningSumsRoundOnce) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const double terms[][4] = {{1, 0x1p-8, 0x1p-40, -0x1p-39},
                             {1, 0x1.8p-7, -0x1p-40, 0x1p-39},
                             {-1, -0x1p-8, -0x1p-40, 0x1p-39},
                             {0x1.fep127, 0x1.fep127, -0x1.fep127, 1},
                             {0x1p-133, 0x1p-133, -0x1p-132, 0},
                             {inf, 1, 2, 3},
                             {1, nan, 2, 3},
                             {-inf, 1, inf, 2}};
  const double sums[][4] = {{1, 1, 0x1.02p0, 1},        {1, 0x1.04p0, 0x1.02p0, 0x1.04p0},
                            {-1, -1, -0x1.02p0, -1},    {0x1.fep127, inf, 0x1.fep127, 0x1.fep127},
                            {0x1p-133, 0x1p-132, 0, 0}, {inf, inf, inf, inf},
                            {1, nan, nan, nan},         {-inf, -inf, nan, nan}};
  for (int axis : {0, 1}) {
    const Shape stride = axis == 1 ? Shape{4, 1} : Shape{1, 8};
    Array x(DType::bf16, {8, 4}, stride), y(DType::bf16, {8, 4}, stride);
    for (int64_t i = 0; i < 32; ++i) x.set(i, terms[i / 4][i % 4]);
    cumsum(on(), x.view(), 1, false, y.view());
    for (int64_t i = 0; i < 32; ++i) {
      const double want = sums[i / 4][i % 4];
      if (std::isnan(want))
        EXPECT_TRUE(std::isnan(y.get(i))) << i;
      else
        EXPECT_EQ(y.get(i), want) << i;
    }
  }
}

// Whole numbers, whose sums are exact in any order, on lines of several chunks.
TEST(Scan, LongLinesAddUpInChunks) {
  constexpr int64_t kLong = kOnCuda ? 20011 : 3 * 65536 + 4099, kColumns = kOnCuda ? 2100 : 70000;
  for (const Shape& shape : {Shape{2, kLong}, Shape{kLong, 2}, Shape{kColumns, 33}})
    for (bool reverse : {false, true}) {
      const int axis = shape[0] == 2 ? 1 : 0;
      Array x(DType::f64, shape);
      for (int64_t i = 0; i < x.numel(); ++i) x.set(i, static_cast<double>((i * i + 3 * i) % 2001 - 1000));
      const std::vector<double> want = running_sums(x, axis, reverse);
      for (int threads : {1, 3}) {
        HeapScratch scratch;
        Array y(DType::f64, shape);
        cumsum(on(threads, &scratch), x.view(), axis, reverse, y.view());
        ASSERT_EQ(y.values(), want) << shape.str() << reverse << threads;
      }
    }
}

// A launch on CUDA has 1024 blocks of 8 warps at most, which then take several lines each.
TEST(Scan, MoreLinesThanWarps) {
  const Array x = Array::random(DType::f32, {8192 + 31, 33}, 6);
  Array y(DType::f32, x.shape());
  cumsum(on(2), x.view(), 1, false, y.view());
  EXPECT_EQ(y.values(), running_sums(x, 1, false));
}

// 0.1 is not exact in binary; a running sum in f32 would be off by more than 1.
TEST(Scan, LongLinesOfFloatsAddUpInDouble) {
  constexpr int64_t kLong = 40001;
  Array x(DType::f32, {kLong}), y(DType::f32, {kLong});
  for (int64_t i = 0; i < kLong; ++i) x.set(i, 0.1);
  HeapScratch scratch;
  cumsum(on(1, &scratch), x.view(), 0, false, y.view());
  for (int64_t i = 0; i < kLong; ++i) {
    const double want = static_cast<double>(0.1F) * static_cast<double>(i + 1);
    ASSERT_NEAR(y.get(i), want, want * 0x1p-24 * 1.0001) << i;
  }
}

// What comes later must not reach back, in the same tile or from another chunk.
TEST(Scan, InfinitiesReachForwardOnly) {
  constexpr int64_t kLong = kOnCuda ? 17000 : 140000;
  for (int64_t first : {int64_t{0}, int64_t{5}, int64_t{700}, int64_t{1023}, kLong / 2})
    for (bool reverse : {false, true}) {
      const int64_t second = first + kLong / 3;
      Array x(DType::f32, {kLong}), y = x;
      auto place = [&](int64_t i) { return reverse ? kLong - 1 - i : i; };
      for (int64_t i = 0; i < kLong; ++i) x.set(i, 1);
      x.set(place(first), kInf);
      x.set(place(second), -kInf);
      HeapScratch scratch;
      cumsum(on(1, &scratch), x.view(), 0, reverse, y.view());
      for (int64_t i = 0; i < kLong; ++i) {
        const double got = y.get(place(i));
        ASSERT_TRUE(i < first    ? got == static_cast<double>(i + 1)
                    : i < second ? got == kInf
                                 : std::isnan(got))
            << first << " " << i << " " << got;
      }
    }
}

TEST(Scan, AnyAxisOfAnyLayoutAndInPlace) {
  struct Layout {
    Shape shape, x, y;
  };
  const Layout layouts[] = {{{3, 37, 5}, {185, 5, 1}, {185, 5, 1}},
                            {{3, 37, 5}, {1, 15, 3}, {185, 1, 37}},
                            {{2, 3, 41, 7}, channels_last_strides({2, 3, 41, 7}), {861, 287, 7, 1}},
                            {{5, 40}, {91, 2}, {1, 6}},
                            {{40, 40}, {0, 1}, {40, 1}},
                            {{1, 1, 50}, {50, 50, 1}, {50, 50, 1}}};
  for (const Layout& at : layouts)
    for (int axis = 0; axis < at.shape.rank(); ++axis)
      for (bool reverse : {false, true}) {
        SCOPED_TRACE(text(at.shape, " ", at.x, " ", at.y, " axis ", axis, reverse ? " reverse" : ""));
        Array x = Array::random(DType::f32, at.shape, at.x, 3), y(DType::f32, at.shape, at.y);
        const std::vector<double> want = running_sums(x, axis, reverse);
        HeapScratch scratch;
        cumsum(on(2, &scratch), x.view(), axis, reverse, y.view());
        EXPECT_EQ(y.values(), want);
        if (at.x[0] == 0) continue;
        cumsum(on(2, &scratch), x.view(), axis, reverse, x.view());
        EXPECT_EQ(x.values(), want);
      }
  // Backwards through memory.
  Array x = Array::random(DType::f32, {3, 50}, 4), y(DType::f32, {3, 50});
  View turned{x.view().as<float>() + 149, DType::f32, {3, 50}, {-50, -1}};
  HeapScratch scratch;
  cumsum(on(1, &scratch), turned, 1, false, y.view());
  for (int64_t line = 0; line < 3; ++line) {
    double sum = 0;
    for (int64_t i = 0; i < 50; ++i)
      ASSERT_EQ(y.get(line * 50 + i), sum += x.get(149 - line * 50 - i)) << line << " " << i;
  }
}

template <class T>
void check_integers(DType dtype, int64_t rows, int64_t cols) {
  std::vector<T> x(static_cast<size_t>(rows * cols));
  uint64_t state = 7;
  for (T& value : x) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    value = static_cast<T>(dtype == DType::boolean ? state >> 63 : state >> 5);
  }
  for (int axis : {0, 1}) {
    std::vector<int64_t> y(x.size(), -1), want(x.size());
    for (int64_t line = 0; line < (axis == 0 ? cols : rows); ++line) {
      uint64_t sum = 0;
      for (int64_t i = 0; i < (axis == 0 ? rows : cols); ++i) {
        const auto at = static_cast<size_t>(axis == 0 ? i * cols + line : line * cols + i);
        sum += static_cast<uint64_t>(static_cast<int64_t>(x[at]));  // wraps around
        want[at] = static_cast<int64_t>(sum);
      }
    }
    HeapScratch scratch;
    const Shape shape{rows, cols}, stride{cols, 1};
    cumsum(on(2, &scratch), View{x.data(), dtype, shape, stride}, axis, false,
           MutView{y.data(), DType::i64, shape, stride});
    ASSERT_EQ(y, want) << name_of(dtype) << " " << rows << " " << cols << " " << axis;
  }
}

TEST(Scan, IntegersAndBoolAddUpInI64) {
  for (const Shape& shape : {Shape{3, 40}, Shape{70, 33}, Shape{2, 9001}}) {
    check_integers<int64_t>(DType::i64, shape[0], shape[1]);
    check_integers<int32_t>(DType::i32, shape[0], shape[1]);
    check_integers<uint8_t>(DType::u8, shape[0], shape[1]);
    check_integers<uint8_t>(DType::boolean, shape[0], shape[1]);
  }
}

TEST(Scan, NothingAndOne) {
  Array none(DType::f32, {0, 3}), one = Array::random(DType::f16, {1, 1}, 5), y(DType::f16, {1, 1});
  cumsum(on(), none.view(), 1, false, none.view());
  cumsum(on(), one.view(), 0, true, y.view());
  EXPECT_EQ(y.get(0), one.get(0));
}

}  // namespace
}  // namespace iskra::kernels::testing
