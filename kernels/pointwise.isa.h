// The inner loops of pointwise ops, one table per ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>
#include <iskra/kernels/pointwise_list.h>

namespace iskra::kernels {

/// What the loops of copies and conversions walk: `outer` runs of `inner` elements; strides count elements.
struct PointwiseRun {
  static constexpr int kOut = 3;  ///< place of the output
  const void* in[3];
  void* out;
  int64_t inner_stride[4];
  int64_t outer_stride[4];
  int64_t inner, outer;
};
using PointwiseLoop = void (*)(const PointwiseRun& run);

/// What the loops of pointwise ops take: n dense elements of each operand, all of one type. The output may be
/// one of the inputs.
struct PointwiseBlock {
  const void* in[3];
  void* out;
  int64_t n;
  PointwiseParams params;
};
using PointwiseBody = void (*)(const PointwiseBlock& at);

/// The second index is the type: 0 float, 1 double. Without a gradient the entries of derivatives are null.
struct PointwiseTable {
  PointwiseBody unary[kUnaryOps][2];           ///< in: x
  PointwiseBody unary_backward[kUnaryOps][2];  ///< in: x, y, dy
  PointwiseBody binary[kBinaryOps][2];         ///< in: a, b
  PointwiseBody binary_da[kBinaryOps][2];      ///< in: a, b, dy
  PointwiseBody binary_db[kBinaryOps][2];      ///< in: a, b, dy
};

ISKRA_ISA_TABLES(PointwiseTable, pointwise_table)

}  // namespace iskra::kernels
