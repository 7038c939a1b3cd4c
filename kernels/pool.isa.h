// Channel loops of pooling, one table for each ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

template <class T>
struct PoolTable {
  /// y = -inf and at = place, for `channels` of them.
  void (*start)(int64_t channels, int32_t place, T* y, int32_t* at);
  /// Where x is larger than y, or NaN: y = x and at = place.
  void (*take_larger)(int64_t channels, int32_t place, const T* x, T* y, int32_t* at);
  /// dx += dy where at == place.
  void (*give_back)(int64_t channels, int32_t place, const T* dy, const int32_t* at, T* dx);
};

struct PoolTables {
  PoolTable<float> f32;
  PoolTable<double> f64;
};

ISKRA_ISA_TABLES(PoolTables, pool_tables)

}  // namespace iskra::kernels
