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

/// What the loops of pointwise ops take: n dense elements of each operand, all of one type (the output of a
/// test may be bool instead). The output may be one of the inputs.
struct PointwiseBlock {
  const void* in[3];
  void* out;
  int64_t n;
  PointwiseParams params;
};
using PointwiseBody = void (*)(const PointwiseBlock& at);

/// One op in the types that elements are stored in; null where it does not exist in one. bf16 is computed in
/// float, element by element, and rounded once.
struct PointwiseLoops {
  PointwiseBody f32, f64, bf16;
  PointwiseBody f32_to_bool, bf16_to_bool;  ///< of ops that give bool
};

/// Without a gradient the entries of derivatives are null.
struct PointwiseTable {
  PointwiseLoops unary[kUnaryOps];           ///< in: x
  PointwiseLoops unary_backward[kUnaryOps];  ///< in: x, y, dy
  PointwiseLoops binary[kBinaryOps];         ///< in: a, b
  PointwiseLoops binary_da[kBinaryOps];      ///< in: a, b, dy
  PointwiseLoops binary_db[kBinaryOps];      ///< in: a, b, dy
};

ISKRA_ISA_TABLES(PointwiseTable, pointwise_table)

}  // namespace iskra::kernels
