// Loops of optimizers. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/optim.isa.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class T>
void adamw(const AdamWScalars& with, void* w_, const void* dw_, void* m_, void* v_, int64_t n) {
  const T keep = static_cast<T>(with.keep), beta2 = static_cast<T>(with.beta2);
  const T rate1 = static_cast<T>(with.one_minus_beta1), rate2 = static_cast<T>(with.one_minus_beta2);
  const T step_size = static_cast<T>(with.step_size), root_bias2 = static_cast<T>(with.root_bias2);
  const T eps = static_cast<T>(with.eps);
  const T* dw = static_cast<const T*>(dw_);
  T *w = static_cast<T*>(w_), *m = static_cast<T*>(m_), *v = static_cast<T*>(v_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    T g = dw[i];
    m[i] = m[i] + rate1 * (g - m[i]);
    v[i] = beta2 * v[i] + rate2 * (g * g);
    w[i] = keep * w[i] - step_size * (m[i] / (math::sqrt(v[i]) / root_bias2 + eps));
  }
}

template <class T>
void sgd(const SgdScalars& with, void* w_, const void* dw_, void* velocity_, int64_t n) {
  const T decay = static_cast<T>(with.weight_decay), rate = static_cast<T>(with.learning_rate);
  const T momentum = static_cast<T>(with.momentum);
  const T* dw = static_cast<const T*>(dw_);
  T *w = static_cast<T*>(w_), *velocity = static_cast<T*>(velocity_);
  if (velocity == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) w[i] -= rate * (dw[i] + decay * w[i]);
  } else {
    const T direct = with.nesterov ? T(1) : T(0), along = with.nesterov ? momentum : T(1);
    const bool first = with.first;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      T g = dw[i] + decay * w[i];
      T u =
          first ? g : momentum * velocity[i] + g;  // what lies in velocity before the first step is not read
      velocity[i] = u;
      w[i] -= rate * (direct * g + along * u);
    }
  }
}

}  // namespace

extern const OptimTable optim_table = {{adamw<float>, adamw<double>}, {sgd<float>, sgd<double>}};

}  // namespace iskra::kernels::ISKRA_ISA
