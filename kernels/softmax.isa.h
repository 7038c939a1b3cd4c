// The inner loops of softmax and its kin, one table per ISA level. The index of each entry is the type: 0
// f32, 1 f64, 2 bf16, 3 f16.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// Numbers of the computing type that a row of n elements passes through: the row is made whole with lanes
/// that add nothing, so that no loop over a short row has a rest.
constexpr int64_t padded_row(int64_t n) { return (n + 15) / 16 * 16; }

struct SoftmaxTable {
  /// Rows one after the other; `logarithm` gives x - log sum exp x. buffer: padded_row(cols) numbers.
  void (*rows[4])(const void* x, int64_t rows, int64_t cols, bool logarithm, void* buffer, void* y);
  /// buffer: two such rows.
  void (*rows_backward[4])(const void* y, const void* dy, int64_t rows, int64_t cols, bool logarithm,
                           void* buffer, void* dx);
  /// `width` columns of `length` elements that are `stride` apart. buffer: 2 * width numbers.
  void (*columns[4])(const void* x, int64_t length, int64_t stride, int64_t width, bool logarithm,
                     void* buffer, void* y);
  void (*columns_backward[4])(const void* y, const void* dy, int64_t length, int64_t stride, int64_t width,
                              bool logarithm, void* buffer, void* dx);
};

ISKRA_ISA_TABLES(SoftmaxTable, softmax_table)

}  // namespace iskra::kernels
