// Attention and its gradients against the definition in double: self and cross attention, packed and separate
// operands, lengths around the block size, large scores, threads.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "attention_case.h"

namespace iskra::kernels::testing {
namespace {

using Case = AttentionCase;

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {{1, 1, 1, 1, 1, 1.0},       {2, 3, 5, 5, 4, 0.5},
                                        {1, 2, 50, 50, 16, 0.25},   {2, 2, 7, 31, 13, 0.3},
                                        {1, 1, 129, 64, 64, 0.125}, {1, 2, 197, 197, 32, 0.2},
                                        {1, 1, 3, 300, 8, 40.0},    {1, 1, 300, 1, 8, -0.5}};
  return all;
}

class Attention : public ::testing::TestWithParam<Way> {
 protected:
  using Data = AttentionData;
  static Data make(const Case& c, Shape (*strides)(const Shape&)) {
    return attention_data(c, GetParam().dtype, strides);
  }
  static void run(const Case& c, Data& x, int threads) {
    run_attention({.scale = c.scale}, x, GetParam().provider, threads);
  }
  auto on(int threads) {
    auto tag = testing::on(threads, &scratch_);
    tag.provider = GetParam().provider;
    return tag;
  }
  HeapScratch scratch_;
};

TEST_P(Attention, ForwardAndBackward) {
  for (const Case& c : cases())
    for (auto strides : {&contiguous_strides, &packed_strides}) {
      // The emulator is no GPU: long rows once.
      if (kOnCuda && c.t > 100 && (strides == &contiguous_strides) == (c.tk > 1)) continue;
      Data x = make(c, strides);
      run(c, x, 2);
      expect_attention(c, {}, x, GetParam().eps(), c.str());
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
    if (kOnCuda && c.n * c.heads * c.t > 400) continue;
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
  const kernels::Attention keep{.scale = c.scale};
  const kernels::Attention drop{
      .scale = c.scale, .dropout = static_cast<float>(p), .key = {.seed = 3, .place = 5}};
  attention(on(2), keep, x.q.view(), x.k.view(), x.v.view(), plain.o.view(), plain.lse.view());
  attention(on(2), drop, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view());
  expect_same_bits(plain.lse, x.lse, "lse is of what was there before dropping");
  int64_t dropped = 0;
  for (int64_t i = 0; i < x.o.numel(); ++i) {
    if (x.o.get(i) == 0)
      ++dropped;
    else
      EXPECT_NEAR(x.o.get(i), plain.o.get(i) / (1 - p), 0.01 + GetParam().eps());
  }
  EXPECT_NEAR(static_cast<double>(dropped) / static_cast<double>(x.o.numel()), p, 0.12);
  attention_backward(on(2), drop, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view(), x.d_o.view(),
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
  const kernels::Attention at{.scale = c.scale, .mask = mask.view()};
  attention(on(2), at, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view());
  attention_backward(on(2), at, x.q.view(), x.k.view(), x.v.view(), x.o.view(), x.lse.view(), x.d_o.view(),
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
  try {
    attention(on(1), {}, q.view(), k.view(), k.view(), o.view(), lse.view());
    FAIL() << "accepted heads without unit stride";
  } catch (const Error& e) {
    EXPECT_STREQ(
        e.what(),
        "attention: q (1, 1, 2, 4) has strides (8, 8, 1, 2), but its last axis needs stride 1; make it "
        "contiguous first");
  }
}

INSTANTIATE_TEST_SUITE_P(All, Attention, ::testing::ValuesIn(all_ways()), way_name);

}  // namespace
}  // namespace iskra::kernels::testing
