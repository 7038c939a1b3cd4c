// AdamW, SGD and loss scaling against their formulas written out in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

constexpr int64_t kSizes[] = {1, 7, 16384, 40009, 0, 3};
constexpr int kTensors = 6;

class Optim : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype = GetParam();
  double eps = Way{dtype, Provider::fastest}.eps();

  std::vector<Array> tensors(uint64_t seed) const { return tensors(seed, dtype); }
  std::vector<Array> moments(uint64_t seed) const {
    return tensors(seed, dtype == DType::f64 ? DType::f64 : DType::f32);
  }
  static std::vector<Array> tensors(uint64_t seed, DType type) {
    std::vector<Array> all;
    for (int i = 0; i < kTensors; ++i)
      all.push_back(Array::random(type, {kSizes[i]}, seed + static_cast<uint64_t>(i)));
    return all;
  }
  /// 16-bit weights are rounded at every step, so every step is compared on its own.
  void expect_weights(const std::vector<Array>& w, std::vector<std::vector<double>>& want) const {
    for (size_t k = 0; k < kTensors; ++k) {
      expect_close(w[k], want[k], 8 * eps, "w");
      if (size_of(dtype) == 2) want[k] = w[k].values();
    }
  }
  static float decay_of(int i) { return i % 2 == 0 ? 0.05F : 0.0F; }
  static float scale_of(int i) { return i == 1 ? 0.5F : 1.0F; }
};

std::vector<std::vector<double>> values(const std::vector<Array>& arrays) {
  std::vector<std::vector<double>> all;
  for (const Array& a : arrays) {
    std::vector<double> one;
    for (int64_t i = 0; i < a.numel(); ++i) one.push_back(a.get(i));
    all.push_back(one);
  }
  return all;
}

TEST_P(Optim, AdamWFollowsItsFormula) {
  const std::vector<Array> start = tensors(51);
  for (int threads : {1, 3}) {
    std::vector<Array> w = start, m = moments(0), v = m;
    for (int i = 0; i < kTensors; ++i) {
      fill(on(), m[static_cast<size_t>(i)].view(), 0);
      fill(on(), v[static_cast<size_t>(i)].view(), 0);
    }
    auto want = values(w), want_m = values(m), want_v = values(v);
    const AdamWOptions options{.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-7};
    for (int64_t t = 1; t <= 4; ++t) {
      std::vector<Array> dw = tensors(100 * static_cast<uint64_t>(t));
      const StepState state{t, 0.01 * static_cast<double>(t)};
      std::vector<AdamWTensor> group;
      for (int i = 0; i < kTensors; ++i) {
        const size_t k = static_cast<size_t>(i);
        group.push_back({w[k].view().data, dw[k].view().data, m[k].view().data, v[k].view().data, kSizes[i],
                         dtype, decay_of(i), scale_of(i)});
        const double lr = state.learning_rate * static_cast<double>(scale_of(i));
        for (int64_t j = 0; j < kSizes[i]; ++j) {
          double& p = want[k][static_cast<size_t>(j)];
          double& first = want_m[k][static_cast<size_t>(j)];
          double& second = want_v[k][static_cast<size_t>(j)];
          const double g = dw[k].get(j), steps = static_cast<double>(t);
          p -= lr * static_cast<double>(decay_of(i)) * p;
          first = options.beta1 * first + (1 - options.beta1) * g;
          second = options.beta2 * second + (1 - options.beta2) * g * g;
          const double m_hat = first / (1 - std::pow(options.beta1, steps));
          const double v_hat = second / (1 - std::pow(options.beta2, steps));
          p -= lr * m_hat / (std::sqrt(v_hat) + options.eps);
        }
      }
      adamw(on(threads), group.data(), kTensors, options, &state);
      expect_weights(w, want);
    }
    for (size_t k = 0; k < kTensors; ++k) {
      expect_close(m[k], want_m[k], 8 * eps, "m");
      expect_close(v[k], want_v[k], 8 * eps, "v");
    }
  }
}

TEST_P(Optim, SgdFollowsItsFormula) {
  for (float momentum : {0.0F, 0.9F})
    for (bool nesterov : {false, true}) {
      if (nesterov && momentum == 0.0F) continue;
      std::vector<Array> w = tensors(52), velocity = moments(0);
      for (Array& a : velocity) fill(on(), a.view(), std::nan(""));  // before step 1 it holds nothing of use
      auto want = values(w), want_velocity = values(velocity);
      for (int64_t t = 1; t <= 3; ++t) {
        std::vector<Array> dw = tensors(100 * static_cast<uint64_t>(t));
        const StepState state{t, 0.1 / static_cast<double>(t)};
        std::vector<SgdTensor> group;
        for (int i = 0; i < kTensors; ++i) {
          const size_t k = static_cast<size_t>(i);
          group.push_back({w[k].view().data, dw[k].view().data,
                           momentum > 0 ? velocity[k].view().data : nullptr, kSizes[i], dtype, decay_of(i),
                           scale_of(i)});
          for (int64_t j = 0; j < kSizes[i]; ++j) {
            const double mu = static_cast<double>(momentum);
            double& p = want[k][static_cast<size_t>(j)];
            double& u = want_velocity[k][static_cast<size_t>(j)];
            const double g = dw[k].get(j) + static_cast<double>(decay_of(i)) * p;
            u = t == 1 || momentum == 0.0F ? g : mu * u + g;
            p -= state.learning_rate * static_cast<double>(scale_of(i)) * (nesterov ? g + mu * u : u);
          }
        }
        sgd(on(2), group.data(), kTensors, momentum, nesterov, &state);
        expect_weights(w, want);
      }
      for (size_t k = 0; k < kTensors && momentum > 0; ++k)
        expect_close(velocity[k], want_velocity[k], 8 * eps, "velocity");
    }
}

TEST_P(Optim, ThreadsChangeNoBit) {
  for (int threads : {2, 3}) {
    std::vector<Array> w1 = tensors(53), w2 = w1, dw = tensors(54), m1 = moments(55), m2 = m1;
    std::vector<Array> v1 = moments(56);
    for (Array& a : v1) unary(on(), UnaryOp::square, a.view(), a.view());
    std::vector<Array> v2 = v1;
    const StepState state{9, 0.003};
    auto group = [&](std::vector<Array>& w, std::vector<Array>& m, std::vector<Array>& v) {
      std::vector<AdamWTensor> all;
      for (size_t k = 0; k < kTensors; ++k)
        all.push_back({w[k].view().data, dw[k].view().data, m[k].view().data, v[k].view().data, kSizes[k],
                       dtype, 0.1F, 1.0F});
      return all;
    };
    adamw(on(1), group(w1, m1, v1).data(), kTensors, {}, &state);
    adamw(on(threads), group(w2, m2, v2).data(), kTensors, {}, &state);
    for (size_t k = 0; k < kTensors; ++k) expect_same_bits(w1[k], w2[k], "w");
  }
}

TEST_P(Optim, ASkippedStepChangesNoBit) {
  StepState state{.step = 4, .learning_rate = 0.5};
  const int32_t raised = 1, down = 0;
  begin_step(on(), &raised, &state);
  EXPECT_EQ(state.step, 4);
  const std::vector<Array> start = tensors(57), dw = tensors(58), start_m = moments(59);
  std::vector<Array> w = start, m = start_m, v = start_m;
  std::vector<AdamWTensor> adam;
  std::vector<SgdTensor> with_momentum;
  for (size_t k = 0; k < kTensors; ++k) {
    adam.push_back({w[k].view().data, dw[k].view().data, m[k].view().data, v[k].view().data, kSizes[k], dtype,
                    0.1F, 1.0F});
    with_momentum.push_back(
        {w[k].view().data, dw[k].view().data, m[k].view().data, kSizes[k], dtype, 0.1F, 1.0F});
  }
  adamw(on(2), adam.data(), kTensors, {}, &state);
  sgd(on(2), with_momentum.data(), kTensors, 0.9F, true, &state);
  for (size_t k = 0; k < kTensors; ++k) {
    expect_same_bits(w[k], start[k], "w");
    expect_same_bits(m[k], start_m[k], "m");
    expect_same_bits(v[k], start_m[k], "v");
  }
  begin_step(on(), &down, &state);
  EXPECT_EQ(state.step, 5);
  begin_step(on(), nullptr, &state);
  EXPECT_EQ(state.step, 6);
  sgd(on(2), with_momentum.data(), kTensors, 0.9F, true, &state);
  EXPECT_FALSE(w[0].same_bits(start[0]));
}

std::vector<ScaledTensor> scaled(std::vector<Array>& dw) {
  std::vector<ScaledTensor> all;
  for (Array& each : dw) all.push_back({each.view().data, each.numel(), each.dtype()});
  return all;
}

TEST_P(Optim, UnscaleDividesByTheScale) {
  for (float scale : {65536.0F, 3.0F, 0.25F}) {
    for (int threads : {1, 3}) {
      std::vector<Array> dw = tensors(60);
      auto want = values(dw);
      for (auto& one : want) {
        for (double& x : one) x /= static_cast<double>(scale);
      }
      int32_t found = 0;
      unscale(on(threads), scaled(dw).data(), kTensors, &scale, &found);
      EXPECT_EQ(found, 0);
      // Subnormal halves have an absolute rounding.
      const double tolerance = dtype == DType::f16 ? 0x1p-25 : eps;
      for (size_t k = 0; k < kTensors; ++k) expect_close(dw[k], want[k], tolerance, text("1 / ", scale));
    }
  }
}

TEST_P(Optim, UnscaleFindsOneBadElementAnywhere) {
  const double infinity = std::numeric_limits<double>::infinity();
  const float scale = 4;
  for (double bad : {infinity, -infinity, std::nan("")}) {
    for (int k = 0; k < kTensors; ++k) {
      for (int64_t place : {int64_t{0}, kSizes[k] / 2, kSizes[k] - 1}) {
        if (kSizes[k] == 0) continue;
        std::vector<Array> dw = tensors(61);
        dw[static_cast<size_t>(k)].set(place, bad);
        int32_t found = 0;
        unscale(on(2), scaled(dw).data(), kTensors, &scale, &found);
        EXPECT_EQ(found, 1) << bad << " at " << place << " of " << k;
        const double kept = dw[static_cast<size_t>(k)].get(place);
        EXPECT_TRUE(std::isnan(bad) ? std::isnan(kept) : kept == bad);
      }
    }
  }
}

TEST_P(Optim, UnscaleSeesWhatOverflowsAsItIsStored) {
  const double largest = dtype == DType::f16    ? 65504
                         : dtype == DType::bf16 ? 0x1.fep127
                         : dtype == DType::f32  ? static_cast<double>(std::numeric_limits<float>::max())
                                                : std::numeric_limits<double>::max();
  for (double value : {largest, largest / 4}) {
    std::vector<Array> dw = {Array(dtype, {1})};
    dw[0].set(0, value);
    const float scale = 0.5F;
    int32_t found = 0;
    unscale(on(), scaled(dw).data(), 1, &scale, &found);
    EXPECT_EQ(found, value == largest ? 1 : 0);
  }
}

TEST(Scaler, AFlagThatIsUpStaysUp) {
  std::vector<Array> dw = {Array::random(DType::f32, {5}, 1)};
  const float scale = 2;
  int32_t found = 1;
  unscale(on(), scaled(dw).data(), 1, &scale, &found);
  EXPECT_EQ(found, 1);
}

// The rule of Micikevicius et al., written out once more.
TEST(Scaler, FollowsItsRule) {
  const ScalerOptions options{.growth = 3, .backoff = 0.25, .interval = 4};
  const std::vector<int> overflows = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  float scale = 1024;
  int64_t good_steps = 0;
  double want = 1024;
  int run = 0;
  for (size_t step = 0; step < overflows.size(); ++step) {
    int32_t flags[3] = {0, overflows[step], 0};
    update_scale(on(), options, flags, 3, &scale, &good_steps);
    run = overflows[step] != 0 ? 0 : run + 1;
    if (overflows[step] != 0) want /= 4;
    if (run == 4) want *= 3, run = 0;
    EXPECT_EQ(static_cast<double>(scale), want) << step;
    EXPECT_EQ(good_steps, run) << step;
    EXPECT_EQ(std::count(flags, flags + 3, 0), 3) << step;
  }
}

TEST(Scaler, StaysWithinFloat) {
  int32_t flag = 0;
  int64_t good_steps = 0;
  float scale = 0x1p127F;
  update_scale(on(), {.interval = 1}, &flag, 1, &scale, &good_steps);
  EXPECT_EQ(scale, 0x1p127F);
  EXPECT_EQ(good_steps, 0);
  scale = 0x1p-126F;
  flag = 1;
  update_scale(on(), {}, &flag, 1, &scale, &good_steps);
  EXPECT_EQ(scale, 0x1p-126F);
}

INSTANTIATE_TEST_SUITE_P(Kernels, Optim, ::testing::Values(DType::f32, DType::f64, DType::bf16, DType::f16),
                         [](const auto& at) { return std::string(name_of(at.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
