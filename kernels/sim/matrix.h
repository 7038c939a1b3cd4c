// Matrix instructions of a warp: fragments from and to shared memory, and products of fragments. All 32 lanes
// take part, at the same place of the source; fragments.h says who holds what. None of them orders memory.
#pragma once

#include <cstdint>

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

/// ldmatrix.m8n8.x`count`.b16, of 1, 2 or 4 matrices: lane 8 m + r names row r of matrix m, 16 bytes aligned
/// to as many in shared memory; other lanes' addresses are not looked at. Gives one register a matrix.
void ldmatrix(int count, bool transposed, const void* row, uint32_t* registers, const Site& at);
/// stmatrix (sm_90), the way back.
void stmatrix(int count, bool transposed, void* row, const uint32_t* registers, const Site& at);

/// Types of A and B; all are added up in f32.
enum class MatrixType : uint8_t { bf16, f16, tf32 };

/// mma.sync.m16n8k16 (bf16, f16) and m16n8k8 (tf32): d = a b + c. Each product is exact, and they are added
/// to c one by one in f32, k rising, each sum rounded to nearest. Hardware adds several at once, in an order
/// and with a rounding of its own: compare with tolerances. Of tf32 operands the low 13 bits do not count.
void mma(MatrixType type, float* d, const uint32_t* a, const uint32_t* b, const float* c, const Site& at);
/// mma.sync.m8n8k4 of f64: fused multiply-adds, k rising.
void mma_f64(double* d, double a, double b, const double* c, const Site& at);

/// cvt.rna.tf32.f32: rounds to 10 bits of fraction, ties away from zero.
uint32_t to_tf32(float x);

}  // namespace iskra::sim
