// Unsigned integers that are ordered as the elements of each type are: what sorting and searching for
// extremes compare. NaN counts as larger than every number, and the two zeros as equal.
#pragma once

#include <cstdint>
#include <type_traits>

#include <iskra/kernels/base.h>
#include <iskra/kernels/host_device.h>

namespace iskra::kernels {
namespace {

/// Floating-point numbers as their bits: sign, and magnitude up to that of infinity.
template <class Bits>
ISKRA_HD inline Bits float_key(Bits bits, Bits infinity) {
  constexpr Bits kSign = static_cast<Bits>(Bits(1) << (8 * sizeof(Bits) - 1));
  const Bits magnitude = static_cast<Bits>(bits & static_cast<Bits>(~kSign));
  if (magnitude > infinity) return static_cast<Bits>(~Bits(0));
  return bits == magnitude || magnitude == 0 ? static_cast<Bits>(magnitude | kSign)
                                             : static_cast<Bits>(~bits);
}

ISKRA_HD inline uint32_t key_of(float x) { return float_key(__builtin_bit_cast(uint32_t, x), 0x7f800000U); }
ISKRA_HD inline uint64_t key_of(double x) {
  return float_key(__builtin_bit_cast(uint64_t, x), uint64_t{0x7ff0000000000000U});
}
ISKRA_HD inline uint16_t key_of(bf16 x) { return float_key(x.bits, uint16_t{0x7f80U}); }
ISKRA_HD inline uint16_t key_of(f16 x) { return float_key(x.bits, uint16_t{0x7c00U}); }
ISKRA_HD inline uint64_t key_of(int64_t x) { return static_cast<uint64_t>(x) ^ (uint64_t{1} << 63); }
ISKRA_HD inline uint32_t key_of(int32_t x) { return static_cast<uint32_t>(x) ^ (uint32_t{1} << 31); }
ISKRA_HD inline uint8_t key_of(uint8_t x) { return x; }

/// The unsigned type of a key.
template <class T>
using Key = decltype(key_of(T{}));

/// The key whose smallest comes first in sorted order.
template <class T>
ISKRA_HD inline Key<T> sort_key(T x, bool descending) {
  const Key<T> key = key_of(x);
  return descending ? static_cast<Key<T>>(~key) : key;
}

/// The key whose largest belongs to the largest (or smallest) element, and to NaN in either case.
template <class T>
ISKRA_HD inline Key<T> extreme_key(T x, bool largest) {
  constexpr Key<T> kNan = static_cast<Key<T>>(~Key<T>(0));
  const Key<T> key = key_of(x);
  const bool nan = !std::is_integral_v<T> && key == kNan;
  return largest || nan ? key : static_cast<Key<T>>(~key);
}

/// Calls f(T{}) with the C++ type of an element whose order is that of `dtype`; bool is ordered as u8, of
/// which every value but 0 is true and counts as 1 in memory made by this library.
template <class F>
inline void with_ordered(DType dtype, F f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::bf16:
      return f(bf16{});
    case DType::f16:
      return f(f16{});
    case DType::i64:
      return f(int64_t{});
    case DType::i32:
      return f(int32_t{});
    default:
      return f(uint8_t{});
  }
}

}  // namespace
}  // namespace iskra::kernels
