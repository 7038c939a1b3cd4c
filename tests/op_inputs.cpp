#include "op_inputs.h"

#include <iskra/core/random.h>

namespace iskra::testing {

namespace {

Tensor drawn(const Input& spec, DType dtype) {
  bool wide = dtype == DType::f64;
  const TensorOptions options{.dtype = wide ? DType::f64 : DType::f32};
  switch (spec.values) {
    case Values::whole:
      return uniform(spec.shape, 0, spec.high - spec.low + 1, options).to(DType::i64).to(options.dtype) +
             spec.low;
    case Values::permutation: {
      std::vector<int64_t> backwards(static_cast<size_t>(spec.shape.numel()));
      for (size_t i = 0; i < backwards.size(); ++i)
        backwards[i] = static_cast<int64_t>(backwards.size() - 1 - i);
      return Tensor::of(backwards, spec.shape);
    }
    case Values::positive:
      return uniform(spec.shape, 0.5, 2, options);
    default:
      return iskra::normal(spec.shape, 0, 1, options);
  }
}

}  // namespace

Tensors drawn_inputs(const OpCase& row, DType dtype) {
  RngScope scope({.seed = 7});
  Tensors inputs;
  for (const Input& spec : row.inputs) {
    Tensor x = drawn(spec, dtype).to(spec.dtype(dtype)).contiguous(spec.layout);
    if (spec.gradient && is_floating(x.dtype())) x.set_requires_grad();
    inputs.push_back(x);
  }
  return inputs;
}

}  // namespace iskra::testing
