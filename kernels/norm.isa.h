// The inner loops of norms over rows, one table per ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// Some rows of a norm. x, y, dy and dx hold elements; weight, bias, mean, rstd, dweight and dbias numbers of
/// the computing type. A null mean leaves the rows uncentred (RMS norm).
struct NormRows {
  const void* x;
  const void *weight, *bias;  ///< (cols), may be null
  void *mean, *rstd;          ///< (rows), written by forward, read by backward
  void* y;
  const void* dy;
  void* dx;               ///< may be null
  void *dweight, *dbias;  ///< (cols), added to; may be null
  void* buffer;           ///< of 16-bit elements: three rows of f32
  int64_t rows, cols;
  double eps;
};

/// The index of each entry is the type: 0 f32, 1 f64, 2 bf16, 3 f16.
struct NormTable {
  void (*forward[4])(const NormRows& at);
  void (*backward[4])(const NormRows& at);
};

ISKRA_ISA_TABLES(NormTable, norm_table)

}  // namespace iskra::kernels
