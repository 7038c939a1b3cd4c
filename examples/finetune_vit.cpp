#include <iskra/iskra.h>
using namespace iskra;

struct Block : nn::Module {  // pre-norm transformer block
  nn::LayerNorm norm1, norm2;
  nn::Attention attention;
  nn::Mlp mlp;
  Block(int64_t width, int64_t heads)
      : norm1(width),
        norm2(width),
        attention({.width = width, .heads = heads}),
        mlp({.width = width, .hidden = 4 * width}) {}
  Tensor forward(const Tensor& x /*(N,T,C)*/) override {
    Tensor h = x + attention(norm1(x));
    return h + mlp(norm2(h));
  }
  void fields(nn::Fields& f) override {
    f("norm1", norm1)("attention", attention)("norm2", norm2)("mlp", mlp);
  }
};

int main() {
  auto device = Device::best();  // cuda if there is one
  auto pictures =
      zoo::idx("/usr/share/datasets/fashion-mnist").select_classes({1, 3, 5, 7, 9}).take_per_class(200, 1);
  auto model =
      zoo::vit({.image = 28, .patch = 4, .channels = 1, .width = 64, .depth = 4, .heads = 4, .classes = 5});
  zoo::load(model, "runs/demo/vit_mini/pretrained/best.safetensors", {.reset_head = true});
  model.to(device);
  nn::AdamW optimizer(model.parameters(), {.lr = 1e-3, .weight_decay = 0.05});
  zoo::Loader train(pictures, {.batch = 32, .shuffle = true, .seed = 1, .mean = {0.286F}, .std = {0.353F}});
  for (int epoch = 0; epoch < 5; ++epoch)
    for (auto& [images, labels] : train) {
      Tensor loss = cross_entropy(model(images.to(device)), labels.to(device));
      loss.backward();
      optimizer.step();  // and clears the gradients
    }
  zoo::save(model, "runs/footwear.safetensors");
}
