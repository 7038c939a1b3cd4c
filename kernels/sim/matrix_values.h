// What the bits of an operand of a matrix instruction are worth. For the emulator's sources only.
#pragma once

#include <bit>
#include <cstdint>

#include <iskra/kernels/half.h>
#include <iskra/kernels/sim/matrix.h>

namespace iskra::sim {

/// As the hardware reads it: sign, exponent and 10 bits of fraction.
inline float value_of_tf32(uint32_t bits) { return std::bit_cast<float>(bits & ~uint32_t{0x1FFF}); }

inline float value_of_16(MatrixType type, uint16_t bits) {
  return type == MatrixType::bf16 ? kernels::to_float(bf16{bits}) : kernels::to_float(f16{bits});
}
/// Element i % 2 of a register.
inline float value_of_half(MatrixType type, uint32_t bits, int i) {
  return value_of_16(type, static_cast<uint16_t>(bits >> (i % 2 * 16)));
}

/// sums[j] += x y[j], every product exact before it is added (but for what leaves the range of f32).
inline void add_products(float* sums, float x, const float* y, int n) {
  for (int j = 0; j < n; ++j) sums[j] += x * y[j];
}

}  // namespace iskra::sim
