// A tiny ViT against timm's and a tiny VGG against torchvision's layers: weights by name, logits, every
// gradient, and the losses of ten training steps, in both precisions.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include <iskra/nn/optim.h>
#include <iskra/zoo/models/vgg.h>
#include <iskra/zoo/models/vit.h>

#include "golden_compare.h"

namespace iskra::zoo {

namespace {

using testing::Golden;
using testing::GoldenFile;
using testing::near;

const GoldenFile& goldens() {
  static const GoldenFile kFile = GoldenFile::read("models.safetensors");
  return kFile;
}

struct ModelCase {
  const char* name;
  std::function<std::unique_ptr<Classifier>()> make;
};

const ModelCase kModels[] = {
    {"vit",
     [] {
       return std::make_unique<Vit>(VitConfig{
           .image = 28, .patch = 4, .channels = 1, .width = 32, .depth = 2, .heads = 4, .classes = 5});
     }},
    {"vgg",
     [] {
       return std::make_unique<Vgg>(VggConfig{.plan = {6, 0, 10, 10, 0},
                                              .hidden = {24},
                                              .image = 12,
                                              .channels = 3,
                                              .classes = 4,
                                              .dropout = 0});
     }},
};

class Models : public ::testing::TestWithParam<ModelCase> {
 protected:
  const Golden& golden(const std::string& name) const {
    return goldens().at(text(GetParam().name, "/", name));
  }

  /// The model with PyTorch's weights; every tensor of the golden has to find its place and the other way
  /// round.
  std::unique_ptr<Classifier> loaded(DType dtype) const {
    auto model = GetParam().make();
    model->to(dtype);
    for (nn::Named& p : model->state()) {
      const Golden& weight = golden("weights/" + p.name);
      EXPECT_EQ(p.tensor.shape(), weight.shape) << p.name;
      p.tensor.copy_from(weight.tensor(dtype));
    }
    size_t in_file = 0;
    for (const auto& [name, tensor] : goldens().tensors)
      in_file += name.rfind(text(GetParam().name, "/weights/"), 0) == 0;
    EXPECT_EQ(model->state().size(), in_file);
    return model;
  }

  Tensor loss_of(Classifier& model, DType dtype) const {
    return cross_entropy(model(golden("input").tensor(dtype)), golden("labels").tensor(DType::i64), 0.125);
  }

  void expect_losses(const char* which, nn::Optimizer& optimizer, Classifier& model, DType dtype) const {
    const Golden& losses = golden(text("losses/", which));
    for (size_t step = 0; step < losses.values.size(); ++step) {
      Tensor loss = loss_of(model, dtype);
      double want = losses.values[step];
      EXPECT_NEAR(loss.item(), want, (dtype == DType::f64 ? 1e-6 : 1e-4) * want)
          << which << " step " << step << " in " << name_of(dtype);
      loss.backward();
      optimizer.step();
    }
  }
};

TEST_P(Models, GiveTheSameLogits) {
  for (DType dtype : {DType::f64, DType::f32}) {
    Tensor logits = (*loaded(dtype))(golden("input").tensor(dtype));
    EXPECT_TRUE(near(logits, golden("logits"), dtype == DType::f64 ? 1e-11 : 1e-5)) << name_of(dtype);
  }
}

TEST_P(Models, GiveTheSameGradients) {
  for (DType dtype : {DType::f64, DType::f32}) {
    auto model = loaded(dtype);
    loss_of(*model, dtype).backward();
    for (const nn::Named& p : model->parameters()) {
      // The goldens of gradients are stored in f32.
      EXPECT_TRUE(near(p.tensor.grad(), golden("gradients/" + p.name), dtype == DType::f64 ? 2e-7 : 2e-5))
          << p.name;
    }
  }
}

TEST_P(Models, LearnAsPyTorchDoesForTenSteps) {
  for (DType dtype : {DType::f64, DType::f32}) {
    auto model = loaded(dtype);
    nn::AdamW adamw(model->parameters(), {.lr = 0x1p-9, .weight_decay = 0.0625});
    expect_losses("adamw", adamw, *model, dtype);
    model = loaded(dtype);
    nn::SGD sgd(model->parameters(), {.lr = 0x1p-5, .momentum = 0.875, .weight_decay = 0.0625});
    expect_losses("sgd", sgd, *model, dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, Models, ::testing::ValuesIn(kModels),
                         [](const auto& at) { return std::string(at.param.name); });

}  // namespace

}  // namespace iskra::zoo
