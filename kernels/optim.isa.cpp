// Loops of optimizers. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/optim.isa.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class S>
void adamw(const AdamWScalars& with, void* w_, const void* dw_, void* m_, void* v_, int64_t n) {
  using T = Computed<S>;
  const T keep = static_cast<T>(with.keep), beta2 = static_cast<T>(with.beta2);
  const T rate1 = static_cast<T>(with.one_minus_beta1), rate2 = static_cast<T>(with.one_minus_beta2);
  const T step_size = static_cast<T>(with.step_size), root_bias2 = static_cast<T>(with.root_bias2);
  const T eps = static_cast<T>(with.eps);
  const S* dw = static_cast<const S*>(dw_);
  S* w = static_cast<S*>(w_);
  T *m = static_cast<T*>(m_), *v = static_cast<T*>(v_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T g = load(dw[i]);
    m[i] = m[i] + rate1 * (g - m[i]);
    v[i] = beta2 * v[i] + rate2 * (g * g);
    store(keep * load(w[i]) - step_size * (m[i] / (math::sqrt(v[i]) / root_bias2 + eps)), w[i]);
  }
}

template <class S>
void sgd(const SgdScalars& with, void* w_, const void* dw_, void* velocity_, int64_t n) {
  using T = Computed<S>;
  const T decay = static_cast<T>(with.weight_decay), rate = static_cast<T>(with.learning_rate);
  const T momentum = static_cast<T>(with.momentum);
  const S* dw = static_cast<const S*>(dw_);
  S* w = static_cast<S*>(w_);
  T* velocity = static_cast<T*>(velocity_);
  if (velocity == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T before = load(w[i]);
      store(before - rate * (load(dw[i]) + decay * before), w[i]);
    }
  } else {
    const T direct = with.nesterov ? T(1) : T(0), along = with.nesterov ? momentum : T(1);
    const bool first = with.first;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T before = load(w[i]);
      T g = load(dw[i]) + decay * before;
      T u =
          first ? g : momentum * velocity[i] + g;  // what lies in velocity before the first step is not read
      velocity[i] = u;
      store(before - rate * (direct * g + along * u), w[i]);
    }
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
