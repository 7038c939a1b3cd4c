// Activation checkpointing: the bits of a plain call, for less memory.
#include <gtest/gtest.h>

#include <iskra/core/allocator.h>
#include <iskra/core/checkpoint.h>
#include <iskra/core/graph.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_of;
using Floats = std::vector<float>;

// A block with dropout whose weight is used twice inside and once outside.
struct Net {
  Tensor x, w, b;
  Net() {
    RngScope scope({.seed = 5});
    x = normal({6, 8}, 0, 1).set_requires_grad();
    w = normal({8, 8}, 0, 0.5).set_requires_grad();
    b = normal({8}, 0, 0.5).set_requires_grad();
  }
  Tensor block(const Tensor& h) const {
    RngPlace place("block");
    return linear(dropout(tanh(linear(h, w, b)), 0.3), w) + h;
  }
};

using Block = std::function<Tensor(const Net&, const Tensor&)>;

struct Outcome {
  Floats y, dx, dw, db, after;
  int hooks = 0;
};

Outcome run(const Block& block) {
  Net net;
  RngScope scope({.seed = 11, .step = 2});
  Outcome out;
  for (int pass = 0; pass < 2; ++pass) {  // the second adds to the first
    net.w.on_gradient([&](Tensor&) { ++out.hooks; });
    Tensor h = linear(net.x, net.w);
    for (int i = 0; i < 3; ++i) h = block(net, h);
    sum(h * h).backward();
    out.y = h.to_vector<float>();
  }
  out.dx = net.x.grad().to_vector<float>();
  out.dw = net.w.grad().to_vector<float>();
  out.db = net.b.grad().to_vector<float>();
  RngPlace place("block");
  out.after = dropout(Tensor::ones({32}), 0.5).to_vector<float>();  // draws go on as if nothing had happened
  return out;
}

void expect_same(const Outcome& got, const Outcome& want) {
  EXPECT_EQ(got.y, want.y);
  EXPECT_EQ(got.dx, want.dx);
  EXPECT_EQ(got.dw, want.dw);
  EXPECT_EQ(got.db, want.db);
  EXPECT_EQ(got.after, want.after);
  EXPECT_EQ(got.hooks, want.hooks);
}

const Block kPlain = [](const Net& net, const Tensor& h) { return net.block(h); };
const Block kChecked = [](const Net& net, const Tensor& h) {
  return checkpoint([&net](const std::vector<Tensor>& in) { return net.block(in[0]); }, {h});
};
const Block kNested = [](const Net& net, const Tensor& h) {
  return checkpoint([&net](const std::vector<Tensor>& in) { return kChecked(net, in[0]); }, {h});
};

TEST(Checkpoint, GivesTheBitsOfAPlainCall) { expect_same(run(kChecked), run(kPlain)); }
TEST(Checkpoint, Nests) { expect_same(run(kNested), run(kPlain)); }

TEST(Checkpoint, GradientsReachWhatTheSegmentUsesBehindOurBack) {
  Tensor x = Tensor::of({1.0, 2.0}, {2}).set_requires_grad();
  Tensor h = x * 3.0;  // computed outside, and used inside without being an input
  Tensor frozen = Tensor::of({1.0, 1.0}, {2});
  Tensor y = checkpoint([&](const std::vector<Tensor>& in) { return in[0] * h + h * x; }, {frozen});
  EXPECT_TRUE(y.requires_grad());
  sum(y).backward();  // 3x + 3x^2
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{9, 15}));
  Tensor z = Tensor::of({2.0}, {1}).set_requires_grad();
  Tensor both = checkpoint([&](const std::vector<Tensor>& in) { return in[0] * in[1] * z; }, {z, z});
  sum(both).backward();  // z^3
  EXPECT_EQ(z.grad().item(), 12.0);
}

TEST(Checkpoint, IsAPlainCallWhereNothingIsRecorded) {
  Tensor x = Tensor::of({1.0, 2.0}, {2});
  int runs = 0;
  auto twice = [&](const std::vector<Tensor>& in) { return ++runs, in[0] * 2.0; };
  EXPECT_FALSE(checkpoint(twice, {x}).requires_grad());
  NoGrad no_grad;
  EXPECT_FALSE(checkpoint(twice, {x.set_requires_grad()}).requires_grad());
  EXPECT_EQ(runs, 2);
}

TEST(Checkpoint, HalvesOfAPassRunItOnceEach) {
  Net plain, checked;
  auto forward = [](const Net& net, const Block& block) {
    RngScope scope({.seed = 1});
    return sum(block(net, net.x));
  };
  forward(plain, kPlain).backward();
  int runs = 0;
  DeferredBackward rest = backward_inputs(
      {forward(checked,
               [&](const Net& net, const Tensor& h) {
                 return checkpoint([&](const std::vector<Tensor>& in) { return ++runs, net.block(in[0]); },
                                   {h});
               })},
      {checked.x});
  EXPECT_EQ(runs, 2);
  rest.finish();
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(checked.x.grad().to_vector<float>(), plain.x.grad().to_vector<float>());
  EXPECT_EQ(checked.w.grad().to_vector<float>(), plain.w.grad().to_vector<float>());
}

TEST(Checkpoint, KeepsItsInputsAndNoMore) {
  Tensor x = Tensor::ones({64, 64}).set_requires_grad();
  const size_t one = x.bytes();
  auto deep = [](const std::vector<Tensor>& in) {
    Tensor h = in[0];
    for (int i = 0; i < 10; ++i) h = tanh(h);
    return h;
  };
  Tensor start = x + 0.0;
  size_t before = memory_stats(current_device()).current_bytes;
  Tensor plain = deep({start});
  EXPECT_EQ(memory_stats(current_device()).current_bytes - before, 10 * one);
  EXPECT_EQ(saved_bytes(plain).activations, 10 * one);  // tanh keeps its result
  plain = {};
  Tensor checked = checkpoint(deep, {start});
  EXPECT_EQ(memory_stats(current_device()).current_bytes - before,
            one);  // the result; the input lives anyway
  EXPECT_EQ(saved_bytes(checked).activations, one);
  sum(checked).backward();
  EXPECT_EQ(saved_bytes(checked).activations, 0U);
}

TEST(Checkpoint, WhatItNeedsAgainMustNotChange) {
  Tensor x = Tensor::of({1.0, 2.0}, {2}).set_requires_grad();
  Tensor w = Tensor::of({1.0, 2.0}, {2}).set_requires_grad();
  Tensor y = checkpoint([&](const std::vector<Tensor>& in) { return in[0] * w; }, {x});
  {
    NoGrad no_grad;
    w.add_(1.0);
  }
  EXPECT_NE(
      error_of([&] { sum(y).backward(); }).find("backward of 'checkpoint': a saved value f64 (2) cpu was"),
      std::string::npos);
  RngScope scope({.seed = 1});
  Tensor z = checkpoint([&](const std::vector<Tensor>& in) { return dropout(in[0], 0.5); }, {x});
  scope.advance();
  EXPECT_NE(error_of([&] { sum(z).backward(); }).find("a saved value i64 () cpu was changed"),
            std::string::npos);
  int run = 0;
  Tensor odd =
      checkpoint([&](const std::vector<Tensor>& in) { return ++run == 1 ? in[0] * 2.0 : sum(in[0]); }, {x});
  EXPECT_EQ(
      error_of([&] { sum(odd).backward(); }),
      "checkpoint: the segment gave f64 (2) at first and f64 () cpu when run again; it must depend on its "
      "inputs alone");
}

}  // namespace
}  // namespace iskra
