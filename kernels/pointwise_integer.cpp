// Pointwise ops within integers and bool: all of them compute in i64, exactly, and wrap around in 64 bits and
// when the result is stored in fewer. Division by zero is an error, as there is no value for it.
#include <cstddef>
#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/pointwise_run.h>

namespace iskra::kernels {
namespace {

int64_t wrapped(uint64_t x) { return static_cast<int64_t>(x); }
uint64_t bits(int64_t x) { return static_cast<uint64_t>(x); }

int64_t add(int64_t a, int64_t b) { return wrapped(bits(a) + bits(b)); }
int64_t sub(int64_t a, int64_t b) { return wrapped(bits(a) - bits(b)); }
int64_t mul(int64_t a, int64_t b) { return wrapped(bits(a) * bits(b)); }

constexpr auto div = nullptr;  // true division leaves the integers
int64_t minimum(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t maximum(int64_t a, int64_t b) { return a > b ? a : b; }

int64_t floor_divide(int64_t a, int64_t b) {
  ISKRA_CHECK(b != 0,
              "floor_divide: a divisor is 0; integers have no value for that, convert to a floating "
              "dtype or replace it with where");
  if (b == -1) return sub(0, a);  // the smallest number has no opposite
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t remainder(int64_t a, int64_t b) {
  ISKRA_CHECK(b != 0,
              "remainder: a divisor is 0; integers have no value for that, convert to a floating "
              "dtype or replace it with where");
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

int64_t pow(int64_t a, int64_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 != 0 ? -1 : 1) : 0;  // 1 / a^-b, towards 0
  int64_t y = 1;
  for (; b > 0; b >>= 1) {
    if ((b & 1) != 0) y = mul(y, a);
    a = mul(a, a);
  }
  return y;
}

int64_t eq(int64_t a, int64_t b) { return a == b; }
int64_t ne(int64_t a, int64_t b) { return a != b; }
int64_t lt(int64_t a, int64_t b) { return a < b; }
int64_t le(int64_t a, int64_t b) { return a <= b; }
int64_t gt(int64_t a, int64_t b) { return a > b; }
int64_t ge(int64_t a, int64_t b) { return a >= b; }
int64_t logical_and(int64_t a, int64_t b) { return a != 0 && b != 0; }
int64_t logical_or(int64_t a, int64_t b) { return a != 0 || b != 0; }
int64_t logical_xor(int64_t a, int64_t b) { return (a != 0) != (b != 0); }

// Beside x: the two parameters as integers.
int64_t neg(int64_t x, int64_t, int64_t) { return sub(0, x); }
int64_t abs(int64_t x, int64_t, int64_t) { return x < 0 ? sub(0, x) : x; }
int64_t sign(int64_t x, int64_t, int64_t) { return (x > 0) - (x < 0); }
int64_t itself(int64_t x, int64_t, int64_t) { return x; }
int64_t square(int64_t x, int64_t, int64_t) { return mul(x, x); }
int64_t relu(int64_t x, int64_t, int64_t) { return x > 0 ? x : 0; }
int64_t clamp(int64_t x, int64_t low, int64_t high) { return minimum(maximum(x, low), high); }
int64_t pow_number(int64_t x, int64_t exponent, int64_t) { return pow(x, exponent); }
int64_t logical_not(int64_t x, int64_t, int64_t) { return x == 0; }
int64_t never(int64_t, int64_t, int64_t) { return 0; }
int64_t always(int64_t, int64_t, int64_t) { return 1; }

// A parameter, saturating: infinite bounds are no bounds.
int64_t whole(double x) {
  if (x >= 0x1p63) return INT64_MAX;
  return x <= -0x1p63 ? INT64_MIN : static_cast<int64_t>(x);
}

template <auto f>
void unary_body(const PointwiseBlock& at) {
  const auto* x = static_cast<const int64_t*>(at.in[0]);
  auto* y = static_cast<int64_t*>(at.out);
  const int64_t a = whole(at.params.value[0]), b = whole(at.params.value[1]);
  for (int64_t i = 0; i < at.n; ++i) y[i] = f(x[i], a, b);
}

template <auto f>
void binary_body(const PointwiseBlock& at) {
  const auto *a = static_cast<const int64_t*>(at.in[0]), *b = static_cast<const int64_t*>(at.in[1]);
  auto* y = static_cast<int64_t*>(at.out);
  for (int64_t i = 0; i < at.n; ++i) y[i] = f(a[i], b[i]);
}

template <auto f>
PointwiseBody binary_body_of() {
  if constexpr (std::is_null_pointer_v<decltype(f)>)
    return nullptr;
  else
    return binary_body<f>;
}

}  // namespace

PointwiseBody integer_body(UnaryOp op) {
  switch (op) {
    case UnaryOp::neg:
      return unary_body<neg>;
    case UnaryOp::abs:
      return unary_body<abs>;
    case UnaryOp::sign:
      return unary_body<sign>;
    case UnaryOp::floor:
    case UnaryOp::ceil:
    case UnaryOp::round:
    case UnaryOp::trunc:
      return unary_body<itself>;
    case UnaryOp::square:
      return unary_body<square>;
    case UnaryOp::relu:
      return unary_body<relu>;
    case UnaryOp::clamp:
      return unary_body<clamp>;
    case UnaryOp::pow_number:
      return unary_body<pow_number>;
    case UnaryOp::logical_not:
      return unary_body<logical_not>;
    case UnaryOp::is_nan:
    case UnaryOp::is_inf:
      return unary_body<never>;
    case UnaryOp::is_finite:
      return unary_body<always>;
    default:
      return nullptr;
  }
}

PointwiseBody integer_body(BinaryOp op) {
  switch (op) {
#define ISKRA_BODY(name, doc) \
  case BinaryOp::name:        \
    return binary_body_of<name>();
    ISKRA_BINARY_OPS(ISKRA_BODY)
    ISKRA_COMPARE_OPS(ISKRA_BODY)
#undef ISKRA_BODY
  }
  return nullptr;
}

}  // namespace iskra::kernels
