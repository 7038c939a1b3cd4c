// Driving the loops of pointwise ops over operands of any strides and element types.
#pragma once

#include <initializer_list>

#include <iskra/kernels/base.h>
#include <iskra/kernels/pointwise.isa.h>

namespace iskra::kernels {

/// The loop that converts runs of one input; floats truncate and saturate on their way to integers, wider
/// integers wrap around.
PointwiseLoop convert_loop(DType from, DType to);

/// out = op(inputs), at most three inputs, all broadcast to out's shape; an undefined input stands for an
/// operand that the op does not read. It computes in f64 if an operand is f64; in i64 if all inputs are
/// integers or bool, out is no floating type and the op has such a form (`integers`); else in f32. Operands
/// may be of any types: those that are not of the loop's type, or do not lie densely, pass through it in
/// blocks that stay in the cache, so 16-bit types are rounded once, at the end. Where all operands are bf16,
/// or the result is bool, there are loops that need no such passage. out may be one of the inputs, at equal
/// strides.
void run_pointwise(const Cpu& on, const PointwiseLoops& loops, PointwiseBody integers,
                   std::initializer_list<const View*> inputs, const MutView& out,
                   const PointwiseParams& params = {});

/// The exact forms for integers and bool (pointwise_integer.cpp); null where there is none.
PointwiseBody integer_body(UnaryOp op);
PointwiseBody integer_body(BinaryOp op);

}  // namespace iskra::kernels
