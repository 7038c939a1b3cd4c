// Losses.
#include <iskra/core/autocast.h>
#include <iskra/core/launch.h>
#include <iskra/core/op_parts.h>
#include <iskra/kernels/index_check.h>

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

// ----------------------------------------------------------------------------------------------------
// cross-entropy

namespace {

/// The sizes of x (M,C) or (N,C,...) without C.
Shape without_classes(const Tensor& x) {
  Shape shape = x.shape();
  shape.erase(1);
  return shape;
}

void check_classes(const char* name, const Tensor& x, const Tensor& target, const Tensor& weight,
                   double smoothing) {
  check_floating(name, x);
  ISKRA_CHECK(x.rank() >= 2 && x.size(1) >= 1, name, ": the logits are ", x.str(),
              "; they must be (M,C) or (N,C,...) with a class at least");
  const bool labels = target.dtype() == DType::i64 && target.shape() == without_classes(x);
  const bool soft = target.dtype() == x.dtype() && target.shape() == x.shape();
  ISKRA_CHECK(labels || soft, name, ": the target is ", target.str(), ", the logits ", x.str(),
              "; it must be labels, i64 ", without_classes(x), ", or distributions like the logits");
  ISKRA_CHECK(!weight.defined() || (weight.shape() == Shape({x.size(1)}) && is_floating(weight.dtype())),
              name, ": the weight is ", weight.str(), ", the logits ", x.str(),
              "; it must be floating, one value per class");
  ISKRA_CHECK(smoothing >= 0 && smoothing < 1, name, ": smoothing ", smoothing, " must be in [0, 1)");
}

/// Cross-entropy of logits, or of their logarithms already (`normalized`), checked before.
Tensor of_classes(const char* name, bool normalized, const Tensor& logits, const Tensor& target,
                  const Tensor& weight, const kernels::CrossEntropy& at) {
  ISKRA_CHECK(at.reduction != Reduction::mean || logits.numel() > 0, name, ": logits of shape ",
              logits.shape(), " have no mean loss; the batch is empty");
  const bool soft = target.dtype() != DType::i64;
  const int64_t classes = logits.size(1);
  Tensor inside = channels_inside(logits), x = as_matrix(inside, classes);
  const int64_t rows = x.size(0);
  Tensor wanted_inside = soft ? channels_inside(target) : target.contiguous();
  Tensor t = soft ? as_matrix(wanted_inside, classes) : view_of(wanted_inside, {rows}, {1});
  Tensor w = weight.defined() ? weight.detach().contiguous() : Tensor();
  const bool each = at.reduction == Reduction::none;
  Tensor loss = empty_of(each ? without_classes(logits) : Shape{}, x.dtype(), x);
  Tensor lse = normalized ? Tensor() : empty_of({rows}, computing(x.dtype()), x);
  Tensor total = empty_of({}, computing(x.dtype()), x);
  if (!soft && x.device().is_cuda() && context().synchronous)
    kernels::check_labels(at, t.to(Device::cpu()).view(), classes, normalized ? "nll_loss" : "cross_entropy");
  launch(x.device(), [&](auto on) {
    kernels::cross_entropy(on, at, x.view(), t.view(), view_or_none(w), loss.mut(), mut_or_none(lse),
                           total.mut());
  });
  return record(
      name, loss, {logits, soft ? target : Tensor()},
      [at, inside, wanted_inside, x, t, w, lse, total, each](const Tensor& grad, Wanted wanted, Sinks& to) {
        Tensor dloss = each ? grad.contiguous() : grad;
        Tensor dx = wanted[0] ? Tensor::empty_like(inside) : Tensor();
        Tensor dt = wanted[1] ? Tensor::empty_like(wanted_inside) : Tensor();
        launch(x.device(), [&](auto on) {
          kernels::cross_entropy_backward(on, at, x.view(), t.view(), view_or_none(w), view_or_none(lse),
                                          total.view(), dloss.view(), mut_or_none(dx), mut_or_none(dt));
        });
        if (wanted[0]) to.give(0, channels_first(dx));
        if (wanted[1]) to.give(1, channels_first(dt));
      });
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options,
                     Caller caller) {
  detail::OpScope scope("cross_entropy", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&logits, &target}))
    return cross_entropy(cast(logits), cast(target), options, caller);
  check_classes("cross_entropy", logits, target, options.weight, options.smoothing);
  return of_classes("cross_entropy", false, logits, target, options.weight,
                    {options.smoothing, options.ignore_index, options.reduction});
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, double smoothing, Caller caller) {
  return cross_entropy(logits, target, CrossEntropyOptions{.smoothing = smoothing}, caller);
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& labels, const NllLossOptions& options,
                Caller caller) {
  detail::OpScope scope("nll_loss", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&log_probabilities}))
    return nll_loss(cast(log_probabilities), labels, options, caller);
  check_classes("nll_loss", log_probabilities, labels, options.weight, 0);
  ISKRA_CHECK(labels.dtype() == DType::i64, "nll_loss: the labels are ", labels.str(), "; they must be i64");
  return of_classes("nll_loss", true, log_probabilities, labels, options.weight,
                    {0, options.ignore_index, options.reduction});
}

// ----------------------------------------------------------------------------------------------------
// pairs

namespace {

void check_pair(const char* name, const Tensor& x, const Tensor& target) {
  check_floating(name, x);
  ISKRA_CHECK(x.shape() == target.shape() && x.dtype() == target.dtype(), name, ": the input is ", x.str(),
              ", the target ", target.str(), "; they must have one shape and dtype");
}

/// x in memory of its own layout when that is dense; `like` in the same.
Tensor dense_like(const Tensor& x, const Tensor& like) {
  if (x.strides() == like.strides()) return x.detach();
  Tensor same = Tensor::empty_like(like);
  same.copy_from(x);
  return same;
}

Tensor of_pairs(const char* name, kernels::PairLoss kind, const Tensor& x, const Tensor& target,
                double parameter, Reduction reduction, const Tensor& weight = {},
                const Tensor& pos_weight = {}) {
  check_pair(name, x, target);
  Tensor x1 = x.is_dense() ? x.detach() : x.detach().contiguous();
  Tensor t1 = dense_like(target, x1);
  Tensor w = weight.defined() ? dense_like(weight, x1) : Tensor();
  Tensor p = pos_weight.defined() ? dense_like(pos_weight, x1) : Tensor();
  auto inputs = [x1, t1, w, p] {
    return kernels::PairLossInputs{x1.view(), t1.view(), view_or_none(w), view_or_none(p)};
  };
  const bool each = reduction == Reduction::none;
  Tensor loss = each ? Tensor::empty_like(x1) : empty_of({}, x.dtype(), x);
  launch(x.device(),
         [&](auto on) { kernels::pair_loss(on, kind, parameter, reduction, inputs(), loss.mut()); });
  return record(name, loss, {x, target},
                [kind, parameter, reduction, each, x1, inputs](const Tensor& grad, Wanted wanted, Sinks& to) {
                  Tensor dloss = each ? dense_like(grad, x1) : grad;
                  Tensor dx = wanted[0] ? Tensor::empty_like(x1) : Tensor();
                  Tensor dt = wanted[1] ? Tensor::empty_like(x1) : Tensor();
                  launch(x1.device(), [&](auto on) {
                    kernels::pair_loss_backward(on, kind, parameter, reduction, inputs(), dloss.view(),
                                                mut_or_none(dx), mut_or_none(dt));
                  });
                  if (wanted[0]) to.give(0, dx);
                  if (wanted[1]) to.give(1, dt);
                });
}

/// A weight beside x: of its dtype, broadcast to its shape.
Tensor spread(const char* name, const char* which, const Tensor& weight, const Tensor& x) {
  if (!weight.defined()) return {};
  ISKRA_CHECK(weight.dtype() == x.dtype() && broadcast_shapes(weight.shape(), x.shape(), name) == x.shape(),
              name, ": ", which, " is ", weight.str(), ", the input ", x.str(),
              "; it must have the input's dtype and broadcast to its shape");
  return weight.detach().expand(x.shape());
}

}  // namespace

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        const BinaryCrossEntropyOptions& options, Caller caller) {
  constexpr const char* kName = "binary_cross_entropy_with_logits";
  detail::OpScope scope(kName, caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x, &target}))
    return binary_cross_entropy_with_logits(cast(x), cast(target), options, caller);
  check_pair(kName, x, target);
  return of_pairs(kName, kernels::PairLoss::bce_with_logits, x, target, 0, options.reduction,
                  spread(kName, "weight", options.weight, x),
                  spread(kName, "pos_weight", options.pos_weight, x));
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction, Caller caller) {
  detail::OpScope scope("mse_loss", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x, &target}))
    return mse_loss(cast(x), cast(target), reduction, caller);
  return of_pairs("mse_loss", kernels::PairLoss::mse, x, target, 0, reduction);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, Caller caller) {
  detail::OpScope scope("l1_loss", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x, &target}))
    return l1_loss(cast(x), cast(target), reduction, caller);
  return of_pairs("l1_loss", kernels::PairLoss::l1, x, target, 0, reduction);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction reduction,
                      Caller caller) {
  detail::OpScope scope("smooth_l1_loss", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x, &target}))
    return smooth_l1_loss(cast(x), cast(target), beta, reduction, caller);
  ISKRA_CHECK(beta >= 0, "smooth_l1_loss: beta ", beta, " must not be negative");
  return of_pairs("smooth_l1_loss", kernels::PairLoss::smooth_l1, x, target, beta, reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction reduction, Caller caller) {
  detail::OpScope scope("huber_loss", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x, &target}))
    return huber_loss(cast(x), cast(target), delta, reduction, caller);
  ISKRA_CHECK(delta > 0, "huber_loss: delta ", delta, " must be positive");
  return of_pairs("huber_loss", kernels::PairLoss::huber, x, target, delta, reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& target, const KlDivOptions& options, Caller caller) {
  detail::OpScope scope("kl_div", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x, &target}))
    return kl_div(cast(x), cast(target), options, caller);
  const auto kind = options.log_target ? kernels::PairLoss::kl_div_log : kernels::PairLoss::kl_div;
  return of_pairs("kl_div", kind, x, target, 0, options.reduction);
}

// ----------------------------------------------------------------------------------------------------
// cosine similarity

namespace {

/// The order of axes that puts `axis` last.
Shape axis_last(int axis, int rank) {
  Shape axes;
  for (int i = 0; i < rank; ++i)
    if (i != axis) axes.push_back(i);
  axes.push_back(axis);
  return axes;
}
/// The way back.
Shape axis_back(int axis, int rank) {
  Shape axes;
  for (int i = 0; i + 1 < rank; ++i) axes.push_back(i);
  axes.insert(axis, rank - 1);
  return axes;
}

}  // namespace

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis, double eps, Caller caller) {
  constexpr const char* kName = "cosine_similarity";
  detail::OpScope scope(kName, caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&a, &b}))
    return cosine_similarity(cast(a), cast(b), axis, eps, caller);
  check_pair(kName, a, b);
  ISKRA_CHECK(eps >= 0, kName, ": eps ", eps, " must not be negative");
  const int at = detail::normal_axis(axis, a.rank(), kName), rank = a.rank();
  Tensor a1 = a.detach().permute(axis_last(at, rank)).contiguous();
  Tensor b1 = b.detach().permute(axis_last(at, rank)).contiguous();
  Shape shape = a.shape();
  shape.erase(at);
  Tensor y = empty_of(shape, a.dtype(), a);
  const int64_t rows = y.numel(), length = a.shape()[at];
  auto matrix = [rows, length](const Tensor& x) { return view_of(x, {rows, length}, {length, 1}); };
  launch(a.device(), [&](auto on) {
    kernels::cosine_similarity(on, matrix(a1).view(), matrix(b1).view(), eps, view_of(y, {rows}, {1}).mut());
  });
  return record(kName, y, {a, b},
                [a1, b1, at, rank, eps, rows, matrix](const Tensor& grad, Wanted wanted, Sinks& to) {
                  Tensor dy = view_of(grad.contiguous(), {rows}, {1});
                  Tensor da = wanted[0] ? Tensor::empty_like(a1) : Tensor();
                  Tensor db = wanted[1] ? Tensor::empty_like(a1) : Tensor();
                  launch(a1.device(), [&](auto on) {
                    kernels::cosine_similarity_backward(on, matrix(a1).view(), matrix(b1).view(), eps,
                                                        dy.view(), mut_or_none(da), mut_or_none(db));
                  });
                  if (wanted[0]) to.give(0, da.permute(axis_back(at, rank)));
                  if (wanted[1]) to.give(1, db.permute(axis_back(at, rank)));
                });
}

}  // namespace iskra
