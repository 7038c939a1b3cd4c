// Vision Transformer (Dosovitskiy et al. 2021), tensor names as timm's.
#pragma once

#include <vector>

#include <iskra/nn/layers.h>
#include <iskra/zoo/models/classifier.h>

namespace iskra::zoo {

struct VitConfig {
  int64_t image = 224;  ///< side in pixels, a multiple of patch
  int64_t patch = 16;
  int64_t channels = 3;
  int64_t width = 768, depth = 12, heads = 12;
  int64_t hidden = 0;  ///< of the MLP; 0: four times the width
  int64_t classes = 1000;
  double dropout = 0;
  double init_std =
      0.02;  ///< of linear layers and embeddings; narrow models train faster with about 0.5/sqrt(width)
};

/// The non-overlapping patches of a picture, each projected to `width`: (N,C,H,W) to (N,T,width).
class PatchEmbed : public nn::Module {
 public:
  nn::Conv2d proj;
  PatchEmbed(int64_t channels, int64_t width, int64_t patch);
  Tensor forward(const Tensor& x) override;
  void fields(nn::Fields& f) override;
};

class Vit : public Classifier {
 public:
  explicit Vit(const VitConfig& config);
  Tensor forward(const Tensor& x) override;
  void fields(nn::Fields& f) override;
  std::string head() const override { return "head"; }
  std::vector<std::string> blocks() const override;

 private:
  VitConfig config_;
  Tensor cls_token_, pos_embed_;  // (1,1,D), (1,1+T,D)
  PatchEmbed patch_embed_;
  nn::Dropout pos_drop_;
  std::vector<nn::TransformerBlock> blocks_;
  nn::LayerNorm norm_;
  nn::Linear head_;
};

inline Vit vit(const VitConfig& config) { return Vit(config); }

}  // namespace iskra::zoo
