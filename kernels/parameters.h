// Parameters of norms (weights, biases, statistics): vectors that may be wider than the elements they act on,
// so that a 16-bit model keeps them in f32.
#pragma once

#include <iskra/kernels/base.h>

namespace iskra::kernels {

/// f64 for f64, else f32: what elements of `dtype` are computed in, and what is saved of them for backward.
inline DType computing_dtype(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

/// A dense vector in the computing type of `elements`: itself, or a converted copy in temporary memory. Null
/// for an undefined vector.
const void* computed_parameter(const Cpu& on, const View& vector, DType elements, const char* op);

/// gradient = beta * gradient + sum; `sum` (as many as the gradient has) is f32 or f64, the gradient dense
/// and of any floating type.
void store_gradient(const float* sum, const MutView& gradient, float beta);
void store_gradient(const double* sum, const MutView& gradient, float beta);

}  // namespace iskra::kernels
