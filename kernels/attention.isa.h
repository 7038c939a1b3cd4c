// Row loops of attention, one table for each ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

template <class T>
struct AttentionTable {
  /// s = scale * s + mask, and -infinity where j >= visible + i unless `visible` is negative. Null mask:
  /// zeros; mask_row: its elements from row to row.
  void (*mask)(int64_t rows, int64_t cols, T scale, const T* mask, int64_t mask_row, int64_t visible, T* s);
  /// Scores s (rows, cols), dense, become softmax(scale * s) in place; lse (rows) = log sum exp of scale * s.
  /// A row of -infinity alone becomes zeros, its lse -infinity.
  void (*softmax)(int64_t rows, int64_t cols, T scale, T* s, T* lse);
  /// s becomes exp(scale * s - lse).
  void (*probabilities)(int64_t rows, int64_t cols, T scale, const T* lse, T* s);
  /// delta (rows) = sum over HD of do * o.
  void (*row_dots)(int64_t rows, int64_t head, const T* d_o, int64_t d_o_row, const T* o, int64_t o_row,
                   T* delta);
  /// ds = scale * p * (ds - delta), in place.
  void (*score_gradient)(int64_t rows, int64_t cols, T scale, const T* p, const T* delta, T* ds);
};

struct AttentionTables {
  AttentionTable<float> f32;
  AttentionTable<double> f64;
};

ISKRA_ISA_TABLES(AttentionTables, attention_tables)

}  // namespace iskra::kernels
