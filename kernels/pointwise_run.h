// Driving a pointwise loop over operands of any strides and element types.
#pragma once

#include <initializer_list>

#include <iskra/kernels/base.h>
#include <iskra/kernels/pointwise.isa.h>

namespace iskra::kernels {

/// The loop that converts runs of one input; floats truncate and saturate on their way to integers.
PointwiseLoop convert_loop(DType from, DType to);

/// What floating arithmetic on these operands computes in: f64 if any of them is f64, else f32.
DType compute_dtype(std::initializer_list<DType> dtypes);

/// out = body(inputs), at most three inputs, all broadcast to out's shape; an undefined input stands for an
/// operand that the body does not read. `loops` are the body in f32 and in f64. Operands may be of any types:
/// those that are not of the computing type pass through it in blocks that stay in the cache, so 16-bit types
/// are rounded once, at the end.
void run_pointwise(const Cpu& on, const PointwiseLoop (&loops)[2], std::initializer_list<const View*> inputs,
                   const MutView& out);

}  // namespace iskra::kernels
