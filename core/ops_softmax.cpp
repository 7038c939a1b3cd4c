// Softmax and log softmax along any axis.
#include <iskra/core/autocast.h>
#include <iskra/core/launch.h>
#include <iskra/core/op_parts.h>

namespace iskra {

using detail::launch;
using detail::view_of;

namespace {

// Dense x as (O,L,I): L the axis, O and I what lies outside and inside of it in memory.
Tensor along(const Tensor& x, int axis) {
  const int64_t length = x.shape()[axis];
  const int64_t inner = length > 1 ? x.strides()[axis] : 1;
  const int64_t outer = x.numel() == 0 ? 0 : x.numel() / (length * inner);
  return view_of(x, {outer, length, inner}, {length * inner, inner, 1});
}

Tensor dense(const Tensor& x) { return x.is_dense() ? x.detach() : x.detach().contiguous(); }

// dy as it lies in memory where y does.
Tensor laid_out_like(const Tensor& dy, const Tensor& y) {
  if (dy.strides() == y.strides()) return dy;
  Tensor same = Tensor::empty_like(y);
  same.copy_from(dy);
  return same;
}

}  // namespace

Tensor softmax(const Tensor& x, int axis, Caller caller) {
  detail::OpScope scope("softmax", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x})) return softmax(cast(x), axis, caller);
  detail::check_floating("softmax", x);
  const int at = detail::normal_axis(axis, x.rank(), "softmax");
  Tensor x1 = dense(x), y = Tensor::empty_like(x1);
  launch(x.device(), [&](auto on) { kernels::softmax(on, along(x1, at).view(), along(y, at).mut()); });
  Tensor saved = save_if(x.requires_grad(), y);
  return record("softmax", y, {x}, [y = saved, at](const Tensor& grad, Wanted, Sinks& to) {
    Tensor dy = laid_out_like(grad, y), dx = Tensor::empty_like(y);
    launch(y.device(), [&](auto on) {
      kernels::softmax_backward(on, along(y, at).view(), along(dy, at).view(), along(dx, at).mut());
    });
    to.give(0, dx);
  });
}

Tensor log_softmax(const Tensor& x, int axis, Caller caller) {
  detail::OpScope scope("log_softmax", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x})) return log_softmax(cast(x), axis, caller);
  detail::check_floating("log_softmax", x);
  const int at = detail::normal_axis(axis, x.rank(), "log_softmax");
  Tensor x1 = dense(x), y = Tensor::empty_like(x1);
  launch(x.device(), [&](auto on) { kernels::log_softmax(on, along(x1, at).view(), along(y, at).mut()); });
  Tensor saved = save_if(x.requires_grad(), y);
  return record("log_softmax", y, {x}, [y = saved, at](const Tensor& grad, Wanted, Sinks& to) {
    Tensor dy = laid_out_like(grad, y), dx = Tensor::empty_like(y);
    launch(y.device(), [&](auto on) {
      kernels::log_softmax_backward(on, along(y, at).view(), along(dy, at).view(), along(dx, at).mut());
    });
    to.give(0, dx);
  });
}

}  // namespace iskra
