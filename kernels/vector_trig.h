// Sine, cosine and tangent of float numbers of any size, without branches.
//
// The number of quarter turns in x is x * 2/pi, of which only the part modulo 4 matters. With x = m 2^k, |m|
// < 2^24, that is m * (2^k * 2/pi mod 4): a table keeps that factor for every k as 28 bits and 53 more. The
// product with the first part is exact in double, the one with the second is off by 2^-55: a float's distance
// from a whole number of quarter turns is never below 2^-31. (The idea is Payne and Hanek's, 1983; the table
// is for float's few exponents.)
#pragma once

#include <iskra/kernels/vector_math.h>

namespace iskra::kernels {
namespace {
namespace math {

struct TurnTable {
  static constexpr int kSize = 105;
  double high[kSize];  ///< 2^k * 2/pi modulo 4, to 2^-26
  double low[kSize];   ///< what is left, to 2^-79
};

ISKRA_HD constexpr TurnTable make_turn_table() {
  constexpr uint32_t kTwoOverPi[] = {0xA2F9836EU, 0x4E441529U, 0xFC2757D1U, 0xF534DDC0U,
                                     0xDB629599U, 0x3C439041U, 0xFE5163ABU};
  TurnTable table{};
  for (int k = 0; k < TurnTable::kSize; ++k) {
    double weight = 2.0;
    for (int bit = k - 1; bit < k + 80; ++bit, weight *= 0.5) {  // bit 1 has the weight 1/2 in 2/pi
      const bool set = bit >= 1 && (kTwoOverPi[(bit - 1) / 32] >> (31 - (bit - 1) % 32) & 1U) != 0;
      if (set) (bit < k + 27 ? table.high[k] : table.low[k]) += weight;
    }
  }
  return table;
}

/// x = (quarters + part) quarter turns, |part| <= 1/2; quarters modulo 2^32.
struct Turn {
  uint32_t quarters;
  float angle;  ///< part in radians
};
ISKRA_HD inline Turn turn_of(float x) {
  static constexpr TurnTable kTable = make_turn_table();
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: leaves the nearest integer in the low bits
  const int32_t exponent = static_cast<int32_t>(bits_of(x) >> 23 & 255U) - 150;
  int32_t k = exponent > 0 ? exponent : 0;
  const double m = static_cast<double>(x * from_bits(static_cast<uint32_t>(127 - k) << 23));
  k = k < TurnTable::kSize ? k : TurnTable::kSize - 1;  // infinity, NaN
  const double t = m * kTable.high[k];
  const double shifted = t + kRound;
  const double part = (t - (shifted - kRound)) + m * kTable.low[k];
  return {static_cast<uint32_t>(__builtin_bit_cast(uint64_t, shifted)),
          static_cast<float>(part * 1.57079632679489661923)};
}

/// Series to a^9 and a^10 on |a| <= pi / 4: within a quarter of a unit in the last place.
ISKRA_HD inline float sin_near(float a) {
  const float u = a * a;
  float q = 1.0F / 362880;
  q = q * u - 1.0F / 5040;
  q = q * u + 1.0F / 120;
  q = q * u - 1.0F / 6;
  return a + a * (u * q);
}
ISKRA_HD inline float cos_near(float a) {
  const float u = a * a;
  float q = -1.0F / 3628800;
  q = q * u + 1.0F / 40320;
  q = q * u - 1.0F / 720;
  q = q * u + 1.0F / 24;
  q = q * u - 0.5F;
  return 1.0F + u * q;
}

/// Up to here x is reduced by two parts of pi / 2 in double, without the table: the quarter turns have 20
/// bits, so that their product with the first part, of 33 bits, is exact.
constexpr float kNearTurns = 1048576.0F;
ISKRA_HD inline Turn near_turn_of(float x) {
  constexpr double kRound = 6755399441055744.0;  // as in turn_of
  constexpr double kHalfPiHigh = 0x1.921fb544p+0, kHalfPiLow = 0x1.0b4611a626331p-34;
  const double wide = static_cast<double>(x);
  const double shifted = wide * 0.63661977236758134308 + kRound;
  const double quarters = shifted - kRound;
  return {static_cast<uint32_t>(__builtin_bit_cast(uint64_t, shifted)),
          static_cast<float>((wide - quarters * kHalfPiHigh) - quarters * kHalfPiLow)};
}

ISKRA_HD inline float sin_of(const Turn& at) {
  const float y = (at.quarters & 1U) != 0 ? cos_near(at.angle) : sin_near(at.angle);
  return (at.quarters & 2U) != 0 ? -y : y;
}
ISKRA_HD inline float cos_of(const Turn& at) {
  const float y = (at.quarters & 1U) != 0 ? sin_near(at.angle) : cos_near(at.angle);
  return ((at.quarters + 1U) & 2U) != 0 ? -y : y;
}
ISKRA_HD inline float tan_of(const Turn& at) {
  const float s = sin_near(at.angle), c = cos_near(at.angle);
  const bool odd = (at.quarters & 1U) != 0;
  return (odd ? -c : s) / (odd ? s : c);
}

ISKRA_HD inline float sin(float x) { return sin_of(turn_of(x)); }
ISKRA_HD inline float cos(float x) { return cos_of(turn_of(x)); }
ISKRA_HD inline float tan(float x) { return tan_of(turn_of(x)); }

ISKRA_HD inline double sin(double x) { return ::sin(x); }
ISKRA_HD inline double cos(double x) { return ::cos(x); }
ISKRA_HD inline double tan(double x) { return ::tan(x); }

}  // namespace math
}  // namespace
}  // namespace iskra::kernels
