// Descriptors of matrices in shared memory, from which wgmma takes A and B, and the places of their elements.
//
// A matrix is a grid of cores: 8 rows of 16 bytes, 128 bytes side by side when nothing is swizzled. Rows are
// those of A, or the columns of B (m and n); a step of wgmma is two cores, 32 bytes, along k.
//
// K-major, not swizzled: the 16 bytes of a core's row follow k, its rows lie 16 bytes apart. `leading` leads
// from the first core along k to the second, `stride` from 8 rows to the next 8.
//
// K-major, swizzled: rows lie 32, 64 or 128 bytes apart, and a step takes 32 of them: it starts 32 bytes
// after the step before. `stride` leads from 8 rows to the next 8, `leading` is not used. What TMA loads of a
// box as wide as its swizzle is such a matrix, with a stride of 8 rows of the box.
//
// MN-major (16-bit types only), not swizzled: the 16 bytes of a core's row follow m or n, its 8 rows are 8
// values of k. `stride` leads from 8 rows (m, n) to the next 8, `leading` from 8 values of k to the next 8.
//
// MN-major, swizzled: a line of 32, 64 or 128 bytes follows m or n, and the lines of 8 values of k lie side
// by side. `leading` leads to the next line's worth of m or n, `stride` from 8 values of k to the next 8.
//
// Swizzled, the 16-byte units of a line change places by the next higher bits of their shared address
// (Swizzle of tensor_map.h). The pattern repeats every 256, 512 or 1024 bytes; where it does not begin at
// such an address, base_offset says in which 128 bytes it does.
#pragma once

#include <cstdint>

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/sim/tensor_map.h>

namespace iskra::sim {

struct MatrixDescriptor {
  uint32_t start;            ///< shared address, as are the distances a multiple of 16, below 2^18
  uint32_t leading, stride;  ///< bytes
  Swizzle swizzle;
  int base_offset;  ///< 0 … 7
};

inline constexpr uint32_t kDescriptorMask = 0x3FFF;
/// Bits that must be zero.
inline constexpr uint64_t kDescriptorReserved = 0x3FF1C000C000C000;

/// The 64 bits that the instruction takes. Adding bytes / 16 moves the start.
ISKRA_HD constexpr uint64_t encoded(const MatrixDescriptor& d) {
  // The instruction counts from b128 down.
  auto mode = static_cast<uint64_t>((4 - static_cast<int>(d.swizzle)) % 4);
  return uint64_t{d.start >> 4 & kDescriptorMask} | uint64_t{d.leading >> 4 & kDescriptorMask} << 16 |
         uint64_t{d.stride >> 4 & kDescriptorMask} << 32 | static_cast<uint64_t>(d.base_offset & 7) << 49 |
         mode << 62;
}

ISKRA_HD constexpr MatrixDescriptor decoded(uint64_t bits) {
  auto field = [bits](int at) { return (static_cast<uint32_t>(bits >> at) & kDescriptorMask) << 4; };
  return {field(0), field(16), field(32), static_cast<Swizzle>((4 - static_cast<int>(bits >> 62)) % 4),
          static_cast<int>(bits >> 49 & 7)};
}

/// Where the unit lies that has this address before the swizzle.
ISKRA_HD constexpr uint32_t swizzled(const MatrixDescriptor& d, uint32_t address) {
  uint32_t bits = (1U << static_cast<int>(d.swizzle)) - 1;
  uint32_t line = (address >> 7) - static_cast<uint32_t>(d.base_offset);
  return address ^ (line & bits) << 4;
}

/// The shared address of the 16-byte unit of this row (m or n); `unit` 0 or 1 along k.
ISKRA_HD constexpr uint32_t unit_of_k_major(const MatrixDescriptor& d, int row, int unit) {
  auto r = static_cast<uint32_t>(row), u = static_cast<uint32_t>(unit);
  uint32_t line = 16U << static_cast<int>(d.swizzle), step = d.swizzle == Swizzle::none ? d.leading : 16;
  return swizzled(d, d.start + r / 8 * d.stride + r % 8 * line + u * step);
}

/// The shared address of the 16-byte unit of this k, 0 … 15; `unit` counts eights of rows (m or n).
ISKRA_HD constexpr uint32_t unit_of_mn_major(const MatrixDescriptor& d, int unit, int k) {
  auto u = static_cast<uint32_t>(unit), i = static_cast<uint32_t>(k);
  if (d.swizzle == Swizzle::none) return d.start + u * d.stride + i % 8 * 16 + i / 8 * d.leading;
  uint32_t line = 16U << static_cast<int>(d.swizzle), units = line / 16;
  return swizzled(d, d.start + u % units * 16 + u / units * d.leading + i % 8 * line + i / 8 * d.stride);
}

}  // namespace iskra::sim
