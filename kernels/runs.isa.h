// Loops over dense runs of elements that ops which move, choose or add up elements share, one table per ISA
// level.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

inline constexpr int64_t kScanLines = 4;

/// acc and sum are f64 for f64 and f32 for the other floating types. Runs do not overlap.
struct RunTable {
  // By floating_type_index.
  void (*widen[4])(const void* x, int64_t n, void* acc);   ///< acc[i] = x[i]
  void (*add[4])(const void* x, int64_t n, void* acc);     ///< acc[i] += x[i]
  void (*narrow[4])(const void* acc, int64_t n, void* y);  ///< y[i] = acc[i], rounded
  /// acc[index[i]] += x[i], one after the other.
  void (*add_at[4])(const void* x, const int64_t* index, int64_t n, void* acc);

  /// acc[index[c]][c] += x[c], rows of n.
  void (*add_columns[4])(const void* x, const int64_t* index, int64_t n, void* acc);
  /// y[c] = sum[c] += x[c], the sums f64.
  void (*scan_row[4])(const void* x, int64_t n, double* sum, void* y);
  /// The same along up to kScanLines lines of n elements, dense in y, from the last to the first if
  /// `reverse`: element i of line l is x[l * x_line + i * x_step] and y[l * y_line + i].
  void (*scan_lines[4])(const void* x, int64_t x_line, int64_t x_step, int64_t lines, int64_t n, bool reverse,
                        double* sum, void* y, int64_t y_line);

  // By log2 of the element's bytes.
  void (*reverse[4])(const void* x, int64_t n, void* y);                     ///< y[i] = x[n - 1 - i]
  void (*take[4])(const void* x, const int64_t* index, int64_t n, void* y);  ///< y[i] = x[index[i]]
  /// y (rows, size) = x (rows, size), rows of few bytes at strides in bytes.
  void (*small_rows)(const void* x, int64_t x_stride, void* y, int64_t y_stride, int64_t rows, int64_t size);

  /// Whether 0 <= index[i] < size for all i.
  bool (*inside)(const int64_t* index, int64_t n, int64_t size);
  /// least = the smallest of least and x, most = the largest of most and x.
  void (*range)(const int64_t* x, int64_t n, int64_t* least, int64_t* most);
};

ISKRA_ISA_TABLES(RunTable, run_table)

/// The table of the level in use (memory.cpp).
const RunTable& run_loops();

}  // namespace iskra::kernels
