// Loops of reductions over axes. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/product_slope.h>
#include <iskra/kernels/reduce_axes.isa.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/vector_pow.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

/// 64 lanes put together: by memory as far as whole vectors go, and then in registers, where the steps of a
/// tree do not wait for stores.
template <class Together, class T>
inline T joined_lanes(T* lane) {
  typedef T V __attribute__((vector_size(16)));
  constexpr int kOf = 16 / static_cast<int>(sizeof(T)), kCount = 16 / kOf;
#pragma omp simd
  for (int64_t j = 0; j < 16; ++j)
    lane[j] =
        Together::both(Together::both(lane[j], lane[j + 16]), Together::both(lane[j + 32], lane[j + 48]));
  V v[kCount];
  for (int i = 0; i < kCount; ++i) __builtin_memcpy(&v[i], lane + i * kOf, 16);
  for (int half = kCount / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) v[i] = Together::both(v[i], v[i + half]);
  if constexpr (kOf == 4) v[0] = Together::both(v[0], __builtin_shufflevector(v[0], v[0], 2, 3, 0, 1));
  T first = v[0][0], second = v[0][1];
  return Together::both(first, second);
}

/// f(0) … f(n - 1) put together, each called once: in lanes that stay in registers, then by halving. The
/// rounding error of a sum grows with n / 64.
template <class Together, class T, class F>
inline T along(int64_t n, F f) {
  constexpr int64_t kLanes = 64;
  T lane[kLanes];
  for (int64_t j = 0; j < kLanes; ++j) lane[j] = Together::template start<T>();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int64_t j = 0; j < kLanes; ++j) lane[j] = Together::both(lane[j], f(i + j));
  }
  if (i < n) {
#pragma omp simd
    for (int64_t j = 0; j < n - i; ++j) lane[j] = Together::both(lane[j], f(i + j));
  }
  return joined_lanes<Together>(lane);
}

// How elements are put together. Integers wrap around.
struct Adding {
  template <class T>
  static inline T start() {
    return T(0);
  }
  template <class T>
  static inline T both(T a, T b) {
    return a + b;
  }
  static inline int64_t both(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};
struct Multiplying {
  template <class T>
  static inline T start() {
    return T(1);
  }
  template <class T>
  static inline T both(T a, T b) {
    return a * b;
  }
  static inline int64_t both(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};
// A NaN wins, whichever side it comes from. Two choices after each other: as one condition compilers make
// jumps of it, and no vectors.
template <class T>
inline T larger(T a, T b) {
  const T of_numbers = b > a ? b : a;
  return b != b ? b : of_numbers;
}
struct Largest {
  template <class T>
  static inline T start() {
    return -static_cast<T>(__builtin_inff());
  }
  template <class T>
  static inline T both(T a, T b) {
    return larger(a, b);
  }
};
struct Smallest {
  template <class T>
  static inline T start() {
    return static_cast<T>(__builtin_inff());
  }
  template <class T>
  static inline T both(T a, T b) {
    return -larger(-a, -b);
  }
  static inline int64_t both(int64_t a, int64_t b) { return b < a ? b : a; }
};
template <>
inline int64_t Largest::start<int64_t>() {
  return INT64_MIN;
}
template <>
inline int64_t Smallest::start<int64_t>() {
  return INT64_MAX;
}

// What is taken of an element x, a shift s and the power p.
struct Itself {
  template <class T>
  static inline T of(T x, T, T) {
    return x;
  }
};
struct ItselfOrOne {
  template <class T>
  static inline T of(T x, T, T) {
    return x == T(0) ? T(1) : x;
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

inline int64_t load(int64_t x) { return x; }
inline int64_t load(uint8_t x) { return x; }
using kernels::load;

// What elements of type S are put together in.
template <class S>
struct Total {
  using Type = Computed<S>;
};
template <>
struct Total<int64_t> {
  using Type = int64_t;
};
template <>
struct Total<uint8_t> {
  using Type = int64_t;
};

template <class Together, class Map, class S>
void run(const void* x_, int64_t n, const void* shift_, double power, void* total_) {
  using T = typename Total<S>::Type;
  const S* x = static_cast<const S*>(x_);
  T* total = static_cast<T*>(total_);
  const T shift = shift_ == nullptr ? T(0) : *static_cast<const T*>(shift_), p = static_cast<T>(power);
  *total =
      Together::both(*total, along<Together, T>(n, [=](int64_t i) { return Map::of(load(x[i]), shift, p); }));
}

template <class Together, class Map, class S>
void rows(const void* x_, int64_t row_stride, int64_t count, int64_t cols, const void* shift_, double power,
          void* total_) {
  using T = typename Total<S>::Type;
  const S* x = static_cast<const S*>(x_);
  const T* shift = static_cast<const T*>(shift_);
  T* total = static_cast<T*>(total_);
  const T p = static_cast<T>(power);
  int64_t r = 0;
  for (; r + 8 <= count; r += 8, x += 8 * row_stride) {
    const S *x0 = x, *x1 = x + row_stride, *x2 = x1 + row_stride, *x3 = x2 + row_stride,
            *x4 = x3 + row_stride, *x5 = x4 + row_stride, *x6 = x5 + row_stride, *x7 = x6 + row_stride;
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) {
      const T s = shift[c];
      const T a = Together::both(Map::of(load(x0[c]), s, p), Map::of(load(x1[c]), s, p));
      const T b = Together::both(Map::of(load(x2[c]), s, p), Map::of(load(x3[c]), s, p));
      const T d = Together::both(Map::of(load(x4[c]), s, p), Map::of(load(x5[c]), s, p));
      const T e = Together::both(Map::of(load(x6[c]), s, p), Map::of(load(x7[c]), s, p));
      total[c] = Together::both(total[c], Together::both(Together::both(a, b), Together::both(d, e)));
    }
  }
  for (; r < count; ++r, x += row_stride) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) total[c] = Together::both(total[c], Map::of(load(x[c]), shift[c], p));
  }
}

template <bool kDyMoves, bool kQMoves, class S, class T>
void product_gradient_of(const S* x, const S* dy, const T* q, const T* zeros, int64_t n, S* dx) {
  if (zeros == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i)
      store(load(dy[kDyMoves ? i : 0]) * (q[kQMoves ? i : 0] / load(x[i])), dx[i]);
    return;
  }
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const int64_t of = kQMoves ? i : 0;
    store(product_slope<T>(load(x[i]), load(dy[kDyMoves ? i : 0]), q[of], zeros[of]), dx[i]);
  }
}

template <class S>
void product_gradient(const void* x_, const void* dy_, int64_t dy_stride, const void* q_, const void* zeros_,
                      int64_t q_stride, int64_t n, void* dx_) {
  using T = Computed<S>;
  const S *x = static_cast<const S*>(x_), *dy = static_cast<const S*>(dy_);
  const T *q = static_cast<const T*>(q_), *zeros = static_cast<const T*>(zeros_);
  S* dx = static_cast<S*>(dx_);
  if (dy_stride != 0 && q_stride != 0) return product_gradient_of<true, true>(x, dy, q, zeros, n, dx);
  if (dy_stride != 0) return product_gradient_of<true, false>(x, dy, q, zeros, n, dx);
  if (q_stride != 0) return product_gradient_of<false, true>(x, dy, q, zeros, n, dx);
  product_gradient_of<false, false>(x, dy, q, zeros, n, dx);
}

}  // namespace

#define ISKRA_LOOP(Together, Map, S) {run<Together, Map, S>, rows<Together, Map, S>}
#define ISKRA_LOOPS(Together, Map)                                                                       \
  {ISKRA_LOOP(Together, Map, float), ISKRA_LOOP(Together, Map, double), ISKRA_LOOP(Together, Map, bf16), \
   ISKRA_LOOP(Together, Map, f16)}

extern const ReduceAxesTable reduce_axes_table = {
    {ISKRA_LOOPS(Adding, Itself),
     ISKRA_LOOPS(Adding, Magnitude),
     ISKRA_LOOPS(Adding, Square),
     ISKRA_LOOPS(Adding, Power),
     ISKRA_LOOPS(Adding, Exponential),
     ISKRA_LOOPS(Multiplying, Itself),
     ISKRA_LOOPS(Multiplying, ItselfOrOne),
     ISKRA_LOOPS(Largest, Itself),
     ISKRA_LOOPS(Smallest, Itself),
     ISKRA_LOOPS(Largest, Magnitude),
     ISKRA_LOOPS(Smallest, Magnitude),
     {}},
    {ISKRA_LOOP(Adding, Itself, int64_t),
     {},
     {},
     {},
     {},
     ISKRA_LOOP(Multiplying, Itself, int64_t),
     {},
     ISKRA_LOOP(Largest, Itself, int64_t),
     ISKRA_LOOP(Smallest, Itself, int64_t),
     {},
     {},
     ISKRA_LOOP(Adding, Itself, uint8_t)},
    {product_gradient<float>, product_gradient<double>, product_gradient<bf16>, product_gradient<f16>}};

}  // namespace iskra::kernels::ISKRA_ISA
