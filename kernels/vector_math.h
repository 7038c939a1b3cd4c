// Elementary functions for float without branches, so that compilers vectorise loops over them at every ISA
// level, and the same names for double, which go to the C library.
//
// Each polynomial is a minimax fit of our own (Lawson's reweighted least squares on 400 Chebyshev nodes,
// relative error of the whole function); the comment at each names the function fitted and its interval.
// Against the C library in double, all are within 3 units in the last place, and the normal distribution's
// functions within 7. exp and expm1 include subnormal results; the sigmoid, the normal distribution and
// exp_below end in exact zeros at about 1e-38, because one subnormal intermediate result costs Intel's
// processors some 150 cycles, and a matrix full of them made training a transformer block forty times slower.
#pragma once

#include <math.h>

#include <cstdint>

#include <iskra/kernels/host_device.h>

namespace iskra::kernels {
namespace {
namespace math {

ISKRA_HD inline uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
ISKRA_HD inline float from_bits(uint32_t x) { return __builtin_bit_cast(float, x); }

constexpr float kLog2e = 1.44269504F;
constexpr float kLn2High = 0.693359375F;  // few bits, so that n * kLn2High is exact
constexpr float kLn2Low = -2.12194440e-4F;
constexpr float kInfinity = __builtin_inff();
constexpr float kSqrtHalf = 0.707106781F;

/// e^(a + b) for |b| << 1: the small part b adds precision where a is large. With one argument e^a.
template <class... Rest>
ISKRA_HD inline float exp_sum(float a, Rest... b) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  a = a > 89.0F ? 89.0F : a;             // e^89 is infinite; NaN passes
  bool zero = a < -103.98F;
  a = zero ? 0.0F : a;  // computing an underflow would be slow, see above
  float shifted = a * kLog2e + kRound;
  float n = shifted - kRound;
  float r = (((a - n * kLn2High) - n * kLn2Low) + ... + b);
  // (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2
  float q = 0.00138146104F;
  q = q * r + 0.00836871006F;
  q = q * r + 0.041668389F;
  q = q * r + 0.166665211F;
  q = q * r + 0.49999994F;
  float y = (q * r) * r + r + 1.0F;
  // 2^n in two factors: n reaches beyond the exponents of normal numbers.
  uint32_t k = bits_of(shifted) - bits_of(kRound);
  uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(k) >> 1);
  float scaled = y * from_bits((half + 127U) << 23) * from_bits((k - half + 127U) << 23);
  return zero ? 0.0F : scaled;
}

ISKRA_HD inline float exp(float x) { return exp_sum(x); }

/// 2^30 e^(a + b) for -105.2 <= a <= 0 and |b| << 1; with one argument 2^30 e^a. Never subnormal, so that the
/// power of two is one factor; what is multiplied by kUnscale in the end is rounded once.
constexpr float kUnscale = 0x1p-30F;
template <class... Rest>
ISKRA_HD inline float exp_scaled(float a, Rest... b) {
  constexpr float kRound = 12582912.0F;
  float shifted = a * kLog2e + kRound;
  float n = shifted - kRound;
  float r = (((a - n * kLn2High) - n * kLn2Low) + ... + b);
  // (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2, as in exp_sum
  float q = 0.00138146104F;
  q = q * r + 0.00836871006F;
  q = q * r + 0.041668389F;
  q = q * r + 0.166665211F;
  q = q * r + 0.49999994F;
  float y = (q * r) * r + r + 1.0F;
  return y * from_bits((bits_of(shifted) + (157U - bits_of(kRound))) << 23);
}

/// e^x for x <= 0, or above it by a rounding error, in fewer steps than exp; 0 where that would be subnormal.
ISKRA_HD inline float exp_below(float x) {
  bool zero = x < -87.3F;
  float y = exp_scaled(zero ? 0.0F : x) * kUnscale;
  return zero ? 0.0F : y;
}

ISKRA_HD inline float log(float x) {
  bool subnormal = x < 1.17549435e-38F;
  float scaled = subnormal ? x * 8388608.0F : x;
  constexpr uint32_t kSqrtHalfBits = 0x3f3504f3U;
  uint32_t u = bits_of(scaled) - kSqrtHalfBits;
  float e = static_cast<float>(static_cast<int32_t>(u) >> 23) - (subnormal ? 23.0F : 0.0F);
  float f = from_bits((u & 0x7fffffU) + kSqrtHalfBits) - 1.0F;
  // (log(1 + f) - f + f^2 / 2) / f^3 on sqrt(1/2) - 1 <= f <= sqrt(2) - 1
  float q = -0.0763442963F;
  q = q * f + 0.127615497F;
  q = q * f - 0.131601945F;
  q = q * f + 0.142017618F;
  q = q * f - 0.166233569F;
  q = q * f + 0.200012267F;
  q = q * f - 0.250008225F;
  q = q * f + 0.333333313F;
  float f2 = f * f;
  float y = (f * f2) * q + e * kLn2Low - 0.5F * f2;
  y = (f + y) + e * kLn2High;
  y = x > 3.40282347e38F ? x : y;
  y = x == 0.0F ? -kInfinity : y;
  return x >= 0.0F ? y : __builtin_nanf("");
}

/// log(1 + x): what rounding 1 + x lost is put back, to first order.
ISKRA_HD inline float log1p(float x) {
  float u = 1.0F + x;
  float lost = x - (u - 1.0F);
  float y = log(u) + lost / u;
  y = x > 3.40282347e38F ? x : y;
  return x == -1.0F ? -kInfinity : y;
}

ISKRA_HD inline float log2(float x) {
  bool subnormal = x < 1.17549435e-38F;
  float scaled = subnormal ? x * 8388608.0F : x;
  constexpr uint32_t kSqrtHalfBits = 0x3f3504f3U;
  uint32_t u = bits_of(scaled) - kSqrtHalfBits;
  float e = static_cast<float>(static_cast<int32_t>(u) >> 23);
  float m = from_bits((u & 0x7fffffU) + kSqrtHalfBits);
  float y = (e - (subnormal ? 23.0F : 0.0F)) + log(m) * kLog2e;
  y = x > 3.40282347e38F ? x : y;
  y = x == 0.0F ? -kInfinity : y;
  return x >= 0.0F ? y : __builtin_nanf("");
}

/// e^x - 1. With e^r - 1 = y: 2^n y + (2^n - 1), the factor 2^n in two parts as in exp_sum.
ISKRA_HD inline float expm1(float x) {
  constexpr float kRound = 12582912.0F;
  float a = x > 89.0F ? 89.0F : x;
  a = a < -104.0F ? -104.0F : a;
  float shifted = a * kLog2e + kRound;
  float n = shifted - kRound;
  float r = (a - n * kLn2High) - n * kLn2Low;
  // (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2, as in exp_sum
  float q = 0.00138146104F;
  q = q * r + 0.00836871006F;
  q = q * r + 0.041668389F;
  q = q * r + 0.166665211F;
  q = q * r + 0.49999994F;
  float y = (q * r) * r + r;
  uint32_t k = bits_of(shifted) - bits_of(kRound);
  uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(k) >> 1);
  float first = from_bits((half + 127U) << 23), second = from_bits((k - half + 127U) << 23);
  float inverse = from_bits((127U - (k - half)) << 23);
  return (y * first + (first - inverse)) * second;
}

ISKRA_HD inline float sigmoid(float x) {
  float a = -__builtin_fabsf(x);
  float e = exp_below(a);
  return (x < 0.0F ? e : 1.0F) / (1.0F + e);
}

ISKRA_HD inline float tanh(float x) {
  float u = x * x;
  // (tanh(x) / x - 1) / x^2 as a polynomial in x^2 on |x| <= 0.625
  float q = -0.00570497848F;
  q = q * u + 0.0206390787F;
  q = q * u - 0.0537397116F;
  q = q * u + 0.133314416F;
  q = q * u - 0.333332807F;
  float a = __builtin_fabsf(x);
  float e = exp_scaled(-2.0F * (a > 10.0F ? 10.0F : a)) * kUnscale;  // at 10 it is 1, rounded
  float large = __builtin_copysignf(1.0F - 2.0F * e / (1.0F + e), x);
  return a <= 0.625F ? x + x * (u * q) : large;
}

/// The upper tail of the normal distribution, Q(a) = erfc(a / sqrt(2)) / 2 for a >= 0, with small relative
/// error even far out, and 2^30 e^(-a^2 / 2), which the derivative of GELU needs too.
struct NormalTail {
  float tail;
  float bell;
};
constexpr float kTailEnds = 12.9F;  // where Q(a) becomes subnormal
ISKRA_HD inline NormalTail normal_tail(float a) {
  bool zero = a > kTailEnds;
  a = zero ? kTailEnds : a;
  // a^2 as a sum whose first term has no error, or one that the second makes up for.
#ifdef __FMA__
  float square = a * a, rest = __builtin_fmaf(a, a, -square);
#else
  float high = from_bits(bits_of(a) & 0xfffff000U);
  float square = high * high, rest = (a - high) * (a + high);
#endif
  float bell = exp_scaled(-0.5F * square, -0.5F * rest);
  bell = zero ? 0.0F : bell;
  float t = 1.0F / (1.0F + (0.4F * kSqrtHalf) * a);
  // e^(z^2) erfc(z) / t as a polynomial in t = 1 / (1 + 0.4 z) on 0 <= z <= 10.2
  float q = -0.0292061549F;
  q = q * t + 0.195904762F;
  q = q * t - 0.493853092F;
  q = q * t + 0.540822923F;
  q = q * t - 0.278867394F;
  q = q * t + 0.269114941F;
  q = q * t + 0.13069953F;
  q = q * t + 0.214700654F;
  q = q * t + 0.224978298F;
  q = q * t + 0.225705564F;
  return {(0.5F * kUnscale) * (bell * (t * q)), bell};
}

/// The same to 2^-15, for results of 16 bits: a^2 is rounded, and shorter polynomials do.
ISKRA_HD inline NormalTail normal_tail_short(float a) {
  constexpr float kRound = 12582912.0F, kLn2 = 0.693147181F;
  bool zero = a > kTailEnds;
  a = zero ? kTailEnds : a;
  float square = a * a;
  float shifted = square * (-0.5F * kLog2e) + kRound;
  float n = shifted - kRound;
  float r = -0.5F * square - n * kLn2;
  // e^r on |r| <= ln(2) / 2
  float y = 0.0414586081F;
  y = y * r + 0.167909072F;
  y = y * r + 0.500043587F;
  y = y * r + 0.999963405F;
  y = y * r + 0.999999261F;
  float bell = y * from_bits((bits_of(shifted) + (157U - bits_of(kRound))) << 23);
  bell = zero ? 0.0F : bell;
  float t = 1.0F / (1.0F + 0.31F * a);
  // e^(a^2 / 2) Q(a) / t as a polynomial in t = 1 / (1 + 0.31 a) on 0 <= a <= 14.5
  float q = -0.0739291491F * kUnscale;
  q = q * t + 0.180450368F * kUnscale;
  q = q * t + 0.0157446887F * kUnscale;
  q = q * t + 0.133429796F * kUnscale;
  q = q * t + 0.120441273F * kUnscale;
  q = q * t + 0.123860703F * kUnscale;
  return {bell * (t * q), bell};
}

/// `tail` of |x| sqrt(2).
ISKRA_HD inline float erf_of(float x, float tail) {
  float u = x * x;
  // erf(x) / x as a polynomial in x^2 on |x| <= 0.9
  float q = 8.51310178e-05F;
  q = q * u - 0.00081756385F;
  q = q * u + 0.00520385895F;
  q = q * u - 0.0268605091F;
  q = q * u + 0.112837151F;
  q = q * u - 0.376126349F;
  q = q * u + 1.12837923F;
  float large = __builtin_copysignf(1.0F - 2.0F * tail, x);
  return __builtin_fabsf(x) <= 0.9F ? x * q : large;
}
ISKRA_HD inline float erf(float x) { return erf_of(x, normal_tail(__builtin_fabsf(x) * 1.41421356F).tail); }
ISKRA_HD inline float erf_short(float x) {
  return erf_of(x, normal_tail_short(__builtin_fabsf(x) * 1.41421356F).tail);
}

/// sin(pi/2 * v) for |v| <= 1.
ISKRA_HD inline float sin_quarter(float v) {
  float u = v * v;
  // sin(pi/2 * v) / v as a polynomial in v^2 on |v| <= 1
  float q = 0.000151485132F;
  q = q * u - 0.00467376644F;
  q = q * u + 0.0796896815F;
  q = q * u - 0.645963728F;
  q = q * u + 1.57079637F;
  return v * q;
}

ISKRA_HD inline float sqrt(float x) { return __builtin_sqrtf(x); }
ISKRA_HD inline float abs(float x) { return __builtin_fabsf(x); }
ISKRA_HD inline float floor(float x) { return __builtin_floorf(x); }
ISKRA_HD inline float ceil(float x) { return __builtin_ceilf(x); }
ISKRA_HD inline float round(float x) { return __builtin_rintf(x); }  // ties to even
ISKRA_HD inline float trunc(float x) { return __builtin_truncf(x); }
ISKRA_HD inline float fmod(float a, float b) { return ::fmodf(a, b); }

ISKRA_HD inline double abs(double x) { return __builtin_fabs(x); }
ISKRA_HD inline double floor(double x) { return __builtin_floor(x); }
ISKRA_HD inline double ceil(double x) { return __builtin_ceil(x); }
ISKRA_HD inline double round(double x) { return __builtin_rint(x); }
ISKRA_HD inline double trunc(double x) { return __builtin_trunc(x); }
ISKRA_HD inline double fmod(double a, double b) { return ::fmod(a, b); }
ISKRA_HD inline double expm1(double x) { return ::expm1(x); }
ISKRA_HD inline double log1p(double x) { return ::log1p(x); }
ISKRA_HD inline double log2(double x) { return ::log2(x); }

ISKRA_HD inline double exp(double x) { return ::exp(x); }
ISKRA_HD inline double exp_below(double x) { return ::exp(x); }
ISKRA_HD inline double log(double x) { return ::log(x); }
ISKRA_HD inline double tanh(double x) { return ::tanh(x); }
ISKRA_HD inline double erf(double x) { return ::erf(x); }
ISKRA_HD inline double sqrt(double x) { return __builtin_sqrt(x); }
ISKRA_HD inline double sigmoid(double x) {
  double e = ::exp(-__builtin_fabs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

/// Phi(x), the standard normal distribution function, and x * phi(x), x times its density.
template <class T>
struct Normal {
  T below;
  T weighted_density;
};
ISKRA_HD inline Normal<float> normal_of(float x, NormalTail at) {
  return {x < 0.0F ? at.tail : 1.0F - at.tail, (0.398942280F * kUnscale) * (x * at.bell)};
}
ISKRA_HD inline Normal<float> normal(float x) { return normal_of(x, normal_tail(__builtin_fabsf(x))); }
ISKRA_HD inline Normal<float> normal_short(float x) {
  return normal_of(x, normal_tail_short(__builtin_fabsf(x)));
}
ISKRA_HD inline Normal<double> normal(double x) {
  constexpr double kRootHalf = 0.70710678118654752440;
  constexpr double kInverseRootTwoPi = 0.39894228040143267794;
  return {0.5 * ::erfc(-x * kRootHalf), kInverseRootTwoPi * x * ::exp(-0.5 * x * x)};
}

}  // namespace math
}  // namespace
}  // namespace iskra::kernels
