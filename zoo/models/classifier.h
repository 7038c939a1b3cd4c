// What every image classifier of the zoo tells about itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <iskra/nn/module.h>

namespace iskra::zoo {

/// Pictures (N,C,H,W) in, logits (N,classes) out.
class Classifier : public nn::Module {
 public:
  /// Name of the last linear layer, whose outputs are the classes.
  virtual std::string head() const = 0;
  /// Prefixes of the parts that fine-tuning can train from the end (strategy last:K), first to last, head
  /// excluded.
  virtual std::vector<std::string> blocks() const = 0;
};

/// Throws unless x is (N, channels, image, image).
void check_pictures(const char* model, const Tensor& x, int64_t channels, int64_t image);

}  // namespace iskra::zoo
