// Loops of pointwise ops. Compiled once per ISA level: raw pointers only, nothing with external linkage but
// the table.
#include <iskra/kernels/pointwise.isa.h>
#include <iskra/kernels/pointwise_ops.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

// Strides known to the compiler (0 or 1) let it vectorise; kAny is read at run time. An output may be one of
// its inputs, element for element: `omp simd` says that iterations are independent.
constexpr int kAny = -1;

template <int A, int B, int D, class T, class F>
inline void run_fixed(const PointwiseRun& at, F f) {
  for (int64_t row = 0; row < at.outer; ++row) {
    auto in = [&](int i) { return static_cast<const T*>(at.in[i]) + row * at.outer_stride[i]; };
    const T *a = in(0), *b = in(1), *d = in(2);
    T* out = static_cast<T*>(at.out) + row * at.outer_stride[PointwiseRun::kOut];
    int64_t sa = A == kAny ? at.inner_stride[0] : A, sb = B == kAny ? at.inner_stride[1] : B;
    int64_t sd = D == kAny ? at.inner_stride[2] : D;
    int64_t so = A == kAny ? at.inner_stride[PointwiseRun::kOut] : 1;
    if constexpr (A == kAny) {
      for (int64_t i = 0; i < at.inner; ++i) out[i * so] = f(a[i * sa], b[i * sb], d[i * sd]);
    } else {
#pragma omp simd
      for (int64_t i = 0; i < at.inner; ++i) out[i] = f(a[i * sa], b[i * sb], d[i * sd]);
    }
  }
}

inline bool strides_are(const PointwiseRun& at, int64_t a, int64_t b, int64_t d) {
  const int64_t* s = at.inner_stride;
  return s[PointwiseRun::kOut] == 1 && s[0] == a && s[1] == b && s[2] == d;
}

template <class Op, class T>
void unary(const PointwiseRun& at) {
  auto f = [](T x, T, T) { return Op::template f<T>(x); };
  if (strides_are(at, 1, 0, 0)) return run_fixed<1, 0, 0, T>(at, f);
  run_fixed<kAny, kAny, kAny, T>(at, f);
}

template <class Op, class T>
void unary_backward(const PointwiseRun& at) {
  auto f = [](T x, T y, T dy) { return dy * Op::template df<T>(x, y); };
  if (strides_are(at, 1, 1, 1)) return run_fixed<1, 1, 1, T>(at, f);
  if (strides_are(at, 1, 1, 0)) return run_fixed<1, 1, 0, T>(at, f);
  run_fixed<kAny, kAny, kAny, T>(at, f);
}

template <class Op, class T>
void binary(const PointwiseRun& at) {
  auto f = [](T a, T b, T) { return Op::template f<T>(a, b); };
  if (strides_are(at, 1, 1, 0)) return run_fixed<1, 1, 0, T>(at, f);
  if (strides_are(at, 1, 0, 0)) return run_fixed<1, 0, 0, T>(at, f);
  if (strides_are(at, 0, 1, 0)) return run_fixed<0, 1, 0, T>(at, f);
  run_fixed<kAny, kAny, kAny, T>(at, f);
}

template <class T, class F>
inline void binary_backward(const PointwiseRun& at, F f) {
  if (strides_are(at, 1, 1, 1)) return run_fixed<1, 1, 1, T>(at, f);
  if (strides_are(at, 1, 0, 1)) return run_fixed<1, 0, 1, T>(at, f);
  if (strides_are(at, 0, 1, 1)) return run_fixed<0, 1, 1, T>(at, f);
  run_fixed<kAny, kAny, kAny, T>(at, f);
}

template <class Op, class T>
void binary_da(const PointwiseRun& at) {
  binary_backward<T>(at, [](T a, T b, T dy) { return dy * Op::template da<T>(a, b); });
}

template <class Op, class T>
void binary_db(const PointwiseRun& at) {
  binary_backward<T>(at, [](T a, T b, T dy) { return dy * Op::template db<T>(a, b); });
}

}  // namespace

#define ISKRA_UNARY(name, doc) {unary<ops::name, float>, unary<ops::name, double>},
#define ISKRA_UNARY_BACKWARD(name, doc) {unary_backward<ops::name, float>, unary_backward<ops::name, double>},
#define ISKRA_BINARY(name, doc) {binary<ops::name, float>, binary<ops::name, double>},
#define ISKRA_BINARY_DA(name, doc) {binary_da<ops::name, float>, binary_da<ops::name, double>},
#define ISKRA_BINARY_DB(name, doc) {binary_db<ops::name, float>, binary_db<ops::name, double>},

extern const PointwiseTable pointwise_table = {{ISKRA_UNARY_OPS(ISKRA_UNARY)},
                                               {ISKRA_UNARY_OPS(ISKRA_UNARY_BACKWARD)},
                                               {ISKRA_BINARY_OPS(ISKRA_BINARY)},
                                               {ISKRA_BINARY_OPS(ISKRA_BINARY_DA)},
                                               {ISKRA_BINARY_OPS(ISKRA_BINARY_DB)}};

}  // namespace iskra::kernels::ISKRA_ISA
