// Softmax attention.
#include <cmath>
#include <optional>

#include <iskra/core/autocast.h>
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::view_of;

namespace {

Tensor unit_last(const Tensor& x) {
  if (x.numel() == 0) return view_of(x, x.shape(), contiguous_strides(x.shape()));
  return x.strides().back() == 1 || x.size(-1) == 1 ? x.detach() : x.detach().contiguous();
}

// (N,NH,T,HD) in shape, (N,T,NH,HD) in memory: heads join without a copy.
Tensor empty_heads_last(const Tensor& like, const Shape& s) {
  Tensor y = Tensor::empty({s[0], s[2], s[1], s[3]}, {.dtype = like.dtype(), .device = like.device()});
  return y.permute({0, 2, 1, 3});
}
Tensor empty_heads_last(const Tensor& like) { return empty_heads_last(like, like.shape()); }

// q, k or v (which = 0, 1, 2) out of packed (N,T,3C).
Tensor unpacked(const Tensor& qkv, int64_t heads, int which) {
  int64_t n = qkv.size(0), t = qkv.size(1), width = qkv.size(2) / 3, head = width / heads;
  return view_of(qkv, {n, heads, t, head}, {t * 3 * width, head, 3 * width, 1}, which * width);
}

Tensor merged_heads(const Tensor& y, int64_t heads) {
  int64_t n = y.size(0), t = y.size(1), width = y.size(2), head = width / heads;
  return view_of(y, {n, heads, t, head}, {t * width, head, width, 1});
}

Tensor empty_lse(const Tensor& q) {
  DType sums = q.dtype() == DType::f64 ? DType::f64 : DType::f32;
  return Tensor::empty({q.size(0), q.size(1), q.size(2)}, {.dtype = sums, .device = q.device()});
}

// What a call's forward and backward kernels are told; keeps mask and random step alive.
class Rules {
 public:
  Rules(const char* name, const AttentionOptions& options, const Tensor& q, int64_t keys) {
    ISKRA_CHECK(options.dropout >= 0 && options.dropout < 1, name, ": dropout ", options.dropout,
                " must be in [0, 1)");
    at_.scale = options.scale != 0 ? options.scale : 1.0 / std::sqrt(static_cast<double>(q.size(3)));
    at_.causal = options.causal;
    at_.dropout = static_cast<float>(options.dropout);
    const int64_t heads = q.size(1), queries = q.size(2);
    if (options.mask.defined()) {
      check_mask(name, options.mask, q, {q.size(0), heads, queries, keys});
      mask_ = options.mask.detach().expand({q.size(0), heads, queries, keys});
    }
    if (options.dropout > 0) draw_.emplace(heads * queries * keys, q.device());
  }

  kernels::Attention at() const {
    kernels::Attention at = at_;
    if (mask_.defined()) at.mask = mask_.view();
    if (draw_) at.key = draw_->key();
    return at;
  }

 private:
  static void check_mask(const char* name, const Tensor& mask, const Tensor& q, const Shape& scores) {
    ISKRA_CHECK(is_floating(mask.dtype()) || mask.dtype() == DType::boolean, name, ": the mask is ",
                mask.str(), "; it must be floating (added to the scores) or bool (true is attended to)");
    ISKRA_CHECK(mask.device() == q.device(), name, ": the mask is on ", mask.device(), ", the operands on ",
                q.device(), "; move it with to(Device)");
    bool fits = mask.rank() <= 4;
    for (int i = 1; fits && i <= mask.rank(); ++i)
      fits = mask.size(-i) == 1 || mask.size(-i) == scores[4 - i];
    ISKRA_CHECK(fits, name, ": the mask has shape ", mask.shape(), "; it must broadcast to ", scores,
                ", that is (N,heads,T,TK)");
    ISKRA_CHECK(!mask.requires_grad(), name,
                ": the mask requires a gradient, which attention does not give; detach() it");
  }

  kernels::Attention at_;
  Tensor mask_;
  std::optional<RngDraw> draw_;
};

void check_heads(const char* name, const Tensor& q, const Tensor& k, const Tensor& v) {
  ISKRA_CHECK(is_floating(q.dtype()), name, ": q is ", q.str(), "; convert it to a floating dtype first");
  bool ranks = q.rank() == 4 && k.rank() == 4 && v.rank() == 4;
  ISKRA_CHECK(ranks && q.size(0) == k.size(0) && q.size(3) == k.size(3) && v.size(0) == k.size(0) &&
                  v.size(1) == k.size(1) && v.size(2) == k.size(2),
              name, ": q is ", q.shape(), ", k ", k.shape(), ", v ", v.shape(),
              "; they must be (N,heads,T,width), (N,KH,TK,width) and (N,KH,TK,any width)");
  ISKRA_CHECK(q.size(1) == k.size(1) || (k.size(1) > 0 && q.size(1) % k.size(1) == 0), name, ": q is ",
              q.shape(), ", k ", k.shape(), "; the heads of k and v, ", k.size(1), ", must divide q's, ",
              q.size(1));
  ISKRA_CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(), name, ": the dtypes ", name_of(q.dtype()),
              ", ", name_of(k.dtype()), ", ", name_of(v.dtype()), " differ");
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options, Caller caller) {
  constexpr const char* kName = "scaled_dot_product_attention";
  detail::OpScope scope(kName, caller);
  if (auto cast = detail::Recast(detail::Precision::lower, {&q, &k, &v}))
    return scaled_dot_product_attention(cast(q), cast(k), cast(v), options, caller);
  check_heads(kName, q, k, v);
  Rules rules(kName, options, q, k.size(2));
  Tensor q1 = unit_last(q), k1 = unit_last(k), v1 = unit_last(v);
  Tensor o = empty_heads_last(q, {q.size(0), q.size(1), q.size(2), v.size(3)});
  Tensor lse = empty_lse(q);
  launch(q.device(), [&](auto on) {
    kernels::attention(on, rules.at(), q1.view(), k1.view(), v1.view(), o.mut(), lse.mut());
  });
  bool needed = recording({&q, &k, &v});
  return record(
      kName, o, {q, k, v},
      [q = q1, k = k1, v = v1, o = save_if(needed, o), lse, rules](const Tensor& dy, Wanted, Sinks& to) {
        Tensor do_ = unit_last(dy);
        Tensor dq = empty_heads_last(q), dk = empty_heads_last(k), dv = empty_heads_last(v);
        launch(dy.device(), [&](auto on) {
          kernels::attention_backward(on, rules.at(), q.view(), k.view(), v.view(), o.view(), lse.view(),
                                      do_.view(), dq.mut(), dk.mut(), dv.mut());
        });
        to.give(0, dq);
        to.give(1, dk);
        to.give(2, dv);
      });
}

Tensor packed_attention(const Tensor& qkv, int64_t heads, const AttentionOptions& options, Caller caller) {
  constexpr const char* kName = "packed_attention";
  detail::OpScope scope(kName, caller);
  if (auto cast = detail::Recast(detail::Precision::lower, {&qkv}))
    return packed_attention(cast(qkv), heads, options, caller);
  ISKRA_CHECK(is_floating(qkv.dtype()), kName, ": the input is ", qkv.str(),
              "; convert it to a floating dtype first");
  ISKRA_CHECK(qkv.rank() == 3 && heads > 0 && qkv.size(2) % (3 * heads) == 0, kName, ": the input has shape ",
              qkv.shape(), " for ", heads, " heads; it must be (N,T,3C) with C a multiple of the heads");
  Tensor x = qkv.detach().contiguous();
  Tensor q = unpacked(x, heads, 0);
  Rules rules(kName, options, q, q.size(2));
  Tensor y = Tensor::empty({x.size(0), x.size(1), x.size(2) / 3}, {.dtype = x.dtype(), .device = x.device()});
  Tensor lse = empty_lse(q);
  launch(x.device(), [&](auto on) {
    kernels::attention(on, rules.at(), q.view(), unpacked(x, heads, 1).view(), unpacked(x, heads, 2).view(),
                       merged_heads(y, heads).mut(), lse.mut());
  });
  return record(
      kName, y, {qkv},
      [x, y = save_if(qkv.requires_grad(), y), lse, heads, rules](const Tensor& dy, Wanted, Sinks& to) {
        Tensor dx = Tensor::empty_like(x);
        Tensor dy1 = dy.contiguous();
        launch(x.device(), [&](auto on) {
          kernels::attention_backward(on, rules.at(), unpacked(x, heads, 0).view(),
                                      unpacked(x, heads, 1).view(), unpacked(x, heads, 2).view(),
                                      merged_heads(y, heads).view(), lse.view(),
                                      merged_heads(dy1, heads).view(), unpacked(dx, heads, 0).mut(),
                                      unpacked(dx, heads, 1).mut(), unpacked(dx, heads, 2).mut());
        });
        to.give(0, dx);
      });
}

}  // namespace iskra
