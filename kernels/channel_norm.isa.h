// The inner loops of norms over channels, one table per ISA level: rows of pixels, channels side by side.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// Some rows (rows,cols) of one sample. x, y, dy and dx hold elements; all vectors (cols) hold numbers of the
/// computing type.
struct ChannelRows {
  const void* x = nullptr;
  const void* dy = nullptr;
  void* y = nullptr;  ///< y, or dx
  int64_t rows = 0, cols = 0;
  const void* mean = nullptr;
  const void* scale = nullptr;
  const void* shift = nullptr;
  const void* slope = nullptr;
  void* first = nullptr;
  void* second = nullptr;
};

/// The index of each entry is the type: 0 f32, 1 f64, 2 bf16, 3 f16.
struct ChannelNormTable {
  /// first = mean of each column, second = sum of the squares around it.
  void (*moments[4])(const ChannelRows& at);
  /// y = (x - mean) * scale + shift.
  void (*apply[4])(const ChannelRows& at);
  /// first = sum of dy, second = sum of dy * (x - mean) * scale.
  void (*sums[4])(const ChannelRows& at);
  /// dx = dy * scale + (x - mean) * slope + shift.
  void (*backward[4])(const ChannelRows& at);
};

ISKRA_ISA_TABLES(ChannelNormTable, channel_norm_table)

}  // namespace iskra::kernels
