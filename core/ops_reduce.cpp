// Sums, means and arg max.
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;

namespace {

// x summed over axes whose size in `kept` is 1, times scale; not recorded.
Tensor reduced(const Tensor& x, const Shape& kept, double scale) {
  Tensor y = Tensor::empty(kept, {.dtype = x.dtype(), .device = x.device()});
  launch(x.device(), [&](auto on) { kernels::reduce_sum(on, x.view(), y.mut(), scale); });
  return y;
}

Tensor reduce(const char* name, const Tensor& x, const std::vector<int>& axes, bool keep, bool mean) {
  ISKRA_CHECK(is_floating(x.dtype()), name, ": the input is ", x.str(),
              "; convert it to a floating dtype first");
  Shape kept = x.shape();
  bool chosen[Shape::kMaxRank] = {};
  for (int axis : axes) {
    int at = detail::normal_axis(axis, x.rank(), name);
    ISKRA_CHECK(!chosen[at], name, ": axis ", axis, " of ", x.str(), " is named twice; name each axis once");
    chosen[at] = true;
  }
  int64_t count = 1;
  Shape squeezed;
  for (int i = 0; i < x.rank(); ++i) {
    bool gone = axes.empty() || chosen[i];
    if (gone) count *= x.shape()[i], kept[i] = 1;
    if (!gone) squeezed.push_back(x.shape()[i]);
  }
  ISKRA_CHECK(!mean || count > 0, name, ": the input is ", x.str(), "; no elements have no mean");
  double scale = mean ? 1.0 / static_cast<double>(count) : 1.0;
  Tensor y = reduced(x, kept, scale);
  if (!keep) y = detail::view_of(y, squeezed, contiguous_strides(squeezed));
  return record(name, y, {x}, [shape = x.shape(), kept, scale](const Tensor& dy, Wanted, Sinks& to) {
    Tensor dx = dy.reshape(kept);
    if (scale != 1.0) dx = dx * scale;
    to.give(0, dx.expand(shape));
  });
}

}  // namespace

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("sum", caller);
  return reduce("sum", x, axes, keep, false);
}
Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("mean", caller);
  return reduce("mean", x, axes, keep, true);
}

Tensor sum_to(const Tensor& x, const Shape& shape, Caller caller) {
  detail::OpScope scope("sum_to", caller);
  if (x.shape() == shape) return x;
  ISKRA_CHECK(broadcast_shapes(x.shape(), shape, "sum_to") == x.shape(), "sum_to: shape ", shape,
              " does not broadcast to ", x.shape());
  int extra = x.rank() - shape.rank();
  Shape kept = Shape::filled(x.rank(), 1);
  for (int i = 0; i < shape.rank(); ++i) kept[extra + i] = shape[i];
  Tensor y = reduced(x, kept, 1.0);
  y = detail::view_of(y, shape, contiguous_strides(shape));
  return record("sum_to", y, {x},
                [from = x.shape()](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.expand(from)); });
}

}  // namespace iskra
