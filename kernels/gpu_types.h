// From a type known at run time to one that a template is made for.
#pragma once

#include <iskra/kernels/base.h>
#include <iskra/kernels/check.h>

namespace iskra::kernels {

/// f(S{}) for the floating type S of `dtype`; throws, naming `op`, for others.
template <class F>
void with_floating(DType dtype, const char* op, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::bf16:
      return f(bf16{});
    case DType::f16:
      return f(f16{});
    default:
      throw Error(text(op, ": elements are ", name_of(dtype), "; it takes floating types, convert first"));
  }
}

}  // namespace iskra::kernels
