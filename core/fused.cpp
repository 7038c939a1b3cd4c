#include <iskra/core/fused.h>

#include <iskra/core/launch.h>
#include <iskra/core/tensor_impl.h>

namespace iskra::detail {

using kernels::Activation;

FusedPass::FusedPass(const char* op, const FusedOptions& then, const Shape& shape, const Tensor& x,
                     bool recorded, Layout layout)
    : activation_(then.activation), layout_(layout), recorded_(recorded && activation_ != Activation::none) {
  if (then.residual.defined()) {
    ISKRA_CHECK(then.residual.shape() == shape && then.residual.dtype() == x.dtype() &&
                    then.residual.device() == x.device(),
                op, ": the residual is ", then.residual.str(), ", the result ", name_of(x.dtype()), " ",
                shape, " on ", x.device(), "; they must agree");
    residual_ = then.residual.detach().contiguous(layout);
  }
  const bool from_result = activation_ == Activation::relu && !residual_.defined();
  if (recorded_ && !from_result)
    preactivation_ = Tensor::empty(shape, {.dtype = x.dtype(), .device = x.device(), .layout = layout});
}

kernels::Epilogue FusedPass::epilogue(const Tensor& bias, const Shape& shape) const {
  kernels::Epilogue then{.bias = view_or_none(bias), .activation = activation_};
  if (residual_.defined()) then.residual = residual_.view();
  if (preactivation_.defined()) then.preactivation = mut_or_none(preactivation_);
  if (shape.rank() == 0) return then;
  then.residual.shape = then.preactivation.shape = shape;
  then.residual.stride = then.preactivation.stride = contiguous_strides(shape);
  return then;
}

FusedPass FusedPass::saved(const Tensor& y) const {
  FusedPass kept = *this;
  kept.residual_ = kept.preactivation_ = Tensor();
  if (recorded_) kept.read_ = preactivation_.defined() ? preactivation_ : y.detach();
  return kept;
}

namespace {

kernels::UnaryOp op_of(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return kernels::UnaryOp::gelu;
    case Activation::gelu_tanh:
      return kernels::UnaryOp::gelu_tanh;
    default:
      return kernels::UnaryOp::relu;
  }
}

}  // namespace

Tensor FusedPass::through_activation(const Tensor& dy) const {
  if (activation_ == Activation::none) return dy;
  Tensor dp = Tensor::empty(dy.shape(), {.dtype = dy.dtype(), .device = dy.device(), .layout = layout_});
  launch(dy.device(), [&](auto on) {
    kernels::unary_backward(on, op_of(activation_), read_.view(), read_.view(), dy.view(), dp.mut());
  });
  return dp;
}

void conv_weight_gradients(const Conv2dOptions& at, const Tensor& x, const Tensor& dy, const Sink& dw,
                           const Sink& db) {
  const auto compute = [&](const Sink& weight, const Sink& bias) {
    launch(dy.device(), [&](auto on) {
      kernels::conv2d_backward_weight(on, at, view_or_none(x), dy.view(), mut_or_none(weight.into),
                                      mut_or_none(bias.into), weight.beta, bias.beta);
    });
  };
  if (dw.into.defined()) into_row_major(dw, [&](const Sink& weight) { compute(weight, {}); });
  if (db.into.defined()) into_row_major(db, [&](const Sink& bias) { compute({}, bias); });
}

}  // namespace iskra::detail
