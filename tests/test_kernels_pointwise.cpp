// Every pointwise op and its derivative against the C library in double.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "pointwise_reference.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

// The largest |got - want| in units of the type's epsilon times |want| + floor.
double worst_error(DType dtype, const Array& got, const std::vector<double>& want, double floor) {
  const double eps = Way{dtype, Provider::fastest}.eps();
  double worst = 0;
  for (int64_t i = 0; i < got.numel(); ++i) {
    const double w = want[static_cast<size_t>(i)];
    const double error = std::abs(got.get(i) - w) / (eps * (std::abs(w) + floor));
    if (std::isnan(error)) return kInf;
    worst = std::max(worst, error);
  }
  return worst;
}

bool needs_positive(UnaryOp op) {
  return op == UnaryOp::log || op == UnaryOp::log1p || op == UnaryOp::log2 || op == UnaryOp::sqrt ||
         op == UnaryOp::rsqrt || op == UnaryOp::reciprocal;
}

// In units of the last place. What multiplies its argument's rounding error by the argument's size: GELU's
// tails (in f32 the exact form does not).
double allowed(UnaryOp op, DType dtype) {
  if (op == UnaryOp::gelu_tanh) return 200;
  return op == UnaryOp::gelu && dtype == DType::f64 ? 90 : 8;
}

class EachUnary : public ::testing::TestWithParam<std::tuple<int, DType>> {
 protected:
  UnaryOp op = static_cast<UnaryOp>(std::get<0>(GetParam()));
  DType dtype = std::get<1>(GetParam());

  Array input(const Shape& shape, const Shape& stride) const {
    Array x = Array::random(dtype, shape, stride, 3);
    for (int64_t i = 0; i < x.numel(); ++i) x.set(i, needs_positive(op) ? x.get(i) * 5 + 5.01 : x.get(i) * 9);
    return x;
  }

  void check(const Shape& shape, const Shape& x_stride, const Shape& y_stride) const {
    SCOPED_TRACE(text(name_of(op), " ", name_of(dtype), " ", shape, " ", x_stride, " ", y_stride));
    Array x = input(shape, x_stride), y(dtype, shape, y_stride), dx(dtype, shape, x_stride);
    Array dy = Array::random(dtype, shape, y_stride, 4);
    unary(on(), op, x.view(), y.view(), params_of(op));
    unary_backward(on(), op, x.view(), y.view(), dy.view(), dx.view(), params_of(op));
    std::vector<double> want_y, want_dx;
    for (int64_t i = 0; i < x.numel(); ++i) {
      Reference at = reference(op, x.get(i));
      want_y.push_back(at.y);
      want_dx.push_back(at.dy * dy.get(i));
    }
    EXPECT_LE(worst_error(dtype, y, want_y, 1e-30), allowed(op, dtype));
    // References of some derivatives are finite differences, good to 1e-13.
    EXPECT_LE(worst_error(dtype, dx, want_dx, 1), dtype == DType::f64 ? 500 : 12);
    // What the derivative does not read may be missing.
    Array again(dtype, shape, x_stride);
    BackwardReads reads = backward_reads(op);
    unary_backward(on(), op, reads.first ? std::as_const(x).view() : View{},
                   reads.second ? std::as_const(y).view() : View{}, dy.view(), again.view(), params_of(op));
    expect_same_bits(again, dx, "backward without the operands it does not read");
  }
};

TEST_P(EachUnary, AgreesWithTheReferenceInEveryLayout) {
  for (const Shape& shape :
       {Shape{}, Shape{0}, Shape{1}, Shape{7}, Shape{1031}, Shape{2, 0, 3}, Shape{40000}})
    check(shape, contiguous_strides(shape), contiguous_strides(shape));
  check({3, 5, 7}, {35, 7, 1}, {1, 3, 15});
  check({3, 5, 7}, {70, 14, 2}, {35, 1, 5});
  check({2, 19, 3, 5}, channels_last_strides({2, 19, 3, 5}), channels_last_strides({2, 19, 3, 5}));
  check({2, 19, 3, 5}, contiguous_strides({2, 19, 3, 5}), channels_last_strides({2, 19, 3, 5}));
}

TEST_P(EachUnary, WorksInPlaceAndOnEveryThreadCount) {
  const Shape shape{50021};
  Array x = input(shape, {1}), y(dtype, shape);
  unary(on(1), op, x.view(), y.view(), params_of(op));
  for (int threads : {1, 2, 3}) {
    Array z = x;
    unary(on(threads), op, z.view(), z.view(), params_of(op));
    expect_same_bits(z, y, "in place");
  }
}

TEST_P(EachUnary, NanStaysNan) {
  if (op == UnaryOp::sign) return;  // 0, as PyTorch has it
  Array x(dtype, {33}), y(dtype, {33});
  for (int64_t i = 0; i < 33; ++i) x.set(i, kNan);
  unary(on(), op, x.view(), y.view(), params_of(op));
  for (int64_t i = 0; i < 33; ++i) EXPECT_TRUE(std::isnan(y.get(i))) << i;
}

INSTANTIATE_TEST_SUITE_P(Pointwise, EachUnary,
                         ::testing::Combine(::testing::Range(0, static_cast<int>(UnaryOp::logical_not)),
                                            ::testing::Values(DType::f32, DType::f64)),
                         [](const auto& at) {
                           return std::string(name_of(static_cast<UnaryOp>(std::get<0>(at.param)))) + "_" +
                                  name_of(std::get<1>(at.param));
                         });

TEST(Pointwise, FloatFunctionsAreExactAllOverTheirRange) {
  // Steps of 0.37 % from the smallest subnormal numbers to the largest float, both signs.
  std::vector<double> points;
  for (double x = 1.5e-45; x < 3.4e38; x *= 1.0037)
    points.push_back(static_cast<double>(static_cast<float>(x)));
  const int64_t half = static_cast<int64_t>(points.size());
  for (int64_t i = 0; i < half; ++i) points.push_back(-points[static_cast<size_t>(i)]);
  Array x(DType::f32, {2 * half}), y(DType::f32, {2 * half});
  for (int64_t i = 0; i < 2 * half; ++i) x.set(i, points[static_cast<size_t>(i)]);
  for (UnaryOp op :
       {UnaryOp::exp, UnaryOp::expm1, UnaryOp::log, UnaryOp::log1p, UnaryOp::log2, UnaryOp::sin, UnaryOp::cos,
        UnaryOp::tan, UnaryOp::tanh, UnaryOp::sigmoid, UnaryOp::erf, UnaryOp::gelu}) {
    unary(on(), op, x.view(), y.view());
    const double floor = zero_below(op) + 32 * 1.5e-45;
    for (int64_t i = 0; i < 2 * half; ++i) {
      const double want = reference(op, x.get(i)).y, got = y.get(i);
      if (std::isnan(want) || std::isinf(static_cast<float>(want))) {
        EXPECT_TRUE(std::isnan(want) ? std::isnan(got) : got == want || std::isinf(got))
            << name_of(op) << x.get(i);
        continue;
      }
      // 8 units in the last place; subnormal results to some of their own units, or zero where that is
      // promised.
      EXPECT_LE(std::abs(got - want), 8 * 6e-8 * std::abs(want) + floor) << name_of(op) << " " << x.get(i);
    }
  }
}

// Subnormal numbers are slow on Intel's processors, and gradients full of them were slower than all the rest
// of a training step: what tends to zero exponentially ends in zeros.
TEST(Pointwise, TailsEndInZerosAndNotInSubnormalNumbers) {
  constexpr int64_t kCount = 6000;
  Array x(DType::f32, {kCount}), y(DType::f32, {kCount}), dy(DType::f32, {kCount}), dx(DType::f32, {kCount});
  for (int64_t i = 0; i < kCount; ++i) {
    x.set(i, -0.02 * static_cast<double>(i));  // 0 … -120
    dy.set(i, 1);
  }
  for (UnaryOp op : {UnaryOp::gelu, UnaryOp::sigmoid}) {
    unary(on(), op, x.view(), y.view());
    unary_backward(on(), op, x.view(), y.view(), dy.view(), dx.view());
    for (int64_t i = 0; i < kCount; ++i) {
      EXPECT_NE(std::fpclassify(static_cast<float>(y.get(i))), FP_SUBNORMAL)
          << name_of(op) << " " << x.get(i);
      EXPECT_NE(std::fpclassify(static_cast<float>(dx.get(i))), FP_SUBNORMAL)
          << name_of(op) << " " << x.get(i);
    }
  }
}

TEST(Pointwise, ExtremesOfFunctions) {
  struct Case {
    UnaryOp op;
    double x, want;
  };
  const Case cases[] = {
      {UnaryOp::exp, kInf, kInf},   {UnaryOp::exp, -kInf, 0},       {UnaryOp::exp, 1000, kInf},
      {UnaryOp::exp, -1000, 0},     {UnaryOp::exp, 0, 1},           {UnaryOp::log, 0, -kInf},
      {UnaryOp::log, kInf, kInf},   {UnaryOp::log, 1, 0},           {UnaryOp::log, -1, kNan},
      {UnaryOp::log, -kInf, kNan},  {UnaryOp::tanh, kInf, 1},       {UnaryOp::tanh, -kInf, -1},
      {UnaryOp::tanh, 50, 1},       {UnaryOp::sigmoid, kInf, 1},    {UnaryOp::sigmoid, -kInf, 0},
      {UnaryOp::sigmoid, 800, 1},   {UnaryOp::relu, kInf, kInf},    {UnaryOp::relu, -kInf, 0},
      {UnaryOp::gelu, 50, 50},      {UnaryOp::gelu, -50, 0},        {UnaryOp::gelu, kInf, kInf},
      {UnaryOp::expm1, kInf, kInf}, {UnaryOp::expm1, -kInf, -1},    {UnaryOp::log1p, kInf, kInf},
      {UnaryOp::log1p, -1, -kInf},  {UnaryOp::log1p, -2, kNan},     {UnaryOp::log2, 0, -kInf},
      {UnaryOp::log2, 8, 3},        {UnaryOp::sin, kInf, kNan},     {UnaryOp::cos, -kInf, kNan},
      {UnaryOp::cos, 0, 1},         {UnaryOp::erf, kInf, 1},        {UnaryOp::erf, -kInf, -1},
      {UnaryOp::round, 2.5, 2},     {UnaryOp::round, -3.5, -4},     {UnaryOp::silu, 1000, 1000},
      {UnaryOp::mish, 1000, 1000},  {UnaryOp::gelu_tanh, -1000, 0}, {UnaryOp::sqrt, -1, kNan},
      {UnaryOp::sqrt, kInf, kInf},  {UnaryOp::square, -kInf, kInf}};
  for (DType dtype : {DType::f32, DType::f64})
    for (const Case& at : cases) {
      Array x(dtype, {17}), y(dtype, {17});
      for (int64_t i = 0; i < 17; ++i) x.set(i, at.x);
      unary(on(), at.op, x.view(), y.view());
      for (int64_t i = 0; i < 17; ++i)
        EXPECT_TRUE(std::isnan(at.want) ? std::isnan(y.get(i)) : y.get(i) == at.want)
            << name_of(at.op) << "(" << at.x << ") " << name_of(dtype) << " gave " << y.get(i);
    }
}

class EachBinary : public ::testing::TestWithParam<std::tuple<int, DType>> {
 protected:
  BinaryOp op = static_cast<BinaryOp>(std::get<0>(GetParam()));
  DType dtype = std::get<1>(GetParam());

  // a and b broadcast to y's shape: strides 0 where they do.
  void check(const Shape& shape, const Shape& a_stride, const Shape& b_stride, const Shape& y_stride) const {
    SCOPED_TRACE(text(name_of(op), " ", shape, " ", a_stride, " ", b_stride, " ", y_stride));
    Array a = Array::random(dtype, shape, a_stride, 5), b = Array::random(dtype, shape, b_stride, 6);
    for (int64_t i = 0; i < b.numel(); ++i)
      if (std::abs(b.get(i)) < 0.1) b.set(i, 0.75);
    // Only positive numbers have all powers.
    for (int64_t i = 0; op == BinaryOp::pow && i < a.numel(); ++i) a.set(i, std::abs(a.get(i)) + 0.125);
    Array y(dtype, shape, y_stride), da(dtype, shape, y_stride), db(dtype, shape, y_stride);
    Array dy = Array::random(dtype, shape, y_stride, 7);
    binary(on(), op, a.view(), b.view(), y.view());
    binary_backward(on(), op, a.view(), b.view(), dy.view(), da.view(), db.view());
    std::vector<double> want, want_da, want_db;
    for (int64_t i = 0; i < y.numel(); ++i) {
      BinaryReference at = reference(op, a.get(i), b.get(i));
      want.push_back(at.y);
      want_da.push_back(at.da * dy.get(i));
      want_db.push_back(at.db * dy.get(i));
    }
    EXPECT_LE(worst_error(dtype, y, want, 1e-30), 1);
    EXPECT_LE(worst_error(dtype, da, want_da, 1e-30), 2);
    EXPECT_LE(worst_error(dtype, db, want_db, 1e-30), 3);
    Array only(dtype, shape, y_stride);
    binary_backward(on(), op, a.view(), b.view(), dy.view(), MutView{}, only.view());
    expect_same_bits(only, db, "db alone");
    BackwardReads reads = backward_reads(op);
    binary_backward(on(), op, reads.first ? std::as_const(a).view() : View{},
                    reads.second ? std::as_const(b).view() : View{}, dy.view(), only.view(), MutView{});
    expect_same_bits(only, da, "da without the operands it does not read");
  }
};

TEST_P(EachBinary, AgreesWithTheReferenceAndBroadcasts) {
  check({}, {}, {}, {});
  check({0}, {1}, {1}, {1});
  check({1013}, {1}, {1}, {1});
  check({40001}, {1}, {0}, {1});
  check({40001}, {0}, {1}, {1});
  check({13, 17}, {17, 1}, {0, 1}, {17, 1});   // a row
  check({13, 17}, {17, 1}, {1, 0}, {17, 1});   // a column
  check({13, 17}, {1, 13}, {17, 1}, {17, 1});  // a transpose
  check({3, 4, 5}, {5, 0, 1}, {0, 5, 1}, {20, 5, 1});
  check({3, 4, 5}, {5, 0, 1}, {0, 5, 1}, {1, 3, 12});
  check({2, 7, 3, 5}, channels_last_strides({2, 7, 3, 5}), {0, 1, 0, 0}, channels_last_strides({2, 7, 3, 5}));
}

TEST_P(EachBinary, WorksInPlaceAndOnEveryThreadCount) {
  const Shape shape{50021};
  Array a = Array::random(dtype, shape, 8), b = Array::random(dtype, shape, 9), y(dtype, shape);
  binary(on(1), op, a.view(), b.view(), y.view());
  for (int threads : {1, 2, 3}) {
    Array z = a;
    binary(on(threads), op, z.view(), b.view(), z.view());
    expect_same_bits(z, y, "in place");
  }
}

INSTANTIATE_TEST_SUITE_P(Pointwise, EachBinary,
                         ::testing::Combine(::testing::Range(0, kDifferentiableBinaryOps),
                                            ::testing::Values(DType::f32, DType::f64)),
                         [](const auto& at) {
                           return std::string(name_of(static_cast<BinaryOp>(std::get<0>(at.param)))) + "_" +
                                  name_of(std::get<1>(at.param));
                         });

}  // namespace
}  // namespace iskra::kernels::testing
