// What an element becomes when it is stored in another type; the same on both devices.
#pragma once

#include <cstdint>

#include <iskra/kernels/half.h>

namespace iskra::kernels {
namespace {

// bool as it lies in memory: a byte, of which only zero is false.
struct Bool {
  uint8_t byte;
};

ISKRA_HD inline float value(bf16 x) { return to_float(x); }
ISKRA_HD inline float value(f16 x) { return to_float(x); }
ISKRA_HD inline uint8_t value(Bool x) { return x.byte != 0; }
template <class T>
ISKRA_HD inline T value(T x) {
  return x;
}

template <class T>
struct Limits;
template <>
struct Limits<uint8_t> {
  static constexpr uint8_t kMin = 0, kMax = 255;
};
template <>
struct Limits<int32_t> {
  static constexpr int32_t kMin = INT32_MIN, kMax = INT32_MAX;
};
template <>
struct Limits<int64_t> {
  static constexpr int64_t kMin = INT64_MIN, kMax = INT64_MAX;
};

template <class T>
inline constexpr bool kIsFloat = false;
template <>
inline constexpr bool kIsFloat<float> = true;
template <>
inline constexpr bool kIsFloat<double> = true;

template <class To>
struct Convert {
  template <class From>
  ISKRA_HD static inline To of(From x) {
    if constexpr (kIsFloat<From> && !kIsFloat<To>) {  // truncates and saturates; NaN becomes 0
      constexpr From kEnd = static_cast<From>(Limits<To>::kMax / 2 + 1) * 2;  // exact, unlike kMax
      if (!(x < kEnd)) return x != x ? To(0) : Limits<To>::kMax;
      return x <= static_cast<From>(Limits<To>::kMin) ? Limits<To>::kMin : static_cast<To>(x);
    } else {
      return static_cast<To>(x);
    }
  }
};
template <>
struct Convert<bf16> {
  ISKRA_HD static inline bf16 of(double x) { return to_bf16(x); }
  template <class From>
  ISKRA_HD static inline bf16 of(From x) {
    return to_bf16(static_cast<float>(x));
  }
};
template <>
struct Convert<f16> {
  ISKRA_HD static inline f16 of(double x) { return to_f16(x); }
  template <class From>
  ISKRA_HD static inline f16 of(From x) {
    return to_f16(static_cast<float>(x));
  }
};
template <>
struct Convert<Bool> {
  template <class From>
  ISKRA_HD static inline Bool of(From x) {
    return {static_cast<uint8_t>(x != From(0))};
  }
};

}  // namespace
}  // namespace iskra::kernels
