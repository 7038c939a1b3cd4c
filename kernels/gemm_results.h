// What all kernels of products on CUDA say of their results: how the items of a batch lie, and what follows
// the sums.
#pragma once

#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/product_batch.h>

namespace iskra::kernels {

/// An Epilogue and beta as kernels take them; pointers are to item 0 of the batch, at c's places.
struct Finish {
  const void* bias = nullptr;
  DType bias_type = DType::f32;
  Activation activation = Activation::none;
  const void* residual = nullptr;
  void* preactivation = nullptr;
  float beta = 0;
};

inline Finish finish_of(const Epilogue& then, float beta) {
  return {then.bias.data,     then.bias.dtype,         then.activation,
          then.residual.data, then.preactivation.data, beta};
}

/// Axes of a batch and their strides, in elements.
struct Batch {
  using Strides = int64_t[Shape::kMaxRank];
  int64_t items = 1;
  int rank = 0;
  int64_t size[Shape::kMaxRank] = {};
  Strides a = {}, b = {}, c = {};

  /// Of an item, in the operand of these strides.
  DEV int64_t offset(int64_t item, const Strides& stride) const {
    int64_t at = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      at += item % size[axis] * stride[axis];
      item /= size[axis];
    }
    return at;
  }
};

/// The batch of p, whose operands lie by these strides.
inline Batch batch_of(const ProductBatch& p, const Shape& a_stride, const Shape& b_stride) {
  Batch batch;
  batch.items = p.items();
  batch.rank = p.batch.rank();
  for (int axis = 0; axis < batch.rank; ++axis) {
    batch.size[axis] = p.batch[axis];
    batch.a[axis] = a_stride[axis];
    batch.b[axis] = b_stride[axis];
    batch.c[axis] = p.c_stride[axis];
  }
  return batch;
}

}  // namespace iskra::kernels
