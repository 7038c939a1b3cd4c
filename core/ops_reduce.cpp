// Reductions over any axes: sums, means, products, counts, and the logarithm of a sum of exponentials.
#include <iskra/core/reduce_axes.h>

#include <iskra/core/autocast.h>
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::ReducedAxes;
using kernels::BinaryOp;
using kernels::ReduceOp;
using kernels::UnaryOp;

namespace detail {

DType computed_in(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

ReducedAxes::ReducedAxes(const char* op, const Tensor& x, const std::vector<int>& axes, bool keep)
    : from(x.shape()), kept(x.shape()) {
  bool chosen[Shape::kMaxRank] = {};
  for (int axis : axes) {
    int at = normal_axis(axis, x.rank(), op);
    ISKRA_CHECK(!chosen[at], op, ": axis ", axis, " of ", x.str(), " is named twice; name each axis once");
    chosen[at] = true;
  }
  for (int i = 0; i < x.rank(); ++i) {
    const bool gone = axes.empty() || chosen[i];
    if (gone) count *= x.shape()[i], kept[i] = 1;
    if (!gone || keep) result.push_back(kept[i]);
  }
}

Tensor ReducedAxes::reshaped(const Tensor& y) const { return view_of(y, result, contiguous_strides(result)); }

Tensor reduced(ReduceOp op, const Tensor& x, const Shape& kept, DType dtype, double scale,
               const Tensor& shift, double power) {
  Tensor y = Tensor::empty(kept, {.dtype = dtype, .device = x.device()});
  launch(x.device(),
         [&](auto on) { kernels::reduce(on, op, x.view(), view_or_none(shift), y.mut(), scale, power); });
  return y;
}

}  // namespace detail

using detail::check_floating;
using detail::computed_in;
using detail::reduced;

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("sum", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x})) return sum(cast(x), axes, keep, caller);
  const ReducedAxes at("sum", x, axes, keep);
  const DType dtype = is_floating(x.dtype()) ? x.dtype() : DType::i64;
  Tensor y = at.reshaped(reduced(ReduceOp::sum, x, at.kept, dtype));
  return record("sum", y, {x}, [at](const Tensor& dy, Wanted, Sinks& to) {
    to.give(0, dy.reshape(at.kept).expand(at.from));
  });
}

Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("mean", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x})) return mean(cast(x), axes, keep, caller);
  check_floating("mean", x);
  const ReducedAxes at("mean", x, axes, keep);
  ISKRA_CHECK(at.count > 0 || at.kept.numel() == 0, "mean: the input is ", x.str(),
              "; no elements have no mean");
  const double part = 1.0 / static_cast<double>(at.count);
  Tensor y = at.reshaped(reduced(ReduceOp::sum, x, at.kept, x.dtype(), part));
  return record("mean", y, {x}, [at, part](const Tensor& dy, Wanted, Sinks& to) {
    to.give(0, (dy.reshape(at.kept) * part).expand(at.from));
  });
}

Tensor sum_to(const Tensor& x, const Shape& shape, Caller caller) {
  detail::OpScope scope("sum_to", caller);
  if (x.shape() == shape) return x;
  ISKRA_CHECK(broadcast_shapes(x.shape(), shape, "sum_to") == x.shape(), "sum_to: shape ", shape,
              " does not broadcast to ", x.shape());
  int extra = x.rank() - shape.rank();
  Shape kept = Shape::filled(x.rank(), 1);
  for (int i = 0; i < shape.rank(); ++i) kept[extra + i] = shape[i];
  Tensor y = reduced(ReduceOp::sum, x, kept, is_floating(x.dtype()) ? x.dtype() : DType::i64);
  y = detail::view_of(y, shape, contiguous_strides(shape));
  return record("sum_to", y, {x},
                [from = x.shape()](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.expand(from)); });
}

Tensor prod(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("prod", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x})) return prod(cast(x), axes, keep, caller);
  const ReducedAxes at("prod", x, axes, keep);
  const DType dtype = is_floating(x.dtype()) ? x.dtype() : DType::i64;
  const Tensor all = reduced(ReduceOp::product, x, at.kept, is_floating(dtype) ? computed_in(dtype) : dtype);
  const bool needed = x.requires_grad();
  return record("prod", at.reshaped(all).to(dtype), {x},
                [at, x = save_if(needed, x), y = save_if(needed, all)](const Tensor& dy, Wanted, Sinks& to) {
                  Tensor dx = Tensor::empty_like(x), of = dy.reshape(at.kept);
                  launch(x.device(), [&](auto on) {
                    kernels::product_backward(on, x.view(), y.view(), of.view(), dx.mut());
                  });
                  to.give(0, dx);
                });
}

Tensor count_nonzero(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("count_nonzero", caller);
  const ReducedAxes at("count_nonzero", x, axes, keep);
  return at.reshaped(reduced(ReduceOp::count, x, at.kept, DType::i64));
}

Tensor any(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("any", caller);
  const ReducedAxes at("any", x, axes, keep);
  return at.reshaped(reduced(ReduceOp::count, x, at.kept, DType::boolean));
}

Tensor all(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("all", caller);
  const ReducedAxes at("all", x, axes, keep);
  return eq(at.reshaped(reduced(ReduceOp::count, x, at.kept, DType::i64)), static_cast<double>(at.count));
}

Tensor logsumexp(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("logsumexp", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x}))
    return logsumexp(cast(x), axes, keep, caller);
  check_floating("logsumexp", x);
  const ReducedAxes at("logsumexp", x, axes, keep);
  const DType compute = computed_in(x.dtype());
  const Tensor largest = reduced(ReduceOp::maximum, x, at.kept, compute);
  Tensor lse = reduced(ReduceOp::exp_sum, x, at.kept, compute, 1, largest);
  launch(x.device(), [&](auto on) {
    kernels::unary(on, UnaryOp::log, lse.view(), lse.mut());
    kernels::binary(on, BinaryOp::add, lse.view(), largest.view(), lse.mut());
  });
  const Tensor y = at.reshaped(lse.to(x.dtype()));
  return record(
      "logsumexp", y, {x},
      [at, lse = save_if(x.requires_grad(), lse), x = save_if(x.requires_grad(), x)](const Tensor& dy, Wanted,
                                                                                     Sinks& to) {
        Tensor weight = sub(x, lse);  // in the type that is computed in: e^ multiplies its error
        launch(x.device(), [&](auto on) { kernels::unary(on, UnaryOp::exp, weight.view(), weight.mut()); });
        Tensor dx = Tensor::empty_like(x), factor = dy.reshape(at.kept).expand(at.from);
        launch(x.device(),
               [&](auto on) { kernels::binary(on, BinaryOp::mul, weight.view(), factor.view(), dx.mut()); });
        to.give(0, dx);
      });
}

bool equal(const Tensor& a, const Tensor& b, Caller caller) {
  detail::OpScope scope("equal", caller);
  return a.shape() == b.shape() && all(eq(a, b)).item() != 0;
}

bool all_close(const Tensor& a, const Tensor& b, double relative, double absolute, Caller caller) {
  detail::OpScope scope("all_close", caller);
  NoGrad no_grad;
  // Equal infinities are close; a NaN is close to nothing.
  const Tensor near = le(abs(a - b), abs(b) * relative + absolute);
  return all(logical_or(eq(a, b), logical_and(near, is_finite(b)))).item() != 0;
}

}  // namespace iskra
