// Products of matrices as the kernels on tensor cores take them.
#pragma once

#include <iskra/kernels/gemm_results.h>

namespace iskra::kernels::tensor_cores {

/// Lines of an operand: rows of a, or columns of b. They lie along k, one after the other, or across it: then
/// neighbouring lines lie side by side. Whatever does not lie side by side begins at multiples of 16 bytes.
struct Operand {
  const void* data;
  int64_t stride;  ///< elements from one line to the next, or from one k to the next
  bool along_k;
};

/// c (m, n), whose columns lie side by side.
struct Results {
  void* data;
  DType type;
  int64_t row;  ///< elements from one row to the next
  bool wide;    ///< every eighth column begins at a multiple of 16 bytes, in all that lies as c does
  Finish then;
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
