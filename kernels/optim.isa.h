// The inner loops of optimizers, one table per ISA level. The index of each entry is floating_type_index() of
// parameters and gradients; moments are double for double, else float.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// The scalars of one update of one tensor, computed in double.
struct AdamWScalars {
  double keep;  ///< 1 - lr * decay
  double beta2;
  double one_minus_beta1, one_minus_beta2;
  double step_size;   ///< lr / (1 - beta1^t)
  double root_bias2;  ///< sqrt(1 - beta2^t)
  double eps;
};

struct SgdScalars {
  double weight_decay, momentum, learning_rate;
  bool first;  ///< velocity starts as the gradient
  bool nesterov;
};

struct OptimTable {
  void (*adamw[4])(const AdamWScalars& with, void* w, const void* dw, void* m, void* v, int64_t n);
  /// velocity null: no momentum.
  void (*sgd[4])(const SgdScalars& with, void* w, const void* dw, void* velocity, int64_t n);
  /// dw *= factor; whether an element is then infinite or NaN.
  bool (*unscale[4])(double factor, void* dw, int64_t n);
};

ISKRA_ISA_TABLES(OptimTable, optim_table)

}  // namespace iskra::kernels
