// Pointwise ops, reductions and products.
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::mut_or_none;
using detail::view_or_none;
using kernels::BinaryOp;
using kernels::UnaryOp;

namespace {

Tensor unary(UnaryOp op, const Tensor& x) {
  const char* name = name_of(op);
  ISKRA_CHECK(is_floating(x.dtype()), name, ": the input is ", x.str(),
              "; convert it to a floating dtype first");
  Tensor y = Tensor::empty_like(x);
  launch(x.device(), [&](auto on) { kernels::unary(on, op, x.view(), y.mut()); });
  kernels::BackwardReads reads = kernels::backward_reads(op);
  return record(name, y, {x},
                [op, x = save_if(reads.first && x.requires_grad(), x),
                 y = save_if(reads.second && x.requires_grad(), y)](const Tensor& dy, Wanted, Sinks& to) {
                  Tensor dx = Tensor::empty_like(x.defined() ? x : y.defined() ? y : dy);
                  launch(dy.device(), [&](auto on) {
                    kernels::unary_backward(on, op, view_or_none(x), view_or_none(y), dy.view(), dx.mut());
                  });
                  to.give(0, dx);
                });
}

// The layout of the operand that already has y's shape, so that channels-last stays channels-last.
Tensor empty_broadcast(const Tensor& a, const Tensor& b, const Shape& shape) {
  if (a.shape() == shape && a.is_dense()) return Tensor::empty_like(a);
  if (b.shape() == shape && b.is_dense()) return Tensor::empty_like(b);
  return Tensor::empty(shape, {.dtype = a.dtype(), .device = a.device()});
}

Tensor broadcast_view(const Tensor& x, const Shape& shape) {
  NoGrad no_grad;
  return x.shape() == shape ? x.detach() : x.expand(shape);
}

void check_pair(const char* name, const Tensor& a, const Tensor& b) {
  ISKRA_CHECK(a.dtype() == b.dtype(), name, ": the operands are ", a.str(), " and ", b.str(),
              "; convert one with to(DType)");
  ISKRA_CHECK(a.device() == b.device(), name, ": the operands are on ", a.device(), " and ", b.device(),
              "; move one with to(Device)");
}

Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b) {
  const char* name = name_of(op);
  ISKRA_CHECK(is_floating(a.dtype()), name, ": the operand is ", a.str(),
              "; convert it to a floating dtype first");
  check_pair(name, a, b);
  Shape shape = broadcast_shapes(a.shape(), b.shape(), name);
  Tensor y = empty_broadcast(a, b, shape);
  Tensor a_wide = broadcast_view(a, shape);
  Tensor b_wide = broadcast_view(b, shape);
  launch(a.device(), [&](auto on) { kernels::binary(on, op, a_wide.view(), b_wide.view(), y.mut()); });
  kernels::BackwardReads reads = kernels::backward_reads(op);
  bool needed = recording({&a, &b});
  return record(name, y, {a, b},
                [op, a_shape = a.shape(), b_shape = b.shape(), a = save_if(needed && reads.first, a_wide),
                 b = save_if(needed && reads.second, b_wide)](const Tensor& dy, Wanted wanted, Sinks& to) {
                  Tensor da = wanted[0] ? Tensor::empty_like(dy) : Tensor();
                  Tensor db = wanted[1] ? Tensor::empty_like(dy) : Tensor();
                  launch(dy.device(), [&](auto on) {
                    kernels::binary_backward(on, op, view_or_none(a), view_or_none(b), dy.view(),
                                             mut_or_none(da), mut_or_none(db));
                  });
                  if (wanted[0]) to.give(0, sum_to(da, a_shape));
                  if (wanted[1]) to.give(1, sum_to(db, b_shape));
                });
}

Tensor scalar_like(const Tensor& x, double value) {
  return Tensor::full({}, value, {.dtype = x.dtype(), .device = x.device()});
}

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
    ISKRA_CHECK(!chosen[at], name, ": axis ", axis, " is named twice");
    chosen[at] = true;
  }
  int64_t count = 1;
  Shape squeezed;
  for (int i = 0; i < x.rank(); ++i) {
    bool gone = axes.empty() || chosen[i];
    if (gone) count *= x.shape()[i], kept[i] = 1;
    if (!gone) squeezed.push_back(x.shape()[i]);
  }
  ISKRA_CHECK(!mean || count > 0, name, ": the mean of no elements (shape ", x.shape(), ") is undefined");
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

#define ISKRA_DEFINE_UNARY(name, doc) \
  Tensor name(const Tensor& x) { return unary(UnaryOp::name, x); }
ISKRA_UNARY_OPS(ISKRA_DEFINE_UNARY)
#undef ISKRA_DEFINE_UNARY
#define ISKRA_DEFINE_BINARY(name, doc) \
  Tensor name(const Tensor& a, const Tensor& b) { return binary(BinaryOp::name, a, b); }
ISKRA_BINARY_OPS(ISKRA_DEFINE_BINARY)
#undef ISKRA_DEFINE_BINARY

Tensor operator+(const Tensor& a, double b) { return add(a, scalar_like(a, b)); }
Tensor operator-(const Tensor& a, double b) { return sub(a, scalar_like(a, b)); }
Tensor operator*(const Tensor& a, double b) { return mul(a, scalar_like(a, b)); }
Tensor operator/(const Tensor& a, double b) { return div(a, scalar_like(a, b)); }
Tensor operator+(double a, const Tensor& b) { return add(scalar_like(b, a), b); }
Tensor operator-(double a, const Tensor& b) { return sub(scalar_like(b, a), b); }
Tensor operator*(double a, const Tensor& b) { return mul(scalar_like(b, a), b); }
Tensor operator/(double a, const Tensor& b) { return div(scalar_like(b, a), b); }

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep) {
  return reduce("sum", x, axes, keep, false);
}
Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep) {
  return reduce("mean", x, axes, keep, true);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
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

Tensor argmax(const Tensor& x) {
  ISKRA_CHECK(x.rank() >= 1 && x.shape().back() > 0, "argmax: the input is ", x.str(),
              "; its last axis must not be empty");
  ISKRA_CHECK(is_floating(x.dtype()), "argmax: the input is ", x.str(),
              "; convert it to a floating dtype first");
  NoGrad no_grad;
  Tensor rows = x.contiguous();
  Shape shape = x.shape();
  shape.erase(shape.rank() - 1);
  Tensor y = Tensor::empty(shape, {.dtype = DType::i64, .device = x.device()});
  int64_t length = x.shape().back();
  Tensor flat = detail::view_of(rows, {y.numel(), length}, {length, 1});
  Tensor flat_y = detail::view_of(y, {y.numel()}, {1});
  launch(x.device(), [&](auto on) { kernels::argmax(on, flat.view(), flat_y.mut()); });
  return y;
}

}  // namespace iskra
