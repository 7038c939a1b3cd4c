// Dropout of elements, channels and samples.
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
  RngDraw draw(x.rank() == 0 || x.shape()[0] == 0 ? x.numel() : x.numel() / x.shape()[0], x.device());
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

// ----------------------------------------------------------------------------------------------------
// whole samples and channels

namespace {

/// x times one factor for each of its leading `axes` axes' elements: 0 with probability p, else 1/(1-p).
Tensor drop_groups(const char* name, const Tensor& x, double p, int axes) {
  check_floating(name, x);
  ISKRA_CHECK(p >= 0 && p < 1, name, ": probability ", p, " must be in [0, 1)");
  ISKRA_CHECK(x.rank() >= axes, name, ": the input is ", x.str(), "; it must have ", axes, " axes at least");
  if (p == 0) return x;
  Shape groups = Shape::filled(x.rank(), 1), leading;
  for (int i = 0; i < axes; ++i) {
    groups[i] = x.shape()[i];
    leading.push_back(x.shape()[i]);
  }
  const DType wide = detail::computing(x.dtype());
  Tensor ones = Tensor::ones(leading, {.dtype = wide, .device = x.device()});
  Tensor factor = Tensor::empty_like(ones);
  RngDraw draw(leading.numel() == 0 ? 0 : leading.numel() / leading[0], x.device());
  launch(x.device(), [&](auto on) {
    kernels::dropout(on, ones.view(), static_cast<float>(p), draw.key(), factor.mut());
  });
  factor = factor.reshape(groups).expand(x.shape());
  auto times = [factor](const Tensor& a) {
    Tensor y = Tensor::empty_like(a);
    launch(a.device(),
           [&](auto on) { kernels::binary(on, kernels::BinaryOp::mul, a.view(), factor.view(), y.mut()); });
    return y;
  };
  return record(name, times(x.detach()), {x},
                [times](const Tensor& dy, Wanted, Sinks& to) { to.give(0, times(dy)); });
}

}  // namespace

Tensor stochastic_depth(const Tensor& x, double p, Caller caller) {
  detail::OpScope scope("stochastic_depth", caller);
  return drop_groups("stochastic_depth", x, p, 1);
}

Tensor dropout2d(const Tensor& x, double p, Caller caller) {
  detail::OpScope scope("dropout2d", caller);
  return drop_groups("dropout2d", x, p, 2);
}

}  // namespace iskra
