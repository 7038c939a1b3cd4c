// The parts of a reduction over axes.
#pragma once

#include <iskra/kernels/reduce_axes.isa.h>

namespace iskra::kernels {

/// The forms for integers and bool, in i64; null where there is none. `count` reads bytes that are 0 or 1.
ReduceLoops integer_reduce_loops(ReduceOp op);

}  // namespace iskra::kernels
