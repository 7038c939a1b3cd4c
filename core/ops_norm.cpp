// Normalisation: over rows (layer, RMS), and over channels (batch, group, instance).
#include <iskra/core/launch.h>
#include <iskra/core/op_parts.h>

namespace iskra {

using detail::as_matrix;
using detail::channels_first;
using detail::channels_inside;
using detail::check_floating;
using detail::computing;
using detail::empty_of;
using detail::launch;
using detail::mut_or_none;
using detail::view_of;
using detail::view_or_none;

namespace {

/// A parameter beside x: of x's dtype, or of the wider one that x's kernels compute in.
void check_parameter(const char* name, const Tensor& x, const Tensor& p, const Shape& shape,
                     const char* why) {
  ISKRA_CHECK(
      !p.defined() || (p.shape() == shape && (p.dtype() == x.dtype() || p.dtype() == computing(x.dtype()))),
      name, ": a parameter is ", p.str(), ", the input ", x.str(), "; it must be ", shape, ", ", why,
      ", in the input's dtype or f32");
}

void check_eps(const char* name, double eps) {
  ISKRA_CHECK(eps > 0, name, ": eps ", eps, " must be positive");
}

Tensor dense_or_none(const Tensor& p) { return p.defined() ? p.detach().contiguous() : Tensor(); }

/// Calls compute(dweight, dbias) with row-major sinks for inputs 1 and 2, undefined ones where unwanted.
void into_parameters(Wanted wanted, Sinks& to, const std::function<void(const Sink&, const Sink&)>& compute) {
  auto with_bias = [&](const Sink& dweight) {
    if (!wanted[2]) return compute(dweight, {});
    detail::into_row_major(to.accumulate(2), [&](const Sink& dbias) { compute(dweight, dbias); });
  };
  if (!wanted[1]) return with_bias({});
  detail::into_row_major(to.accumulate(1), with_bias);
}

}  // namespace

// ----------------------------------------------------------------------------------------------------
// over rows

namespace {

/// The shape of the last `axes` axes: those of the weight (or bias) when 0, or the last one without any.
Shape normalized_shape(const char* name, const Tensor& x, const Tensor& parameter, int axes) {
  if (axes == 0) axes = parameter.defined() ? parameter.rank() : 1;
  ISKRA_CHECK(x.rank() >= 1, name, ": the input has no axis to normalise");
  ISKRA_CHECK(axes >= 1 && axes <= x.rank(), name, ": ", axes, " axes to normalise, but the input is ",
              x.str(), "; it must have as many");
  Shape shape;
  for (int i = x.rank() - axes; i < x.rank(); ++i) shape.push_back(x.shape()[i]);
  return shape;
}

Tensor row_norm(const char* name, bool centred, const Tensor& x, const Tensor& weight, const Tensor& bias,
                double eps, int axes) {
  check_floating(name, x);
  const Shape over = normalized_shape(name, x, weight.defined() ? weight : bias, axes);
  for (const Tensor& p : {weight, bias})
    check_parameter(name, x, p, over, "one value per element of the normalised axes");
  check_eps(name, eps);
  const int64_t length = over.numel();
  Tensor rows = as_matrix(x.detach().contiguous(), length);
  Tensor w = dense_or_none(weight), b = dense_or_none(bias);
  Tensor y = empty_of(x.shape(), x.dtype(), x);
  Tensor rstd = empty_of({rows.size(0)}, computing(x.dtype()), x);
  Tensor mean = centred ? Tensor::empty_like(rstd) : Tensor();
  launch(x.device(), [&](auto on) {
    kernels::layer_norm(on, rows.view(), view_or_none(w), view_or_none(b), eps, as_matrix(y, length).mut(),
                        mut_or_none(mean), rstd.mut());
  });
  return record(name, y, {x, weight, bias},
                [shape = x.shape(), rows, mean, rstd, w](const Tensor& dy, Wanted wanted, Sinks& to) {
                  const int64_t width = rows.size(1);
                  Tensor dx = wanted[0] ? empty_of(shape, dy.dtype(), dy) : Tensor();
                  Tensor dy_rows = as_matrix(dy.contiguous(), width);
                  into_parameters(wanted, to, [&](const Sink& dw, const Sink& db) {
                    launch(dy.device(), [&](auto on) {
                      kernels::layer_norm_backward(
                          on, rows.view(), view_or_none(w), view_or_none(mean), rstd.view(), dy_rows.view(),
                          dx.defined() ? as_matrix(dx, width).mut() : mut_or_none(dx), mut_or_none(dw.into),
                          mut_or_none(db.into), dw.beta, db.beta);
                    });
                  });
                  if (wanted[0]) to.give(0, dx);
                });
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, int axes,
                  Caller caller) {
  detail::OpScope scope("layer_norm", caller);
  return row_norm("layer_norm", true, x, weight, bias, eps, axes);
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, int axes, Caller caller) {
  detail::OpScope scope("rms_norm", caller);
  return row_norm("rms_norm", false, x, weight, {}, eps, axes);
}

// ----------------------------------------------------------------------------------------------------
// over channels

namespace {

/// x (N,C,...) as the samples (S,R,C) of channel norms: one with all pixels, or one for each picture.
Tensor as_samples(const Tensor& inside, bool one) {
  const int64_t channels = inside.shape().back();
  const int64_t samples = one ? 1 : inside.size(0);
  const int64_t rows = samples * channels == 0 ? 0 : inside.numel() / samples / channels;
  return view_of(inside, {samples, rows, channels}, {rows * channels, channels, 1});
}

void check_channels(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  check_floating(name, x);
  ISKRA_CHECK(x.rank() >= 2, name, ": the input has shape ", x.shape(), "; it must be (N,C) or (N,C,...)");
  for (const Tensor& p : {weight, bias}) check_parameter(name, x, p, {x.size(1)}, "one value per channel");
  check_eps(name, eps);
}

/// y from x's statistics, and its gradient. `one`: all pixels are one sample; `fixed`: the statistics are
/// given.
Tensor normalized(const char* name, const Tensor& x, const Tensor& inside, const Tensor& mean,
                  const Tensor& var, bool one, bool fixed, const Tensor& weight, const Tensor& bias,
                  double eps) {
  Tensor w = dense_or_none(weight), b = dense_or_none(bias);
  Tensor y = Tensor::empty_like(inside);
  launch(x.device(), [&](auto on) {
    kernels::channel_norm(on, as_samples(inside, one).view(), mean.view(), var.view(), view_or_none(w),
                          view_or_none(b), eps, as_samples(y, one).mut());
  });
  const bool parameters = (w.defined() && weight.requires_grad()) || (b.defined() && bias.requires_grad());
  Tensor saved = save_if(!fixed || parameters, inside);
  return record(name, channels_first(y), {x, weight, bias},
                [one, fixed, saved, mean, var, w, eps](const Tensor& grad, Wanted wanted, Sinks& to) {
                  Tensor dy = channels_inside(grad);
                  Tensor dx = wanted[0] ? Tensor::empty_like(dy) : Tensor();
                  Tensor read = saved.defined() ? as_samples(saved, one) : Tensor();
                  Tensor written = wanted[0] ? as_samples(dx, one) : Tensor();
                  into_parameters(wanted, to, [&](const Sink& dw, const Sink& db) {
                    launch(dy.device(), [&](auto on) {
                      kernels::channel_norm_backward(on, view_or_none(read), mean.view(), var.view(), fixed,
                                                     view_or_none(w), as_samples(dy, one).view(), eps,
                                                     mut_or_none(written), mut_or_none(dw.into),
                                                     mut_or_none(db.into), dw.beta, db.beta);
                    });
                  });
                  if (wanted[0]) to.give(0, channels_first(dx));
                });
}

void check_running(const Tensor& x, const Tensor& running) {
  ISKRA_CHECK(running.shape() == Shape({x.size(1)}) && running.dtype() == computing(x.dtype()) &&
                  running.is_contiguous(),
              "batch_norm: a running statistic is ", running.str(), ", the input ", x.str(),
              "; it must be a dense ", name_of(computing(x.dtype())), " (", x.size(1), ")");
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, const BatchNormOptions& options, Caller caller) {
  constexpr const char* kName = "batch_norm";
  detail::OpScope scope(kName, caller);
  check_channels(kName, x, weight, bias, options.eps);
  ISKRA_CHECK(running_mean.defined() == running_var.defined(), kName,
              ": one running statistic is given; give both or none");
  if (running_mean.defined()) {
    check_running(x, running_mean);
    check_running(x, running_var);
  }
  Tensor inside = channels_inside(x);
  const int64_t channels = x.size(1), count = channels == 0 ? 0 : x.numel() / channels;
  if (!options.training) {
    ISKRA_CHECK(running_mean.defined(), kName, ": outside of training it needs running_mean and running_var");
    // Copies: the statistics may go on before the gradient is asked for.
    Tensor mean = running_mean.detach().clone().reshape({1, channels});
    Tensor var = running_var.detach().clone().reshape({1, channels});
    return normalized(kName, x, inside, mean, var, true, true, weight, bias, options.eps);
  }
  ISKRA_CHECK(count > 1, kName, ": the input is ", x.str(),
              "; in training it needs more than one value per channel");
  Tensor mean = empty_of({1, channels}, computing(x.dtype()), x);
  Tensor var = Tensor::empty_like(mean);
  launch(x.device(), [&](auto on) {
    kernels::channel_statistics(on, as_samples(inside, true).view(), mean.mut(), var.mut());
    if (!running_mean.defined()) return;
    const double unbiased = static_cast<double>(count) / static_cast<double>(count - 1);
    kernels::blend_statistics(on, mean.view(), options.momentum, 1, running_mean.mut());
    kernels::blend_statistics(on, var.view(), options.momentum, unbiased, running_var.mut());
  });
  return normalized(kName, x, inside, mean, var, true, false, weight, bias, options.eps);
}

namespace {

Tensor norm_of_groups(const char* name, const Tensor& x, int64_t groups, const Tensor& weight,
                      const Tensor& bias, double eps) {
  Tensor inside = channels_inside(x);
  Tensor mean = empty_of({x.size(0), groups}, computing(x.dtype()), x);
  Tensor var = Tensor::empty_like(mean);
  launch(x.device(), [&](auto on) {
    kernels::channel_statistics(on, as_samples(inside, false).view(), mean.mut(), var.mut());
  });
  return normalized(name, x, inside, mean, var, false, false, weight, bias, eps);
}

}  // namespace

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                  Caller caller) {
  detail::OpScope scope("group_norm", caller);
  check_channels("group_norm", x, weight, bias, eps);
  ISKRA_CHECK(groups >= 1 && x.size(1) >= groups && x.size(1) % groups == 0, "group_norm: ", groups,
              " groups of the channels of ", x.str(), "; the groups must divide the channels");
  return norm_of_groups("group_norm", x, groups, weight, bias, eps);
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Caller caller) {
  detail::OpScope scope("instance_norm", caller);
  check_channels("instance_norm", x, weight, bias, eps);
  ISKRA_CHECK(x.size(1) >= 1 && (x.size(0) == 0 || x.numel() / x.size(0) > x.size(1)),
              "instance_norm: the input is ", x.str(),
              "; it needs more than one value per channel of each sample");
  return norm_of_groups("instance_norm", x, x.size(1), weight, bias, eps);
}

}  // namespace iskra
