// Blocks wrapped in checkpoint() are computed twice, and give the bits of blocks that are computed once:
// losses and every gradient, with dropout, in every precision, on any number of threads.
#include <gtest/gtest.h>

#include <optional>

#include <iskra/core/autocast.h>
#include <iskra/core/checkpoint.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/nn/layers.h>

#include "golden_compare.h"

namespace iskra::nn {
namespace {

using testing::same_bits;

/// Blocks in a row, each of which may be recomputed.
struct Blocks : Module {
  std::vector<std::unique_ptr<Module>> blocks;
  Linear head;
  bool recompute = false;
  explicit Blocks(int64_t width) : head(width, 7) {}
  Tensor run(Module& block, const Tensor& x) const {
    if (!recompute) return block(x);
    return checkpoint([&block](const std::vector<Tensor>& in) { return block(in[0]); }, {x});
  }
  void fields(Fields& f) override { f("blocks", blocks)("head", head); }
};

/// Transformer blocks with dropout on 21 tokens (N,T,C).
struct SmallVit : Blocks {
  static constexpr int64_t kWidth = 48;
  SmallVit() : Blocks(kWidth) {
    for (int i = 0; i < 3; ++i)
      blocks.push_back(std::make_unique<TransformerBlock>(
          TransformerBlockConfig{.width = kWidth, .heads = 3, .dropout = 0.2}));
  }
  Tensor forward(const Tensor& x) override {
    Tensor h = x;
    for (auto& block : blocks) h = run(*block, h);
    return head(mean(h, {1}).to(head.weight.dtype()));
  }
  static Shape input() { return {9, 21, kWidth}; }
};

/// Stages of convolutions, ReLU, pooling and dropout (N,C,H,W).
struct SmallVgg : Blocks {
  SmallVgg() : Blocks(24) {
    int64_t channels = 3;
    for (int64_t out : {16, 24}) {
      auto stage = std::make_unique<Sequential>();
      for (int i = 0; i < 2; ++i) {
        stage->add(Conv2d({.in = channels, .out = out, .kernel = 3, .padding = 1}));
        stage->add(ReLU());
        channels = out;
      }
      stage->add(MaxPool2d(2));
      stage->add(Dropout(0.3));
      blocks.push_back(std::move(stage));
    }
  }
  Tensor forward(const Tensor& x) override {
    Tensor h = x;
    for (auto& block : blocks) h = run(*block, h);
    return head(mean(h, {2, 3}).to(head.weight.dtype()));
  }
  static Shape input() { return {9, 3, 20, 20}; }
};

struct Precision {
  DType dtype;
  bool autocast;
};
constexpr Precision kPrecisions[] = {{DType::f32, false}, {DType::bf16, false}, {DType::f32, true}};

/// Loss, gradient of the input, gradients of all parameters.
template <class Model>
std::vector<Tensor> results(const Precision& precision, bool recompute, int threads) {
  set_threads(threads);
  RngScope scope({.seed = 31, .step = 6});
  Model model;
  model.to(precision.dtype);
  model.recompute = recompute;
  Tensor x = normal(Model::input(), 0, 1).to(precision.dtype).set_requires_grad();
  Tensor loss;
  {
    std::optional<Autocast> mixed;
    if (precision.autocast) mixed.emplace(DType::bf16);
    loss = cross_entropy(model(x), remainder(arange(9), Tensor::full({}, 7, {.dtype = DType::i64})));
  }
  loss.backward();
  std::vector<Tensor> all = {loss.detach(), x.grad()};
  for (const Named& each : model.parameters()) all.push_back(each.tensor.grad());
  set_threads(0);
  return all;
}

template <class Model>
class SameBitsOfRecomputed : public ::testing::Test {};
using Models = ::testing::Types<SmallVit, SmallVgg>;
TYPED_TEST_SUITE(SameBitsOfRecomputed, Models);

TYPED_TEST(SameBitsOfRecomputed, Blocks) {
  for (const Precision& precision : kPrecisions) {
    const std::vector<Tensor> plain = results<TypeParam>(precision, false, 1);
    for (int threads : {1, 2, 3}) {
      const std::vector<Tensor> again = results<TypeParam>(precision, true, threads);
      ASSERT_EQ(plain.size(), again.size());
      for (size_t i = 0; i < plain.size(); ++i)
        EXPECT_TRUE(same_bits(plain[i], again[i]))
            << "result " << i << " of " << name_of(precision.dtype) << (precision.autocast ? " mixed" : "")
            << " on " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace iskra::nn
