// The inner loops of dropout, one table per ISA level. The index of each entry is the type: 0 f32, 1 f64, 2
// bf16, 3 f16.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// Columns side by side in memory, whose rows count the logical index on: element (row, col) has the index
/// index
/// + row + col * index_stride and lies at row * row_stride + col. One row by itself has the indices index +
/// col.
struct DropoutTile {
  uint64_t key = 0, step = 0;
  int64_t index = 0, index_stride = 1;
  int64_t rows = 1, cols = 0, row_stride = 0;
  uint32_t threshold = 0;  ///< kept where the 24 high bits of the element's word are at least this
  double scale = 1;
};

struct DropoutTable {
  static constexpr int64_t kRows = 64, kCols = 16;  ///< at most, of a tile
  /// One row of any length, index_stride 1.
  void (*run[4])(const DropoutTile& at, const void* x, void* y);
  void (*tile[4])(const DropoutTile& at, const void* x, void* y);
};

ISKRA_ISA_TABLES(DropoutTable, dropout_table)

}  // namespace iskra::kernels
