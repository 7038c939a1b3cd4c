// What linear and conv2d share when an activation and an addition are done in the pass that makes their sums.
// Included by .cpp files only.
#pragma once

#include <iskra/core/ops.h>

namespace iskra::detail {

/// One call: y = activation(p) + residual with p = sums + bias. What its backward pass reads is y for ReLU
/// without a residual, else p, and nothing without an activation.
class FusedPass {
 public:
  /// Throws, naming `op`, unless the residual is like the result: of `shape`, dtype and device of `x`.
  FusedPass(const char* op, const FusedOptions& then, const Shape& shape, const Tensor& x, bool recorded,
            Layout layout = Layout::row_major);
  /// For the kernel; its operands are seen in `shape` when that is given (rows of a product).
  kernels::Epilogue epilogue(const Tensor& bias, const Shape& shape = {}) const;
  /// For the closure of the backward pass.
  FusedPass saved(const Tensor& y) const;
  /// dy times the activation's derivative.
  Tensor through_activation(const Tensor& dy) const;

 private:
  kernels::Activation activation_;
  Tensor residual_, preactivation_, read_;
  Layout layout_;
  bool recorded_;
};

/// The gradients of a convolution's weight and bias; a sink without memory is skipped, `x` is not read
/// without the weight's.
void conv_weight_gradients(const Conv2dOptions& at, const Tensor& x, const Tensor& dy, const Sink& dw,
                           const Sink& db);

}  // namespace iskra::detail
