// The inner loops of layer norm, one table per ISA level. The index of each entry is the type: 0 float, 1
// double.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

struct NormTable {
  /// weight and bias (cols) may be null.
  void (*forward[2])(const void* x, const void* weight, const void* bias, int64_t rows, int64_t cols,
                     double eps, void* y, void* mean, void* rstd);
  void (*backward[2])(const void* x, const void* weight, const void* mean, const void* rstd, const void* dy,
                      int64_t rows, int64_t cols, void* dx);
  /// dweight (cols) and dbias (cols) are added to; either may be null.
  void (*add_params[2])(const void* x, const void* mean, const void* rstd, const void* dy, int64_t rows,
                        int64_t cols, void* dweight, void* dbias);
};

ISKRA_ISA_TABLES(NormTable, norm_table)

}  // namespace iskra::kernels
