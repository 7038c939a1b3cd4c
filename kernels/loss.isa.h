// The inner loops of losses, one table per ISA level. The index of each entry is the type: 0 f32, 1 f64, 2
// bf16, 3 f16.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// Some rows of a cross-entropy: x, t and the gradients hold elements; weight, lse, value and scale numbers
/// of the computing type. The wanted distribution of a row is q[c] = weight[c] * (keep * t[c] + off), and
/// keep * weight[label] more at its label.
struct CrossEntropyRows {
  const void* x = nullptr;
  const void* t = nullptr;       ///< null: labels
  const void* weight = nullptr;  ///< (cols), null: ones
  const int64_t* labels = nullptr;
  const void* lse = nullptr;    ///< (rows), null: x are logarithms already
  const void* scale = nullptr;  ///< (rows): what dx is multiplied by
  void* value = nullptr;        ///< (rows), written
  void* dx = nullptr;
  void* dt = nullptr;
  void* buffer = nullptr;  ///< three padded rows of the computing type
  int64_t rows = 0, cols = 0, ignored = 0;
  double keep = 1, off = 0;
};

/// Elements of a loss of pairs. p, the positive weights of a binary cross-entropy, and w, which the loss is
/// multiplied by, may be null; dy is one number, or one per element.
struct PairLossRun {
  const void* x = nullptr;
  const void* t = nullptr;
  const void* p = nullptr;
  const void* w = nullptr;
  const void* dy = nullptr;
  void* y = nullptr;   ///< null: only the sum is wanted
  void* dx = nullptr;  ///< null: not wanted
  void* dt = nullptr;
  int64_t n = 0;
  double parameter = 0;
  double scale = 1;  ///< of dy
  bool dy_each = false;
};

/// Two rows each, and what comes of them.
struct CosineRows {
  const void *a = nullptr, *b = nullptr;
  const void* dy = nullptr;
  void *da = nullptr, *db = nullptr;
  void* y = nullptr;       ///< (rows) elements
  void* buffer = nullptr;  ///< of 16-bit elements: four rows of f32
  int64_t rows = 0, cols = 0;
  double eps = 0;
};

struct LossTable {
  void (*lse[4])(const CrossEntropyRows& at);    ///< value = log sum exp x
  void (*cross[4])(const CrossEntropyRows& at);  ///< value = sum of q * (lse - x), the label's share left out
  void (*gradient[4])(const CrossEntropyRows& at);  ///< dx, and dt for t
  double (*pairs[4])(int kind, const PairLossRun& run);
  void (*pairs_backward[4])(int kind, const PairLossRun& run);
  void (*cosine[4])(const CosineRows& at);
  void (*cosine_backward[4])(const CosineRows& at);
};

ISKRA_ISA_TABLES(LossTable, loss_table)

}  // namespace iskra::kernels
