// Loops of optimizers. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/optim.isa.h>
#include <iskra/kernels/optim_element.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class S>
void adamw(const AdamWScalars& with, void* w_, const void* dw_, void* m_, void* v_, int64_t n) {
  using T = Computed<S>;
  const AdamWElement<T> update(with);
  const S* dw = static_cast<const S*>(dw_);
  S* w = static_cast<S*>(w_);
  T *m = static_cast<T*>(m_), *v = static_cast<T*>(v_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) store(update(load(w[i]), load(dw[i]), m[i], v[i]), w[i]);
}

template <class S>
void sgd(const SgdScalars& with, void* w_, const void* dw_, void* velocity_, int64_t n) {
  using T = Computed<S>;
  const SgdElement<T> update(with);
  const S* dw = static_cast<const S*>(dw_);
  S* w = static_cast<S*>(w_);
  T* velocity = static_cast<T*>(velocity_);
  if (velocity == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) store(update(load(w[i]), load(dw[i])), w[i]);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) store(update(load(w[i]), load(dw[i]), velocity[i]), w[i]);
  }
}

template <class S>
bool unscale(double factor, void* dw_, int64_t n) {
  using T = Computed<S>;
  const T by = static_cast<T>(factor);
  S* dw = static_cast<S*>(dw_);
  int bad = 0;
#pragma omp simd reduction(| : bad)
  for (int64_t i = 0; i < n; ++i) {
    store(load(dw[i]) * by, dw[i]);
    const T stored = load(dw[i]);  // f16 may overflow only as it is rounded
    bad |= stored - stored == T(0) ? 0 : 1;
  }
  return bad != 0;
}

}  // namespace

extern const OptimTable optim_table = {{adamw<float>, adamw<double>, adamw<bf16>, adamw<f16>},
                                       {sgd<float>, sgd<double>, sgd<bf16>, sgd<f16>},
                                       {unscale<float>, unscale<double>, unscale<bf16>, unscale<f16>}};

}  // namespace iskra::kernels::ISKRA_ISA
