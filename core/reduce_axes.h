// What the files of reductions share. For the engine's own files.
#pragma once

#include <vector>

#include <iskra/core/op_parts.h>
#include <iskra/core/tensor.h>
#include <iskra/kernels/kernels.h>

namespace iskra::detail {

/// The shapes of a reduction over axes (all when none is named).
struct ReducedAxes {
  ReducedAxes(const char* op, const Tensor& x, const std::vector<int>& axes, bool keep);
  /// A dense tensor of shape `kept` as the result.
  Tensor reshaped(const Tensor& y) const;

  Shape from;         ///< x's
  Shape kept;         ///< with 1 for each axis that is gone
  Shape result;       ///< the result's
  int64_t count = 1;  ///< elements that make one result
};

/// f64 for f64, else f32.
DType computed_in(DType dtype);
/// The reduction of x to the shape `kept`, in `dtype`; not recorded.
Tensor reduced(kernels::ReduceOp op, const Tensor& x, const Shape& kept, DType dtype, double scale = 1,
               const Tensor& shift = {}, double power = 0);

}  // namespace iskra::detail
