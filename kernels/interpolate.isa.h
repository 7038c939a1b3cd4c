// The inner loops of interpolation, one table per ISA level. The index of each entry is the type: 0 f32, 1
// f64, 2 bf16, 3 f16.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

struct InterpolateTable {
  /// acc = weight * x, or acc += weight * x where it is not the first; acc holds numbers of the computing
  /// type.
  void (*add[4])(const void* x, int64_t n, double weight, bool first, void* acc);
  void (*store[4])(const void* acc, int64_t n, void* y);
};

ISKRA_ISA_TABLES(InterpolateTable, interpolate_table)

}  // namespace iskra::kernels
