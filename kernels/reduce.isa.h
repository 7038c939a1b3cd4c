// The inner loops of reductions, one table per ISA level. The index of each entry is the type: 0 float, 1
// double.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

struct ReduceTable {
  /// *sum += x[0] + x[stride] + ... (n terms).
  void (*add_run[2])(const void* x, int64_t stride, int64_t n, void* sum);
  /// sum[c] += x[r * row_stride + c * col_stride] over r.
  void (*add_rows[2])(const void* x, int64_t row_stride, int64_t rows, int64_t col_stride, int64_t cols,
                      void* sum);
};

ISKRA_ISA_TABLES(ReduceTable, reduce_table)

}  // namespace iskra::kernels
