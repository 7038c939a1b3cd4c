// A ViT in f16 under autocast with a scaled loss: it overflows once, skips that step, and then learns as in
// f32.
#include <gtest/gtest.h>

#include <iskra/core/autocast.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/nn/loss_scaler.h>
#include <iskra/zoo/models/registry.h>

#include "golden_compare.h"

namespace iskra::zoo {
namespace {

using testing::same_bits;

constexpr int64_t kBatch = 24, kClasses = 4;

/// vit_mini learning to tell four noisy patterns apart.
class Lesson {
 public:
  Lesson() {
    RngScope scope({.seed = 21});
    model_ = create("vit_mini", {.classes = kClasses});
    optimizer_ = std::make_unique<nn::AdamW>(model_->parameters(), nn::AdamWConfig{.lr = 1e-3});
    patterns_ = normal({kClasses, 1, 28, 28}, 0, 1);
  }

  /// A loss in f32; `precision` f32 is without autocast.
  Tensor loss(int step, DType precision) {
    RngScope scope({.seed = 22, .step = step});
    Tensor labels = random_integers({kBatch}, 0, kClasses);
    Tensor images = index_select(patterns_, 0, labels) + normal({kBatch, 1, 28, 28}, 0, 0.5);
    if (precision == DType::f32) return cross_entropy((*model_)(images), labels);
    Autocast mixed(precision);
    return cross_entropy((*model_)(images), labels);
  }

  nn::Optimizer& optimizer() { return *optimizer_; }
  std::vector<Tensor> weights() {
    std::vector<Tensor> all;
    for (const nn::Named& each : model_->parameters()) all.push_back(each.tensor.detach().clone());
    return all;
  }

 private:
  std::unique_ptr<Classifier> model_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  Tensor patterns_;
};

bool all_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i) same = same_bits(a[i], b[i]);
  return same;
}

double learn(Lesson& lesson, nn::LossScaler& scaler, DType precision, int first, int last) {
  double loss = 0;
  for (int step = first; step < last; ++step) {
    Tensor now = lesson.loss(step, precision);
    scaler.scale(now).backward();
    scaler.step(lesson.optimizer());
    scaler.update();
    loss = now.item();
  }
  return loss;
}

}  // namespace

TEST(LossScalerVit, OverflowsOnceThenLearnsInHalfPrecision) {
  Lesson half, single;
  nn::LossScaler scaler({.init = 0x1p40, .backoff = 0x1p-26}), off({.enabled = false});
  const std::vector<Tensor> before = half.weights();
  learn(half, scaler, DType::f16, 0, 1);
  EXPECT_EQ(half.optimizer().steps(), 0);
  EXPECT_TRUE(all_same(half.weights(), before)) << "a skipped step changed a weight";
  EXPECT_EQ(scaler.factor(), 0x1p14);

  const double at_first = half.loss(1, DType::f16).item();
  const double in_half = learn(half, scaler, DType::f16, 1, 41);
  EXPECT_EQ(half.optimizer().steps(), 40) << "no step after the first overflows";
  EXPECT_EQ(scaler.factor(), 0x1p14);
  const double in_single = learn(single, off, DType::f32, 1, 41);
  EXPECT_GT(at_first, 1);
  EXPECT_LT(in_single, 0.2);
  EXPECT_NEAR(in_half, in_single, 0.02);
}

// Why a loss is scaled at all: small gradients are zeros in f16, unless they come scaled.
TEST(LossScalerVit, KeepsGradientsThatHalfPrecisionWouldLose) {
  auto zeros = [](double scale) {
    Lesson lesson;
    nn::LossScaler scaler({.init = scale});
    scaler.scale(lesson.loss(0, DType::f16) * 1e-4).backward();
    double count = 0;
    for (const nn::Named& each : lesson.optimizer().gradients())
      if (each.name.find(".weight") != std::string::npos)
        count += sum(eq(each.tensor, 0.0).to(DType::f32)).item();
    return count;
  };
  const double plain = zeros(1), scaled = zeros(65536);
  EXPECT_GT(plain, 1000);
  EXPECT_LT(scaled, plain / 10);
}

TEST(LossScalerVit, APowerOfTwoChangesNoBitInSinglePrecision) {
  Lesson plain, scaled;
  nn::LossScaler scaler, off({.enabled = false});
  learn(plain, off, DType::f32, 0, 4);
  learn(scaled, scaler, DType::f32, 0, 4);
  EXPECT_TRUE(all_same(plain.weights(), scaled.weights()));
}

}  // namespace iskra::zoo
