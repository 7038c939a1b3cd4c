// The binary pointwise ops: f(a, b), and the derivatives da(a, b) and db(a, b); see pointwise_ops.h.
#pragma once

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/pointwise_unary.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/vector_pow.h>

namespace iskra::kernels {
namespace {
namespace ops {

// Whether the derivatives use a and b, so that a tape saves nothing else.
struct ReadsNeither {
  static constexpr bool kReadsA = false, kReadsB = false;
};
struct ReadsBoth {
  static constexpr bool kReadsA = true, kReadsB = true;
};

// dy times a derivative, which is -1 or 1, needs no rounding to be stored in dy's type.
struct ExactSlopes {
  static constexpr bool kExactSlope = true;
};

struct add : ReadsNeither, ExactSlopes {
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
struct sub : ReadsNeither, ExactSlopes {
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
struct mul : ReadsBoth {
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
struct div : ReadsBoth {
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
// As PyTorch has it, the derivative by a is 0 where b is 0, and that by b is 0 where a is 0 and b is not
// negative.
struct pow : ReadsBoth {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return math::pow(a, b);
  }
  template <class T>
  ISKRA_HD static inline T da(T a, T b) {
    return b == T(0) ? T(0) : b * math::pow(a, b - T(1));
  }
  template <class T>
  ISKRA_HD static inline T db(T a, T b) {
    return a == T(0) && b >= T(0) ? T(0) : math::pow(a, b) * math::log(a);
  }
};
struct minimum : ReadsBoth, Exact {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return a < b || a != a ? a : b;
  }
  template <class T>
  ISKRA_HD static inline T da(T a, T b) {
    return a < b ? T(1) : a == b ? T(0.5) : T(0);
  }
  template <class T>
  ISKRA_HD static inline T db(T a, T b) {
    return b < a ? T(1) : a == b ? T(0.5) : T(0);
  }
};
struct maximum : ReadsBoth, Exact {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return a > b || a != a ? a : b;
  }
  template <class T>
  ISKRA_HD static inline T da(T a, T b) {
    return a > b ? T(1) : a == b ? T(0.5) : T(0);
  }
  template <class T>
  ISKRA_HD static inline T db(T a, T b) {
    return b > a ? T(1) : a == b ? T(0.5) : T(0);
  }
};

// The remainder comes first, exactly; the quotient is what is left, rounded. So a small error in a / b cannot
// move it to the next whole number.
struct remainder : ReadsBoth {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    T rest = math::fmod(a, b);
    return rest != T(0) && (rest < T(0)) != (b < T(0)) ? rest + b : rest;
  }
  template <class T>
  ISKRA_HD static inline T da(T, T) {
    return T(1);
  }
  template <class T>
  ISKRA_HD static inline T db(T a, T b);
};

struct floor_divide : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    T rest = math::fmod(a, b), quotient = (a - rest) / b;
    quotient = rest != T(0) && (rest < T(0)) != (b < T(0)) ? quotient - T(1) : quotient;
    return b == T(0) ? a / b : math::round(quotient);
  }
  template <class T>
  ISKRA_HD static inline T da(T, T) {
    return T(0);
  }
  template <class T>
  ISKRA_HD static inline T db(T, T) {
    return T(0);
  }
};

template <class T>
ISKRA_HD inline T remainder::db(T a, T b) {
  return -floor_divide::f(a, b);
}

// Comparisons: 1 or 0.
struct eq : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T(a == b);
  }
};
struct ne : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T(a != b);
  }
};
struct lt : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T(a < b);
  }
};
struct le : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T(a <= b);
  }
};
struct gt : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T(a > b);
  }
};
struct ge : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T(a >= b);
  }
};
struct logical_and : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T(a != T(0) && b != T(0));
  }
};
struct logical_or : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T(a != T(0) || b != T(0));
  }
};
struct logical_xor : ReadsNeither {
  template <class T>
  ISKRA_HD static inline T f(T a, T b) {
    return T((a != T(0)) != (b != T(0)));
  }
};

}  // namespace ops
}  // namespace
}  // namespace iskra::kernels
