// The same bits whatever happens around a training step: a second run, other numbers of threads, a stop and
// a resume in the middle, in f32, in bf16 and mixed. And a picture's logits are its own: alone or among
// others.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>

#include <iskra/core/autocast.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/nn/optim.h>
#include <iskra/zoo/models/vgg.h>
#include <iskra/zoo/models/vit.h>

#include "golden_compare.h"

namespace iskra::zoo {

namespace {

using testing::same_bits;

struct SmallModel {
  const char* name;
  int64_t image, channels, classes;
  std::function<std::unique_ptr<Classifier>()> make;
};

// Large enough that every kernel cuts its work into several pieces.
const SmallModel kModels[] = {
    {"vit", 28, 1, 7,
     [] {
       return std::make_unique<Vit>(VitConfig{.image = 28,
                                              .patch = 4,
                                              .channels = 1,
                                              .width = 64,
                                              .depth = 2,
                                              .heads = 4,
                                              .classes = 7,
                                              .dropout = 0.1});
     }},
    {"vgg", 24, 3, 5,
     [] {
       return std::make_unique<Vgg>(VggConfig{.plan = {16, 0, 32, 32, 0},
                                              .hidden = {48},
                                              .image = 24,
                                              .channels = 3,
                                              .classes = 5,
                                              .dropout = 0.5});
     }},
};

struct Precision {
  const char* name;
  DType dtype;    ///< of parameters and pictures
  bool autocast;  ///< to bf16
};
constexpr Precision kPrecisions[] = {
    {"f32", DType::f32, false}, {"bf16", DType::bf16, false}, {"mixed", DType::f32, true}};

constexpr int kSteps = 4;

/// A model in training: all that a step reads and changes.
class Training {
 public:
  Training(const SmallModel& small, const Precision& precision) : small_(small), precision_(precision) {
    RngScope scope({.seed = 5});
    model_ = small.make();
    model_->to(precision.dtype);
    optimizer_ = std::make_unique<nn::AdamW>(model_->parameters(), nn::AdamWConfig{.lr = 1e-2});
    x_ = normal({16, small.channels, small.image, small.image}, 0, 1).to(precision.dtype);
    labels_ = uniform({16}, 0, static_cast<double>(small.classes)).to(DType::i64);
  }

  /// Steps first … last-1; the losses are kept.
  void run(int first, int last) {
    RngScope scope({.seed = 9, .step = first});
    for (int step = first; step < last; ++step, scope.advance()) {
      Tensor loss = cross_entropy(logits(x_), labels_, 0.1);
      losses_.push_back(loss.detach());
      loss.backward();
      optimizer_->step();
    }
  }

  Tensor logits(const Tensor& x) {
    std::optional<Autocast> mixed;
    if (precision_.autocast) mixed.emplace(DType::bf16);
    return (*model_)(x);
  }

  /// A fresh process's: another object that knows only what a checkpoint holds.
  Training resumed() {
    Training fresh(small_, precision_);
    std::vector<nn::Named> from = model_->state(), to = fresh.model_->state();
    for (size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_from(from[i].tensor.detach());
    std::vector<nn::Named> moments;
    for (nn::Named& moment : optimizer_->state()) moments.push_back({moment.name, moment.tensor.clone()});
    fresh.optimizer_->load_state(moments, optimizer_->steps());
    fresh.losses_ = losses_;
    return fresh;
  }

  void expect_same(Training& other, const std::string& what) {
    SCOPED_TRACE(what);
    ASSERT_EQ(losses_.size(), other.losses_.size());
    for (size_t i = 0; i < losses_.size(); ++i)
      EXPECT_TRUE(same_bits(losses_[i], other.losses_[i])) << "step " << i;
    expect_same(model_->state(), other.model_->state());
    expect_same(optimizer_->state(), other.optimizer_->state());
  }

  Classifier& model() { return *model_; }
  const Tensor& pictures() const { return x_; }

 private:
  static void expect_same(const std::vector<nn::Named>& a, const std::vector<nn::Named>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_bits(a[i].tensor, b[i].tensor)) << a[i].name;
  }

  const SmallModel& small_;
  const Precision& precision_;
  std::unique_ptr<Classifier> model_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  Tensor x_, labels_;
  std::vector<Tensor> losses_;
};

struct Case {
  SmallModel small;
  Precision precision;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.small.name << " " << c.precision.name; }
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const SmallModel& small : kModels) {
    for (const Precision& precision : kPrecisions) cases.push_back({small, precision});
  }
  return cases;
}

class SameBits : public ::testing::TestWithParam<Case> {
 protected:
  Training trained(int threads) const {
    set_threads(threads);
    Training training(GetParam().small, GetParam().precision);
    training.run(0, kSteps);
    set_threads(0);
    return training;
  }
};

}  // namespace

TEST_P(SameBits, InEveryRunAndOnAnyThreads) {
  Training one = trained(1);
  for (int threads : {1, 2, 3}) {
    Training again = trained(threads);
    one.expect_same(again, text(threads, " threads"));
  }
}

TEST_P(SameBits, AfterAResume) {
  Training whole = trained(2);
  Training first(GetParam().small, GetParam().precision);
  first.run(0, 2);
  Training second = first.resumed();
  second.run(2, kSteps);
  whole.expect_same(second, "resumed");
}

// A batch's composition is nothing to its members.
TEST_P(SameBits, OfAPictureAloneAndAmongOthers) {
  Training training = trained(2);
  training.model().eval();
  NoGrad no_grad;
  const Tensor& pictures = training.pictures();
  Tensor together = training.logits(pictures);
  for (int64_t i : {0, 1, 7, 15}) {
    EXPECT_TRUE(same_bits(training.logits(pictures.narrow(0, i, 1)), together.narrow(0, i, 1)))
        << "picture " << i;
  }
  EXPECT_TRUE(same_bits(training.logits(pictures.narrow(0, 3, 5)), together.narrow(0, 3, 5)))
      << "five of them";
}

INSTANTIATE_TEST_SUITE_P(Models, SameBits, ::testing::ValuesIn(all_cases()), [](const auto& at) {
  return text(at.param.small.name, "_", at.param.precision.name);
});

}  // namespace iskra::zoo
