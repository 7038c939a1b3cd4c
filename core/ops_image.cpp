// Ops on images: (N,C,H,W) in shape, channels-last in memory.
#include <iskra/core/autocast.h>
#include <iskra/core/fused.h>
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;

namespace {

TensorOptions image_options(const Tensor& like) {
  return {.dtype = like.dtype(), .device = like.device(), .layout = Layout::channels_last};
}

// One output size of a sliding window; throws when the window does not fit.
int64_t window_count(const char* name, int64_t size, int64_t window, int64_t stride, int64_t padding) {
  ISKRA_CHECK(window >= 1 && stride >= 1 && padding >= 0, name, ": window ", window, ", stride ", stride,
              ", padding ", padding, "; window and stride must be at least 1, padding not negative");
  ISKRA_CHECK(size + 2 * padding >= window, name, ": a window of ", window, " does not fit into size ", size,
              " with padding ", padding, "; use larger pictures or a smaller window");
  return (size + 2 * padding - window) / stride + 1;
}

Shape conv_shape(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& at) {
  constexpr const char* kName = "conv2d";
  ISKRA_CHECK(is_floating(x.dtype()) && x.dtype() == w.dtype(), kName, ": the input is ", x.str(),
              ", the weight ", w.str(), "; both must have the same floating dtype");
  ISKRA_CHECK(x.rank() == 4 && w.rank() == 4, kName, ": the input has shape ", x.shape(), ", the weight ",
              w.shape(), "; they must be (N,C,H,W) and (K,C/groups,R,S)");
  ISKRA_CHECK(at.groups >= 1 && w.size(0) % at.groups == 0, kName, ": ", w.size(0), " output channels in ",
              at.groups, " groups; the groups must divide them");
  ISKRA_CHECK(x.size(1) == w.size(1) * at.groups, kName, ": the input has ", x.size(1),
              " channels, the weight takes ", w.size(1) * at.groups, " (", at.groups, " groups)");
  ISKRA_CHECK(!bias.defined() || (bias.shape() == Shape({w.size(0)}) && bias.dtype() == w.dtype()), kName,
              ": the bias is ", bias.str(), ", the weight ", w.str(),
              "; the bias must have one value per output channel");
  ISKRA_CHECK(at.dilation[0] >= 1 && at.dilation[1] >= 1, kName, ": dilation must be at least 1");
  int64_t reach_h = at.dilation[0] * (w.size(2) - 1) + 1;
  int64_t reach_w = at.dilation[1] * (w.size(3) - 1) + 1;
  return {x.size(0), w.size(0), window_count(kName, x.size(2), reach_h, at.stride[0], at.padding[0]),
          window_count(kName, x.size(3), reach_w, at.stride[1], at.padding[1])};
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options,
              const FusedOptions& then, Caller caller) {
  detail::OpScope scope("conv2d", caller);
  if (auto cast = detail::Recast(detail::Precision::lower, {&x, &weight, &bias, &then.residual})) {
    FusedOptions fused = then;
    fused.residual = cast(then.residual);
    return conv2d(cast(x), cast(weight), cast(bias), options, fused, caller);
  }
  Shape shape = conv_shape(x, weight, bias, options);
  detail::FusedPass pass("conv2d", then, shape, x, recording({&x, &weight, &bias, &then.residual}),
                         Layout::channels_last);
  Tensor y = Tensor::empty(shape, image_options(x));
  Tensor x1 = x.detach().contiguous(Layout::channels_last);
  Tensor w1 = weight.detach().contiguous();
  Tensor b1 = bias.defined() ? bias.detach().contiguous() : Tensor();
  launch(x.device(),
         [&](auto on) { kernels::conv2d(on, options, x1.view(), w1.view(), pass.epilogue(b1), y.mut()); });
  return record("conv2d", y, {x, weight, bias, then.residual},
                [options, pass = pass.saved(y), x_shape = x.shape(), x = save_if(weight.requires_grad(), x1),
                 w = save_if(x.requires_grad(), w1)](const Tensor& grad, Wanted wanted, Sinks& to) {
                  if (wanted[3]) to.give(3, grad);
                  if (!wanted[0] && !wanted[1] && !wanted[2]) return;
                  Tensor dy = pass.through_activation(grad).contiguous(Layout::channels_last);
                  if (wanted[0]) {
                    Tensor dx = Tensor::empty(x_shape, image_options(dy));
                    launch(dy.device(), [&](auto on) {
                      kernels::conv2d_backward_data(on, options, w.view(), dy.view(), dx.mut());
                    });
                    to.give(0, dx);
                  }
                  if (!wanted[1] && !wanted[2]) return;
                  Sink dw = wanted[1] ? to.accumulate(1) : Sink{}, db = wanted[2] ? to.accumulate(2) : Sink{};
                  detail::conv_weight_gradients(options, x, dy, dw, db);
                });
}

Tensor normalize_images(const Tensor& pictures, const std::vector<float>& mean, const std::vector<float>& std,
                        DType dtype, Caller caller) {
  detail::OpScope scope("normalize_images", caller);
  constexpr const char* kName = "normalize_images";
  ISKRA_CHECK(pictures.rank() == 4 && pictures.dtype() == DType::u8, kName, ": the pictures are ",
              pictures.str(), "; they must be u8 (N,H,W,C)");
  auto channels = static_cast<size_t>(pictures.size(3));
  ISKRA_CHECK(mean.size() == channels && std.size() == channels, kName, ": ", mean.size(), " means and ",
              std.size(), " deviations for ", channels, " channels");
  ISKRA_CHECK(is_floating(dtype), kName, ": pictures become a floating dtype, not ", name_of(dtype));
  Tensor x = pictures.contiguous();
  Tensor y = Tensor::empty({x.size(0), x.size(3), x.size(1), x.size(2)},
                           {.dtype = dtype, .device = x.device(), .layout = Layout::channels_last});
  launch(x.device(),
         [&](auto on) { kernels::normalize_images(on, x.view(), mean.data(), std.data(), y.mut()); });
  return y;
}

}  // namespace iskra
