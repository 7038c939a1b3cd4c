// What a product of batched, strided operands comes down to: the shape of one product and the axes of the
// batch.
#pragma once

#include <iskra/kernels/gemm.h>
#include <iskra/kernels/kernels.h>

namespace iskra::kernels {

/// Leading axes, merged where all three operands allow it, and the product of the two last axes.
struct ProductBatch {
  GemmShape one;
  Shape batch, a_stride, b_stride, c_stride;

  int64_t items() const { return batch.numel(); }
};

/// Offsets of one item of the batch, in elements.
struct Offsets {
  int64_t a = 0, b = 0, c = 0;
};

Offsets offsets_of(const ProductBatch& p, int64_t item);

/// Of operands that check_matmul has passed.
ProductBatch product_batch(const View& a, const View& b, const View& c);
/// Throws what is wrong with the operands of matmul(a, b, then, c, beta).
void check_matmul(const View& a, const View& b, const Epilogue& then, const View& c, float beta);

}  // namespace iskra::kernels
