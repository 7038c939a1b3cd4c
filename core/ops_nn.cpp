// Softmax, attention, losses and dropout.
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

// ------------------------------------------------------------------------------------------------- attention

namespace {

Tensor unit_last(const Tensor& x) {
  if (x.numel() == 0) return view_of(x, x.shape(), contiguous_strides(x.shape()));
  return x.strides().back() == 1 || x.size(-1) == 1 ? x.detach() : x.detach().contiguous();
}

// (N,NH,T,HD) in shape, (N,T,NH,HD) in memory: heads join without a copy.
Tensor empty_heads_last(const Tensor& like) {
  const Shape& s = like.shape();
  Tensor y = Tensor::empty({s[0], s[2], s[1], s[3]}, {.dtype = like.dtype(), .device = like.device()});
  return y.permute({0, 2, 1, 3});
}

// q, k or v (which = 0, 1, 2) out of packed (N,T,3C).
Tensor unpacked(const Tensor& qkv, int64_t heads, int which) {
  int64_t n = qkv.size(0), t = qkv.size(1), width = qkv.size(2) / 3, head = width / heads;
  return view_of(qkv, {n, heads, t, head}, {t * 3 * width, head, 3 * width, 1}, which * width);
}

Tensor merged_heads(const Tensor& y, int64_t heads) {
  int64_t n = y.size(0), t = y.size(1), width = y.size(2), head = width / heads;
  return view_of(y, {n, heads, t, head}, {t * width, head, width, 1});
}

double scale_or_default(double scale, int64_t head) {
  return scale != 0 ? scale : 1.0 / std::sqrt(static_cast<double>(head));
}

Tensor empty_lse(const Tensor& q) {
  return Tensor::empty({q.size(0), q.size(1), q.size(2)}, {.dtype = q.dtype(), .device = q.device()});
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                    Caller caller) {
  constexpr const char* kName = "scaled_dot_product_attention";
  detail::OpScope scope(kName, caller);
  check_floating(kName, q);
  bool ranks = q.rank() == 4 && k.rank() == 4 && v.rank() == 4;
  ISKRA_CHECK(ranks && k.shape() == v.shape() && q.size(0) == k.size(0) && q.size(1) == k.size(1) &&
                  q.size(3) == k.size(3),
              kName, ": q is ", q.shape(), ", k ", k.shape(), ", v ", v.shape(),
              "; they must be (N,heads,T,width) with k and v alike and equal N, heads and width");
  ISKRA_CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(), kName, ": the dtypes ", name_of(q.dtype()),
              ", ", name_of(k.dtype()), ", ", name_of(v.dtype()), " differ");
  scale = scale_or_default(scale, q.size(3));
  Tensor q1 = unit_last(q), k1 = unit_last(k), v1 = unit_last(v);
  Tensor o = empty_heads_last(q);
  Tensor lse = empty_lse(q);
  launch(q.device(), [&](auto on) {
    kernels::attention(on, q1.view(), k1.view(), v1.view(), scale, o.mut(), lse.mut());
  });
  bool needed = recording({&q, &k, &v});
  return record(
      kName, o, {q, k, v},
      [q = q1, k = k1, v = v1, o = save_if(needed, o), lse, scale](const Tensor& dy, Wanted, Sinks& to) {
        Tensor do_ = unit_last(dy);
        Tensor dq = empty_heads_last(q), dk = empty_heads_last(k), dv = empty_heads_last(v);
        launch(dy.device(), [&](auto on) {
          kernels::attention_backward(on, q.view(), k.view(), v.view(), o.view(), lse.view(), do_.view(),
                                      scale, dq.mut(), dk.mut(), dv.mut());
        });
        to.give(0, dq);
        to.give(1, dk);
        to.give(2, dv);
      });
}

Tensor packed_attention(const Tensor& qkv, int64_t heads, double scale, Caller caller) {
  detail::OpScope scope("packed_attention", caller);
  check_floating("packed_attention", qkv);
  ISKRA_CHECK(qkv.rank() == 3 && heads > 0 && qkv.size(2) % (3 * heads) == 0,
              "packed_attention: the input has shape ", qkv.shape(), " for ", heads,
              " heads; it must be (N,T,3C) with C a multiple of the heads");
  Tensor x = qkv.detach().contiguous();
  Tensor q = unpacked(x, heads, 0);
  scale = scale_or_default(scale, q.size(3));
  Tensor y = Tensor::empty({x.size(0), x.size(1), x.size(2) / 3}, {.dtype = x.dtype(), .device = x.device()});
  Tensor lse = empty_lse(q);
  launch(x.device(), [&](auto on) {
    kernels::attention(on, q.view(), unpacked(x, heads, 1).view(), unpacked(x, heads, 2).view(), scale,
                       merged_heads(y, heads).mut(), lse.mut());
  });
  return record(
      "packed_attention", y, {qkv},
      [x, y = save_if(qkv.requires_grad(), y), lse, heads, scale](const Tensor& dy, Wanted, Sinks& to) {
        Tensor dx = Tensor::empty_like(x);
        Tensor dy1 = dy.contiguous();
        launch(x.device(), [&](auto on) {
          kernels::attention_backward(on, unpacked(x, heads, 0).view(), unpacked(x, heads, 1).view(),
                                      unpacked(x, heads, 2).view(), merged_heads(y, heads).view(), lse.view(),
                                      merged_heads(dy1, heads).view(), scale, unpacked(dx, heads, 0).mut(),
                                      unpacked(dx, heads, 1).mut(), unpacked(dx, heads, 2).mut());
        });
        to.give(0, dx);
      });
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
