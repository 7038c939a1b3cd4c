// The shape of a matrix product, and the table of our own gemm, one for each ISA level.
#pragma once

#include <cstddef>
#include <cstdint>

#include <iskra/kernels/base.h>
#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// Sizes and strides (in elements) of c (m,n) from a (m,k) and b (k,n); c has unit stride along n.
struct GemmShape {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_col = 0;
  int64_t b_row = 0, b_col = 0;
  int64_t c_row = 0;
};

/// Operands of type S, sums and c of type T. 16-bit operands are widened as they are packed.
template <class S, class T>
struct GemmTable {
  /// Bytes of packed panels that `run` needs.
  size_t (*scratch_bytes)(const GemmShape& shape);
  void (*run)(const GemmShape& shape, const S* a, const S* b, const T* bias, T* c, T beta, void* scratch);
};

struct GemmTables {
  GemmTable<float, float> of_f32;
  GemmTable<double, double> of_f64;
  GemmTable<bf16, float> of_bf16;
  GemmTable<f16, float> of_f16;
};

ISKRA_ISA_TABLES(GemmTables, gemm_tables)

}  // namespace iskra::kernels
