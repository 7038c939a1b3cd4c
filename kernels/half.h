// Conversions of the 16-bit floating types, rounding to nearest even; NaN stays NaN, overflow becomes
// infinity.
#pragma once

#include <cstdint>

#include <iskra/kernels/base.h>
#include <iskra/kernels/host_device.h>

namespace iskra::kernels {
namespace {

ISKRA_HD inline float to_float(bf16 x) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(x.bits) << 16);
}

ISKRA_HD inline bf16 to_bf16(float x) {
  uint32_t u = __builtin_bit_cast(uint32_t, x);
  // Masks in place of branches, as in to_f16. A NaN is not rounded, which could make infinity of it, but made
  // quiet.
  uint32_t nan = 0U - static_cast<uint32_t>(x != x);
  uint32_t half = (0x7fffU + ((u >> 16) & 1U)) & ~nan;
  return {static_cast<uint16_t>(((u + half) | (0x400000U & nan)) >> 16)};
}

ISKRA_HD inline float to_float(f16 x) {
  uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000U) << 16;
  uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fffU) << 13;
  // The exponents differ by 112; the product does that, and normalises subnormal numbers on the way.
  constexpr float kTwoTo112 = 5.192296858534828e33F;
  uint32_t scaled = __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, magnitude) * kTwoTo112);
  uint32_t special = magnitude | 0x7f800000U;
  return __builtin_bit_cast(float, sign | (magnitude >= 0x0f800000U ? special : scaled));
}

ISKRA_HD inline f16 to_f16(float x) {
  uint32_t u = __builtin_bit_cast(uint32_t, x);
  uint32_t sign = (u >> 16) & 0x8000U;
  uint32_t magnitude = u & 0x7fffffffU;
  uint32_t normal = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
  // Below 2^-14: adding 0.5 makes the float unit round at the last bit of a subnormal half.
  uint32_t subnormal =
      __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, magnitude) + 0.5F) - 0x3f000000U;
  // Masks in place of branches, which compilers thread into jumps and then cannot vectorise.
  uint32_t tiny = 0U - static_cast<uint32_t>(magnitude < 0x38800000U);
  uint32_t large = 0U - static_cast<uint32_t>(magnitude >= 0x477ff000U);  // 65520 and above: infinity
  uint32_t nan = 0U - static_cast<uint32_t>(magnitude > 0x7f800000U);
  uint32_t y = (subnormal & tiny) | (normal & ~tiny);
  y = (0x7c00U & large) | (y & ~large);
  y = (0x7e00U & nan) | (y & ~nan);
  return {static_cast<uint16_t>(sign | y)};
}

// Double to float, rounding to odd: a second rounding to 16 bits then gives what one rounding would have
// given.
ISKRA_HD inline float to_float_odd(double x) {
  float nearest = static_cast<float>(x);
  uint32_t u = __builtin_bit_cast(uint32_t, nearest);
  bool away = __builtin_fabs(static_cast<double>(nearest)) > __builtin_fabs(x);
  bool inexact = static_cast<double>(nearest) != x && x == x;
  uint32_t odd = (away ? u - 1U : u) | 1U;
  return __builtin_bit_cast(float, inexact ? odd : u);
}

ISKRA_HD inline bf16 to_bf16(double x) { return to_bf16(to_float_odd(x)); }
ISKRA_HD inline f16 to_f16(double x) { return to_f16(to_float_odd(x)); }

}  // namespace
}  // namespace iskra::kernels
