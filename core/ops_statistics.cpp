// Variance, extremes and norms over any axes.
#include <cmath>
#include <limits>

#include <iskra/core/autocast.h>
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/reduce_axes.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::check_floating;
using detail::computed_in;
using detail::launch;
using detail::reduced;
using detail::ReducedAxes;
using kernels::ReduceOp;
using kernels::UnaryOp;

namespace {

/// Mean and variance in the type that is computed in, of shape `kept`.
struct Moments {
  Tensor mean, var;
};
// Two passes: the second one around the mean, so that a large mean costs no accuracy.
Moments moments(const char* op, const Tensor& x, const ReducedAxes& at, double correction) {
  check_floating(op, x);
  const double count = static_cast<double>(at.count);
  ISKRA_CHECK(at.count > 0 || at.kept.numel() == 0, op, ": the input is ", x.str(),
              "; no elements have no variance");
  const DType compute = computed_in(x.dtype());
  Tensor mean = reduced(ReduceOp::sum, x, at.kept, compute, 1 / count);
  // As many elements as the correction give NaN or infinity, as in PyTorch.
  Tensor var =
      reduced(ReduceOp::square_sum, x, at.kept, compute, 1 / std::max(0.0, count - correction), mean);
  return {mean, var};
}

// dx of the variance: dvar * 2 (x - mean) / (count - correction), in x's dtype.
Tensor variance_gradient(const Tensor& x, const Tensor& mean, const Tensor& dvar, double divisor) {
  return ((x - mean) * (dvar * (2 / divisor))).to(x.dtype());
}

Tensor extreme(const char* name, ReduceOp op, const Tensor& x, const std::vector<int>& axes, bool keep,
               const Caller& caller) {
  detail::OpScope scope(name, caller);
  const ReducedAxes at(name, x, axes, keep);
  ISKRA_CHECK(at.count > 0 || at.kept.numel() == 0, name, ": the input is ", x.str(),
              "; no elements have no extreme, leave out axes of size 0");
  const Tensor y_kept = reduced(op, x, at.kept, x.dtype());
  return record(name, at.reshaped(y_kept), {x},
                [at, x = save_if(x.requires_grad(), x), y = save_if(x.requires_grad(), y_kept)](
                    const Tensor& dy, Wanted, Sinks& to) {
                  const Tensor chosen = eq(x, y);
                  const Tensor ties = reduced(ReduceOp::count, chosen, at.kept, DType::i64);
                  to.give(0, (chosen * (dy.reshape(at.kept) / ties)).to(x.dtype()));
                });
}

ReduceOp norm_op(double p) {
  if (p == 0) return ReduceOp::count;
  if (p == 1) return ReduceOp::abs_sum;
  if (p == 2) return ReduceOp::square_sum;
  if (std::isinf(p)) return p > 0 ? ReduceOp::abs_maximum : ReduceOp::abs_minimum;
  return ReduceOp::power_sum;
}

/// 1 where the norm is not 0, so that the gradient there is 0, as PyTorch defines it.
Tensor norm_gradient(const Tensor& x, const Tensor& y, const Tensor& dy, double p, const ReducedAxes& at) {
  if (p == 0) return Tensor::zeros(x.shape(), {.dtype = x.dtype(), .device = x.device()});
  if (p == 1) return (sign(x) * dy).to(x.dtype());
  if (std::isinf(p)) {
    const Tensor chosen = eq(abs(x), y);
    const Tensor ties = reduced(ReduceOp::count, chosen, at.kept, DType::i64);
    return (sign(x) * chosen * (dy / ties)).to(x.dtype());
  }
  const Tensor zero = eq(y, 0);
  const Tensor safe = y + zero;  // x is 0 there as well
  if (p == 2) return (x * (dy / safe)).to(x.dtype());
  // x / |x| (|x| / y)^(p - 1), and 0 at 0.
  return (sign(x) * pow(abs(x) / safe, p - 1) * dy).to(x.dtype());
}

}  // namespace

Tensor var(const Tensor& x, const std::vector<int>& axes, bool keep, double correction, Caller caller) {
  detail::OpScope scope("var", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x}))
    return var(cast(x), axes, keep, correction, caller);
  const ReducedAxes at("var", x, axes, keep);
  const Moments of = moments("var", x, at, correction);
  const double divisor = static_cast<double>(at.count) - correction;
  return record("var", at.reshaped(of.var).to(x.dtype()), {x},
                [at, divisor, x = save_if(x.requires_grad(), x), mean = save_if(x.requires_grad(), of.mean)](
                    const Tensor& dy, Wanted, Sinks& to) {
                  to.give(0, variance_gradient(x, mean, dy.reshape(at.kept), divisor));
                });
}

Tensor std_dev(const Tensor& x, const std::vector<int>& axes, bool keep, double correction, Caller caller) {
  detail::OpScope scope("std_dev", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x}))
    return std_dev(cast(x), axes, keep, correction, caller);
  const ReducedAxes at("std_dev", x, axes, keep);
  Moments of = moments("std_dev", x, at, correction);
  launch(x.device(), [&](auto on) { kernels::unary(on, UnaryOp::sqrt, of.var.view(), of.var.mut()); });
  const double divisor = static_cast<double>(at.count) - correction;
  return record("std_dev", at.reshaped(of.var).to(x.dtype()), {x},
                [at, divisor, x = save_if(x.requires_grad(), x), mean = save_if(x.requires_grad(), of.mean),
                 y = save_if(x.requires_grad(), of.var)](const Tensor& dy, Wanted, Sinks& to) {
                  // dvar = dy / (2 y); where y is 0, so is x - mean.
                  const Tensor dvar = dy.reshape(at.kept) / ((y + eq(y, 0)) * 2.0);
                  to.give(0, variance_gradient(x, mean, dvar, divisor));
                });
}

std::pair<Tensor, Tensor> var_mean(const Tensor& x, const std::vector<int>& axes, bool keep,
                                   double correction, Caller caller) {
  detail::OpScope scope("var_mean", caller);
  return {var(x, axes, keep, correction), mean(x, axes, keep)};
}

Tensor amax(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  return extreme("amax", ReduceOp::maximum, x, axes, keep, caller);
}
Tensor amin(const Tensor& x, const std::vector<int>& axes, bool keep, Caller caller) {
  return extreme("amin", ReduceOp::minimum, x, axes, keep, caller);
}

Tensor norm(const Tensor& x, double p, const std::vector<int>& axes, bool keep, Caller caller) {
  detail::OpScope scope("norm", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x}))
    return norm(cast(x), p, axes, keep, caller);
  check_floating("norm", x);
  const ReducedAxes at("norm", x, axes, keep);
  const DType compute = computed_in(x.dtype());
  ISKRA_CHECK(!std::isinf(p) || at.count > 0 || at.kept.numel() == 0, "norm: the input is ", x.str(),
              "; no elements have no largest one, leave out axes of size 0");
  Tensor y_kept = reduced(norm_op(p), x, at.kept, compute, 1, {}, p);
  launch(x.device(), [&](auto on) {
    if (p == 2) kernels::unary(on, UnaryOp::sqrt, y_kept.view(), y_kept.mut());
    if (norm_op(p) == ReduceOp::power_sum)
      kernels::unary(on, UnaryOp::pow_number, y_kept.view(), y_kept.mut(), {{1 / p, 0}});
  });
  return record("norm", at.reshaped(y_kept).to(x.dtype()), {x},
                [at, p, x = save_if(x.requires_grad(), x), y = save_if(x.requires_grad(), y_kept)](
                    const Tensor& dy, Wanted, Sinks& to) {
                  to.give(0, norm_gradient(x, y, dy.reshape(at.kept), p, at));
                });
}

}  // namespace iskra
