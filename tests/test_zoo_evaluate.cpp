// evaluate() against a plain loop in f64.
#include <iskra/nn/layers.h>
#include <iskra/zoo/data/dataset.h>
#include <iskra/zoo/train/evaluate.h>
#include <iskra/zoo/train/throughput.h>

#include <cmath>

#include "zoo_pictures.h"

using namespace iskra;
using namespace iskra::zoo;
using namespace iskra::testing;

namespace {

constexpr int64_t kPixels = kSide * kSide;

/// Logits are a fixed linear function of the pixels; says whether it was asked in training mode or recorded.
class LinearModel : public nn::Module {
 public:
  explicit LinearModel(int64_t classes) : weight_(Tensor::zeros({classes, kPixels})) {
    auto* w = weight_.data<float>();
    for (int64_t i = 0; i < classes * kPixels; ++i)
      w[i] = static_cast<float>(noise(static_cast<uint64_t>(i))) / 256 - 0.5F;
    weight_.set_requires_grad();
  }
  Tensor forward(const Tensor& x) override {
    was_training = was_training || training();
    Tensor y = linear(x.reshape({x.size(0), kPixels}), weight_);
    was_recorded = was_recorded || y.requires_grad();
    return y;
  }
  void fields(nn::Fields& f) override { f("weight", weight_); }
  double weight(int64_t c, int64_t i) { return weight_.data<float>()[c * kPixels + i]; }

  bool was_training = false, was_recorded = false;

 private:
  Tensor weight_;
};

Dataset pictures(int64_t count) {
  std::vector<uint8_t> pixels;
  std::vector<int64_t> labels;
  for (int i = 0; i < static_cast<int>(count); ++i) {
    for (char c : picture_of(i, 5)) pixels.push_back(static_cast<uint8_t>(c));
    labels.push_back(i % kQuarters);
  }
  return Dataset(pixels, kSide, kSide, 1, labels, {"a", "b", "c", "d"}, "test");
}

struct Row {
  int64_t predicted;
  std::vector<double> p;
};

Row reference(LinearModel& model, const Dataset& data, int64_t i) {
  std::vector<double> logits;
  for (int64_t c = 0; c < kQuarters; ++c) {
    double sum = 0;
    for (int64_t k = 0; k < kPixels; ++k)
      sum += model.weight(c, k) * (data.picture(i)[k] / 255.0 - 0.25) / 0.5;
    logits.push_back(sum);
  }
  Row row{std::max_element(logits.begin(), logits.end()) - logits.begin(), {}};
  double total = 0;
  for (double z : logits) total += std::exp(z);
  for (double z : logits) row.p.push_back(std::exp(z) / total);
  return row;
}

}  // namespace

TEST(Evaluate, AgreesWithAPlainLoop) {
  LinearModel model(kQuarters);
  Dataset data = pictures(37);
  Evaluation e = evaluate(model, data, {.batch = 8, .mean = {0.25F}, .std = {0.5F}});
  ASSERT_EQ(e.count, 37);
  ASSERT_EQ(e.predictions.size(), 37U);
  double loss = 0, correct = 0;
  std::vector<int64_t> confusion(16);
  for (int64_t i = 0; i < 37; ++i) {
    Row row = reference(model, data, i);
    const Prediction& p = e.predictions[static_cast<size_t>(i)];
    auto label = static_cast<size_t>(data.label(i));
    EXPECT_EQ(p.index, i);
    EXPECT_EQ(p.label, data.label(i));
    EXPECT_EQ(p.predicted, row.predicted);
    EXPECT_NEAR(p.probability, row.p[static_cast<size_t>(row.predicted)], 1e-5);
    EXPECT_NEAR(p.label_probability, row.p[label], 1e-5);
    loss -= std::log(row.p[label]);
    correct += row.predicted == data.label(i);
    ++confusion[label * 4 + static_cast<size_t>(row.predicted)];
  }
  EXPECT_NEAR(e.loss, loss / 37, 1e-5);
  EXPECT_DOUBLE_EQ(e.accuracy, correct / 37);
  EXPECT_EQ(e.confusion, confusion);
  EXPECT_EQ(e.class_names, data.classes());
  int64_t row_sum = confusion[4] + confusion[5] + confusion[6] + confusion[7];
  EXPECT_DOUBLE_EQ(e.class_accuracy(1), static_cast<double>(confusion[5]) / static_cast<double>(row_sum));
}

TEST(Evaluate, KeepsTheModeAndRecordsNothing) {
  LinearModel model(kQuarters);
  model.train();
  evaluate(model, pictures(9));
  EXPECT_TRUE(model.training());
  EXPECT_FALSE(model.was_training);
  EXPECT_FALSE(model.was_recorded);
}

TEST(Evaluate, EmptyAndMismatched) {
  LinearModel model(3);
  Evaluation e = evaluate(model, pictures(0));
  EXPECT_EQ(e.count, 0);
  EXPECT_TRUE(std::isnan(e.class_accuracy(0)));
  EXPECT_ERROR(evaluate(model, pictures(5)),
               "evaluate: the model gives 3 classes, but test has 4; choose matching --classes or weights");
}

TEST(Evaluate, WorstMistakesAreTheMostConfident) {
  LinearModel model(kQuarters);
  Dataset data = pictures(37);
  Evaluation e = evaluate(model, data);
  std::vector<Mistake> worst = worst_mistakes(e, data, 5);
  ASSERT_EQ(worst.size(), 5U);
  double last = 2;
  for (const Mistake& m : worst) {
    EXPECT_NE(m.prediction.predicted, m.prediction.label);
    EXPECT_LE(m.prediction.probability, last);
    last = m.prediction.probability;
    const uint8_t* pixels = data.picture(m.prediction.index);
    EXPECT_EQ(m.picture.pixels, std::vector<uint8_t>(pixels, pixels + kPixels));
  }
  for (const Prediction& p : e.predictions) {
    bool told = std::any_of(worst.begin(), worst.end(),
                            [&](const Mistake& m) { return m.prediction.index == p.index; });
    if (p.predicted != p.label && !told) {
      EXPECT_LE(p.probability, last);
    }
  }
}

TEST(Throughput, LeavesTheFirstStepOut) {
  Throughput t = summarise_steps({9, 1, 2, 4}, {1, 64, 32, 16});
  EXPECT_DOUBLE_EQ(t.seconds_median, 2);
  EXPECT_DOUBLE_EQ(t.images_per_s_median, 32);
  EXPECT_DOUBLE_EQ(t.images_per_s_best, 64);
  EXPECT_DOUBLE_EQ(summarise_steps({3}, {5}).seconds_median, 3);
  EXPECT_DOUBLE_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(median({}), 0);
}
