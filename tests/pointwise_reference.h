// What pointwise ops compute and their derivatives, by the C library in double.
#pragma once

#include <cmath>
#include <limits>

#include <iskra/kernels/kernels.h>

namespace iskra::kernels::testing {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

inline double normal_below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
inline double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI); }

struct Reference {
  double y, dy;
};
inline double normal_slope(double x) { return normal_below(x) + x * normal_density(x); }
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
inline PointwiseParams params_of(UnaryOp op) {
  if (op == UnaryOp::softplus) return {{2, 5}};
  if (op == UnaryOp::clamp) return {{-2.0625, 3.0625}};
  if (op == UnaryOp::pow_number) return {{3, 0}};
  return {{0.25, 0}};
}

inline Reference reference_activation(UnaryOp op, double x) {
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

inline Reference reference(UnaryOp op, double x) {
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
inline BinaryReference reference(BinaryOp op, double a, double b) {
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

/// Results of f32 below this may be zeros: the tails of some ops end there instead of in subnormal numbers.
inline double zero_below(UnaryOp op) {
  if (op == UnaryOp::sigmoid) return 1.2e-38;
  return op == UnaryOp::gelu || op == UnaryOp::gelu_tanh || op == UnaryOp::silu ? 1e-36 : 0;
}

}  // namespace iskra::kernels::testing
