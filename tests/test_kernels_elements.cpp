// Pointwise ops and copies in the types that the other tests of kernels pass by: 16-bit floats lying densely,
// and integers. On both devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "pointwise_reference.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

constexpr DType kHalves[] = {DType::bf16, DType::f16};

// Half a unit in the last place of a number of this size, and the smallest step of f16.
double rounding(DType dtype, double value) {
  return std::abs(value) * (dtype == DType::bf16 ? 0x1p-8 : 0x1p-10) +
         (dtype == DType::f16 ? 0x1p-23 : 1e-36);
}

// n dense numbers in 0.25 … 1.45: all ops are defined and smooth there, and none lies on a kink.
Array positive(DType dtype, int64_t n, uint64_t seed) {
  Array x(dtype, {n});
  for (int64_t i = 0; i < n; ++i) {
    x.set(i, 0.25 + 1.2 * static_cast<double>((static_cast<uint64_t>(i) * 37 + seed * 11) % 101) / 101.0 +
                 0.001);
  }
  return x;
}

TEST(Elements, EveryUnaryOpOnDenseHalves) {
  constexpr int64_t kCount = 1003;  // no multiple of a vector
  for (DType dtype : kHalves) {
    Array x = positive(dtype, kCount, 1), dy = positive(dtype, kCount, 2);
    for (int i = 0; i < static_cast<int>(UnaryOp::logical_not); ++i) {
      auto op = static_cast<UnaryOp>(i);
      SCOPED_TRACE(text(name_of(op), " ", name_of(dtype)));
      Array y(dtype, {kCount}), dx(dtype, {kCount});
      unary(on(2), op, x.view(), y.view(), params_of(op));
      unary_backward(on(2), op, x.view(), y.view(), dy.view(), dx.view(), params_of(op));
      for (int64_t k = 0; k < kCount; ++k) {
        Reference want = reference(op, x.get(k));
        ASSERT_NEAR(y.get(k), want.y, rounding(dtype, want.y)) << x.get(k);
        // Derivatives that read y read a rounded one.
        double slope = backward_reads(op).second ? 4 * rounding(dtype, 1 + std::abs(want.dy)) : 1e-5;
        ASSERT_NEAR(dx.get(k), dy.get(k) * want.dy, rounding(dtype, dy.get(k) * want.dy) + dy.get(k) * slope)
            << x.get(k);
      }
    }
  }
}

TEST(Elements, EveryBinaryOpOnDenseHalves) {
  constexpr int64_t kCount = 1003;
  for (DType dtype : kHalves) {
    Array a = positive(dtype, kCount, 1), b = positive(dtype, kCount, 2), dy = positive(dtype, kCount, 3);
    for (int i = 0; i < kDifferentiableBinaryOps; ++i) {
      auto op = static_cast<BinaryOp>(i);
      SCOPED_TRACE(text(name_of(op), " ", name_of(dtype)));
      Array y(dtype, {kCount}), da(dtype, {kCount}), db(dtype, {kCount});
      binary(on(2), op, a.view(), b.view(), y.view());
      binary_backward(on(2), op, a.view(), b.view(), dy.view(), da.view(), db.view());
      for (int64_t k = 0; k < kCount; ++k) {
        BinaryReference want = reference(op, a.get(k), b.get(k));
        double g = dy.get(k);
        ASSERT_NEAR(y.get(k), want.y, rounding(dtype, want.y) + 1e-5) << a.get(k) << " " << b.get(k);
        ASSERT_NEAR(da.get(k), g * want.da, rounding(dtype, g * want.da) + 1e-5)
            << a.get(k) << " " << b.get(k);
        ASSERT_NEAR(db.get(k), g * want.db, rounding(dtype, g * want.db) + 1e-5)
            << a.get(k) << " " << b.get(k);
      }
    }
  }
}

// --- integers
// -----------------------------------------------------------------------------------------------------

int64_t floor_division(int64_t a, int64_t b) {
  return static_cast<int64_t>(std::floor(static_cast<long double>(a) / static_cast<long double>(b)));
}

int64_t integer_reference(BinaryOp op, int64_t a, int64_t b) {
  switch (op) {
    case BinaryOp::add:
      return a + b;
    case BinaryOp::sub:
      return a - b;
    case BinaryOp::mul:
      return a * b;
    case BinaryOp::minimum:
      return std::min(a, b);
    case BinaryOp::maximum:
      return std::max(a, b);
    case BinaryOp::floor_divide:
      return floor_division(a, b);
    case BinaryOp::remainder:
      return a - b * floor_division(a, b);
    case BinaryOp::pow:
      if (a == 0 && b < 0) return 0;  // as an integer, 1 / 0^-b towards 0
      return static_cast<int64_t>(
          std::trunc(std::pow(static_cast<long double>(a), static_cast<long double>(b))));
    case BinaryOp::eq:
      return a == b;
    case BinaryOp::ne:
      return a != b;
    case BinaryOp::lt:
      return a < b;
    case BinaryOp::le:
      return a <= b;
    case BinaryOp::gt:
      return a > b;
    case BinaryOp::ge:
      return a >= b;
    case BinaryOp::logical_and:
      return a != 0 && b != 0;
    case BinaryOp::logical_or:
      return a != 0 || b != 0;
    case BinaryOp::logical_xor:
      return (a != 0) != (b != 0);
    case BinaryOp::div:
      break;
  }
  return 0;
}

TEST(Elements, EveryBinaryOpOnIntegers) {
  constexpr int64_t kSide = 15;  // -7 … 7 beside each other
  std::vector<int32_t> a, b;
  for (int64_t i = 0; i < kSide * kSide; ++i) {
    a.push_back(static_cast<int32_t>(i / kSide - 7));
    b.push_back(static_cast<int32_t>(i % kSide - 7));
  }
  for (int i = 0; i < kBinaryOps; ++i) {
    auto op = static_cast<BinaryOp>(i);
    if (!takes_integers(op)) continue;
    bool divides = op == BinaryOp::floor_divide || op == BinaryOp::remainder;
    std::vector<int32_t> divisor = b;
    if (divides) std::replace(divisor.begin(), divisor.end(), 0, 9);
    std::vector<int64_t> y(a.size());
    std::vector<uint8_t> truth(a.size());
    Shape shape{kSide * kSide}, one{1};
    View left{a.data(), DType::i32, shape, one}, right{divisor.data(), DType::i32, shape, one};
    binary(on(2), op, left, right, MutView{y.data(), DType::i64, shape, one});
    binary(on(2), op, left, right, MutView{truth.data(), DType::boolean, shape, one});
    for (size_t k = 0; k < a.size(); ++k) {
      int64_t want = integer_reference(op, a[k], divisor[k]);
      ASSERT_EQ(y[k], want) << name_of(op) << " " << a[k] << " " << divisor[k];
      ASSERT_EQ(truth[k], want != 0 ? 1 : 0) << name_of(op) << " " << a[k] << " " << divisor[k];
    }
  }
}

TEST(Elements, UnaryOpsOnIntegers) {
  std::vector<int64_t> x = {-1000000007, -5, -1, 0, 1, 2, 7, 1000000007}, y(x.size());
  Shape shape{static_cast<int64_t>(x.size())}, one{1};
  auto run = [&](UnaryOp op, const PointwiseParams& params = {}) {
    unary(on(), op, View{x.data(), DType::i64, shape, one}, MutView{y.data(), DType::i64, shape, one},
          params);
    return y;
  };
  auto want = [&](auto f) {
    std::vector<int64_t> all;
    for (int64_t v : x) all.push_back(f(v));
    return all;
  };
  EXPECT_EQ(run(UnaryOp::neg), want([](int64_t v) { return -v; }));
  EXPECT_EQ(run(UnaryOp::abs), want([](int64_t v) { return std::abs(v); }));
  EXPECT_EQ(run(UnaryOp::sign), want([](int64_t v) { return v > 0 ? 1 : v < 0 ? -1 : 0; }));
  EXPECT_EQ(run(UnaryOp::floor), x);
  EXPECT_EQ(run(UnaryOp::square), want([](int64_t v) { return v * v; }));
  EXPECT_EQ(run(UnaryOp::relu), want([](int64_t v) { return std::max<int64_t>(v, 0); }));
  EXPECT_EQ(run(UnaryOp::clamp, {{-2, 5}}), want([](int64_t v) { return std::clamp<int64_t>(v, -2, 5); }));
  EXPECT_EQ(run(UnaryOp::clamp, {{-INFINITY, 5}}), want([](int64_t v) { return std::min<int64_t>(v, 5); }));
  EXPECT_EQ(run(UnaryOp::pow_number, {{2, 0}}), want([](int64_t v) { return v * v; }));
  EXPECT_EQ(run(UnaryOp::logical_not), want([](int64_t v) { return v == 0; }));
  EXPECT_EQ(run(UnaryOp::is_nan), want([](int64_t) { return 0; }));
  EXPECT_EQ(run(UnaryOp::is_finite), want([](int64_t) { return 1; }));
}

// --- memory
// -------------------------------------------------------------------------------------------------------

template <class E>
void check_strided_copies(DType dtype) {
  constexpr int64_t kRows = 37, kCols = 45, kGap = 3;
  std::vector<E> x(kRows * (kCols + kGap));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<E>(i * 7 % 251);
  Shape shape{kRows, kCols};
  // Every second column; then the transpose.
  std::vector<E> y(kRows * kCols, E{1}), turned(kRows * kCols, E{1});
  copy(on(2), View{x.data(), dtype, {kRows, kCols / 2}, {kCols + kGap, 2}},
       MutView{y.data(), dtype, {kRows, kCols / 2}, {kCols, 1}});
  copy(on(2), View{x.data(), dtype, {kCols, kRows}, {1, kCols + kGap}},
       MutView{turned.data(), dtype, {kCols, kRows}, {kRows, 1}});
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t j = 0; j < kCols; ++j) {
      auto from = static_cast<size_t>(i * (kCols + kGap) + j);
      ASSERT_EQ(turned[static_cast<size_t>(j * kRows + i)], x[from]) << i << " " << j;
      E want = j < kCols / 2 ? x[static_cast<size_t>(i * (kCols + kGap) + 2 * j)] : E{1};
      ASSERT_EQ(y[static_cast<size_t>(i * kCols + j)], want) << i << " " << j;
    }
  }
}

TEST(Elements, StridedCopiesOfSmallElements) {
  check_strided_copies<uint8_t>(DType::u8);
  check_strided_copies<uint16_t>(DType::bf16);  // any bits are copied
}

TEST(Elements, FillsBytes) {
  std::vector<uint8_t> y(50, 9);
  fill(on(), MutView{y.data(), DType::u8, {5, 4}, {10, 2}}, 3);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], i % 10 < 8 && i % 2 == 0 ? 3 : 9) << i;
  fill(on(), MutView{y.data(), DType::boolean, {50}, {1}}, 7);
  EXPECT_EQ(y, std::vector<uint8_t>(50, 1));
}

TEST(Elements, AddsHalvesInto) {
  for (DType dtype : kHalves) {
    Array x = Array::random(dtype, {5, 33}, {1, 5}, 12), y = Array::random(dtype, {5, 33}, 13), before = y;
    add_into(on(2), x.view(), y.view(), 1);
    for (int64_t i = 0; i < y.numel(); ++i) {
      double want = before.get(i) + x.get(i);
      ASSERT_NEAR(y.get(i), want, rounding(dtype, want));
    }
  }
}

TEST(Elements, NormalizesPicturesIntoHalves) {
  const float mean[] = {0.5F, 0.25F, 0.125F}, deviation[] = {0.25F, 0.5F, 1};
  std::vector<uint8_t> x(size_t{7} * 9 * 3);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 131 % 256);
  for (DType dtype : kHalves) {
    Array y(dtype, {1, 3, 7, 9}, channels_last_strides({1, 3, 7, 9}));
    HeapScratch scratch;
    normalize_images(on(1, &scratch),
                     View{x.data(), DType::u8, {1, 7, 9, 3}, contiguous_strides({1, 7, 9, 3})}, mean,
                     deviation, y.view());
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t p = 0; p < 63; ++p) {
        double want = (x[static_cast<size_t>(p * 3 + c)] / 255.0 - static_cast<double>(mean[c])) /
                      static_cast<double>(deviation[c]);
        ASSERT_NEAR(y.get(c * 63 + p), want, rounding(dtype, want) + 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace iskra::kernels::testing
