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

/// The second index is the type: 0 float, 1 double. The row of `count` is null: see reduce_axes_integer.cpp.
struct ReduceAxesTable {
  ReduceLoops loops[kReduceOps][2];
};

ISKRA_ISA_TABLES(ReduceAxesTable, reduce_axes_table)

}  // namespace iskra::kernels
