// AdamW and SGD against their formulas written out in double.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"

namespace iskra::kernels::testing {
namespace {

constexpr int64_t kSizes[] = {1, 7, 16384, 40009, 0, 3};
constexpr int kTensors = 6;

class Optim : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype = GetParam();
  double eps = Way{dtype, Provider::fastest}.eps();

  std::vector<Array> tensors(uint64_t seed) const {
    std::vector<Array> all;
    for (int i = 0; i < kTensors; ++i)
      all.push_back(Array::random(dtype, {kSizes[i]}, seed + static_cast<uint64_t>(i)));
    return all;
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
    std::vector<Array> w = start, m = tensors(0), v = m;
    for (int i = 0; i < kTensors; ++i) {
      fill(Cpu{}, m[static_cast<size_t>(i)].view(), 0);
      fill(Cpu{}, v[static_cast<size_t>(i)].view(), 0);
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
      adamw(Cpu{threads}, group.data(), kTensors, options, &state);
    }
    for (size_t k = 0; k < kTensors; ++k) {
      expect_close(w[k], want[k], 8 * eps, "w");
      expect_close(m[k], want_m[k], 8 * eps, "m");
      expect_close(v[k], want_v[k], 8 * eps, "v");
    }
  }
}

TEST_P(Optim, SgdFollowsItsFormula) {
  for (float momentum : {0.0F, 0.9F})
    for (bool nesterov : {false, true}) {
      if (nesterov && momentum == 0.0F) continue;
      std::vector<Array> w = tensors(52), velocity = tensors(0);
      for (Array& a : velocity) fill(Cpu{}, a.view(), std::nan(""));  // before step 1 it holds nothing of use
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
        sgd(Cpu{2}, group.data(), kTensors, momentum, nesterov, &state);
      }
      for (size_t k = 0; k < kTensors; ++k) {
        expect_close(w[k], want[k], 8 * eps, "w");
        if (momentum > 0) expect_close(velocity[k], want_velocity[k], 8 * eps, "velocity");
      }
    }
}

TEST_P(Optim, ThreadsChangeNoBit) {
  for (int threads : {2, 3}) {
    std::vector<Array> w1 = tensors(53), w2 = w1, dw = tensors(54), m1 = tensors(55), m2 = m1;
    std::vector<Array> v1 = tensors(56);
    for (Array& a : v1) unary(Cpu{}, UnaryOp::square, a.view(), a.view());
    std::vector<Array> v2 = v1;
    const StepState state{9, 0.003};
    auto group = [&](std::vector<Array>& w, std::vector<Array>& m, std::vector<Array>& v) {
      std::vector<AdamWTensor> all;
      for (size_t k = 0; k < kTensors; ++k)
        all.push_back({w[k].view().data, dw[k].view().data, m[k].view().data, v[k].view().data, kSizes[k],
                       dtype, 0.1F, 1.0F});
      return all;
    };
    adamw(Cpu{1}, group(w1, m1, v1).data(), kTensors, {}, &state);
    adamw(Cpu{threads}, group(w2, m2, v2).data(), kTensors, {}, &state);
    for (size_t k = 0; k < kTensors; ++k) expect_same_bits(w1[k], w2[k], "w");
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Optim, ::testing::Values(DType::f32, DType::f64),
                         [](const auto& at) { return std::string(name_of(at.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
