// Powers of float numbers without branches: like the functions of vector_math.h, but in double lanes, because
// a^b = e^(b log a) multiplies the logarithm's error by up to 88.
#pragma once

#include <iskra/kernels/vector_math.h>

namespace iskra::kernels {
namespace {
namespace math {

ISKRA_HD inline uint64_t bits_of(double x) { return __builtin_bit_cast(uint64_t, x); }
ISKRA_HD inline double from_bits(uint64_t x) { return __builtin_bit_cast(double, x); }

/// log(x) for x >= 0, to 2^-36 of itself; minus infinity for 0.
ISKRA_HD inline double log_wide(float x) {
  constexpr uint64_t kSqrtHalfBits = 0x3fe6a09e00000000U;
  const uint64_t u = bits_of(static_cast<double>(x));
  const int32_t e = static_cast<int32_t>(static_cast<uint32_t>((u - kSqrtHalfBits) >> 32)) >> 20;
  const double m = from_bits(u - (static_cast<uint64_t>(static_cast<uint32_t>(e)) << 52));
  // log m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.1716: the series to s^17.
  const double s = (m - 1.0) / (m + 1.0), v = s * s;
  double q = 1.0 / 17;
  q = q * v + 1.0 / 15;
  q = q * v + 1.0 / 13;
  q = q * v + 1.0 / 11;
  q = q * v + 1.0 / 9;
  q = q * v + 1.0 / 7;
  q = q * v + 1.0 / 5;
  q = q * v + 1.0 / 3;
  const double y = 2.0 * (s + s * (v * q)) + static_cast<double>(e) * 0.69314718055994530942;
  const double limit = x == 0.0F ? -static_cast<double>(kInfinity) : static_cast<double>(x);
  return x > 0.0F && x < kInfinity ? y : limit;  // NaN stays
}

/// e^t in double to 2^-36 of itself, for results that will be float: t is bounded to +-200.
ISKRA_HD inline double exp_wide(double t) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  t = t > 200.0 ? 200.0 : t;
  t = t < -200.0 ? -200.0 : t;
  const double shifted = t * 1.44269504088896340736 + kRound;
  const double n = shifted - kRound;
  const double r = t - n * 0.69314718055994530942;  // |r| < 0.347: the series to r^10
  double q = 1.0 / 3628800;
  q = q * r + 1.0 / 362880;
  q = q * r + 1.0 / 40320;
  q = q * r + 1.0 / 5040;
  q = q * r + 1.0 / 720;
  q = q * r + 1.0 / 120;
  q = q * r + 1.0 / 24;
  q = q * r + 1.0 / 6;
  q = q * r + 0.5;
  const double y = q * (r * r) + r + 1.0;
  return y * from_bits((bits_of(shifted) - bits_of(kRound) + 1023U) << 52);
}

ISKRA_HD inline float pow(float a, float b) {
  const float y = static_cast<float>(exp_wide(static_cast<double>(b) * log_wide(__builtin_fabsf(a))));
  // Without && and ||, which are branches to vectorisers.
  const bool whole = __builtin_truncf(b) == b;
  const bool odd = whole & (__builtin_truncf(b * 0.5F) != b * 0.5F);
  const float turned = __builtin_copysignf(y, a), signed_y = odd ? turned : y;
  const bool undefined = (a < 0.0F) & (a >= -3.40282347e38F) & !whole;
  const bool one = (b == 0.0F) | (a == 1.0F) | ((a == -1.0F) & (__builtin_fabsf(b) == kInfinity));
  const float defined_y = undefined ? __builtin_nanf("") : signed_y;
  return one ? 1.0F : defined_y;
}

ISKRA_HD inline double pow(double a, double b) { return ::pow(a, b); }

}  // namespace math
}  // namespace
}  // namespace iskra::kernels
