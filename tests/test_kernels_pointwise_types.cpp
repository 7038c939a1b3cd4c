// Pointwise ops where operands are of different types, of 16 bits, or the result is bool.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "pointwise_reference.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

// Dense memory of any type, filled from numbers by the conversion kernel, which has tests of its own.
struct Converted {
  std::vector<double> storage;
  MutView view;
  Converted(const std::vector<double>& numbers, DType dtype)
      : storage(numbers.size()), view{storage.data(), dtype, {static_cast<int64_t>(numbers.size())}, {1}} {
    copy(on(), View{numbers.data(), DType::f64, view.shape, view.stride}, view);
  }
};

// Operands of different types meet in f32 (in f64 where one is f64) and are rounded once. The lengths go
// beyond the blocks in which they are converted.
TEST(Pointwise, OperandsOfDifferentTypesAreRoundedOnce) {
  constexpr std::array kFloats = {DType::f32, DType::f64, DType::bf16, DType::f16};
  constexpr int64_t kRows = 3, kCols = 1301;
  std::vector<double> left(2 * kRows * kCols), right(kRows), product(kRows * kCols);
  for (size_t i = 0; i < left.size(); ++i)
    left[i] = static_cast<double>(static_cast<int64_t>(i * 37 % 255) - 127);
  for (size_t r = 0; r < right.size(); ++r) right[r] = 0.9921875 - 0.5 * static_cast<double>(r);
  for (size_t i = 0; i < product.size(); ++i) product[i] = left[2 * i] * right[i / kCols];
  for (DType type_a : kFloats)
    for (DType type_b : kFloats)
      for (DType type_y : kFloats) {
        SCOPED_TRACE(text(name_of(type_a), " ", name_of(type_b), " ", name_of(type_y)));
        const Converted a(left, type_a), b(right, type_b), want(product, type_y);
        Converted y(std::vector<double>(product.size(), -1), type_y);
        const Shape shape{kRows, kCols};
        binary(on(2), BinaryOp::mul, View{a.view.data, type_a, shape, {2 * kCols, 2}},
               View{b.view.data, type_b, shape, {1, 0}}, MutView{y.view.data, type_y, shape, {kCols, 1}});
        EXPECT_EQ(std::memcmp(y.view.data, want.view.data, product.size() * size_of(type_y)), 0);
      }
}

// All bf16 numbers, NaN and infinity included, beside each other; `count` of them from the first.
std::vector<double> every_bf16(size_t count = 65536) {
  std::vector<double> all;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t bits = i << 16;
    float x = 0;
    std::memcpy(&x, &bits, sizeof x);
    all.push_back(x);
  }
  return all;
}

std::vector<double> numbers_of(const MutView& x) {
  std::vector<double> numbers(static_cast<size_t>(x.numel()));
  copy(on(), x, MutView{numbers.data(), DType::f64, x.shape, x.stride});
  return numbers;
}

// Half a unit in the last place of bf16, and what f32 loses before.
bool rounded_once(double got, double want) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(got) || std::isinf(want)) return got == want || std::abs(want) > 3.38e38;
  int exponent = 0;
  std::frexp(want, &exponent);
  const double half_unit = std::ldexp(1, std::max(exponent - 9, -134));
  return std::abs(got - want) <= half_unit + std::abs(want) * 0x1p-15;
}

TEST(Pointwise, EveryBf16NumberIsRoundedOnce) {
  const std::vector<double> points = every_bf16();
  const Converted x(points, DType::bf16);
  for (int i = 0; i < static_cast<int>(UnaryOp::logical_not); ++i) {
    const auto op = static_cast<UnaryOp>(i);
    SCOPED_TRACE(name_of(op));
    Converted y(points, DType::bf16), in_place(points, DType::bf16);
    unary(on(), op, x.view, y.view, params_of(op));
    unary(on(2), op, in_place.view, in_place.view, params_of(op));
    EXPECT_EQ(std::memcmp(y.view.data, in_place.view.data, points.size() * 2), 0) << "in place";
    const std::vector<double> got = numbers_of(y.view);
    int wrong = 0;
    for (size_t k = 0; k < points.size(); ++k) {
      // An infinity's function is whatever the op's tests in f32 say: only roundings are looked at here.
      if (std::isinf(points[k])) continue;
      const double want = !std::isnan(points[k]) ? reference(op, points[k]).y
                          : op == UnaryOp::sign  ? 0
                                                 : kNan;
      if (got[k] == 0 && std::abs(want) < zero_below(op)) continue;
      if (!rounded_once(got[k], want) && ++wrong < 5)
        ADD_FAILURE() << name_of(op) << "(" << points[k] << ") = " << want << ", got " << got[k];
    }
    EXPECT_EQ(wrong, 0);
  }
}

TEST(Pointwise, GradientsOfBf16AreRoundedOnce) {
  std::vector<double> points, slopes;
  for (int i = -1500; i <= 1500; ++i) points.push_back(i / 256.0 + 1.0 / 1024);
  const Converted x(points, DType::bf16);
  const std::vector<double> rounded = numbers_of(x.view);
  for (size_t k = 0; k < points.size(); ++k) slopes.push_back(0.75 - static_cast<double>(k % 7));
  const Converted dy(slopes, DType::bf16);
  for (int i = 0; i < static_cast<int>(UnaryOp::logical_not); ++i) {
    const auto op = static_cast<UnaryOp>(i);
    SCOPED_TRACE(name_of(op));
    Converted y(points, DType::bf16), dx(points, DType::bf16);
    unary(on(), op, x.view, y.view, params_of(op));
    unary_backward(on(), op, x.view, y.view, dy.view, dx.view, params_of(op));
    const std::vector<double> got = numbers_of(dx.view), stored = numbers_of(y.view);
    const bool from_y = backward_reads(op).second;
    for (size_t k = 0; k < points.size(); ++k) {
      const Reference at = reference(op, rounded[k]);
      if (std::isnan(at.y) || std::isinf(at.y) || std::isnan(at.dy)) continue;
      // What is computed from a rounded y is as good as y is.
      const double allowed = from_y ? 0x1p-7 * (std::abs(at.dy) + std::abs(at.y) + at.y * at.y) *
                                          std::abs(slopes[k]) * (1 + std::abs(stored[k]))
                                    : std::abs(at.dy * slopes[k]) * 0x1p-8 + 1e-6;
      EXPECT_LE(std::abs(got[k] - at.dy * slopes[k]), allowed) << rounded[k];
    }
  }
}

TEST(Pointwise, TestsOfFloatsGiveBool) {
  const std::vector<double> points = every_bf16(4099);
  std::vector<double> others(points.rbegin(), points.rend());
  others[5] = points[5], others[100] = kNan, others[200] = 0;
  const auto n = static_cast<int64_t>(points.size());
  using Compare = bool (*)(double, double);
  const std::pair<BinaryOp, Compare> cases[] = {
      {BinaryOp::eq, [](double a, double b) { return a == b; }},
      {BinaryOp::ne, [](double a, double b) { return a != b; }},
      {BinaryOp::lt, [](double a, double b) { return a < b; }},
      {BinaryOp::le, [](double a, double b) { return a <= b; }},
      {BinaryOp::gt, [](double a, double b) { return a > b; }},
      {BinaryOp::ge, [](double a, double b) { return a >= b; }},
      {BinaryOp::logical_and, [](double a, double b) { return a != 0 && b != 0; }},
      {BinaryOp::logical_or, [](double a, double b) { return a != 0 || b != 0; }},
      {BinaryOp::logical_xor, [](double a, double b) { return (a != 0) != (b != 0); }}};
  for (DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16}) {
    const Converted a(points, dtype), b(others, dtype);
    const std::vector<double> left = numbers_of(a.view), right = numbers_of(b.view);
    for (const auto& [op, want] : cases)
      for (int64_t step : {1, 2}) {  // beside each other, and with gaps
        std::vector<uint8_t> y(2 * points.size(), 7);
        binary(on(2), op, a.view, b.view, MutView{y.data(), DType::boolean, {n}, {step}});
        for (size_t i = 0; i < points.size(); ++i)
          ASSERT_EQ(y[i * static_cast<size_t>(step)], want(left[i], right[i]) ? 1 : 0)
              << name_of(op) << " " << name_of(dtype) << " " << left[i] << " " << right[i];
        EXPECT_EQ(y[1], step == 2 ? 7 : y[1]);
      }
    std::vector<uint8_t> y(points.size());
    unary(on(), UnaryOp::is_nan, b.view, MutView{y.data(), DType::boolean, {n}, {1}});
    for (size_t i = 0; i < points.size(); ++i) ASSERT_EQ(y[i], std::isnan(right[i]) ? 1 : 0);
  }
}

}  // namespace
}  // namespace iskra::kernels::testing
