// The inner loops of reductions over axes, one table per ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>
#include <iskra/kernels/reduce_list.h>

namespace iskra::kernels {

/// *total = *total (+) f(x[0]) (+) ... (n dense elements), with the op's own (+) and f.
using ReduceRun = void (*)(const void* x, int64_t n, const void* shift, double power, void* total);
/// The same for `cols` columns side by side: total[c] with x[r * row_stride + c] over r, and shift[c].
using ReduceRows = void (*)(const void* x, int64_t row_stride, int64_t rows, int64_t cols, const void* shift,
                            double power, void* total);

struct ReduceLoops {
  ReduceRun run;
  ReduceRows rows;
};

/// dx[i] = dy * (q / x[i]), the gradient of a product q; strides of dy and q are 0 or 1. With `zeros`, which
/// lie as q does, q is the product of what is not 0, and the gradient 0 where there is another zero.
using ProductGradient = void (*)(const void* x, const void* dy, int64_t dy_stride, const void* q,
                                 const void* zeros, int64_t q_stride, int64_t n, void* dx);

struct ReduceAxesTable {
  /// The second index is what x is of, by floating_type_index; totals and shifts are f64 for f64, else f32.
  /// The row of `count` is null.
  ReduceLoops loops[kReduceOps][4];
  /// Of i64, which wrap around, and for `count` of bytes that are 0 or 1; totals are i64. Null where there is
  /// none.
  ReduceLoops integer[kReduceOps];
  ProductGradient product_gradient[4];  ///< by floating_type_index
};

ISKRA_ISA_TABLES(ReduceAxesTable, reduce_axes_table)

}  // namespace iskra::kernels
