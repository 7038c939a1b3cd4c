// Every pointwise op and its derivative against the C library in double.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"

namespace iskra::kernels::testing {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double normal_below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI); }

struct Reference {
  double y, dy;
};
double normal_slope(double x) { return normal_below(x) + x * normal_density(x); }
// Of one function by central differences in long double: enough for derivatives to f64's tolerance here.
template <class F>
double slope_of(F f, double x) {
  const long double h = 1e-5L;
  auto at = [&](int k) { return f(static_cast<long double>(x) + static_cast<long double>(k) * h); };
  return static_cast<double>((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h));
}
template <class F>
Reference smooth(F f, double x) {
  return {static_cast<double>(f(static_cast<long double>(x))), slope_of(f, x)};
}

// The numbers of the ops that take some.
PointwiseParams params_of(UnaryOp op) {
  if (op == UnaryOp::softplus) return {{2, 5}};
  if (op == UnaryOp::clamp) return {{-2.0625, 3.0625}};
  if (op == UnaryOp::pow_number) return {{3, 0}};
  return {{0.25, 0}};
}

Reference reference_activation(UnaryOp op, double x) {
  auto logistic = [](long double z) { return 1 / (1 + std::exp(-z)); };
  const double s = static_cast<double>(logistic(x));
  switch (op) {
    case UnaryOp::relu:
      return {x > 0 ? x : 0, x > 0 ? 1.0 : 0.0};
    case UnaryOp::gelu:
      return {x * normal_below(x), normal_slope(x)};
    case UnaryOp::gelu_tanh:
      return smooth(
          [&](long double z) { return z * logistic(2 * std::sqrt(2 / M_PIl) * (z + 0.044715L * z * z * z)); },
          x);
    case UnaryOp::silu:
      return {x * s, s * (1 + x * (1 - s))};
    case UnaryOp::mish:
      return smooth([](long double z) { return z * std::tanh(std::log1p(std::exp(z))); }, x);
    case UnaryOp::hardsigmoid:
      return {std::clamp((x + 3) / 6, 0.0, 1.0), std::abs(x) < 3 ? 1.0 / 6 : 0};
    case UnaryOp::hardswish:
      return {x * std::clamp((x + 3) / 6, 0.0, 1.0), x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1};
    case UnaryOp::leaky_relu:
      return {x > 0 ? x : 0.25 * x, x > 0 ? 1 : 0.25};
    case UnaryOp::elu:
      return {x > 0 ? x : 0.25 * std::expm1(x), x > 0 ? 1 : 0.25 * std::exp(x)};
    case UnaryOp::softplus:
      return {2 * x > 5 ? x : std::log1p(std::exp(2 * x)) / 2, 2 * x > 5 ? 1 : 1 / (1 + std::exp(-2 * x))};
    case UnaryOp::clamp:
      return {std::clamp(x, -2.0625, 3.0625), x >= -2.0625 && x <= 3.0625 ? 1.0 : 0.0};
    case UnaryOp::pow_number:
      return {x * x * x, 3 * x * x};
    default:
      return {kNan, kNan};
  }
}

Reference reference(UnaryOp op, double x) {
  const double s = 1.0 / (1.0 + std::exp(-x));
  switch (op) {
    case UnaryOp::neg:
      return {-x, -1};
    case UnaryOp::abs:
      return {std::abs(x), x == 0 ? 0 : std::copysign(1, x)};
    case UnaryOp::sign:
      return {x == 0 ? 0 : std::copysign(1, x), 0};
    case UnaryOp::floor:
      return {std::floor(x), 0};
    case UnaryOp::ceil:
      return {std::ceil(x), 0};
    case UnaryOp::round:
      return {std::nearbyint(x), 0};
    case UnaryOp::trunc:
      return {std::trunc(x), 0};
    case UnaryOp::exp:
      return {std::exp(x), std::exp(x)};
    case UnaryOp::expm1:
      return {std::expm1(x), std::exp(x)};
    case UnaryOp::log:
      return {std::log(x), 1 / x};
    case UnaryOp::log1p:
      return {std::log1p(x), 1 / (1 + x)};
    case UnaryOp::log2:
      return {std::log2(x), 1 / (x * M_LN2)};
    case UnaryOp::sqrt:
      return {std::sqrt(x), 0.5 / std::sqrt(x)};
    case UnaryOp::rsqrt:
      return {1 / std::sqrt(x), -0.5 / (x * std::sqrt(x))};
    case UnaryOp::reciprocal:
      return {1 / x, -1 / (x * x)};
    case UnaryOp::square:
      return {x * x, 2 * x};
    case UnaryOp::sin:
      return {std::sin(x), std::cos(x)};
    case UnaryOp::cos:
      return {std::cos(x), -std::sin(x)};
    case UnaryOp::tan:
      return {std::tan(x), 1 / (std::cos(x) * std::cos(x))};
    case UnaryOp::tanh:
      return {std::tanh(x), 1 / (std::cosh(x) * std::cosh(x))};
    case UnaryOp::sigmoid:
      return {s, s * (1 - s)};
    case UnaryOp::erf:
      return {std::erf(x), 2 / std::sqrt(M_PI) * std::exp(-x * x)};
    default:
      return reference_activation(op, x);
  }
}

struct BinaryReference {
  double y, da, db;
};
BinaryReference reference(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return {a + b, 1, 1};
    case BinaryOp::sub:
      return {a - b, 1, -1};
    case BinaryOp::mul:
      return {a * b, b, a};
    case BinaryOp::div:
      return {a / b, 1 / b, -a / (b * b)};
    case BinaryOp::pow:
      return {std::pow(a, b), b == 0 ? 0 : b * std::pow(a, b - 1),
              a == 0 && b >= 0 ? 0 : std::pow(a, b) * std::log(a)};
    case BinaryOp::minimum:
      return {std::min(a, b), a < b ? 1 : a == b ? 0.5 : 0, b < a ? 1 : a == b ? 0.5 : 0};
    case BinaryOp::maximum:
      return {std::max(a, b), a > b ? 1 : a == b ? 0.5 : 0, b > a ? 1 : a == b ? 0.5 : 0};
    case BinaryOp::floor_divide:
      return {std::floor(a / b), 0, 0};
    case BinaryOp::remainder:
      return {a - b * std::floor(a / b), 1, -std::floor(a / b)};
    default:
      break;
  }
  return {kNan, kNan, kNan};
}

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
    unary(Cpu{}, op, x.view(), y.view(), params_of(op));
    unary_backward(Cpu{}, op, x.view(), y.view(), dy.view(), dx.view(), params_of(op));
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
    unary_backward(Cpu{}, op, reads.first ? std::as_const(x).view() : View{},
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
  unary(Cpu{1}, op, x.view(), y.view(), params_of(op));
  for (int threads : {1, 2, 3}) {
    Array z = x;
    unary(Cpu{threads}, op, z.view(), z.view(), params_of(op));
    expect_same_bits(z, y, "in place");
  }
}

TEST_P(EachUnary, NanStaysNan) {
  if (op == UnaryOp::sign) return;  // 0, as PyTorch has it
  Array x(dtype, {33}), y(dtype, {33});
  for (int64_t i = 0; i < 33; ++i) x.set(i, kNan);
  unary(Cpu{}, op, x.view(), y.view(), params_of(op));
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
    unary(Cpu{}, op, x.view(), y.view());
    for (int64_t i = 0; i < 2 * half; ++i) {
      const double want = reference(op, x.get(i)).y, got = y.get(i);
      if (std::isnan(want) || std::isinf(static_cast<float>(want))) {
        EXPECT_TRUE(std::isnan(want) ? std::isnan(got) : got == want || std::isinf(got))
            << name_of(op) << x.get(i);
        continue;
      }
      // 8 units in the last place; subnormal results to some of their own units.
      EXPECT_LE(std::abs(got - want), 8 * 6e-8 * std::abs(want) + 32 * 1.5e-45)
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
      unary(Cpu{}, at.op, x.view(), y.view());
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
    binary(Cpu{}, op, a.view(), b.view(), y.view());
    binary_backward(Cpu{}, op, a.view(), b.view(), dy.view(), da.view(), db.view());
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
    binary_backward(Cpu{}, op, a.view(), b.view(), dy.view(), MutView{}, only.view());
    expect_same_bits(only, db, "db alone");
    BackwardReads reads = backward_reads(op);
    binary_backward(Cpu{}, op, reads.first ? std::as_const(a).view() : View{},
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
  binary(Cpu{1}, op, a.view(), b.view(), y.view());
  for (int threads : {1, 2, 3}) {
    Array z = a;
    binary(Cpu{threads}, op, z.view(), b.view(), z.view());
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

// Dense memory of any type, filled from numbers by the conversion kernel, which has tests of its own.
struct Converted {
  std::vector<double> storage;
  MutView view;
  Converted(const std::vector<double>& numbers, DType dtype)
      : storage(numbers.size()), view{storage.data(), dtype, {static_cast<int64_t>(numbers.size())}, {1}} {
    copy(Cpu{}, View{numbers.data(), DType::f64, view.shape, view.stride}, view);
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
        binary(Cpu{2}, BinaryOp::mul, View{a.view.data, type_a, shape, {2 * kCols, 2}},
               View{b.view.data, type_b, shape, {1, 0}}, MutView{y.view.data, type_y, shape, {kCols, 1}});
        EXPECT_EQ(std::memcmp(y.view.data, want.view.data, product.size() * size_of(type_y)), 0);
      }
}

}  // namespace
}  // namespace iskra::kernels::testing
