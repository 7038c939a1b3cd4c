// The activations among the pointwise ops, and those with numbers beside the tensor (p): see
// pointwise_ops.h.
#pragma once

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/pointwise_unary.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/vector_pow.h>

namespace iskra::kernels {
namespace {

/// PointwiseParams in the type that is computed in.
template <class T>
struct Parameters {
  T a, b;
};

namespace ops {

struct relu : ReadsY, ExactBothWays {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x < T(0) ? T(0) : x;
  }  // NaN stays
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return y <= T(0) ? T(0) : T(1);
  }
};
struct gelu : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x * math::normal(x).below;
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    auto at = math::normal(x);
    return at.below + at.weighted_density;
  }
  // For results of 16 bits.
  ISKRA_HD static inline float f_short(float x) { return x * math::normal_short(x).below; }
  ISKRA_HD static inline float df_short(float x) {
    auto at = math::normal_short(x);
    return at.below + at.weighted_density;
  }
};

// Hendrycks & Gimpel 2016: x / 2 (1 + tanh(u)) = x * sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
struct gelu_tanh : ReadsX {
  template <class T>
  ISKRA_HD static inline T twice_u(T x) {
    return T(1.59576912160573071176) * (x + T(0.044715) * (x * x * x));
  }
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x * math::sigmoid(twice_u(x));
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    T s = math::sigmoid(twice_u(x));
    T slope = T(1.59576912160573071176) * (T(1) + T(3 * 0.044715) * (x * x));
    T bend = x * slope * (s * (T(1) - s));
    return s == T(0) || s == T(1) ? s : s + bend;  // far out the slope overflows
  }
};
struct silu : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x * math::sigmoid(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    T s = math::sigmoid(x);
    return s * (T(1) + x * (T(1) - s));
  }
};

// Misra 2019. tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2), which is 1 from x = 20 on.
struct mish : ReadsX {
  template <class T>
  ISKRA_HD static inline T squash(T x) {
    T e = math::exp(x > T(20) ? T(20) : x);
    T n = e * (e + T(2));
    return n / (n + T(2));
  }
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x * squash(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    T t = squash(x);
    return t + x * ((T(1) - t) * (T(1) + t)) * math::sigmoid(x);
  }
};
struct hardsigmoid : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    T raised = x + T(3);
    raised = raised < T(0) ? T(0) : raised;  // NaN stays
    return (raised > T(6) ? T(6) : raised) * T(1.0 / 6);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return x > T(-3) && x < T(3) ? T(1.0 / 6) : T(0);
  }
};
struct hardswish : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x * hardsigmoid::f(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return x <= T(-3) ? T(0) : x < T(3) ? x * T(1.0 / 3) + T(0.5) : T(1);
  }
};

// a: the slope below 0.
struct leaky_relu : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x, Parameters<T> p) {
    return x > T(0) ? x : p.a * x;
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T, Parameters<T> p) {
    return x > T(0) ? T(1) : p.a;
  }
};

// a: the limit below 0, negated. Clevert, Unterthiner & Hochreiter 2015.
struct elu : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x, Parameters<T> p) {
    return x > T(0) ? x : p.a * math::expm1(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T, Parameters<T> p) {
    return x > T(0) ? T(1) : p.a * math::exp(x);
  }
};

// a: beta, b: the threshold on beta * x above which it is x.
struct softplus : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x, Parameters<T> p) {
    T z = p.a * x;
    T soft = (z > T(0) ? z : T(0)) + math::log1p(math::exp(-math::abs(z)));
    return z > p.b ? x : soft / p.a;
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T, Parameters<T> p) {
    T z = p.a * x;
    return z > p.b ? T(1) : math::sigmoid(z);
  }
};

// a: the lower bound, b: the upper one, which wins; NaN stays.
struct clamp : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x, Parameters<T> p) {
    T raised = x < p.a ? p.a : x;
    return raised > p.b ? p.b : raised;
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T, Parameters<T> p) {
    return x >= p.a && x <= p.b ? T(1) : T(0);
  }
};

// a: the exponent.
struct pow_number : ReadsX {
  template <class T>
  ISKRA_HD static inline T f(T x, Parameters<T> p) {
    return math::pow(x, p.a);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T, Parameters<T> p) {
    return p.a == T(0) ? T(0) : p.a * math::pow(x, p.a - T(1));
  }
};

}  // namespace ops
}  // namespace
}  // namespace iskra::kernels
