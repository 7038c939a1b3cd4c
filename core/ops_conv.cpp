// The transposed convolution: conv2d's data gradient as an op, and conv2d as its gradient.
#include <iskra/core/autocast.h>
#include <iskra/core/fused.h>
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::view_or_none;

namespace {

constexpr const char* kName = "conv_transpose2d";

TensorOptions image_options(const Tensor& like) {
  return {.dtype = like.dtype(), .device = like.device(), .layout = Layout::channels_last};
}

void check_options(const ConvTranspose2dOptions& at) {
  for (int i = 0; i < 2; ++i) {
    ISKRA_CHECK(at.stride[i] >= 1 && at.dilation[i] >= 1 && at.padding[i] >= 0, kName, ": stride ",
                at.stride[i], ", dilation ", at.dilation[i], ", padding ", at.padding[i],
                "; stride and dilation must be at least 1, padding not negative");
    ISKRA_CHECK(at.output_padding[i] >= 0 && at.output_padding[i] < at.stride[i], kName, ": output_padding ",
                at.output_padding[i], " must be at least 0 and less than the stride ", at.stride[i]);
  }
}

void check_operands(const Tensor& x, const Tensor& w, const Tensor& bias, int64_t groups) {
  ISKRA_CHECK(is_floating(x.dtype()) && x.dtype() == w.dtype(), kName, ": the input is ", x.str(),
              ", the weight ", w.str(), "; both must have the same floating dtype");
  ISKRA_CHECK(x.rank() == 4 && w.rank() == 4, kName, ": the input has shape ", x.shape(), ", the weight ",
              w.shape(), "; they must be (N,C,H,W) and (C,K/groups,R,S)");
  ISKRA_CHECK(groups >= 1 && x.size(1) % groups == 0, kName, ": ", x.size(1), " input channels in ", groups,
              " groups; the groups must divide them");
  ISKRA_CHECK(x.size(1) == w.size(0) && x.size(1) > 0, kName, ": the input has ", x.size(1),
              " channels, the weight takes ", w.size(0));
  ISKRA_CHECK(!bias.defined() || (bias.shape() == Shape({w.size(1) * groups}) && bias.dtype() == w.dtype()),
              kName, ": the bias is ", bias.defined() ? bias.str() : "", ", the weight ", w.str(), " in ",
              groups, " groups; the bias must have one value per output channel");
}

Shape result_shape(const Tensor& x, const Tensor& w, const ConvTranspose2dOptions& at) {
  Shape shape = {x.size(0), w.size(1) * at.groups, 0, 0};
  for (int i = 0; i < 2; ++i) {
    shape[2 + i] = (x.size(2 + i) - 1) * at.stride[i] - 2 * at.padding[i] +
                   at.dilation[i] * (w.size(2 + i) - 1) + at.output_padding[i] + 1;
    ISKRA_CHECK(x.size(2 + i) > 0 && w.size(2 + i) > 0 && shape[2 + i] > 0, kName, ": an input ", x.shape(),
                " and a weight ", w.shape(), " give size ", shape[2 + i], " along axis ", 2 + i,
                "; use larger pictures or less padding");
  }
  return shape;
}

}  // namespace

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose2dOptions& options, Caller caller) {
  detail::OpScope scope(kName, caller);
  if (auto cast = detail::Recast(detail::Precision::lower, {&x, &weight, &bias}))
    return conv_transpose2d(cast(x), cast(weight), cast(bias), options, caller);
  check_options(options);
  check_operands(x, weight, bias, options.groups);
  const Conv2dOptions at{.stride = {options.stride[0], options.stride[1]},
                         .padding = {options.padding[0], options.padding[1]},
                         .dilation = {options.dilation[0], options.dilation[1]},
                         .groups = options.groups};
  Tensor y = Tensor::empty(result_shape(x, weight, options), image_options(x));
  Tensor x1 = x.detach().contiguous(Layout::channels_last);
  Tensor w1 = weight.detach().contiguous();
  Tensor b1 = bias.defined() ? bias.detach().contiguous() : Tensor();
  launch(x.device(), [&](auto on) {
    kernels::conv_transpose2d(on, at, x1.view(), w1.view(), view_or_none(b1), y.mut());
  });
  return record(kName, y, {x, weight, bias},
                [at, x_shape = x.shape(), x = save_if(weight.requires_grad(), x1),
                 w = save_if(x.requires_grad(), w1)](const Tensor& grad, Wanted wanted, Sinks& to) {
                  Tensor dy = grad.contiguous(Layout::channels_last);
                  if (wanted[0]) {
                    Tensor dx = Tensor::empty(x_shape, image_options(dy));
                    launch(dy.device(),
                           [&](auto on) { kernels::conv2d(on, at, dy.view(), w.view(), {}, dx.mut()); });
                    to.give(0, dx);
                  }
                  if (wanted[1]) detail::conv_weight_gradients(at, dy, x, to.accumulate(1), {});
                  if (wanted[2]) detail::conv_weight_gradients(at, {}, dy, {}, to.accumulate(2));
                });
}

}  // namespace iskra
