// The names of the losses of pairs; each has a struct of that name in pair_loss_ops.h.
#pragma once

#include <cstdint>

// name, one line for the reader
#define ISKRA_PAIR_LOSSES(X)                               \
  X(mse, "(x - t)^2")                                      \
  X(l1, "|x - t|")                                         \
  X(smooth_l1, "l1, quadratic within b")                   \
  X(huber, "quadratic within b, b times l1 beyond")        \
  X(bce_with_logits, "binary cross-entropy of sigmoid(x)") \
  X(kl_div, "t (log t - x)")                               \
  X(kl_div_log, "e^t (t - x)")

namespace iskra::kernels {

#define ISKRA_ENUM(name, doc) name,
enum class PairLoss : uint8_t { ISKRA_PAIR_LOSSES(ISKRA_ENUM) };
#undef ISKRA_ENUM

/// What becomes of the losses of rows or elements: they stay, or their mean or sum.
enum class Reduction : uint8_t { none, mean, sum };

}  // namespace iskra::kernels
