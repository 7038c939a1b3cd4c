// Loss scaling: a training loop with a scaler against one without, skipped steps, resuming, and misuse.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <iskra/core/random.h>
#include <iskra/nn/layers.h>
#include <iskra/nn/loss_scaler.h>

#include "error_of.h"
#include "golden_compare.h"

namespace iskra::nn {

namespace {

using testing::error_of;
using testing::same_bits;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Net : Module {
  Linear a{6, 8}, b{8, 3};
  Tensor forward(const Tensor& x) override { return b(tanh(a(x))); }
  void fields(Fields& f) override { f("a", a)("b", b); }
};

/// A net and its optimizer, the same in every object.
struct Training {
  Net net = [] {
    RngScope scope({.seed = 3});
    return Net();
  }();
  AdamW optimizer{net.parameters(), {.lr = 1e-2}};
  Tensor loss(int step) {
    RngScope scope({.seed = 4, .step = step});
    return mean(square(net(normal({5, 6}, 0, 1))));
  }
  /// Puts `value` into a gradient.
  void spoil(double value) {
    Tensor first = optimizer.gradients().front().tensor.flatten().narrow(0, 2, 1);
    first.fill(value);
  }
};

std::vector<Tensor> copies(const std::vector<Named>& all) {
  std::vector<Tensor> out;
  for (const Named& each : all) out.push_back(each.tensor.detach().clone());
  return out;
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_bits(a[i], b[i])) << i;
}

void scaled_step(LossScaler& scaler, Training& at, int step) {
  scaler.scale(at.loss(step)).backward();
  scaler.step(at.optimizer);
  scaler.update();
}

}  // namespace

TEST(LossScaler, APowerOfTwoChangesNoBitInSinglePrecision) {
  Training plain, scaled, clipped, disabled;
  LossScaler scaler({.init = 1024, .interval = 2}), other({.init = 1 << 20}), off({.enabled = false});
  for (int step = 0; step < 6; ++step) {
    Tensor loss = plain.loss(step);
    loss.backward();
    plain.optimizer.step();
    EXPECT_EQ(scaler.factor(), 1024 * std::exp2(step / 2));
    Tensor big = scaler.scale(scaled.loss(step));
    EXPECT_EQ(big.item(), loss.item() * scaler.factor());
    big.backward();
    scaler.step(scaled.optimizer);
    scaler.update();
    other.scale(clipped.loss(step)).backward();
    other.unscale_(clipped.optimizer);  // what a user clips is the gradient itself
    other.step(clipped.optimizer);
    other.update();
    scaled_step(off, disabled, step);
  }
  for (Training* each : {&scaled, &clipped, &disabled}) {
    expect_same(copies(each->net.parameters()), copies(plain.net.parameters()));
    expect_same(copies(each->optimizer.state()), copies(plain.optimizer.state()));
    EXPECT_EQ(each->optimizer.steps(), 6);
  }
}

TEST(LossScaler, UnscaleGivesTheGradientsThemselves) {
  Training plain, scaled;
  LossScaler scaler;
  plain.loss(0).backward();
  scaler.scale(scaled.loss(0)).backward();
  expect_same({scaled.optimizer.gradients()[1].tensor}, {plain.optimizer.gradients()[1].tensor * 65536.0});
  scaler.unscale_(scaled.optimizer);
  expect_same(copies(scaled.optimizer.gradients()), copies(plain.optimizer.gradients()));
}

TEST(LossScaler, SkipsAStepThatOverflowed) {
  for (double bad : {kInfinity, -kInfinity, std::nan("")}) {
    for (bool unscaled_before : {false, true}) {
      Training at;
      LossScaler scaler({.init = 64});
      scaled_step(scaler, at, 0);
      auto before = copies(at.net.parameters()), moments = copies(at.optimizer.state());
      scaler.scale(at.loss(1)).backward();
      at.spoil(bad);
      if (unscaled_before) scaler.unscale_(at.optimizer);
      scaler.step(at.optimizer);
      scaler.update();
      expect_same(copies(at.net.parameters()), before);
      expect_same(copies(at.optimizer.state()), moments);
      EXPECT_EQ(at.optimizer.steps(), 1);
      EXPECT_TRUE(at.optimizer.gradients().empty()) << "a skipped step clears the gradients, too";
      EXPECT_EQ(scaler.factor(), 32);
      scaled_step(scaler, at, 2);
      EXPECT_EQ(at.optimizer.steps(), 2);
      EXPECT_FALSE(same_bits(at.net.a.weight.detach(), before[0]));
    }
  }
}

TEST(LossScaler, EachOptimizerHasItsOwnFlag) {
  for (int spoiled : {0, 1, 2}) {
    Training three[3];
    LossScaler scaler({.init = 64});
    std::vector<Tensor> before[3];
    for (int i : {0, 1, 2}) {
      before[i] = copies(three[i].net.parameters());
      scaler.scale(three[i].loss(0)).backward();
    }
    three[spoiled].spoil(kInfinity);
    for (Training& at : three) scaler.step(at.optimizer);
    scaler.update();
    for (int i : {0, 1, 2}) {
      EXPECT_EQ(three[i].optimizer.steps(), i == spoiled ? 0 : 1);
      EXPECT_EQ(same_bits(three[i].net.a.weight.detach(), before[i][0]), i == spoiled);
    }
    EXPECT_EQ(scaler.factor(), 32);
  }
}

TEST(LossScaler, AddsUpScaledGradients) {
  Training plain, scaled;
  LossScaler scaler({.init = 8});
  for (int part : {0, 1}) {
    plain.loss(part).backward();
    scaler.scale(scaled.loss(part)).backward();
  }
  plain.optimizer.step();
  scaler.step(scaled.optimizer);
  expect_same(copies(scaled.net.parameters()), copies(plain.net.parameters()));
}

TEST(LossScaler, ResumesBitByBit) {
  const LossScalerConfig config{.init = 3000, .growth = 1.5, .interval = 3};
  Training whole, halves;
  LossScaler uninterrupted(config), first(config), second(config);
  for (int step = 0; step < 10; ++step) {
    if (step == 5) {
      second.load_state(first.state());
      EXPECT_EQ(second.factor(), first.factor());
    }
    auto run = [step](LossScaler& scaler, Training& at) {
      scaler.scale(at.loss(step)).backward();
      if (step == 3) at.spoil(kInfinity);
      scaler.step(at.optimizer);
      scaler.update();
    };
    run(uninterrupted, whole);
    run(step < 5 ? first : second, halves);
  }
  EXPECT_EQ(second.factor(), uninterrupted.factor());
  EXPECT_NE(second.factor(), first.factor()) << "the scale grew after the resume";
  expect_same(copies(halves.net.parameters()), copies(whole.net.parameters()));
  expect_same(copies(second.state()), copies(uninterrupted.state()));
}

TEST(LossScaler, StateIsACopy) {
  Training at;
  LossScaler scaler({.init = 64, .interval = 1});
  std::vector<Named> state = scaler.state();
  scaled_step(scaler, at, 0);
  EXPECT_EQ(state[0].tensor.item(), 64);
  EXPECT_EQ(scaler.factor(), 128);
}

TEST(LossScaler, WidensANarrowLoss) {
  LossScaler scaler;
  for (DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
    Tensor x = Tensor::full({}, 2, {.dtype = dtype}).set_requires_grad();
    Tensor loss = scaler.scale(x);
    EXPECT_EQ(loss.item(), 131072) << name_of(dtype);  // beyond f16
    EXPECT_EQ(loss.dtype(), dtype == DType::f64 ? DType::f64 : DType::f32);
  }
}

TEST(LossScaler, SaysWhatIsWrongWithItsNumbers) {
  using C = LossScalerConfig;
  const std::pair<C, const char*> wrong[] = {
      {{.init = std::nan("")}, "LossScaler: the first scale is nan; it must be positive and finite in f32"},
      {{.init = 0}, "LossScaler: the first scale is 0; it must be positive and finite in f32"},
      {{.init = 1e39}, "LossScaler: the first scale is 1e+39; it must be positive and finite in f32"},
      {{.growth = 1}, "LossScaler: growth 1 must be a finite number above 1"},
      {{.growth = kInfinity}, "LossScaler: growth inf must be a finite number above 1"},
      {{.backoff = 1}, "LossScaler: backoff 1 must be in (0, 1)"},
      {{.interval = 0}, "LossScaler: an interval of 0 steps; it must be at least 1"},
  };
  for (const auto& [config, says] : wrong)
    EXPECT_EQ(error_of([&given = config] { LossScaler scaler(given); }), says);
}

TEST(LossScaler, SaysWhatIsWrongWithTheOrderOfCalls) {
  Training at, other;
  LossScaler scaler;
  const std::string unscaled =
      " no loss was scaled since the last update(); call scale(loss).backward() first";
  EXPECT_EQ(error_of([&] { scaler.step(at.optimizer); }), "LossScaler::step:" + unscaled);
  EXPECT_EQ(error_of([&] { scaler.unscale_(at.optimizer); }), "LossScaler::unscale_:" + unscaled);
  EXPECT_EQ(
      error_of([&] { scaler.update(); }),
      "LossScaler::update: no gradients were unscaled since the last update(); call step(optimizer) first");
  EXPECT_EQ(error_of([&] { scaler.scale({}); }),
            "LossScaler::scale: the loss is undefined; it must be a floating tensor");
  EXPECT_EQ(error_of([&] { scaler.scale(Tensor::zeros({}, {.dtype = DType::i64})); }),
            "LossScaler::scale: the loss is i64 () cpu; it must be a floating tensor");
  Tensor loss = scaler.scale(at.loss(0));
  EXPECT_EQ(error_of([&] { scaler.step(at.optimizer); }),
            "LossScaler: no parameter of the optimizer has a gradient; call scale(loss).backward() first");
  loss.backward();
  scaler.unscale_(at.optimizer);
  EXPECT_EQ(error_of([&] { scaler.unscale_(at.optimizer); }),
            "LossScaler::unscale_: this optimizer was unscaled already since the last update(); do it once, "
            "before step()");
  EXPECT_EQ(
      error_of([&] { scaler.scale(other.loss(0)); }),
      "LossScaler::scale: gradients of this step were divided by the scale already; call update() first, "
      "or scale all losses before unscale_() and step()");
  EXPECT_EQ(error_of([&] { scaler.state(); }), "LossScaler::state: a step is under way; call update() first");
  scaler.step(at.optimizer);
  EXPECT_EQ(
      error_of([&] { scaler.step(at.optimizer); }),
      "LossScaler::step: this optimizer has made its step already since the last update(); call update() "
      "once after each step");
  EXPECT_EQ(error_of([&] { scaler.unscale_(at.optimizer); }),
            "LossScaler::unscale_: this optimizer has made its step already since the last update(); do it "
            "once, before step()");
  EXPECT_EQ(error_of([&] { scaler.load_state({}); }),
            "LossScaler::load_state: a step is under way; call update() first");
  scaler.update();
  scaled_step(scaler, at, 1);
  EXPECT_EQ(at.optimizer.steps(), 2) << "after all those errors it goes on";
}

TEST(LossScaler, SaysWhatIsWrongWithAState) {
  LossScaler scaler({.interval = 10}), off({.enabled = false});
  auto load = [&](double scale, double good_steps) {
    return error_of([&] {
      scaler.load_state({{"scale", Tensor::full({}, scale)},
                         {"good_steps", Tensor::full({}, good_steps, {.dtype = DType::i64})}});
    });
  };
  EXPECT_EQ(load(std::nan(""), 0),
            "LossScaler: the state's scale is nan; it must be positive and finite in f32");
  EXPECT_EQ(load(2, 10),
            "LossScaler: the state counts 10 good steps, and the interval is 10; the count must be below it");
  EXPECT_EQ(error_of([&] { scaler.load_state({}); }), "LossScaler: scale is missing in the state");
  EXPECT_EQ(error_of([&] { scaler.load_state({{"scale", Tensor::zeros({2})}}); }),
            "LossScaler: scale in the state is f32 (2) cpu; it must be one f32");
  EXPECT_EQ(scaler.factor(), 65536) << "nothing was taken from a wrong state";
  EXPECT_EQ(load(2, 9), "no error");
  EXPECT_EQ(scaler.factor(), 2);
  EXPECT_TRUE(off.state().empty());
  EXPECT_EQ(
      error_of([&] { off.load_state(scaler.state()); }),
      "LossScaler: 2 tensors of state for a scaler that is disabled; it was saved by one that was enabled");
}

TEST(Optimizer, KeepsMomentsOfNarrowParametersInSinglePrecision) {
  for (DType dtype : {DType::bf16, DType::f16}) {
    Training wide, narrow;
    narrow.net.to(dtype);
    for (Named& p : wide.net.parameters()) {
      NoGrad no_grad;
      p.tensor.copy_from(p.tensor.detach().to(dtype));
    }
    std::vector<Named> w = wide.net.parameters(), n = narrow.net.parameters();
    for (size_t i = 0; i < w.size(); ++i) {
      Tensor grad = Tensor::full(w[i].tensor.shape(), 0.25);
      w[i].tensor.set_grad(grad);
      n[i].tensor.set_grad(grad.to(dtype));
    }
    wide.optimizer.step();
    narrow.optimizer.step();
    for (size_t i = 0; i < w.size(); ++i)
      EXPECT_TRUE(same_bits(w[i].tensor.detach().to(dtype), n[i].tensor.detach())) << w[i].name;
    expect_same(copies(narrow.optimizer.state()), copies(wide.optimizer.state()));
    Training resumed;
    resumed.net.to(dtype);
    resumed.optimizer.load_state(narrow.optimizer.state(), narrow.optimizer.steps());
    expect_same(copies(resumed.optimizer.state()), copies(wide.optimizer.state()));
    EXPECT_EQ(resumed.optimizer.steps(), 1);
  }
}

}  // namespace iskra::nn
