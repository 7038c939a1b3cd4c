// Elements of a type that is known at run time: one kernel for all combinations, where speed is the memory's.
#pragma once

#include <iskra/kernels/convert.h>
#include <iskra/kernels/gpu.h>

namespace iskra::kernels {
namespace {

/// Element i of `data`, as T.
template <class T>
DEV T load_as(const void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f32:
      return Convert<T>::of(static_cast<const float*>(data)[i]);
    case DType::f16:
      return Convert<T>::of(value(static_cast<const f16*>(data)[i]));
    case DType::bf16:
      return Convert<T>::of(value(static_cast<const bf16*>(data)[i]));
    case DType::f64:
      return Convert<T>::of(static_cast<const double*>(data)[i]);
    case DType::i64:
      return Convert<T>::of(static_cast<const int64_t*>(data)[i]);
    case DType::i32:
      return Convert<T>::of(static_cast<const int32_t*>(data)[i]);
    case DType::u8:
      return Convert<T>::of(static_cast<const uint8_t*>(data)[i]);
    case DType::boolean:
      return Convert<T>::of(value(static_cast<const Bool*>(data)[i]));
  }
  return T{};
}

/// Element i of `data` becomes x: rounded, truncated and saturated, or wrapped around, as convert.h says.
template <class T>
DEV void store_as(T x, void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f32:
      static_cast<float*>(data)[i] = Convert<float>::of(x);
      return;
    case DType::f16:
      static_cast<f16*>(data)[i] = Convert<f16>::of(x);
      return;
    case DType::bf16:
      static_cast<bf16*>(data)[i] = Convert<bf16>::of(x);
      return;
    case DType::f64:
      static_cast<double*>(data)[i] = Convert<double>::of(x);
      return;
    case DType::i64:
      static_cast<int64_t*>(data)[i] = Convert<int64_t>::of(x);
      return;
    case DType::i32:
      static_cast<int32_t*>(data)[i] = Convert<int32_t>::of(x);
      return;
    case DType::u8:
      static_cast<uint8_t*>(data)[i] = Convert<uint8_t>::of(x);
      return;
    case DType::boolean:
      static_cast<Bool*>(data)[i] = Convert<Bool>::of(x);
      return;
  }
}

/// A vector of a type known at run time, or none: a weight or a bias.
struct Parameter {
  const void* data;
  DType dtype;
  explicit Parameter(const View& v) : data(v.data), dtype(v.dtype) {}
  template <class T>
  DEV T at(int64_t i, T otherwise) const {
    return data == nullptr ? otherwise : load_as<T>(data, dtype, i);
  }
};

}  // namespace
}  // namespace iskra::kernels
