// The ways in which products are made on CUDA. matmul chooses by the types, by n and k and by the GPU, never
// by the number of rows: so a row of c has the same bits however many rows a has.
#pragma once

#include <iskra/kernels/kernels.h>

namespace iskra::kernels {

enum class MatmulPath : uint8_t {
  simt,   ///< CUDA cores: every type
  mma,    ///< tensor cores by warps: 16 bits, and f32 rounded to tf32
  wgmma,  ///< tensor cores by warpgroups, on sm_90: 16 bits
};
/// What matmul takes for these operands.
MatmulPath matmul_path(const Cuda& on, const View& a, const View& c);

namespace native {

// As matmul, of operands that it has checked and that are not empty; matmul_mma and matmul_wgmma need scratch
// where an operand's lines do not begin at multiples of 16 bytes, and k > 0.
void matmul_simt(Cuda on, View a, View b, const Epilogue& then, MutView c, float beta);
void matmul_mma(Cuda on, View a, View b, const Epilogue& then, MutView c, float beta);
void matmul_wgmma(Cuda on, View a, View b, const Epilogue& then, MutView c, float beta);

}  // namespace native
}  // namespace iskra::kernels
