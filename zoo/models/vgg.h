// VGG (Simonyan & Zisserman 2015), tensor names as torchvision's.
#pragma once

#include <vector>

#include <iskra/nn/layers.h>
#include <iskra/zoo/models/classifier.h>

namespace iskra::zoo {

struct VggConfig {
  /// Output channels of the 3x3 convolutions in order; 0 stands for a 2x2 max pool.
  std::vector<int64_t> plan = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0};
  std::vector<int64_t> hidden = {4096, 4096};  ///< widths of the fully connected layers before the head
  int64_t image = 224, channels = 3, classes = 1000;
  double dropout = 0.5;
};

class Vgg : public Classifier {
 public:
  explicit Vgg(const VggConfig& config);
  Tensor forward(const Tensor& x) override;
  void fields(nn::Fields& f) override;
  std::string head() const override { return head_; }
  std::vector<std::string> blocks() const override { return blocks_; }

 private:
  int64_t image_, channels_;
  nn::Sequential features_, classifier_;
  std::vector<std::string> blocks_;
  std::string head_;
};

inline Vgg vgg(const VggConfig& config) { return Vgg(config); }

}  // namespace iskra::zoo
