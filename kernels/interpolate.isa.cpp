// Loops of interpolation. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/interpolate.isa.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class S>
void add(const void* x_, int64_t n, double weight_, bool first, void* acc_) {
  using T = Computed<S>;
  const S* x = static_cast<const S*>(x_);
  T* acc = static_cast<T*>(acc_);
  const T weight = static_cast<T>(weight_);
  if (first) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) acc[i] = weight * load(x[i]);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) acc[i] += weight * load(x[i]);
  }
}

template <class S>
void store_row(const void* acc_, int64_t n, void* y_) {
  const auto* acc = static_cast<const Computed<S>*>(acc_);
  S* y = static_cast<S*>(y_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) store(acc[i], y[i]);
}

}  // namespace

extern const InterpolateTable interpolate_table = {
    {add<float>, add<double>, add<bf16>, add<f16>},
    {store_row<float>, store_row<double>, store_row<bf16>, store_row<f16>}};

}  // namespace iskra::kernels::ISKRA_ISA
