// What an optimizer does to one element; the same on both devices.
#pragma once

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/optim.isa.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels {
namespace {

/// Loshchilov & Hutter 2019, with the scalars of a step in the type that is computed in.
template <class T>
struct AdamWElement {
  T keep, beta2, rate1, rate2, step_size, root_bias2, eps;

  ISKRA_HD explicit AdamWElement(const AdamWScalars& with)
      : keep(static_cast<T>(with.keep)),
        beta2(static_cast<T>(with.beta2)),
        rate1(static_cast<T>(with.one_minus_beta1)),
        rate2(static_cast<T>(with.one_minus_beta2)),
        step_size(static_cast<T>(with.step_size)),
        root_bias2(static_cast<T>(with.root_bias2)),
        eps(static_cast<T>(with.eps)) {}
  /// The new w; the moments change in place.
  ISKRA_HD T operator()(T w, T g, T& m, T& v) const {
    m = m + rate1 * (g - m);
    v = beta2 * v + rate2 * (g * g);
    return keep * w - step_size * (m / (math::sqrt(v) / root_bias2 + eps));
  }
};

template <class T>
struct SgdElement {
  T decay, rate, momentum, direct, along;
  bool first;

  ISKRA_HD explicit SgdElement(const SgdScalars& with)
      : decay(static_cast<T>(with.weight_decay)),
        rate(static_cast<T>(with.learning_rate)),
        momentum(static_cast<T>(with.momentum)),
        direct(with.nesterov ? T(1) : T(0)),
        along(with.nesterov ? momentum : T(1)),
        first(with.first) {}
  ISKRA_HD T operator()(T w, T dw) const { return w - rate * (dw + decay * w); }
  /// What lies in velocity before the first step is not read.
  ISKRA_HD T operator()(T w, T dw, T& velocity) const {
    T g = dw + decay * w;
    T u = first ? g : momentum * velocity + g;
    velocity = u;
    return w - rate * (direct * g + along * u);
  }
};

}  // namespace
}  // namespace iskra::kernels
