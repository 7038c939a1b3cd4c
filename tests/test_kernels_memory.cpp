// Copies with conversion, accumulation, fills and picture normalisation.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/half.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

template <class T>
MutView flat(std::vector<T>& v) {
  return {v.data(), dtype_of<T>, {static_cast<int64_t>(v.size())}, {1}};
}

template <class To, class From>
std::vector<To> converted(std::vector<From> x) {
  std::vector<To> y(x.size());
  copy(on(), flat(x), flat(y));
  return y;
}

// The value of a 16-bit pattern by the definition of the format.
double value_of(uint16_t bits, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  const int exponent = (bits & 0x7fff) >> fraction_bits, fraction = bits & ((1 << fraction_bits) - 1);
  if (exponent == top)
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

// All 65536 patterns: widening is exact, narrowing gives the pattern back, and numbers halfway between two
// neighbours go to the even one, just above it and below it to the nearer, also from double.
template <class Half>
void check_half(int exponent_bits, int fraction_bits) {
  std::vector<Half> all(65536);
  for (uint32_t i = 0; i < 65536; ++i) all[i].bits = static_cast<uint16_t>(i);
  const std::vector<float> wide = converted<float>(all);
  const std::vector<Half> back = converted<Half>(wide);
  for (uint32_t i = 0; i < 65536; ++i) {
    const double want = value_of(static_cast<uint16_t>(i), exponent_bits, fraction_bits);
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(wide[i])) << i;
      ASSERT_TRUE(std::isnan(value_of(back[i].bits, exponent_bits, fraction_bits))) << i;
      continue;
    }
    ASSERT_EQ(static_cast<double>(wide[i]), want) << i;
    ASSERT_EQ(back[i].bits, i);
  }
  const uint32_t last = ((1U << exponent_bits) - 1U) << fraction_bits;  // infinity
  std::vector<double> halfway, above, below;
  for (uint32_t i = 0; i + 1 < last; ++i) {
    const double a = value_of(static_cast<uint16_t>(i), exponent_bits, fraction_bits);
    const double b = value_of(static_cast<uint16_t>(i + 1), exponent_bits, fraction_bits);
    halfway.push_back((a + b) / 2);
    above.push_back(std::nextafter((a + b) / 2, b));
    below.push_back(std::nextafter((a + b) / 2, a));
  }
  const std::vector<Half> h = converted<Half>(halfway), hf = converted<Half>(converted<float>(halfway));
  const std::vector<Half> up = converted<Half>(above), down = converted<Half>(below);
  for (uint32_t i = 0; i + 1 < last; ++i) {
    ASSERT_EQ(h[i].bits, i + (i & 1U)) << i;
    ASSERT_EQ(hf[i].bits, i + (i & 1U)) << i;
    ASSERT_EQ(up[i].bits, i + 1) << i;
    ASSERT_EQ(down[i].bits, i) << i;
  }
  const double huge = std::numeric_limits<double>::max();
  EXPECT_EQ(converted<Half>(std::vector<double>{huge})[0].bits, last);
  EXPECT_EQ(converted<Half>(std::vector<double>{-huge})[0].bits, last | 0x8000U);
}

TEST(Memory, Bf16RoundsToNearestEven) { check_half<bf16>(8, 7); }
TEST(Memory, F16RoundsToNearestEven) { check_half<f16>(5, 10); }

TEST(Memory, FloatToIntegerTruncatesAndSaturates) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> x = {1.9, -1.9, 300, -3, 3e9, -3e9, 1e19, -1e19, inf, -inf, nan, 0};
  EXPECT_EQ(converted<uint8_t>(x), (std::vector<uint8_t>{1, 0, 255, 0, 255, 0, 255, 0, 255, 0, 0, 0}));
  const int32_t a = std::numeric_limits<int32_t>::min(), b = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(converted<int32_t>(x), (std::vector<int32_t>{1, -1, 300, -3, b, a, b, a, b, a, 0, 0}));
  const int64_t c = std::numeric_limits<int64_t>::min(), d = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(converted<int64_t>(x),
            (std::vector<int64_t>{1, -1, 300, -3, 3000000000, -3000000000, d, c, d, c, 0, 0}));
  EXPECT_EQ(converted<int32_t>(converted<float>(x)),
            (std::vector<int32_t>{1, -1, 300, -3, b, a, b, a, b, a, 0, 0}));
  EXPECT_EQ(converted<int64_t>(converted<float>(x)),
            (std::vector<int64_t>{1, -1, 300, -3, 3000000000, -3000000000, d, c, d, c, 0, 0}));
}

TEST(Memory, EveryPairOfTypesConvertsSmallNumbers) {
  const DType types[] = {DType::f32, DType::f16, DType::bf16, DType::f64,
                         DType::i64, DType::i32, DType::u8,   DType::boolean};
  for (DType from : types)
    for (DType to : types) {
      const bool bits = from == DType::boolean || to == DType::boolean;
      std::vector<double> numbers;
      for (int i = 0; i < 37; ++i) numbers.push_back(bits ? i % 2 : i);
      std::vector<double> result(37);
      std::vector<char> a(37 * 8), b(37 * 8);
      MutView first{a.data(), from, {37}, {1}}, second{b.data(), to, {37}, {1}};
      copy(on(), flat(numbers), first);
      copy(on(), first, second);
      copy(on(), second, flat(result));
      EXPECT_EQ(result, numbers) << name_of(from) << " to " << name_of(to);
    }
}

TEST(Memory, CopiesBetweenAnyLayouts) {
  struct Case {
    Shape shape, x, y;
  };
  const Shape picture{2, 19, 7, 5};
  const std::vector<Case> cases = {
      {{}, {}, {}},
      {{0, 3}, {3, 1}, {3, 1}},
      {{37, 53}, {53, 1}, {1, 37}},
      {{37, 53}, {1, 37}, {53, 1}},
      {{37, 53}, {106, 2}, {60, 1}},
      {{37, 53}, {60, 1}, {53, 1}},
      {{37, 53}, {0, 1}, {53, 1}},
      {{3, 37, 53}, {37 * 53, 1, 37}, {37 * 53, 53, 1}},
      {{65, 3, 70}, {1, 65, 195}, {210, 70, 1}},
      {{2, 3, 4, 5}, {60, 1, 15, 3}, {60, 20, 5, 1}},
      {picture, contiguous_strides(picture), channels_last_strides(picture)},
      {picture, channels_last_strides(picture), contiguous_strides(picture)},
      {picture, channels_last_strides(picture), channels_last_strides(picture)},
  };
  for (DType from : {DType::f32, DType::f64})
    for (DType to : {DType::f32, DType::f64})
      for (const Case& at : cases) {
        Array x = Array::random(from, at.shape, at.x, 11);
        for (int threads : {1, 3}) {
          Array y(to, at.shape, at.y);
          copy(on(threads), x.view(), y.view());
          for (int64_t i = 0; i < x.numel(); ++i) ASSERT_EQ(y.get(i), x.get(i)) << text(at.shape, at.x, at.y);
        }
      }
}

TEST(Memory, LargeTransposesOfEverySize) {
  auto check = [](auto zero) {
    using T = decltype(zero);
    const int64_t rows = 301, cols = 1009;
    std::vector<T> x(static_cast<size_t>(rows * cols)), y(x.size());
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i * 7919 % 251);
    copy(on(3), View{x.data(), dtype_of<T>, {cols, rows}, {1, cols}},
         MutView{y.data(), dtype_of<T>, {cols, rows}, {rows, 1}});
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c)
        ASSERT_EQ(y[static_cast<size_t>(c * rows + r)], x[static_cast<size_t>(r * cols + c)]);
  };
  check(uint8_t{});
  check(int32_t{});
  check(int64_t{});
  check(double{});
}

TEST(Memory, AddsInto) {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Shape shape{5, 33};
    Array x = Array::random(dtype, shape, {1, 5}, 12), y = Array::random(dtype, shape, 13), before = y;
    add_into(on(2), x.view(), y.view(), 1);
    for (int64_t i = 0; i < y.numel(); ++i) ASSERT_EQ(y.get(i), before.get(i) + x.get(i));
    add_into(on(2), x.view(), y.view(), 0);
    for (int64_t i = 0; i < y.numel(); ++i) ASSERT_EQ(y.get(i), x.get(i));
  }
  std::vector<bf16> a = converted<bf16>(std::vector<float>{1, 2, 256}),
                    b = converted<bf16>(std::vector<float>{2, 3, 1});
  add_into(on(), flat(a), flat(b), 1);
  EXPECT_EQ(converted<float>(b),
            (std::vector<float>{3, 5, 256}));  // 257 lies halfway; the even neighbour is 256
  std::vector<int32_t> i(1);
  EXPECT_THROW(add_into(on(), flat(i), flat(i), 1), Error);
  EXPECT_THROW(add_into(on(), flat(a), flat(b), 0.5F), Error);
}

TEST(Memory, FillsWhatBelongsToTheViewAndNothingElse) {
  for (DType dtype : {DType::f32, DType::f64, DType::i32}) {
    Array y(dtype, {7, 9}, {24, 2}), untouched = y;
    fill(on(2), y.view(), 3);
    for (int64_t i = 0; i < y.numel(); ++i) EXPECT_EQ(y.get(i), 3);
    const char* gap = static_cast<const char*>(y.view().data) + size_of(dtype);
    EXPECT_EQ(
        std::memcmp(gap, static_cast<const char*>(untouched.view().data) + size_of(dtype), size_of(dtype)),
        0);
  }
  std::vector<bf16> h(5);
  fill(on(), flat(h), -1.5);
  EXPECT_EQ(converted<float>(h), std::vector<float>(5, -1.5F));
  std::vector<int64_t> large(3);
  fill(on(), flat(large), 1e18);
  EXPECT_EQ(large, std::vector<int64_t>(3, 1000000000000000000));
}

TEST(Memory, NormalizesPictures) {
  const float mean[] = {0.485F, 0.456F, 0.406F}, deviation[] = {0.229F, 0.224F, 0.225F};
  for (int64_t channels : {1, 3}) {
    for (DType dtype : {DType::f32, DType::f64}) {
      const int64_t n = 2, h = 37, w = 41;
      std::vector<uint8_t> x(static_cast<size_t>(n * h * w * channels));
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 131 % 256);
      const Shape shape{n, channels, h, w};
      Array y(dtype, shape, channels_last_strides(shape));
      HeapScratch scratch;
      normalize_images(
          on(2, &scratch),
          View{x.data(), DType::u8, {n, h, w, channels}, contiguous_strides({n, h, w, channels})}, mean,
          deviation, y.view());
      for (int64_t i = 0; i < n; ++i)
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t p = 0; p < h * w; ++p) {
            const double pixel = x[static_cast<size_t>((i * h * w + p) * channels + c)];
            const double want =
                (pixel / 255 - static_cast<double>(mean[c])) / static_cast<double>(deviation[c]);
            ASSERT_NEAR(y.get((i * channels + c) * h * w + p), want, 1e-6);
          }
    }
  }
}

}  // namespace
}  // namespace iskra::kernels::testing
