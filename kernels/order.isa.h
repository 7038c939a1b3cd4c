// The inner loops of searching and selecting, one table per ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

struct OrderTable {
  /// The place of the first largest [0] or smallest [1] of x[0, n), n >= 1; a NaN comes before all. The
  /// second index is the type: float, double, bf16, f16, i64, i32, u8.
  int64_t (*extreme[2][7])(const void* x, int64_t n);
  /// The first i in [begin, n) with x[i] larger [0] or smaller [1] than x[limit], NaN being the largest; or
  /// n.
  int64_t (*beyond[2][7])(const void* x, int64_t begin, int64_t n, int64_t limit);
  /// y[i] = mask[i] ? a[i * a_stride] : b[i * b_stride], strides 0 or 1; by log2 of the element's bytes.
  void (*where[4])(const uint8_t* mask, const void* a, int64_t a_stride, const void* b, int64_t b_stride,
                   void* y, int64_t n);
};

ISKRA_ISA_TABLES(OrderTable, order_table)

}  // namespace iskra::kernels
