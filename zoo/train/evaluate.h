// One pass over a dataset without training: accuracy, loss, confusion, and what was said about every picture.
#pragma once

#include <cstdint>
#include <vector>

#include <iskra/nn/module.h>
#include <iskra/zoo/data/dataset.h>
#include <iskra/zoo/train/result.h>

namespace iskra::zoo {

struct EvaluateOptions {
  int64_t batch = 256;
  std::vector<float> mean = {}, std = {};  ///< per channel, of pixels in [0, 1]; empty: 0 and 1
  Device device = Device::cpu();
};

/// Every picture once, in evaluation mode and without a graph; the model's mode is put back. Throws Error
/// when the model's logits and the dataset's classes do not match in number.
Evaluation evaluate(nn::Module& model, const Dataset& data, const EvaluateOptions& options = {});

/// The most confident wrong predictions, at most `count`.
std::vector<Mistake> worst_mistakes(const Evaluation& evaluation, const Dataset& data, int64_t count);

}  // namespace iskra::zoo
