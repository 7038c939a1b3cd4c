// The element type that operands of different types meet in.
#pragma once

#include <iskra/core/tensor.h>

namespace iskra {

/// As torch.result_type for tensors: bool < u8 < i32 < i64 < f16, bf16 < f32 < f64, and f16 beside bf16 gives
/// f32.
DType promoted(DType a, DType b);

/// What a tensor of `dtype` and a number give: a number never widens floating elements, and makes f32 of
/// integers when it has a fraction or does not fit i64.
DType promoted(DType dtype, double number);

}  // namespace iskra
