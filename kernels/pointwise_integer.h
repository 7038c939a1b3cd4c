// Pointwise ops within integers and bool: all of them compute in i64, exactly, and wrap around in 64 bits and
// when the result is stored in fewer. Division by zero is an error on the CPU, as there is no value for it; a
// kernel on a GPU cannot throw, and gives 0.
#pragma once

#include <cstdint>

#include <iskra/kernels/check.h>
#include <iskra/kernels/host_device.h>

namespace iskra::kernels {
namespace {
namespace integer {

#if defined(ISKRA_CUDA_SOURCE)
ISKRA_HD inline int64_t divided_by_zero(const char*) { return 0; }
#else
inline int64_t divided_by_zero(const char* op) {
  throw Error(std::string(op) +
              ": a divisor is 0; integers have no value for that, convert to a floating dtype or replace it "
              "with where");
}
#endif

ISKRA_HD inline int64_t wrapped(uint64_t x) { return static_cast<int64_t>(x); }
ISKRA_HD inline uint64_t bits(int64_t x) { return static_cast<uint64_t>(x); }

ISKRA_HD inline int64_t add(int64_t a, int64_t b) { return wrapped(bits(a) + bits(b)); }
ISKRA_HD inline int64_t sub(int64_t a, int64_t b) { return wrapped(bits(a) - bits(b)); }
ISKRA_HD inline int64_t mul(int64_t a, int64_t b) { return wrapped(bits(a) * bits(b)); }

constexpr auto div = nullptr;  // true division leaves the integers
ISKRA_HD inline int64_t minimum(int64_t a, int64_t b) { return a < b ? a : b; }
ISKRA_HD inline int64_t maximum(int64_t a, int64_t b) { return a > b ? a : b; }

ISKRA_HD inline int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) return divided_by_zero("floor_divide");
  if (b == -1) return sub(0, a);  // the smallest number has no opposite
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

ISKRA_HD inline int64_t remainder(int64_t a, int64_t b) {
  if (b == 0) return divided_by_zero("remainder");
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

ISKRA_HD inline int64_t pow(int64_t a, int64_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 != 0 ? -1 : 1) : 0;  // 1 / a^-b, towards 0
  int64_t y = 1;
  for (; b > 0; b >>= 1) {
    if ((b & 1) != 0) y = mul(y, a);
    a = mul(a, a);
  }
  return y;
}

ISKRA_HD inline int64_t eq(int64_t a, int64_t b) { return a == b; }
ISKRA_HD inline int64_t ne(int64_t a, int64_t b) { return a != b; }
ISKRA_HD inline int64_t lt(int64_t a, int64_t b) { return a < b; }
ISKRA_HD inline int64_t le(int64_t a, int64_t b) { return a <= b; }
ISKRA_HD inline int64_t gt(int64_t a, int64_t b) { return a > b; }
ISKRA_HD inline int64_t ge(int64_t a, int64_t b) { return a >= b; }
ISKRA_HD inline int64_t logical_and(int64_t a, int64_t b) { return a != 0 && b != 0; }
ISKRA_HD inline int64_t logical_or(int64_t a, int64_t b) { return a != 0 || b != 0; }
ISKRA_HD inline int64_t logical_xor(int64_t a, int64_t b) { return (a != 0) != (b != 0); }

// Beside x: the two parameters as integers.
ISKRA_HD inline int64_t neg(int64_t x, int64_t, int64_t) { return sub(0, x); }
ISKRA_HD inline int64_t abs(int64_t x, int64_t, int64_t) { return x < 0 ? sub(0, x) : x; }
ISKRA_HD inline int64_t sign(int64_t x, int64_t, int64_t) { return (x > 0) - (x < 0); }
ISKRA_HD inline int64_t itself(int64_t x, int64_t, int64_t) { return x; }
ISKRA_HD inline int64_t square(int64_t x, int64_t, int64_t) { return mul(x, x); }
ISKRA_HD inline int64_t relu(int64_t x, int64_t, int64_t) { return x > 0 ? x : 0; }
ISKRA_HD inline int64_t clamp(int64_t x, int64_t low, int64_t high) { return minimum(maximum(x, low), high); }
ISKRA_HD inline int64_t pow_number(int64_t x, int64_t exponent, int64_t) { return pow(x, exponent); }
ISKRA_HD inline int64_t logical_not(int64_t x, int64_t, int64_t) { return x == 0; }
ISKRA_HD inline int64_t never(int64_t, int64_t, int64_t) { return 0; }
ISKRA_HD inline int64_t always(int64_t, int64_t, int64_t) { return 1; }

// A parameter, saturating: infinite bounds are no bounds.
ISKRA_HD inline int64_t whole(double x) {
  if (x >= 0x1p63) return INT64_MAX;
  return x <= -0x1p63 ? INT64_MIN : static_cast<int64_t>(x);
}

}  // namespace integer
}  // namespace
}  // namespace iskra::kernels
