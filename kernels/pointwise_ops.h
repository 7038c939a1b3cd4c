// Every pointwise op, once for both devices: a struct of the op's name with the function f and its
// derivatives, for float and double. An op listed in pointwise_list.h and defined here is complete.
//
// kReadsX, kReadsY (kReadsA, kReadsB) say which operands the derivatives use, so that a tape saves nothing
// else.
#pragma once

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels {
namespace {
namespace ops {

// Unary: y = f(x), and df(x, y) = dy/dx.
struct neg {
  static constexpr bool kReadsX = false, kReadsY = false;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return -x;
  }
  template <class T>
  ISKRA_HD static inline T df(T, T) {
    return T(-1);
  }
};

struct exp {
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::exp(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return y;
  }
};

struct log {
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::log(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return T(1) / x;
  }
};

struct sqrt {
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::sqrt(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return T(0.5) / y;
  }
};

struct square {
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x * x;
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    return x + x;
  }
};

struct tanh {
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::tanh(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return (T(1) - y) * (T(1) + y);
  }
};

struct sigmoid {
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return math::sigmoid(x);
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return y * (T(1) - y);
  }
};

struct relu {
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x < T(0) ? T(0) : x;  // NaN stays
  }
  template <class T>
  ISKRA_HD static inline T df(T, T y) {
    return y <= T(0) ? T(0) : T(1);
  }
};

struct gelu {
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class T>
  ISKRA_HD static inline T f(T x) {
    return x * math::normal(x).below;
  }
  template <class T>
  ISKRA_HD static inline T df(T x, T) {
    auto at = math::normal(x);
    return at.below + at.weighted_density;
  }
};

// Binary: f(a, b), and the derivatives da(a, b) and db(a, b).
struct add {
  static constexpr bool kReadsA = false, kReadsB = false;
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return a + b;
  }
  template <class T>
  ISKRA_HD static inline T da(T, T) {
    return T(1);
  }
  template <class T>
  ISKRA_HD static inline T db(T, T) {
    return T(1);
  }
};

struct sub {
  static constexpr bool kReadsA = false, kReadsB = false;
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return a - b;
  }
  template <class T>
  ISKRA_HD static inline T da(T, T) {
    return T(1);
  }
  template <class T>
  ISKRA_HD static inline T db(T, T) {
    return T(-1);
  }
};

struct mul {
  static constexpr bool kReadsA = true, kReadsB = true;
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return a * b;
  }
  template <class T>
  ISKRA_HD static inline T da(T, T b) {
    return b;
  }
  template <class T>
  ISKRA_HD static inline T db(T a, T) {
    return a;
  }
};

struct div {
  static constexpr bool kReadsA = true, kReadsB = true;
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return a / b;
  }
  template <class T>
  ISKRA_HD static inline T da(T, T b) {
    return T(1) / b;
  }
  template <class T>
  ISKRA_HD static inline T db(T a, T b) {
    return -a / (b * b);
  }
};

}  // namespace ops
}  // namespace
}  // namespace iskra::kernels
