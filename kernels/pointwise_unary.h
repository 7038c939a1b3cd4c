// The elementary functions and tests among the pointwise ops: y = f(x) and df(x, y) = dy/dx; see
// pointwise_ops.h.
#pragma once

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/vector_trig.h>

namespace iskra::kernels {
namespace {
namespace ops {

// Which of x and y the derivative uses, so that a tape saves nothing else.
struct ReadsNothing {
  static constexpr bool kReadsX = false, kReadsY = false;
};
struct ReadsX {
  static constexpr bool kReadsX = true, kReadsY = false;
};
struct ReadsY {
  static constexpr bool kReadsX = false, kReadsY = true;
};

// Of numbers that a 16-bit type holds, f is one that it holds too, so that it is stored without rounding;
// with the second, so is dy times the derivative, which is -1, 0 or 1.
struct Exact {
  static constexpr bool kExact = true;
};
struct ExactBothWays : Exact {
  static constexpr bool kExactSlope = true;
};

struct neg : ReadsNothing, ExactBothWays {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return -x;
  }
  template <class T>
  ISKRA_HD static inline T df(T, T) {
    return T(-1);
  }
};
struct sign : ReadsNothing, ExactBothWays {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return T(x > T(0)) - T(x < T(0));
  }
  template <class T>
  ISKRA_HD static inline T df(T, T) {
    return T(0);
  }
};
struct abs : ReadsX, ExactBothWays {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::abs(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return sign::f(x);
  }
};
struct floor : ReadsNothing, ExactBothWays {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::floor(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T) {
    return T(0);
  }
};
struct ceil : ReadsNothing, ExactBothWays {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::ceil(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T) {
    return T(0);
  }
};
struct round : ReadsNothing, ExactBothWays {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::round(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T) {
    return T(0);
  }
};
struct trunc : ReadsNothing, ExactBothWays {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::trunc(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T) {
    return T(0);
  }
};
struct exp : ReadsY {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::exp(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return y;
  }
};
struct expm1 : ReadsY {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::expm1(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return y + T(1);
  }
};
struct log : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::log(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return T(1) / x;
  }
};
struct log1p : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::log1p(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return T(1) / (T(1) + x);
  }
};
struct log2 : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::log2(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return T(1) / (x * T(0.693147180559945309417));
  }
};
struct sqrt : ReadsY {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::sqrt(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return T(0.5) / y;
  }
};
struct rsqrt : ReadsY {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return T(1) / math::sqrt(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return T(-0.5) * y * (y * y);
  }
};
struct reciprocal : ReadsY {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return T(1) / x;
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return -y * y;
  }
};
struct square : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x * x;
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return x + x;
  }
};

// Sines of numbers within math::kNearTurns take a shorter way, the only one that vectorises: `near` and
// `df_near` are f and df there.
struct sin : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::sin(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return math::cos(x);
  }
  ISKRA_HD static inline float near(float x) { return math::sin_of(math::near_turn_of(x)); }
  ISKRA_HD static inline float df_near(float x) { return math::cos_of(math::near_turn_of(x)); }
};
struct cos : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::cos(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return -math::sin(x);
  }
  ISKRA_HD static inline float near(float x) { return math::cos_of(math::near_turn_of(x)); }
  ISKRA_HD static inline float df_near(float x) { return -math::sin_of(math::near_turn_of(x)); }
};
struct tan : ReadsY {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::tan(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return T(1) + y * y;
  }
  ISKRA_HD static inline float near(float x) { return math::tan_of(math::near_turn_of(x)); }
};
struct tanh : ReadsY {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::tanh(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return (T(1) - y) * (T(1) + y);
  }
};
struct sigmoid : ReadsY {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::sigmoid(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return y * (T(1) - y);
  }
};
struct erf : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::erf(x);
  }
  ISKRA_HD static inline float f_short(float x) { return math::erf_short(x); }  // for results of 16 bits
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return T(1.12837916709551257390) * math::exp(-x * x);
  }
};
// Tests: 1 or 0.
struct logical_not : ReadsNothing {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return T(x == T(0));
  }
};
struct is_nan : ReadsNothing {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return T(x != x);
  }
};
struct is_inf : ReadsNothing {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return T(math::abs(x) == T(__builtin_inf()));
  }
};
struct is_finite : ReadsNothing {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return T(math::abs(x) < T(__builtin_inf()));
  }
};

}  // namespace ops
}  // namespace
}  // namespace iskra::kernels
