#include <iskra/core/promote.h>

#include <cmath>

namespace iskra {
namespace {

int width_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return 0;
    case DType::u8:
      return 1;
    case DType::i32:
      return 2;
    case DType::i64:
      return 3;
    case DType::f16:
    case DType::bf16:
      return 4;
    case DType::f32:
      return 5;
    case DType::f64:
      return 6;
  }
  return 6;
}

}  // namespace

DType promoted(DType a, DType b) {
  if (a == b) return a;
  const int wa = width_of(a), wb = width_of(b);
  if (wa == wb) return DType::f32;
  return wa > wb ? a : b;
}

DType promoted(DType dtype, double number) {
  if (is_floating(dtype)) return dtype;
  if (number != std::trunc(number) || std::abs(number) >= 0x1p63) return DType::f32;
  return dtype == DType::boolean ? DType::i64 : dtype;
}

}  // namespace iskra
