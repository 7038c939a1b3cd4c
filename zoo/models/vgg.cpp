#include <iskra/zoo/models/vgg.h>

#include <iskra/nn/init.h>

namespace iskra::zoo {

Vgg::Vgg(const VggConfig& c) : image_(c.image), channels_(c.channels) {
  ISKRA_CHECK(c.image > 0 && c.channels > 0 && c.classes > 0 && !c.plan.empty(), "vgg: image ", c.image,
              ", channels ", c.channels, " and classes ", c.classes, " must be positive, the plan not empty");
  int64_t side = c.image;
  int64_t width = c.channels;
  for (int64_t out : c.plan) {
    if (out == 0) {
      features_.add(nn::MaxPool2d(2));
      side /= 2;
      continue;
    }
    blocks_.push_back("features." + std::to_string(features_.size()));
    nn::Conv2d& conv = features_.add(nn::Conv2d({.in = width, .out = out, .kernel = 3, .padding = 1}));
    nn::init::kaiming_normal(conv.weight);
    nn::init::zeros(conv.bias);
    features_.add(nn::ReLU());
    width = out;
  }
  ISKRA_CHECK(side > 0, "vgg: pictures of ", c.image, " pixels are too small for the pools of this plan");
  int64_t inputs = width * side * side;
  auto add_linear = [&](int64_t outputs) {
    std::string name = "classifier." + std::to_string(classifier_.size());
    nn::Linear& linear = classifier_.add(nn::Linear(inputs, outputs));
    nn::init::normal(linear.weight, 0.01);
    nn::init::zeros(linear.bias);
    inputs = outputs;
    return name;
  };
  for (int64_t hidden : c.hidden) {
    blocks_.push_back(add_linear(hidden));
    classifier_.add(nn::ReLU());
    classifier_.add(nn::Dropout(c.dropout));
  }
  head_ = add_linear(c.classes);
}

Tensor Vgg::forward(const Tensor& x) {
  check_pictures("vgg", x, channels_, image_);
  return classifier_(features_(x).flatten(1));  // columns in (C,H,W) order, as torchvision's
}

void Vgg::fields(nn::Fields& f) { f("features", features_)("classifier", classifier_); }

}  // namespace iskra::zoo
