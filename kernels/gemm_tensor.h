// Products of matrices as the kernels on tensor cores take them.
#pragma once

#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>

namespace iskra::kernels::tensor_cores {

/// Lines of an operand: rows of a, or columns of b. They lie along k, one after the other, or across it: then
/// neighbouring lines lie side by side. Whatever does not lie side by side begins at multiples of 16 bytes.
struct Operand {
  const void* data;
  int64_t stride;  ///< elements from one line to the next, or from one k to the next
  bool along_k;
};

/// What follows the sums; pointers are to item 0 of the batch, at c's places.
struct Finish {
  const void* bias;
  DType bias_type;
  Activation activation;
  const void* residual;
  void* preactivation;
  float beta;
};

/// c (m, n), whose columns lie side by side.
struct Results {
  void* data;
  DType type;
  int64_t row;  ///< elements from one row to the next
  bool wide;    ///< every eighth column begins at a multiple of 16 bytes, in all that lies as c does
  Finish then;
};

/// Axes of the batch and their strides, in elements.
struct Batch {
  int64_t items;
  int rank;
  int64_t size[Shape::kMaxRank], a[Shape::kMaxRank], b[Shape::kMaxRank], c[Shape::kMaxRank];

  /// Of an item, in the operand of these strides.
  DEV int64_t offset(int64_t item, const int64_t (&stride)[Shape::kMaxRank]) const {
    int64_t at = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      at += item % size[axis] * stride[axis];
      item /= size[axis];
    }
    return at;
  }
};

struct Gemm {
  int64_t m, n, k;
  Operand a, b;
  Results c;
  Batch batch;
};

/// What a kernel can read.
enum class Access : uint8_t {
  cp_async,  ///< lines along k or across it
  along_k,   ///< lines along k only
  tma,       ///< as cp_async, but two lines must not lie in one place
};

/// The product of these operands; those that the kernel cannot read as they lie are copied to scratch memory.
Gemm prepare(const Cuda& on, const View& a, const View& b, const Epilogue& then, const MutView& c, float beta,
             Access access);

/// What the kernels' choice depends on; asked for once per device.
struct Gpu {
  bool has_wgmma;
  int multiprocessors;
};
const Gpu& gpu_of(const Cuda& on);

}  // namespace iskra::kernels::tensor_cores
