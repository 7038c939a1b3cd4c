// Pooling of pictures (N,C,H,W), channels-last in memory.
#include <iskra/core/launch.h>
#include <iskra/core/op_parts.h>

namespace iskra {

using detail::launch;
using detail::mut_or_none;

namespace {

Tensor empty_pictures(const Shape& shape, DType dtype, const Tensor& like) {
  return Tensor::empty(shape, {.dtype = dtype, .device = like.device(), .layout = Layout::channels_last});
}

void check_pictures(const char* name, const Tensor& x) {
  ISKRA_CHECK(is_floating(x.dtype()) && x.rank() == 4, name, ": the input is ", x.str(),
              "; it must be floating (N,C,H,W)");
}

void check_window(const char* name, const Pool2dOptions& at, int axis, int64_t size) {
  const int64_t window = at.size[axis], stride = at.stride[axis], padding = at.padding[axis];
  ISKRA_CHECK(window >= 1 && stride >= 1 && padding >= 0 && at.dilation[axis] >= 1, name, ": window ", window,
              ", stride ", stride, ", padding ", padding, ", dilation ", at.dilation[axis],
              "; window, stride and dilation must be at least 1, padding not negative");
  const int64_t reach = at.dilation[axis] * (window - 1) + 1;
  ISKRA_CHECK(padding * 2 <= reach, name, ": padding ", padding, " is more than half of the window of ",
              reach);
  ISKRA_CHECK(kernels::pooled_size(at, axis, size) >= 1, name, ": a window of ", reach,
              " does not fit into size ", size, " with padding ", padding,
              "; use larger pictures or a smaller window");
}

Shape pooled_shape(const char* name, const Tensor& x, const Pool2dOptions& at) {
  check_pictures(name, x);
  for (int axis = 0; axis < 2; ++axis) check_window(name, at, axis, x.size(2 + axis));
  return {x.size(0), x.size(1), kernels::pooled_size(at, 0, x.size(2)),
          kernels::pooled_size(at, 1, x.size(3))};
}

Shape adaptive_shape(const char* name, const Tensor& x, int64_t height, int64_t width) {
  check_pictures(name, x);
  ISKRA_CHECK(height >= 1 && width >= 1, name, ": the result's size is ", height, " x ", width,
              "; it must be at least 1");
  ISKRA_CHECK(x.size(2) >= 1 && x.size(3) >= 1, name, ": the input has shape ", x.shape(), ", and no pixels");
  return {x.size(0), x.size(1), height, width};
}

constexpr Pool2dOptions kAdaptive = {.adaptive = true};

Tensor max_pool(const char* name, const Tensor& x, const Shape& shape, const Pool2dOptions& at) {
  Tensor x1 = x.detach().contiguous(Layout::channels_last);
  Tensor y = empty_pictures(shape, x.dtype(), x);
  Tensor place = recording({&x}) ? empty_pictures(shape, DType::i32, x) : Tensor();
  launch(x.device(), [&](auto on) { kernels::max_pool2d(on, at, x1.view(), y.mut(), mut_or_none(place)); });
  return record(name, y, {x}, [at, place, x_shape = x.shape()](const Tensor& grad, Wanted, Sinks& to) {
    Tensor dy = grad.contiguous(Layout::channels_last);
    Tensor dx = empty_pictures(x_shape, dy.dtype(), dy);
    launch(dy.device(),
           [&](auto on) { kernels::max_pool2d_backward(on, at, place.view(), dy.view(), dx.mut()); });
    to.give(0, dx);
  });
}

Tensor avg_pool(const char* name, const Tensor& x, const Shape& shape, const Pool2dOptions& at) {
  Tensor x1 = x.detach().contiguous(Layout::channels_last);
  Tensor y = empty_pictures(shape, x.dtype(), x);
  launch(x.device(), [&](auto on) { kernels::avg_pool2d(on, at, x1.view(), y.mut()); });
  return record(name, y, {x}, [at, x_shape = x.shape()](const Tensor& grad, Wanted, Sinks& to) {
    Tensor dy = grad.contiguous(Layout::channels_last);
    Tensor dx = empty_pictures(x_shape, dy.dtype(), dy);
    launch(dy.device(), [&](auto on) { kernels::avg_pool2d_backward(on, at, dy.view(), dx.mut()); });
    to.give(0, dx);
  });
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options, Caller caller) {
  detail::OpScope scope("max_pool2d", caller);
  return max_pool("max_pool2d", x, pooled_shape("max_pool2d", x, options), options);
}

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options, Caller caller) {
  detail::OpScope scope("avg_pool2d", caller);
  ISKRA_CHECK(options.dilation[0] == 1 && options.dilation[1] == 1, "avg_pool2d: dilation ",
              options.dilation[0], ", ", options.dilation[1], "; means have none, leave it at 1");
  return avg_pool("avg_pool2d", x, pooled_shape("avg_pool2d", x, options), options);
}

Tensor adaptive_max_pool2d(const Tensor& x, int64_t height, int64_t width, Caller caller) {
  detail::OpScope scope("adaptive_max_pool2d", caller);
  return max_pool("adaptive_max_pool2d", x, adaptive_shape("adaptive_max_pool2d", x, height, width),
                  kAdaptive);
}

Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width, Caller caller) {
  detail::OpScope scope("adaptive_avg_pool2d", caller);
  return avg_pool("adaptive_avg_pool2d", x, adaptive_shape("adaptive_avg_pool2d", x, height, width),
                  kAdaptive);
}

// ----------------------------------------------------------------------------------------------------
// interpolation

namespace {

int64_t resized(const InterpolateOptions& at, int axis, int64_t size) {
  ISKRA_CHECK((at.size[axis] > 0) != (at.scale[axis] > 0), "interpolate: size ", at.size[axis], " and scale ",
              at.scale[axis], " of axis ", 2 + axis, "; give one of them, positive");
  const auto result =
      at.size[axis] > 0 ? at.size[axis] : static_cast<int64_t>(static_cast<double>(size) * at.scale[axis]);
  ISKRA_CHECK(size >= 1 && result >= 1, "interpolate: size ", size, " of axis ", 2 + axis, " would become ",
              result, "; both must be at least 1");
  return result;
}

}  // namespace

Tensor interpolate(const Tensor& x, const InterpolateOptions& at, Caller caller) {
  constexpr const char* kName = "interpolate";
  detail::OpScope scope(kName, caller);
  check_pictures(kName, x);
  ISKRA_CHECK(at.mode != Interpolation::nearest || (!at.antialias && !at.align_corners), kName,
              ": antialias and align_corners are for bilinear and bicubic, not for nearest");
  const kernels::Interpolate2d how = {at.mode, at.align_corners, at.antialias, {at.scale[0], at.scale[1]}};
  Tensor x1 = x.detach().contiguous(Layout::channels_last);
  Tensor y = empty_pictures({x.size(0), x.size(1), resized(at, 0, x.size(2)), resized(at, 1, x.size(3))},
                            x.dtype(), x);
  launch(x.device(), [&](auto on) { kernels::interpolate(on, how, x1.view(), y.mut()); });
  return record(kName, y, {x}, [how, x_shape = x.shape()](const Tensor& grad, Wanted, Sinks& to) {
    Tensor dy = grad.contiguous(Layout::channels_last);
    Tensor dx = empty_pictures(x_shape, dy.dtype(), dy);
    launch(dy.device(), [&](auto on) { kernels::interpolate_backward(on, how, dy.view(), dx.mut()); });
    to.give(0, dx);
  });
}

}  // namespace iskra
