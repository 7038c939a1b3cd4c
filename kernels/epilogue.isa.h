// What follows a product or a convolution, row by row, before its one rounding; one table for each ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/base.h>
#include <iskra/kernels/isa.h>
#include <iskra/kernels/kernels.h>

namespace iskra::kernels {

/// Rows of values that are finished together. Strides count elements from row to row.
struct EpilogueRows {
  int64_t rows = 0, cols = 0;
  int64_t sums_row = 0, y_row = 0, residual_row = 0, preactivation_row = 0;
  Activation activation = Activation::none;
  bool accumulate = false;  ///< y += instead of y =
};

/// Sums and bias of type T, everything else stored as S. Null bias, residual or preactivation are left out.
template <class S, class T>
struct EpilogueTable {
  /// p = sums + bias; preactivation = p; y = activation(p) + residual. y may be sums, or preactivation.
  void (*finish)(const EpilogueRows& at, const T* sums, const T* bias, const S* residual, S* preactivation,
                 S* y);
  /// to (n) = from (n).
  void (*widen)(int64_t n, const S* from, T* to);
};

struct EpilogueTables {
  EpilogueTable<float, float> of_f32;
  EpilogueTable<double, double> of_f64;
  EpilogueTable<bf16, float> of_bf16;
  EpilogueTable<f16, float> of_f16;
};

ISKRA_ISA_TABLES(EpilogueTables, epilogue_tables)

}  // namespace iskra::kernels
