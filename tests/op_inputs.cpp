#include "op_inputs.h"

#include <iskra/core/random.h>

namespace iskra::testing {

namespace {

Tensor drawn(const Input& spec, DType dtype) {
  switch (spec.values) {
    case Values::labels:
      return uniform(spec.shape, 0, spec.high, {.dtype = DType::f32}).to(DType::i64);
    case Values::bytes:
      return uniform(spec.shape, 0, 256, {.dtype = DType::f32}).to(DType::u8);
    case Values::positive:
      return uniform(spec.shape, 0.5, 2, {.dtype = dtype});
    default:
      return iskra::normal(spec.shape, 0, 1, {.dtype = dtype});
  }
}

}  // namespace

Tensors drawn_inputs(const OpCase& row, DType dtype) {
  RngScope scope({.seed = 7});
  Tensors inputs;
  for (const Input& spec : row.inputs) {
    Tensor x = drawn(spec, dtype).contiguous(spec.layout);
    if (spec.gradient) x.set_requires_grad();
    inputs.push_back(x);
  }
  return inputs;
}

}  // namespace iskra::testing
