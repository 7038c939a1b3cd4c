// Softmax, losses and dropout.
#include <cmath>

#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::mut_or_none;
using detail::view_of;
using detail::view_or_none;

namespace {

void check_floating(const char* name, const Tensor& x) {
  ISKRA_CHECK(is_floating(x.dtype()), name, ": the input is ", x.str(),
              "; convert it to a floating dtype first");
}

// Dense x seen as (R,C), C its last axis.
Tensor as_rows(const Tensor& x) {
  int64_t length = x.shape().back();
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.shape()[i];
  return view_of(x, {rows, length}, {length, 1});
}

}  // namespace

// ----------------------------------------------------------------------------------------------------
// softmax

namespace {

Tensor softmax_last(const Tensor& x) {
  Tensor rows = as_rows(x.detach().contiguous());
  Tensor y = Tensor::empty(x.shape(), {.dtype = x.dtype(), .device = x.device()});
  launch(x.device(), [&](auto on) { kernels::softmax(on, rows.view(), as_rows(y).mut()); });
  return record("softmax", y, {x}, [y = save_if(x.requires_grad(), y)](const Tensor& dy, Wanted, Sinks& to) {
    Tensor dx = Tensor::empty_like(y);
    Tensor dy_rows = as_rows(dy.contiguous());
    launch(y.device(), [&](auto on) {
      kernels::softmax_backward(on, as_rows(y).view(), dy_rows.view(), as_rows(dx).mut());
    });
    to.give(0, dx);
  });
}

}  // namespace

Tensor softmax(const Tensor& x, int axis, Caller caller) {
  detail::OpScope scope("softmax", caller);
  check_floating("softmax", x);
  int at = detail::normal_axis(axis, x.rank(), "softmax");
  if (at == x.rank() - 1) return softmax_last(x);
  return softmax_last(x.transpose(at, -1)).transpose(at, -1);
}

// ----------------------------------------------------------------------------------------------
// cross-entropy

namespace {

void check_labels(const Tensor& labels, int64_t classes) {
  if (!labels.device().is_cpu()) return;
  std::vector<int64_t> values = labels.to_vector<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    ISKRA_CHECK(values[i] >= 0 && values[i] < classes, "cross_entropy: label ", values[i], " of row ", i,
                " is outside 0 to ", classes - 1, "; the logits have ", classes, " classes");
  }
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing, Caller caller) {
  detail::OpScope scope("cross_entropy", caller);
  check_floating("cross_entropy", logits);
  ISKRA_CHECK(logits.rank() == 2 && labels.rank() == 1 && logits.size(0) == labels.size(0) &&
                  labels.dtype() == DType::i64,
              "cross_entropy: logits are ", logits.str(), ", labels ", labels.str(),
              "; they must be floating (rows, classes) and i64 (rows)");
  ISKRA_CHECK(logits.size(0) > 0 && logits.size(1) > 0, "cross_entropy: logits of shape ", logits.shape(),
              " have no mean loss; the batch is empty");
  ISKRA_CHECK(smoothing >= 0 && smoothing < 1, "cross_entropy: smoothing ", smoothing, " must be in [0, 1)");
  check_labels(labels, logits.size(1));
  Tensor x = logits.detach().contiguous();
  Tensor at = labels.contiguous();
  Tensor loss = Tensor::empty({}, {.dtype = x.dtype(), .device = x.device()});
  Tensor lse = Tensor::empty({x.size(0)}, {.dtype = x.dtype(), .device = x.device()});
  auto mix = static_cast<float>(smoothing);
  launch(x.device(),
         [&](auto on) { kernels::cross_entropy(on, x.view(), at.view(), mix, loss.mut(), lse.mut()); });
  return record("cross_entropy", loss, {logits}, [x, at, lse, mix](const Tensor& dloss, Wanted, Sinks& to) {
    Tensor dx = Tensor::empty_like(x);
    launch(x.device(), [&](auto on) {
      kernels::cross_entropy_backward(on, x.view(), at.view(), lse.view(), mix, dloss.view(), dx.mut());
    });
    to.give(0, dx);
  });
}

// ----------------------------------------------------------------------------------------------------
// dropout

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
