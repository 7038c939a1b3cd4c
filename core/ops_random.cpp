// Dropout.
#include <iskra/core/launch.h>
#include <iskra/core/op_parts.h>
#include <iskra/core/random.h>

namespace iskra {

using detail::check_floating;
using detail::launch;
using detail::view_of;

Tensor dropout(const Tensor& x, double p, Caller caller) {
  detail::OpScope scope("dropout", caller);
  check_floating("dropout", x);
  ISKRA_CHECK(p >= 0 && p < 1, "dropout: probability ", p, " must be in [0, 1)");
  if (p == 0) return x;
  Tensor dense = x.is_dense() ? x.detach() : x.detach().contiguous();
  Tensor y = Tensor::empty_like(dense);
  RngDraw draw(x.rank() == 0 || x.shape()[0] == 0 ? x.numel() : x.numel() / x.shape()[0]);
  auto rate = static_cast<float>(p);
  launch(x.device(), [&](auto on) { kernels::dropout(on, dense.view(), rate, draw.key(), y.mut()); });
  return record("dropout", y, {x}, [draw, rate, like = y.strides()](const Tensor& dy, Wanted, Sinks& to) {
    Tensor dx = Tensor::empty(dy.shape(), {.dtype = dy.dtype(), .device = dy.device()});
    dx = view_of(dx, dy.shape(), like);
    Tensor same = dx;
    if (!(dy.strides() == like)) {
      same = Tensor::empty_like(dx);
      same.copy_from(dy);
    } else {
      same = dy;
    }
    launch(dy.device(), [&](auto on) { kernels::dropout(on, same.view(), rate, draw.key(), dx.mut()); });
    to.give(0, dx);
  });
}

}  // namespace iskra
