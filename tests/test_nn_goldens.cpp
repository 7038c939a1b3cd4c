// Optimizers against PyTorch, step by step, with a learning rate that changes every step; the schedule
// against its formula.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <numbers>

#include <iskra/nn/optim.h>

#include "golden_compare.h"

namespace iskra::nn {

namespace {

using testing::GoldenFile;
using testing::near;

constexpr int kSteps = 20;

const GoldenFile& goldens() {
  static const GoldenFile kFile = GoldenFile::read("models.safetensors");
  return kFile;
}

struct OptimizerCase {
  const char* name;
  std::function<std::unique_ptr<Optimizer>(std::vector<Named>)> make;
};

std::unique_ptr<Optimizer> adamw(std::vector<Named> w, AdamWConfig config) {
  return std::make_unique<AdamW>(std::move(w), config);
}
std::unique_ptr<Optimizer> sgd(std::vector<Named> w, SGDConfig config) {
  return std::make_unique<SGD>(std::move(w), config);
}

const OptimizerCase kCases[] = {
    {"adamw", [](const auto& w) { return adamw(w, {.weight_decay = 0.25}); }},
    {"adamw_decay_all", [](const auto& w) { return adamw(w, {.weight_decay = 0.25, .decay_all = true}); }},
    {"adamw_betas",
     [](const auto& w) { return adamw(w, {.beta1 = 0.5, .beta2 = 0.75, .eps = 0.0625, .weight_decay = 0}); }},
    {"sgd", [](const auto& w) { return sgd(w, {}); }},
    {"sgd_decay", [](const auto& w) { return sgd(w, {.weight_decay = 0.125}); }},
    {"sgd_momentum",
     [](const auto& w) { return sgd(w, {.momentum = 0.875, .weight_decay = 0.125, .decay_all = true}); }},
    {"sgd_nesterov",
     [](const auto& w) { return sgd(w, {.momentum = 0.875, .weight_decay = 0.125, .nesterov = true}); }},
};

std::vector<Named> initial_weights(DType dtype) {
  std::vector<Named> w;
  for (const char* name : {"matrix", "vector"}) {
    w.push_back({name, goldens().at(text("optimizer/w0/", name)).tensor(dtype).set_requires_grad()});
  }
  return w;
}

void set_gradients(std::vector<Named>& w, int step, DType dtype) {
  for (Named& p : w) p.tensor.set_grad(goldens().at(text("optimizer/grad", step, "/", p.name)).tensor(dtype));
}

class Optimizers : public ::testing::TestWithParam<OptimizerCase> {};

TEST_P(Optimizers, FollowPyTorchForTwentySteps) {
  const std::vector<double>& rates = goldens().at("optimizer/rates").values;
  for (DType dtype : {DType::f64, DType::f32}) {
    std::vector<Named> w = initial_weights(dtype);
    auto optimizer = GetParam().make(w);
    for (int step = 1; step <= kSteps; ++step) {
      set_gradients(w, step, dtype);
      optimizer->set_learning_rate(rates[static_cast<size_t>(step) - 1]);
      optimizer->step();
      for (const Named& p : w) {
        // The betas are f32 in every precision.
        EXPECT_TRUE(near(p.tensor, goldens().at(text("optimizer/", GetParam().name, "/w", step, "/", p.name)),
                         dtype == DType::f64 ? 1e-7 : 2e-6))
            << p.name << " after step " << step << " in " << name_of(dtype);
        EXPECT_FALSE(p.tensor.grad().defined());
      }
    }
    EXPECT_EQ(optimizer->steps(), kSteps);
  }
}

TEST_P(Optimizers, ResumeFromTheirStateBitByBit) {
  std::vector<Named> whole = initial_weights(DType::f32), halves = initial_weights(DType::f32);
  auto uninterrupted = GetParam().make(whole), first = GetParam().make(halves);
  auto second = GetParam().make(halves);
  for (int step = 1; step <= kSteps; ++step) {
    if (step == kSteps / 2) {
      std::vector<Named> saved;
      for (const Named& s : first->state()) saved.push_back({s.name, s.tensor.clone()});
      second->load_state(saved, first->steps());
    }
    set_gradients(whole, step, DType::f32);
    set_gradients(halves, step, DType::f32);
    uninterrupted->step();
    (step < kSteps / 2 ? first : second)->step();
    for (size_t i = 0; i < whole.size(); ++i) {
      ASSERT_TRUE(testing::same_bits(whole[i].tensor, halves[i].tensor))
          << whole[i].name << ", step " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, Optimizers, ::testing::ValuesIn(kCases),
                         [](const auto& at) { return std::string(at.param.name); });

TEST(WarmupCosine, FollowsItsFormula) {
  WarmupCosine schedule{.peak = 0.3, .floor = 0.01, .warmup = 5, .total = 25};
  for (int64_t step = 0; step < 40; ++step) {
    double want = 0.01;
    if (step < 5)
      want = 0.3 * static_cast<double>(step + 1) / 5;
    else if (step < 25)
      want = 0.01 + 0.29 * (1 + std::cos(std::numbers::pi * static_cast<double>(step - 5) / 20)) / 2;
    EXPECT_NEAR(schedule.at(step), want, 1e-15) << step;
  }
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.06) << "the first step is not wasted";
  EXPECT_DOUBLE_EQ(schedule.at(4), 0.3);
  EXPECT_DOUBLE_EQ(schedule.at(5), 0.3);
}

TEST(WarmupCosine, AllowsNoWarmupAndOnlyWarmup) {
  WarmupCosine cosine{.peak = 1, .warmup = 0, .total = 2};
  EXPECT_DOUBLE_EQ(cosine.at(0), 1);
  EXPECT_NEAR(cosine.at(1), 0.5, 1e-15);
  EXPECT_DOUBLE_EQ(cosine.at(2), 0);
  WarmupCosine warmup{.peak = 1, .warmup = 4, .total = 4};
  EXPECT_DOUBLE_EQ(warmup.at(3), 1);
  EXPECT_DOUBLE_EQ(warmup.at(4), 0);
}

}  // namespace

}  // namespace iskra::nn
