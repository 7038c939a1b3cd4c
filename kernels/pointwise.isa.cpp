// Loops of pointwise ops. Compiled once per ISA level: raw pointers only, nothing with external linkage but
// the table.
#include <iskra/kernels/pointwise.isa.h>
#include <iskra/kernels/pointwise_ops.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

/// How results are stored: rounded to the type of the operands; as they are, since that type holds them
/// exactly; or as bool.
enum class Result { rounded, exact, boolean };

// A float whose last 16 bits are zero, or a NaN that came from bf16.
inline void store_exact(float x, bf16& y) {
  y = {static_cast<uint16_t>(__builtin_bit_cast(uint32_t, x) >> 16)};
}
template <class T>
inline void store_exact(T x, T& y) {
  y = x;
}

// An output may be one of its inputs, element for element: `omp simd` says that iterations are independent.
// What an op does not read is not loaded. S is the type that elements are stored in.
template <class S, Result kResult = Result::rounded, class F>
inline void each(const PointwiseBlock& at, F f) {
  const S *a = static_cast<const S*>(at.in[0]), *b = static_cast<const S*>(at.in[1]),
          *d = static_cast<const S*>(at.in[2]);
  if constexpr (kResult == Result::boolean) {
    uint8_t* out = static_cast<uint8_t*>(at.out);
#pragma omp simd
    for (int64_t i = 0; i < at.n; ++i) out[i] = f(load(a[i]), load(b[i]), load(d[i])) != 0;
  } else if constexpr (kResult == Result::exact) {
    S* out = static_cast<S*>(at.out);
#pragma omp simd
    for (int64_t i = 0; i < at.n; ++i) store_exact(f(load(a[i]), load(b[i]), load(d[i])), out[i]);
  } else {
    S* out = static_cast<S*>(at.out);
#pragma omp simd
    for (int64_t i = 0; i < at.n; ++i) store(f(load(a[i]), load(b[i]), load(d[i])), out[i]);
  }
}

// `near` where |x| <= math::kNearTurns, in vectors; what lies beyond, which is rare, once more by `far`.
template <class S, class Near, class Far>
inline void each_near(const PointwiseBlock& at, Near near, Far far) {
  constexpr int64_t kBlock = 256;
  float x[kBlock], d[kBlock];  // the output may be an input
  for (int64_t begin = 0; begin < at.n; begin += kBlock) {
    const int64_t n = at.n - begin < kBlock ? at.n - begin : kBlock;
    const S *x_ = static_cast<const S*>(at.in[0]) + begin, *d_ = static_cast<const S*>(at.in[2]) + begin;
    S* out = static_cast<S*>(at.out) + begin;
    float largest = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < n; ++i) {
      x[i] = load(x_[i]);
      d[i] = load(d_[i]);
      largest = math::abs(x[i]) > largest ? math::abs(x[i]) : largest;
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) store(near(x[i], d[i]), out[i]);
    if (largest <= math::kNearTurns) continue;
    for (int64_t i = 0; i < n; ++i)
      if (math::abs(x[i]) > math::kNearTurns) store(far(x[i], d[i]), out[i]);
  }
}

template <class T>
inline Parameters<T> parameters_of(const PointwiseBlock& at) {
  return {static_cast<T>(at.params.value[0]), static_cast<T>(at.params.value[1])};
}

template <class Op>
constexpr Result stored() {
  return requires { Op::kExact; } ? Result::exact : Result::rounded;
}
template <class Op>
constexpr Result slope_stored() {
  return requires { Op::kExactSlope; } ? Result::exact : Result::rounded;
}

template <class Op, class S, Result kResult = stored<Op>()>
void unary(const PointwiseBlock& at) {
  using T = Computed<S>;
  if constexpr (requires(T x, Parameters<T> p) { Op::f(x, p); }) {
    each<S, kResult>(at, [p = parameters_of<T>(at)](T x, T, T) { return Op::f(x, p); });
  } else if constexpr (sizeof(S) == 2 && requires(T x) { Op::f_short(x); }) {
    each<S>(at, [](T x, T, T) { return Op::f_short(x); });
  } else if constexpr (sizeof(T) == 4 && requires(T x) { Op::near(x); }) {
    each_near<S>(at, [](T x, T) { return Op::near(x); }, [](T x, T) { return Op::f(x); });
  } else {
    each<S, kResult>(at, [](T x, T, T) { return Op::f(x); });
  }
}

template <class Op, class S>
void unary_backward(const PointwiseBlock& at) {
  using T = Computed<S>;
  if constexpr (requires(T x, Parameters<T> p) { Op::df(x, x, p); }) {
    each<S>(at, [p = parameters_of<T>(at)](T x, T y, T dy) { return dy * Op::df(x, y, p); });
  } else if constexpr (sizeof(S) == 2 && requires(T x) { Op::df_short(x); }) {
    each<S>(at, [](T x, T, T dy) { return dy * Op::df_short(x); });
  } else if constexpr (sizeof(T) == 4 && requires(T x) { Op::df_near(x); }) {
    each_near<S>(
        at, [](T x, T dy) { return dy * Op::df_near(x); }, [](T x, T dy) { return dy * Op::df(x, x); });
  } else {
    each<S, slope_stored<Op>()>(at, [](T x, T y, T dy) { return dy * Op::df(x, y); });
  }
}

template <class Op, class S, Result kResult = stored<Op>()>
void binary(const PointwiseBlock& at) {
  using T = Computed<S>;
  each<S, kResult>(at, [](T a, T b, T) { return Op::f(a, b); });
}

template <class Op, class S>
void binary_da(const PointwiseBlock& at) {
  using T = Computed<S>;
  each<S, slope_stored<Op>()>(at, [](T a, T b, T dy) { return dy * Op::da(a, b); });
}

template <class Op, class S>
void binary_db(const PointwiseBlock& at) {
  using T = Computed<S>;
  each<S, slope_stored<Op>()>(at, [](T a, T b, T dy) { return dy * Op::db(a, b); });
}

}  // namespace

#define ISKRA_LOOPS(body, name) \
  {body<ops::name, float>, body<ops::name, double>, body<ops::name, bf16>, nullptr, nullptr},
#define ISKRA_LOOPS_TO_BOOL(body, name)                                    \
  {body<ops::name, float>, body<ops::name, double>, body<ops::name, bf16>, \
   body<ops::name, float, Result::boolean>, body<ops::name, bf16, Result::boolean>},
#define ISKRA_UNARY(name, doc) ISKRA_LOOPS(unary, name)
#define ISKRA_TEST(name, doc) ISKRA_LOOPS_TO_BOOL(unary, name)
#define ISKRA_UNARY_BACKWARD(name, doc) ISKRA_LOOPS(unary_backward, name)
#define ISKRA_BINARY(name, doc) ISKRA_LOOPS(binary, name)
#define ISKRA_COMPARE(name, doc) ISKRA_LOOPS_TO_BOOL(binary, name)
#define ISKRA_BINARY_DA(name, doc) ISKRA_LOOPS(binary_da, name)
#define ISKRA_BINARY_DB(name, doc) ISKRA_LOOPS(binary_db, name)

extern const PointwiseTable pointwise_table = {
    {ISKRA_UNARY_OPS(ISKRA_UNARY) ISKRA_PARAMETER_OPS(ISKRA_UNARY) ISKRA_TEST_OPS(ISKRA_TEST)},
    {ISKRA_UNARY_OPS(ISKRA_UNARY_BACKWARD) ISKRA_PARAMETER_OPS(ISKRA_UNARY_BACKWARD)},
    {ISKRA_BINARY_OPS(ISKRA_BINARY) ISKRA_COMPARE_OPS(ISKRA_COMPARE)},
    {ISKRA_BINARY_OPS(ISKRA_BINARY_DA)},
    {ISKRA_BINARY_OPS(ISKRA_BINARY_DB)}};

}  // namespace iskra::kernels::ISKRA_ISA
