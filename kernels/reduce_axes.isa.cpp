// Loops of reductions over axes. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/reduce_axes.isa.h>
#include <iskra/kernels/row_loops.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/vector_pow.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

/// Product of f(i): four running products, so that multiplications overlap.
template <class T, class F>
inline T row_product(int64_t n, F f) {
  T part0 = 1, part1 = 1, part2 = 1, part3 = 1;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    part0 *= f(i);
    part1 *= f(i + 1);
    part2 *= f(i + 2);
    part3 *= f(i + 3);
  }
  for (; i < n; ++i) part0 *= f(i);
  return (part0 * part1) * (part2 * part3);
}

/// Largest f(i); NaN wins. Minus infinity for n = 0.
template <class T, class F>
inline T row_largest(int64_t n, F f) {
  constexpr T kLowest =
      static_cast<T>(sizeof(T) == sizeof(float) ? -static_cast<double>(__FLT_MAX__) : -__DBL_MAX__);
  constexpr T kNone = -static_cast<T>(__builtin_inff());
  T largest = kNone, nans = 0;
#pragma omp simd reduction(max : largest) reduction(+ : nans)
  for (int64_t i = 0; i < n; ++i) {
    T value = f(i);
    largest = value > largest ? value : largest;
    nans += value != value ? T(1) : T(0);
  }
  if (nans > T(0)) return static_cast<T>(__builtin_nanf(""));
  if (largest > kLowest) return largest;
  // clang's reduction starts at the lowest finite number; a row of minus infinity shows it.
  largest = kNone;
  for (int64_t i = 0; i < n; ++i) largest = f(i) > largest ? f(i) : largest;
  return largest;
}

template <class T>
inline T larger(T a, T b) {
  const T of_numbers = b > a ? b : a;
  return b != b ? b : of_numbers;
}

// How f(i) are put together: along a run, and two at a time.
struct Adding {
  template <class T, class F>
  static inline T along(int64_t n, F f) {
    return row_sum<T>(n, f);
  }
  template <class T>
  static inline T both(T a, T b) {
    return a + b;
  }
};
struct Multiplying {
  template <class T, class F>
  static inline T along(int64_t n, F f) {
    return row_product<T>(n, f);
  }
  template <class T>
  static inline T both(T a, T b) {
    return a * b;
  }
};
struct Largest {
  template <class T, class F>
  static inline T along(int64_t n, F f) {
    return row_largest<T>(n, f);
  }
  template <class T>
  static inline T both(T a, T b) {
    return larger(a, b);
  }
};
struct Smallest {
  template <class T, class F>
  static inline T along(int64_t n, F f) {
    return -row_largest<T>(n, [=](int64_t i) { return -f(i); });
  }
  template <class T>
  static inline T both(T a, T b) {
    return -larger(-a, -b);
  }
};

// What is taken of an element x, a shift s and the power p.
struct Itself {
  template <class T>
  static inline T of(T x, T, T) {
    return x;
  }
};
struct Magnitude {
  template <class T>
  static inline T of(T x, T, T) {
    return math::abs(x);
  }
};
struct Square {
  template <class T>
  static inline T of(T x, T s, T) {
    return (x - s) * (x - s);
  }
};
struct Power {
  template <class T>
  static inline T of(T x, T, T p) {
    return math::pow(math::abs(x), p);
  }
};
struct Exponential {
  template <class T>
  static inline T of(T x, T s, T) {
    return math::exp(x - (math::abs(s) <= T(__FLT_MAX__) ? s : s != s ? s : T(0)));
  }
};

template <class Together, class Map, class T>
void run(const void* x_, int64_t n, const void* shift_, double power, void* total_) {
  const T* x = static_cast<const T*>(x_);
  T* total = static_cast<T*>(total_);
  const T shift = shift_ == nullptr ? T(0) : *static_cast<const T*>(shift_), p = static_cast<T>(power);
  *total = Together::both(*total,
                          Together::template along<T>(n, [=](int64_t i) { return Map::of(x[i], shift, p); }));
}

template <class Together, class Map, class T>
void rows(const void* x_, int64_t row_stride, int64_t count, int64_t cols, const void* shift_, double power,
          void* total_) {
  const T *x = static_cast<const T*>(x_), *shift = static_cast<const T*>(shift_);
  T* total = static_cast<T*>(total_);
  const T p = static_cast<T>(power);
  int64_t r = 0;
  for (; r + 4 <= count; r += 4, x += 4 * row_stride) {
    const T *x0 = x, *x1 = x + row_stride, *x2 = x1 + row_stride, *x3 = x2 + row_stride;
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) {
      const T s = shift[c];
      total[c] = Together::both(total[c],
                                Together::both(Together::both(Map::of(x0[c], s, p), Map::of(x1[c], s, p)),
                                               Together::both(Map::of(x2[c], s, p), Map::of(x3[c], s, p))));
    }
  }
  for (; r < count; ++r, x += row_stride) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) total[c] = Together::both(total[c], Map::of(x[c], shift[c], p));
  }
}

}  // namespace

#define ISKRA_LOOPS(Together, Map)                             \
  {                                                            \
    {run<Together, Map, float>, rows<Together, Map, float>}, { \
      run<Together, Map, double>, rows<Together, Map, double>  \
    }                                                          \
  }

extern const ReduceAxesTable reduce_axes_table = {{ISKRA_LOOPS(Adding, Itself),
                                                   ISKRA_LOOPS(Adding, Magnitude),
                                                   ISKRA_LOOPS(Adding, Square),
                                                   ISKRA_LOOPS(Adding, Power),
                                                   ISKRA_LOOPS(Adding, Exponential),
                                                   ISKRA_LOOPS(Multiplying, Itself),
                                                   ISKRA_LOOPS(Largest, Itself),
                                                   ISKRA_LOOPS(Smallest, Itself),
                                                   ISKRA_LOOPS(Largest, Magnitude),
                                                   ISKRA_LOOPS(Smallest, Magnitude),
                                                   {}}};

}  // namespace iskra::kernels::ISKRA_ISA
