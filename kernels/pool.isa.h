// Channel loops of pooling, one table for each ISA level. The index of each entry is the type: 0 f32, 1 f64,
// 2 bf16, 3 f16. x, y and dy are elements, acc numbers of the computing type; all of `channels`.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

struct PoolTable {
  /// y = x and at = place, where a window begins. at may be null here and below.
  void (*first[4])(int64_t channels, int32_t place, const void* x, void* y, int32_t* at);
  /// Where x is larger than y, or NaN: y = x and at = place.
  void (*take_larger[4])(int64_t channels, int32_t place, const void* x, void* y, int32_t* at);
  /// y = -inf and at = -1, for a window without elements.
  void (*lowest[4])(int64_t channels, void* y, int32_t* at);
  /// acc += dy where at == place.
  void (*give_back[4])(int64_t channels, int32_t place, const void* dy, const int32_t* at, void* acc);
  /// acc += scale * x.
  void (*add[4])(int64_t channels, double scale, const void* x, void* acc);
  void (*clear[4])(int64_t channels, void* acc);
  void (*finish[4])(int64_t channels, const void* acc, double scale, void* y);
};

ISKRA_ISA_TABLES(PoolTable, pool_table)

}  // namespace iskra::kernels
