// Initial values of parameters. All draw from the ambient RngScope, in the order of construction.
#pragma once

#include <iskra/core/tensor.h>

namespace iskra::nn::init {

/// Within its scope parameters get memory but no values: for models that are loaded or only counted.
class Skip {
 public:
  Skip();
  ~Skip();
  Skip(const Skip&) = delete;
  Skip& operator=(const Skip&) = delete;
  static bool active();

 private:
  bool before_;
};

void zeros(Tensor& w);
void ones(Tensor& w);
void uniform(Tensor& w, double low, double high);
void normal(Tensor& w, double std);
/// Normal with mean 0, redrawn inside +-2 std (timm's trunc_normal_ at its usual std).
void truncated_normal(Tensor& w, double std);
/// He et al. 2015, normal, ReLU gain; fan_out mode as torchvision's VGG uses it. w (K,C,R,S) or (K,C).
void kaiming_normal(Tensor& w);
/// PyTorch's default for Linear and Conv2d: uniform in +-1/sqrt(fan_in).
void fan_in_uniform(Tensor& w, int64_t fan_in);

}  // namespace iskra::nn::init
