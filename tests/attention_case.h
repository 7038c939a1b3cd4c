// Attention by its definition in double, for tests of the kernels: heads that share keys, masks, dropped
// elements, and the gradients by the chain rule.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {

struct AttentionCase {
  int64_t n, heads, t, tk, hd;
  double scale;
  int64_t key_heads = heads, vd = hd;
  bool causal = false;

  Shape q_shape() const { return {n, heads, t, hd}; }
  Shape k_shape() const { return {n, key_heads, tk, hd}; }
  Shape v_shape() const { return {n, key_heads, tk, vd}; }
  Shape o_shape() const { return {n, heads, t, vd}; }
  int64_t items() const { return n * heads; }
  int64_t key_item(int64_t item) const {
    return item / heads * key_heads + item % heads / (heads / key_heads);
  }
  std::string str() const { return text("q ", q_shape(), " v ", v_shape(), causal ? " causal" : ""); }
};

/// What a case adds to its scores, and by what it multiplies P; of (item, query, key). Empty: nothing, one.
struct AttentionRules {
  std::function<double(int64_t, int64_t, int64_t)> mask, kept;
};

/// Results and, for gradients of 16-bit types, what they may be wrong by because o was rounded before
/// rowsum(do * o).
struct AttentionResults {
  std::vector<double> o, lse, dq, dk, dv, dq_slack, dk_slack;
};

/// The operands and results of one call.
struct AttentionData {
  Array q, k, v, d_o, o, lse, dq, dk, dv;
};

namespace attention_reference {

/// P of one query, and log sum exp of its scores.
inline double softmax(std::vector<double>& p) {
  const double largest = *std::max_element(p.begin(), p.end());
  const double shift = std::isinf(largest) ? 0 : largest;
  double sum = 0;
  for (double& x : p) sum += x = std::exp(x - shift);
  for (double& x : p) x = sum == 0 ? 0 : x / sum;
  return largest + std::log(sum);
}

/// The operands in double, in row-major order.
struct Operands {
  std::vector<double> q, k, v, d_o;
};

class Item {
 public:
  Item(const AttentionCase& c, const AttentionRules& rules, const Operands& x, double rounding, int64_t item)
      : c_(c), rules_(rules), x_(x), rounding_(rounding), item_(item), keys_(c.key_item(item)) {}

  void query(int64_t i, AttentionResults& out) const {
    const int64_t row = item_ * c_.t + i;
    std::vector<double> p(static_cast<size_t>(c_.tk)), dp(p.size()), kept(p.size(), 1);
    for (int64_t j = 0; j < c_.tk; ++j) {
      double &s = p[static_cast<size_t>(j)], &d = dp[static_cast<size_t>(j)];
      for (int64_t e = 0; e < c_.hd; ++e) s += c_.scale * q(row, e) * k(j, e);
      for (int64_t e = 0; e < c_.vd; ++e) d += d_o(row, e) * v(j, e);
      if (c_.causal && j > i) s = -std::numeric_limits<double>::infinity();
      if (rules_.mask) s += rules_.mask(item_, i, j);
      if (rules_.kept) kept[static_cast<size_t>(j)] = rules_.kept(item_, i, j);
      d *= kept[static_cast<size_t>(j)];
    }
    out.lse[static_cast<size_t>(row)] = softmax(p);
    gradients(row, p, dp, kept, out);
  }

 private:
  double q(int64_t row, int64_t e) const { return x_.q[static_cast<size_t>(row * c_.hd + e)]; }
  double d_o(int64_t row, int64_t e) const { return x_.d_o[static_cast<size_t>(row * c_.vd + e)]; }
  double k(int64_t j, int64_t e) const { return x_.k[static_cast<size_t>((keys_ * c_.tk + j) * c_.hd + e)]; }
  double v(int64_t j, int64_t e) const { return x_.v[static_cast<size_t>((keys_ * c_.tk + j) * c_.vd + e)]; }

  void gradients(int64_t row, const std::vector<double>& p, const std::vector<double>& dp,
                 const std::vector<double>& kept, AttentionResults& out) const {
    double dot = 0, rounded = 0;
    for (int64_t e = 0; e < c_.vd; ++e) {
      double& o = out.o[static_cast<size_t>(row * c_.vd + e)];
      for (int64_t j = 0; j < c_.tk; ++j)
        o += p[static_cast<size_t>(j)] * kept[static_cast<size_t>(j)] * v(j, e);
      rounded += std::abs(o * d_o(row, e));
    }
    rounded *= std::abs(c_.scale) * rounding_;
    for (size_t j = 0; j < p.size(); ++j) dot += p[j] * dp[j];
    for (int64_t j = 0; j < c_.tk; ++j) {
      const double pj = p[static_cast<size_t>(j)], ds = c_.scale * pj * (dp[static_cast<size_t>(j)] - dot);
      for (int64_t e = 0; e < c_.hd; ++e) {
        const auto at_q = static_cast<size_t>(row * c_.hd + e),
                   at_k = static_cast<size_t>((keys_ * c_.tk + j) * c_.hd + e);
        out.dq[at_q] += ds * k(j, e);
        out.dk[at_k] += ds * q(row, e);
        out.dq_slack[at_q] += rounded * pj * std::abs(k(j, e));
        out.dk_slack[at_k] += rounded * pj * std::abs(q(row, e));
      }
      for (int64_t e = 0; e < c_.vd; ++e)
        out.dv[static_cast<size_t>((keys_ * c_.tk + j) * c_.vd + e)] +=
            pj * kept[static_cast<size_t>(j)] * d_o(row, e);
    }
  }

  const AttentionCase& c_;
  const AttentionRules& rules_;
  const Operands& x_;
  double rounding_;
  int64_t item_, keys_;
};

/// As expect_close, with a tolerance of its own for each element.
inline void expect_close_to(const Array& got, const std::vector<double>& want,
                            const std::vector<double>& slack, double tolerance, const std::string& what) {
  ASSERT_EQ(got.numel(), static_cast<int64_t>(want.size())) << what;
  for (int64_t i = 0; i < got.numel(); ++i) {
    const double exact = want[static_cast<size_t>(i)], extra = slack[static_cast<size_t>(i)];
    const double error = std::abs(got.get(i) - exact) - rounding_of(got.dtype()) * (std::abs(exact) + extra);
    ASSERT_LE(error, tolerance + extra)
        << what << ": at " << i << " got " << got.get(i) << ", want " << exact;
  }
}

}  // namespace attention_reference

inline AttentionResults reference(const AttentionCase& c, const AttentionRules& rules,
                                  const AttentionData& x) {
  const auto zeros = [](const Array& like) { return std::vector<double>(static_cast<size_t>(like.numel())); };
  AttentionResults out{zeros(x.o),  zeros(x.lse), zeros(x.dq), zeros(x.dk),
                       zeros(x.dv), zeros(x.dq),  zeros(x.dk)};
  const attention_reference::Operands operands{x.q.values(), x.k.values(), x.v.values(), x.d_o.values()};
  for (int64_t item = 0; item < c.items(); ++item)
    for (int64_t i = 0; i < c.t; ++i)
      attention_reference::Item(c, rules, operands, rounding_of(x.q.dtype()), item).query(i, out);
  return out;
}

/// (N,heads,T,HD) inside a dense (N,T,3,heads,HD).
inline Shape packed_strides(const Shape& s) { return {s[2] * 3 * s[1] * s[3], s[3], 3 * s[1] * s[3], 1}; }
/// (N,heads,T,HD) inside a dense (N,T,heads,HD).
inline Shape token_strides(const Shape& s) { return {s[2] * s[1] * s[3], s[3], s[1] * s[3], 1}; }

/// Random operands of one type; o, do and the sums lie by tokens.
inline AttentionData attention_data(const AttentionCase& c, DType type, Shape (*strides)(const Shape&)) {
  const Shape q = c.q_shape(), k = c.k_shape(), v = c.v_shape(), o = c.o_shape();
  return {Array::random(type, q, strides(q), 1),
          Array::random(type, k, strides(k), 2),
          Array::random(type, v, strides(v), 3),
          Array::random(type, o, token_strides(o), 4),
          Array(type, o, token_strides(o)),
          Array(type == DType::f64 ? DType::f64 : DType::f32, {c.n, c.heads, c.t}),
          Array(type, q, strides(q)),
          Array(type, k, strides(k)),
          Array(type, v, strides(v))};
}

/// Forward and backward.
inline void run_attention(const Attention& at, AttentionData& x, Provider provider, int threads) {
  HeapScratch scratch;
  auto device = on(threads, &scratch);
  device.provider = provider;
  attention(device, at, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view());
  attention_backward(device, at, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view(), x.d_o.view(),
                     x.dq.view(), x.dk.view(), x.dv.view());
}

/// All results against the reference. The CPU takes rowsum(do * o) before o is rounded.
inline void expect_attention(const AttentionCase& c, const AttentionRules& rules, const AttentionData& x,
                             double eps, const std::string& what) {
  using attention_reference::expect_close_to;
  AttentionResults want = reference(c, rules, x);
  if (!kOnCuda) {
    std::fill(want.dq_slack.begin(), want.dq_slack.end(), 0);
    std::fill(want.dk_slack.begin(), want.dk_slack.end(), 0);
  }
  for (int64_t i = 0; i < x.lse.numel(); ++i) {
    double& lse = want.lse[static_cast<size_t>(i)];
    if (!std::isinf(lse)) continue;
    ASSERT_EQ(x.lse.get(i), lse) << what << " lse " << i;
    lse = 0;
  }
  // Scores of size |scale| * HD carry an error of eps times that into the exponential.
  const double size = 8 + std::abs(c.scale) * static_cast<double>(c.hd);
  const double tolerance = eps * size * std::sqrt(static_cast<double>(std::max(c.hd, c.vd) + c.t + c.tk));
  const double steep = std::max(1.0, std::abs(c.scale));
  Array lse(x.lse.dtype(), x.lse.shape());
  for (int64_t i = 0; i < lse.numel(); ++i) lse.set(i, std::isinf(x.lse.get(i)) ? 0 : x.lse.get(i));
  expect_close(x.o, want.o, tolerance, what + " o");
  expect_close(lse, want.lse, tolerance, what + " lse");
  expect_close_to(x.dq, want.dq, want.dq_slack, tolerance * steep, what + " dq");
  expect_close_to(x.dk, want.dk, want.dk_slack, tolerance * steep, what + " dk");
  expect_close(x.dv, want.dv, tolerance * steep, what + " dv");
}

}  // namespace iskra::kernels::testing
