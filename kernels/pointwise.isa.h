// The inner loops of pointwise ops, one table per ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>
#include <iskra/kernels/pointwise_list.h>

namespace iskra::kernels {

/// Up to three inputs and one output, walked as `outer` runs of `inner` elements; strides count elements.
struct PointwiseRun {
  static constexpr int kOut = 3;  ///< place of the output
  const void* in[3];
  void* out;
  int64_t inner_stride[4];
  int64_t outer_stride[4];
  int64_t inner, outer;
};

using PointwiseLoop = void (*)(const PointwiseRun& run);

/// The second index is the type: 0 float, 1 double.
struct PointwiseTable {
  PointwiseLoop unary[kUnaryOps][2];           ///< in: x
  PointwiseLoop unary_backward[kUnaryOps][2];  ///< in: x, y, dy
  PointwiseLoop binary[kBinaryOps][2];         ///< in: a, b
  PointwiseLoop binary_da[kBinaryOps][2];      ///< in: a, b, dy
  PointwiseLoop binary_db[kBinaryOps][2];      ///< in: a, b, dy
};

ISKRA_ISA_TABLES(PointwiseTable, pointwise_table)

}  // namespace iskra::kernels
