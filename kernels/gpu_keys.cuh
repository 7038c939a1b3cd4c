// Keys of elements whose type is known at run time, as sorting and searching compare them.
#pragma once

#include <iskra/kernels/gpu.h>
#include <iskra/kernels/order_keys.h>

namespace iskra::kernels {
namespace {

/// f(element i of `data`), a key of its own width, as 64 bits.
template <class F>
DEV uint64_t load_key(const void* data, DType dtype, int64_t i, F f) {
  switch (dtype) {
    case DType::f32:
      return f(static_cast<const float*>(data)[i]);
    case DType::f64:
      return f(static_cast<const double*>(data)[i]);
    case DType::bf16:
      return f(static_cast<const bf16*>(data)[i]);
    case DType::f16:
      return f(static_cast<const f16*>(data)[i]);
    case DType::i64:
      return f(static_cast<const int64_t*>(data)[i]);
    case DType::i32:
      return f(static_cast<const int32_t*>(data)[i]);
    default:
      return f(static_cast<const uint8_t*>(data)[i]);
  }
}

DEV uint64_t load_sort_key(const void* data, DType dtype, int64_t i, bool descending) {
  return load_key(data, dtype, i, [=](auto x) -> uint64_t { return sort_key(x, descending); });
}
DEV uint64_t load_extreme_key(const void* data, DType dtype, int64_t i, bool largest) {
  return load_key(data, dtype, i, [=](auto x) -> uint64_t { return extreme_key(x, largest); });
}

/// y[j] = x[i], of elements of 1, 2, 4 or 8 bytes.
DEV void copy_element(const void* x, int64_t i, void* y, int64_t j, int bytes) {
  if (bytes == 4)
    static_cast<uint32_t*>(y)[j] = static_cast<const uint32_t*>(x)[i];
  else if (bytes == 2)
    static_cast<uint16_t*>(y)[j] = static_cast<const uint16_t*>(x)[i];
  else if (bytes == 1)
    static_cast<uint8_t*>(y)[j] = static_cast<const uint8_t*>(x)[i];
  else
    static_cast<uint64_t*>(y)[j] = static_cast<const uint64_t*>(x)[i];
}

}  // namespace
}  // namespace iskra::kernels
