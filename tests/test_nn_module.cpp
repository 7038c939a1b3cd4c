// Modules: names, state, modes, freezing, moves; and what training them does.
#include <gtest/gtest.h>

#include <cmath>

#include <iskra/core/random.h>
#include <iskra/nn/init.h>
#include <iskra/nn/layers.h>
#include <iskra/nn/optim.h>

#include "error_of.h"

namespace iskra::nn {
namespace {

using testing::error_of;

struct Tied : Module {
  Linear a, b;
  Dropout drop;
  Tensor running = Tensor::zeros({3});
  Tied() : a(3, 3), b(3, 3), drop(0.5) { b.weight = a.weight; }
  Tensor forward(const Tensor& x) override { return drop(b(drop(a(x)))); }
  void fields(Fields& f) override { f("a", a)("b", b)("drop", drop).buffer("running", running); }
};

std::vector<std::string> names(const std::vector<Named>& list) {
  std::vector<std::string> out;
  for (const Named& each : list) out.push_back(each.name);
  return out;
}

TEST(Module, NamesParametersAndStateInOrder) {
  Tied model;
  EXPECT_EQ(names(model.state()),
            (std::vector<std::string>{"a.weight", "a.bias", "b.weight", "b.bias", "running"}));
  EXPECT_EQ(names(model.parameters()),
            (std::vector<std::string>{"a.weight", "a.bias", "b.bias"}));  // tied once
  EXPECT_EQ(model.parameter_count(), 9 + 3 + 3);
  TransformerBlock block({.width = 8, .heads = 2});
  EXPECT_EQ(names(block.parameters()),
            (std::vector<std::string>{"norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias",
                                      "attn.proj.weight", "attn.proj.bias", "norm2.weight", "norm2.bias",
                                      "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"}));
}

TEST(Module, MovesToAnotherDtypeInPlace) {
  Tied model;
  std::vector<Named> before = model.parameters();
  model.to(DType::f64);
  EXPECT_EQ(before[0].tensor.dtype(), DType::f64);  // old handles see it
  EXPECT_TRUE(before[0].tensor.requires_grad());
  EXPECT_EQ(model.running.dtype(), DType::f64);
  EXPECT_EQ(model(Tensor::ones({2, 3}, {.dtype = DType::f64})).dtype(), DType::f64);
}

TEST(Module, MovedModulesKeepTheirParameters) {
  Linear a(2, 3);
  Tensor weight = a.weight;
  Linear b = std::move(a);
  EXPECT_TRUE(b.weight.same(weight));
}

TEST(Module, EvaluationSwitchesDropoutOff) {
  RngScope scope({.seed = 1});
  Dropout drop(0.5);
  Tensor x = Tensor::ones({1000});
  EXPECT_NE(drop(x).to_vector<float>(), x.to_vector<float>());
  drop.eval();
  EXPECT_EQ(drop(x).to_vector<float>(), x.to_vector<float>());
  Tied model;
  model.eval();
  EXPECT_FALSE(model.drop.training());
  model.train();
  EXPECT_TRUE(model.drop.training());
}

TEST(Module, DropoutMasksDependOnThePlace) {
  Sequential model;
  model.add(Dropout(0.5));
  Sequential other;
  other.add(ReLU());
  other.add(Dropout(0.5));
  Tensor x = Tensor::ones({64});
  auto run = [&](Module& m) {
    RngScope scope({.seed = 5, .step = 1});
    return m(x).to_vector<float>();
  };
  EXPECT_EQ(run(model), run(model));
  EXPECT_NE(run(model), run(other));  // place "0" and place "1"
}

TEST(Module, FreezesByPatternWhateverTrainSays) {
  TransformerBlock block({.width = 8, .heads = 2});
  EXPECT_EQ(block.freeze("attn"), 4);
  EXPECT_EQ(block.freeze("norm?"), 4);
  EXPECT_EQ(block.freeze("nothing*"), 0);
  block.train();
  EXPECT_FALSE(block.attn.qkv.weight.requires_grad());
  EXPECT_FALSE(block.norm2.bias.requires_grad());
  EXPECT_TRUE(block.mlp.fc1.weight.requires_grad());
  EXPECT_EQ(block.unfreeze("*"), 12);
  EXPECT_TRUE(block.norm1.weight.requires_grad());
}

TEST(Module, InitialValuesFollowTheirFormulas) {
  RngScope scope({.seed = 11});
  Tensor w = Tensor::empty({256, 128});
  auto deviation = [&] {
    double squares = 0;
    for (float v : w.to_vector<float>()) squares += static_cast<double>(v) * v;
    return std::sqrt(squares / static_cast<double>(w.numel()));
  };
  init::normal(w, 0.5);
  EXPECT_NEAR(deviation(), 0.5, 0.01);
  init::truncated_normal(w, 0.5);
  EXPECT_NEAR(deviation(), 0.5 * 0.8796, 0.01);  // deviation of a normal cut at two
  for (float v : w.to_vector<float>()) EXPECT_LE(std::abs(v), 1.0F);
  init::fan_in_uniform(w, 128);
  EXPECT_NEAR(deviation(), 1 / std::sqrt(128.0) / std::sqrt(3.0), 0.002);
  init::kaiming_normal(w);
  EXPECT_NEAR(deviation(), std::sqrt(2.0 / 256), 0.002);
  {
    init::Skip skip;
    init::zeros(w);
  }
  EXPECT_GT(deviation(), 0.05);
}

TEST(Optimizer, TrainsASmallModelAndResumesToTheSameBits) {
  auto make = [] {
    RngScope scope({.seed = 2});
    Sequential model;
    model.add(Linear(4, 8));
    model.add(GELU());
    model.add(Linear(8, 3));
    return model;
  };
  RngScope data({.seed = 9});
  Tensor x = normal({16, 4}, 0, 1);
  Tensor labels = argmax(x.narrow(1, 0, 3));
  auto train = [&](Sequential& model, AdamW& optimizer, int steps) {
    double loss = 0;
    for (int i = 0; i < steps; ++i) {
      Tensor l = cross_entropy(model(x), labels);
      l.backward();
      optimizer.step();
      loss = l.item();
    }
    return loss;
  };
  Sequential model = make();
  AdamW optimizer(model.parameters(), {.lr = 0.05});
  double first = train(model, optimizer, 1);
  double later = train(model, optimizer, 29);
  EXPECT_LT(later, 0.3 * first);
  EXPECT_FALSE(model.parameters()[0].tensor.grad().defined());

  Sequential half = make();
  AdamW half_optimizer(half.parameters(), {.lr = 0.05});
  train(half, half_optimizer, 12);
  Sequential resumed = make();
  AdamW resumed_optimizer(resumed.parameters(), {.lr = 0.05});
  auto from = half.state();
  auto to = resumed.state();
  for (size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_from(from[i].tensor);
  resumed_optimizer.load_state(half_optimizer.state(), half_optimizer.steps());
  train(resumed, resumed_optimizer, 18);
  for (size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(to[i].tensor.to_vector<float>(), model.state()[i].tensor.to_vector<float>()) << to[i].name;
  }
}

TEST(Optimizer, LeavesFrozenParametersAlone) {
  Linear layer(2, 2);
  layer.freeze("bias");
  auto bias = layer.bias.to_vector<float>();
  auto weight = layer.weight.to_vector<float>();
  SGD optimizer(layer.parameters(), {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1});
  sum(layer(Tensor::ones({1, 2}))).backward();
  optimizer.step();
  EXPECT_EQ(layer.bias.to_vector<float>(), bias);
  EXPECT_NE(layer.weight.to_vector<float>(), weight);
  EXPECT_EQ(names(optimizer.state()), (std::vector<std::string>{"velocity.weight"}));
}

TEST(Optimizer, MisuseIsExplained) {
  Linear layer(2, 2);
  AdamW optimizer(layer.parameters(), {});
  EXPECT_EQ(error_of([&] { optimizer.step(); }),
            "optimizer: no parameter has a gradient; call backward() on a loss first");
  EXPECT_NE(error_of([&] { optimizer.set_learning_rate(-1); }).find("must be a finite number"),
            std::string::npos);
  EXPECT_NE(error_of([&] { AdamW(layer.parameters(), {.beta1 = 1.0}); }).find("must be in [0, 1)"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { SGD(layer.parameters(), {.nesterov = true}); }),
            "SGD: Nesterov's method needs a momentum above 0");
  EXPECT_NE(error_of([&] {
              optimizer.load_state({{"m.other", Tensor::ones({1})}}, 1);
            }).find("belong to no parameter"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { Linear(0, 2); }), "Linear: 0 inputs and 2 outputs; both must be positive");
}

TEST(Schedule, WarmsUpAndFollowsTheCosine) {
  WarmupCosine schedule{.peak = 1.0, .floor = 0.1, .warmup = 4, .total = 12};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.at(3), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(4), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(8), 0.1 + 0.9 * 0.5);
  EXPECT_DOUBLE_EQ(schedule.at(12), 0.1);
  EXPECT_DOUBLE_EQ(schedule.at(100), 0.1);
}

}  // namespace
}  // namespace iskra::nn
