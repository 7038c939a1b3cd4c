// Loops of pointwise ops. Compiled once per ISA level: raw pointers only, nothing with external linkage but
// the table.
#include <iskra/kernels/pointwise.isa.h>
#include <iskra/kernels/pointwise_ops.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

// An output may be one of its inputs, element for element: `omp simd` says that iterations are independent.
// What an op does not read is not loaded.
template <class T, class F>
inline void each(const PointwiseBlock& at, F f) {
  const T *a = static_cast<const T*>(at.in[0]), *b = static_cast<const T*>(at.in[1]),
          *d = static_cast<const T*>(at.in[2]);
  T* out = static_cast<T*>(at.out);
#pragma omp simd
  for (int64_t i = 0; i < at.n; ++i) out[i] = f(a[i], b[i], d[i]);
}

template <class T>
inline Parameters<T> parameters_of(const PointwiseBlock& at) {
  return {static_cast<T>(at.params.value[0]), static_cast<T>(at.params.value[1])};
}

template <class Op, class T>
void unary(const PointwiseBlock& at) {
  if constexpr (requires(T x, Parameters<T> p) { Op::f(x, p); }) {
    each<T>(at, [p = parameters_of<T>(at)](T x, T, T) { return Op::f(x, p); });
  } else {
    each<T>(at, [](T x, T, T) { return Op::f(x); });
  }
}

template <class Op, class T>
void unary_backward(const PointwiseBlock& at) {
  if constexpr (requires(T x, Parameters<T> p) { Op::df(x, x, p); }) {
    each<T>(at, [p = parameters_of<T>(at)](T x, T y, T dy) { return dy * Op::df(x, y, p); });
  } else {
    each<T>(at, [](T x, T y, T dy) { return dy * Op::df(x, y); });
  }
}

template <class Op, class T>
void binary(const PointwiseBlock& at) {
  each<T>(at, [](T a, T b, T) { return Op::f(a, b); });
}

template <class Op, class T>
void binary_da(const PointwiseBlock& at) {
  each<T>(at, [](T a, T b, T dy) { return dy * Op::da(a, b); });
}

template <class Op, class T>
void binary_db(const PointwiseBlock& at) {
  each<T>(at, [](T a, T b, T dy) { return dy * Op::db(a, b); });
}

}  // namespace

#define ISKRA_UNARY(name, doc) {unary<ops::name, float>, unary<ops::name, double>},
#define ISKRA_UNARY_BACKWARD(name, doc) {unary_backward<ops::name, float>, unary_backward<ops::name, double>},
#define ISKRA_BINARY(name, doc) {binary<ops::name, float>, binary<ops::name, double>},
#define ISKRA_BINARY_DA(name, doc) {binary_da<ops::name, float>, binary_da<ops::name, double>},
#define ISKRA_BINARY_DB(name, doc) {binary_db<ops::name, float>, binary_db<ops::name, double>},

extern const PointwiseTable pointwise_table = {
    {ISKRA_ALL_UNARY_OPS(ISKRA_UNARY)},
    {ISKRA_UNARY_OPS(ISKRA_UNARY_BACKWARD) ISKRA_PARAMETER_OPS(ISKRA_UNARY_BACKWARD)},
    {ISKRA_ALL_BINARY_OPS(ISKRA_BINARY)},
    {ISKRA_BINARY_OPS(ISKRA_BINARY_DA)},
    {ISKRA_BINARY_OPS(ISKRA_BINARY_DB)}};

}  // namespace iskra::kernels::ISKRA_ISA
