// The inner loops of copies and conversions, one table per ISA level.
#pragma once

#include <iskra/kernels/pointwise.isa.h>

namespace iskra::kernels {

inline constexpr int kDTypes = 8;

struct MemoryTable {
  PointwiseLoop convert[kDTypes][kDTypes];  ///< [from][to], by the value of DType; in: x
  PointwiseLoop add[kDTypes];               ///< out += in; null where the type is no floating one
  PointwiseLoop fill[4];                    ///< by log2 of the element's bytes; in: one element
  /// y (rows, cols) row-major with y_stride = x (cols, rows) row-major with x_stride; by log2 of the bytes.
  void (*transpose[4])(const void* x, int64_t x_stride, void* y, int64_t y_stride, int64_t rows,
                       int64_t cols);
  /// y[i] = (x[i] / 255 - mean[i % period]) / std[i % period], n a multiple of period; null for integers.
  void (*normalize[kDTypes])(const uint8_t* x, const float* mean, const float* std, int64_t period, void* y,
                             int64_t n);
};

ISKRA_ISA_TABLES(MemoryTable, memory_table)

}  // namespace iskra::kernels
