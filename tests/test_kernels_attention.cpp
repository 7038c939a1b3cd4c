// Attention and its gradients against the definition in double: self and cross attention, packed and separate
// operands, lengths around the block size, large scores, threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"

namespace iskra::kernels::testing {
namespace {

struct Case {
  int64_t n, heads, t, tk, hd;
  double scale;
  Shape q_shape() const { return {n, heads, t, hd}; }
  Shape k_shape() const { return {n, heads, tk, hd}; }
  std::string str() const { return text("q ", q_shape(), " keys ", tk); }
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {{1, 1, 1, 1, 1, 1.0},       {2, 3, 5, 5, 4, 0.5},
                                        {1, 2, 50, 50, 16, 0.25},   {2, 2, 7, 31, 13, 0.3},
                                        {1, 1, 129, 64, 64, 0.125}, {1, 2, 197, 197, 32, 0.2},
                                        {1, 1, 3, 300, 8, 40.0},    {1, 1, 300, 1, 8, -0.5}};
  return all;
}

/// (N,heads,T,HD) inside a dense (N,T,3,heads,HD).
Shape packed_strides(const Shape& s) { return {s[2] * 3 * s[1] * s[3], s[3], 3 * s[1] * s[3], 1}; }
/// (N,heads,T,HD) inside a dense (N,T,heads,HD).
Shape token_strides(const Shape& s) { return {s[2] * s[1] * s[3], s[3], s[1] * s[3], 1}; }

struct Reference {
  std::vector<double> o, lse, dq, dk, dv;
};

/// One (picture, head) item of the definition: P = softmax(scale q k^T), o = P v; the gradients by the chain
/// rule.
void reference_item(const Case& c, const std::vector<double>& q, const std::vector<double>& k,
                    const std::vector<double>& v, const std::vector<double>& d_o, int64_t item,
                    Reference& out) {
  const int64_t q0 = item * c.t, k0 = item * c.tk;
  const auto at = [&](const std::vector<double>& x, int64_t row, int64_t d) {
    return x[static_cast<size_t>(row * c.hd + d)];
  };
  for (int64_t i = 0; i < c.t; ++i) {
    std::vector<double> p(static_cast<size_t>(c.tk)), dp(p.size());
    for (int64_t j = 0; j < c.tk; ++j)
      for (int64_t d = 0; d < c.hd; ++d) {
        p[static_cast<size_t>(j)] += c.scale * at(q, q0 + i, d) * at(k, k0 + j, d);
        dp[static_cast<size_t>(j)] += at(d_o, q0 + i, d) * at(v, k0 + j, d);
      }
    const double largest = *std::max_element(p.begin(), p.end());
    double sum = 0, dot = 0;
    for (double& x : p) sum += x = std::exp(x - largest);
    out.lse[static_cast<size_t>(q0 + i)] = largest + std::log(sum);
    for (double& x : p) x /= sum;
    for (size_t j = 0; j < p.size(); ++j) dot += p[j] * dp[j];
    for (int64_t j = 0; j < c.tk; ++j) {
      const double pj = p[static_cast<size_t>(j)], ds = c.scale * pj * (dp[static_cast<size_t>(j)] - dot);
      for (int64_t d = 0; d < c.hd; ++d) {
        out.o[static_cast<size_t>((q0 + i) * c.hd + d)] += pj * at(v, k0 + j, d);
        out.dq[static_cast<size_t>((q0 + i) * c.hd + d)] += ds * at(k, k0 + j, d);
        out.dk[static_cast<size_t>((k0 + j) * c.hd + d)] += ds * at(q, q0 + i, d);
        out.dv[static_cast<size_t>((k0 + j) * c.hd + d)] += pj * at(d_o, q0 + i, d);
      }
    }
  }
}

Reference reference(const Case& c, const Array& q, const Array& k, const Array& v, const Array& d_o) {
  const auto nq = static_cast<size_t>(q.numel()), nk = static_cast<size_t>(k.numel());
  Reference out{std::vector<double>(nq), std::vector<double>(static_cast<size_t>(c.n * c.heads * c.t)),
                std::vector<double>(nq), std::vector<double>(nk), std::vector<double>(nk)};
  for (int64_t item = 0; item < c.n * c.heads; ++item)
    reference_item(c, q.values(), k.values(), v.values(), d_o.values(), item, out);
  return out;
}

class Attention : public ::testing::TestWithParam<Way> {
 protected:
  struct Data {
    Array q, k, v, d_o, o, lse, dq, dk, dv;
  };
  static Data make(const Case& c, Shape (*strides)(const Shape&)) {
    const DType type = GetParam().dtype;
    const Shape qs = c.q_shape(), ks = c.k_shape();
    return {Array::random(type, qs, strides(qs), 1),
            Array::random(type, ks, strides(ks), 2),
            Array::random(type, ks, strides(ks), 3),
            Array::random(type, qs, token_strides(qs), 4),
            Array(type, qs, token_strides(qs)),
            Array(type == DType::f64 ? DType::f64 : DType::f32, {c.n, c.heads, c.t}),
            Array(type, qs, strides(qs)),
            Array(type, ks, strides(ks)),
            Array(type, ks, strides(ks))};
  }
  void run(const Case& c, Data& x, int threads) {
    HeapScratch scratch;
    const Cpu on{threads, GetParam().provider, &scratch};
    const kernels::Attention at{.scale = c.scale};
    attention(on, at, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view());
    attention_backward(on, at, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view(), x.d_o.view(),
                       x.dq.view(), x.dk.view(), x.dv.view());
  }
};

TEST_P(Attention, ForwardAndBackward) {
  for (const Case& c : cases())
    for (auto strides : {&contiguous_strides, &packed_strides}) {
      Data x = make(c, strides);
      run(c, x, 2);
      const Reference want = reference(c, x.q, x.k, x.v, x.d_o);
      // Scores of size |scale| * HD carry an error of eps times that into the exponential.
      const double size = 8 + std::abs(c.scale) * static_cast<double>(c.hd);
      const double tolerance = GetParam().eps() * size * std::sqrt(static_cast<double>(c.hd + c.t + c.tk));
      const double steep = std::max(1.0, std::abs(c.scale));
      expect_close(x.o, want.o, tolerance, c.str() + " o");
      expect_close(x.lse, want.lse, tolerance, c.str() + " lse");
      expect_close(x.dq, want.dq, tolerance * steep, c.str() + " dq");
      expect_close(x.dk, want.dk, tolerance * steep, c.str() + " dk");
      expect_close(x.dv, want.dv, tolerance * steep, c.str() + " dv");
    }
}

TEST_P(Attention, LargeScoresDoNotOverflow) {
  const Case c{1, 1, 4, 9, 8, 1000.0};
  Data x = make(c, &contiguous_strides);
  run(c, x, 1);
  for (int64_t i = 0; i < x.o.numel(); ++i) EXPECT_LE(std::abs(x.o.get(i)), 1.0 + 1e-6);
  for (int64_t i = 0; i < x.dq.numel(); ++i) EXPECT_TRUE(std::isfinite(x.dq.get(i)));
}

TEST_P(Attention, NoPictures) {
  const Case c{0, 2, 5, 5, 4, 1.0};
  Data x = make(c, &contiguous_strides);
  run(c, x, 2);
  EXPECT_EQ(x.o.numel(), 0);
}

TEST_P(Attention, BitsDoNotDependOnThreads) {
  for (const Case& c : {Case{3, 3, 50, 50, 64, 0.125}, Case{1, 2, 197, 197, 64, 0.125}}) {
    Data one = make(c, &packed_strides);
    run(c, one, 1);
    for (int threads : {2, 3}) {
      Data more = make(c, &packed_strides);
      run(c, more, threads);
      expect_same_bits(one.o, more.o, c.str() + " o");
      expect_same_bits(one.lse, more.lse, c.str() + " lse");
      expect_same_bits(one.dq, more.dq, c.str() + " dq");
      expect_same_bits(one.dk, more.dk, c.str() + " dk");
      expect_same_bits(one.dv, more.dv, c.str() + " dv");
    }
  }
}

// Dropping is linear once the elements are fixed: with v the identity o is drop(P) itself, and the gradients
// are those of o = drop(P) v, so <do, do/dv> has to agree with forward passes on shifted values.
TEST_P(Attention, DroppedElementsAreTheSameForwardAndBackward) {
  const Case c{2, 2, 9, 7, 7, 0.5};
  const double p = 0.4;
  Data x = make(c, &contiguous_strides), plain = make(c, &contiguous_strides);
  for (int64_t i = 0; i < x.v.numel(); ++i) x.v.set(i, i / c.hd % c.tk == i % c.hd ? 1 : 0);
  HeapScratch scratch;
  const Cpu on{2, GetParam().provider, &scratch};
  const kernels::Attention keep{.scale = c.scale};
  const kernels::Attention drop{
      .scale = c.scale, .dropout = static_cast<float>(p), .key = {.seed = 3, .place = 5}};
  attention(on, keep, x.q.view(), x.k.view(), x.v.view(), plain.o.view(), plain.lse.view());
  attention(on, drop, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view());
  expect_same_bits(plain.lse, x.lse, "lse is of what was there before dropping");
  int64_t dropped = 0;
  for (int64_t i = 0; i < x.o.numel(); ++i) {
    if (x.o.get(i) == 0)
      ++dropped;
    else
      EXPECT_NEAR(x.o.get(i), plain.o.get(i) / (1 - p), 0.01 + GetParam().eps());
  }
  EXPECT_NEAR(static_cast<double>(dropped) / static_cast<double>(x.o.numel()), p, 0.12);
  attention_backward(on, drop, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view(), x.d_o.view(),
                     x.dq.view(), x.dk.view(), x.dv.view());
  // dv (TK,HD) = drop(P)^T do, with drop(P) read off o.
  for (int64_t item = 0; item < c.n * c.heads; ++item)
    for (int64_t j = 0; j < c.tk; ++j)
      for (int64_t d = 0; d < c.hd; ++d) {
        double want = 0;
        for (int64_t i = 0; i < c.t; ++i)
          want += x.o.get((item * c.t + i) * c.hd + j) * x.d_o.get((item * c.t + i) * c.hd + d);
        EXPECT_NEAR(x.dv.get((item * c.tk + j) * c.hd + d), want, 0.05 * (1 + std::abs(want)));
      }
}

TEST_P(Attention, AQueryThatSeesNothingGivesZeros) {
  const Case c{1, 2, 5, 6, 4, 0.5};
  Data x = make(c, &contiguous_strides);
  Array mask = Array::random(x.lse.dtype(), {1, 2, 5, 6}, 9);
  for (int64_t j = 0; j < 6; ++j) mask.set(2 * 6 + j, -std::numeric_limits<double>::infinity());
  HeapScratch scratch;
  const Cpu on{1, GetParam().provider, &scratch};
  const kernels::Attention at{.scale = c.scale, .mask = mask.view()};
  attention(on, at, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view());
  attention_backward(on, at, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view(), x.d_o.view(),
                     x.dq.view(), x.dk.view(), x.dv.view());
  for (int64_t d = 0; d < c.hd; ++d) {
    EXPECT_EQ(x.o.get(2 * c.hd + d), 0);
    EXPECT_EQ(x.dq.get(2 * c.hd + d), 0);
  }
  for (int64_t i = 0; i < x.dk.numel(); ++i)
    EXPECT_TRUE(std::isfinite(x.dk.get(i)) && std::isfinite(x.dv.get(i)));
}

TEST_P(Attention, SaysWhatIsWrong) {
  const DType type = GetParam().dtype;
  const Array q = Array::random(type, {1, 1, 2, 4}, {8, 8, 1, 2}, 1),
              k = Array::random(type, {1, 1, 3, 4}, 2);
  Array o(type, {1, 1, 2, 4}), lse(type == DType::f64 ? DType::f64 : DType::f32, {1, 1, 2});
  HeapScratch scratch;
  try {
    attention({1, GetParam().provider, &scratch}, {}, q.view(), k.view(), k.view(), o.view(), lse.view());
    FAIL() << "accepted heads without unit stride";
  } catch (const Error& e) {
    EXPECT_STREQ(
        e.what(),
        "attention: q (1, 1, 2, 4) has strides (8, 8, 1, 2), but its last axis needs stride 1; make it "
        "contiguous first");
  }
}

INSTANTIATE_TEST_SUITE_P(All, Attention, all_ways(), way_name);

}  // namespace
}  // namespace iskra::kernels::testing
