// The inner loops of random numbers, one table per ISA level. The index of each entry is the type: 0 float, 1
// double.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// Elements whose logical indices are index, index + index_stride, ...
struct RandomRun {
  uint64_t key, step;
  int64_t index, index_stride;
  int64_t n;
};

struct RandomTable {
  void (*uniform[2])(const RandomRun& run, double low, double high, void* y);
  void (*normal[2])(const RandomRun& run, double mean, double std, double cut, void* y);
};

ISKRA_ISA_TABLES(RandomTable, random_table)

}  // namespace iskra::kernels
