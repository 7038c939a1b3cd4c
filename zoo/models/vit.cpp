#include <iskra/zoo/models/vit.h>

#include <iskra/nn/init.h>

namespace iskra::zoo {

void check_pictures(const char* model, const Tensor& x, int64_t channels, int64_t image) {
  ISKRA_CHECK(x.rank() == 4 && x.size(1) == channels && x.size(2) == image && x.size(3) == image, model,
              ": the pictures have shape ", x.shape(), ", this model takes (N, ", channels, ", ", image, ", ",
              image, ")");
}

PatchEmbed::PatchEmbed(int64_t channels, int64_t width, int64_t patch)
    : proj({.in = channels, .out = width, .kernel = patch, .stride = patch}) {}

Tensor PatchEmbed::forward(const Tensor& x) {
  Tensor y = proj(x);                            // (N,D,H/P,W/P), channels-last in memory:
  return y.permute({0, 2, 3, 1}).flatten(1, 2);  // (N,T,D) is a view
}

void PatchEmbed::fields(nn::Fields& f) { f("proj", proj); }

namespace {

int64_t checked_patches(const VitConfig& c) {
  ISKRA_CHECK(c.patch > 0 && c.image > 0 && c.image % c.patch == 0, "vit: pictures of ", c.image,
              " pixels do not divide into patches of ", c.patch);
  ISKRA_CHECK(c.width > 0 && c.depth > 0 && c.classes > 0 && c.channels > 0, "vit: width ", c.width,
              ", depth ", c.depth, ", classes ", c.classes, " and channels ", c.channels,
              " must all be positive");
  return (c.image / c.patch) * (c.image / c.patch);
}

}  // namespace

Vit::Vit(const VitConfig& c)
    : config_(c),
      cls_token_(nn::parameter({1, 1, c.width})),
      pos_embed_(nn::parameter({1, 1 + checked_patches(c), c.width})),
      patch_embed_(c.channels, c.width, c.patch),
      pos_drop_(c.dropout),
      norm_(c.width),
      head_(c.width, c.classes) {
  for (int64_t i = 0; i < c.depth; ++i) {
    blocks_.emplace_back(nn::TransformerBlockConfig{
        .width = c.width, .heads = c.heads, .hidden = c.hidden, .dropout = c.dropout});
  }
  // timm's scheme: every linear layer and the embeddings truncated normal, biases zero.
  for (nn::Named& p : state()) {
    if (p.name.find("patch_embed") != std::string::npos) continue;
    bool matrix = p.tensor.rank() > 1;
    if (matrix) nn::init::truncated_normal(p.tensor, c.init_std);
    if (!matrix && p.name.size() > 5 && p.name.substr(p.name.size() - 5) == ".bias")
      nn::init::zeros(p.tensor);
  }
}

Tensor Vit::forward(const Tensor& x) {
  check_pictures("vit", x, config_.channels, config_.image);
  Tensor patches = patch_embed_(x);
  Tensor cls = cls_token_.expand({x.size(0), 1, config_.width});
  Tensor h = pos_drop_(cat({cls, patches}, 1) + pos_embed_);
  for (nn::TransformerBlock& block : blocks_) h = block(h);
  // Rows are normalised one by one, so only the class token needs to be.
  return head_(norm_(h.narrow(1, 0, 1).squeeze(1)));
}

void Vit::fields(nn::Fields& f) {
  f("cls_token", cls_token_)("pos_embed", pos_embed_)("patch_embed", patch_embed_)("pos_drop", pos_drop_);
  f("blocks", blocks_)("norm", norm_)("head", head_);
}

std::vector<std::string> Vit::blocks() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < blocks_.size(); ++i) names.push_back("blocks." + std::to_string(i));
  return names;
}

}  // namespace iskra::zoo
