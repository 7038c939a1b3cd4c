// Rows of convolutions.
#include "op_cases.h"

namespace iskra::testing {

namespace {

Tensor run_conv2d(const Tensors& x, const Json& at) {
  Conv2dOptions options;
  read_pair(at, "stride", options.stride);
  read_pair(at, "padding", options.padding);
  read_pair(at, "dilation", options.dilation);
  options.groups = at.value("groups", 1);
  return conv2d(x[0], x[1], nothing_or(x, 2), options, fused(x, 3, at));
}

double conv_flops(const std::vector<Shape>& x, const Shape& y, const Json&) {
  return 2.0 * static_cast<double>(y.numel()) * static_cast<double>(x[1][1] * x[1][2] * x[1][3]);
}

void add_conv2d(OpTable& table) {
  const Json same = {{"padding", {1, 1}}};
  table.op("conv2d", run_conv2d, conv_flops)
      .row("plain", {normal({2, 3, 6, 5}), normal({4, 3, 3, 3}), normal({4})})
      .row("same", {normal({2, 3, 5, 7}), normal({4, 3, 3, 3}), normal({4})}, same)
      .row("no_bias", {normal({1, 2, 5, 5}), normal({3, 2, 3, 3})}, same)
      .row("pixelwise", {normal({2, 5, 3, 4}), normal({7, 5, 1, 1}), normal({7})})
      .row("patch_embed", {normal({2, 3, 8, 12}), normal({10, 3, 4, 4}), normal({10})}, {{"stride", {4, 4}}})
      .row("grey_patches", {normal({2, 1, 8, 8}), normal({6, 1, 4, 4}), normal({6})}, {{"stride", {4, 4}}})
      .row("strided", {normal({1, 3, 8, 7}), normal({4, 3, 3, 3}), normal({4})},
           {{"stride", {2, 3}}, {"padding", {1, 2}}})
      .row("dilated", {normal({1, 2, 8, 9}), normal({3, 2, 3, 2}), normal({3})},
           {{"dilation", {2, 3}}, {"padding", {2, 1}}})
      .row("grouped", {normal({2, 4, 5, 5}), normal({6, 2, 3, 3}), normal({6})},
           {{"groups", 2}, {"padding", {1, 1}}})
      .row("depthwise", {normal({2, 3, 5, 5}), normal({3, 1, 3, 3}), normal({3})},
           {{"groups", 3}, {"padding", {1, 1}}})
      .row("depthwise_two", {normal({1, 3, 6, 5}), normal({6, 1, 3, 2}), normal({6})},
           {{"groups", 3}, {"stride", {2, 1}}, {"padding", {1, 1}}, {"dilation", {1, 2}}})
      .row("relu", {normal({2, 3, 5, 5}), normal({4, 3, 3, 3}), normal({4})},
           {{"activation", "relu"}, {"padding", {1, 1}}})
      .row("gelu", {normal({2, 3, 5, 5}), normal({4, 3, 3, 3}), normal({4})}, {{"activation", "gelu"}})
      .row("gelu_tanh", {normal({2, 3, 5, 5}), normal({4, 3, 3, 3}), normal({4})},
           {{"activation", "gelu_tanh"}})
      .row("gelu_tanh_residual",
           {normal({2, 3, 5, 5}), normal({4, 3, 3, 3}), normal({4}), normal({2, 4, 3, 3})},
           {{"activation", "gelu_tanh"}})
      .row("relu_residual", {normal({2, 3, 5, 5}), normal({4, 3, 3, 3}), normal({4}), normal({2, 4, 3, 3})},
           {{"activation", "relu"}})
      .row("residual", {normal({1, 3, 5, 4}), normal({4, 3, 3, 3}), normal({4}), normal({1, 4, 5, 4})}, same)
      .row("whole_image", {normal({2, 3, 4, 4}), normal({5, 3, 4, 4}), normal({5})})
      .row("one_pixel", {normal({1, 1, 1, 1}), normal({1, 1, 1, 1}), normal({1})})
      .row("padding_over_filter", {normal({1, 2, 2, 2}), normal({2, 2, 1, 1}), normal({2})},
           {{"padding", {2, 1}}})
      .row("primes", {normal({1, 17, 5, 7}), normal({19, 17, 3, 3}), normal({19})}, same)
      .row("no_pictures", {normal({0, 3, 5, 5}), normal({4, 3, 3, 3}), normal({4})}, same)
      .row("large", {normal({1, 3, 4, 4}, 1e12), normal({2, 3, 3, 3}, 1e12), normal({2})}, same,
           {.gradcheck = false})
      .bench("mini", {pictures({16, 32, 14, 14}), normal({64, 32, 3, 3}), normal({64})}, same)
      .bench("vgg16_first", {pictures({4, 3, 224, 224}), normal({64, 3, 3, 3}), normal({64})}, same)
      .bench("vgg16_224", {pictures({1, 64, 224, 224}), normal({64, 64, 3, 3}), normal({64})}, same)
      .bench("vgg16_112", {pictures({1, 128, 112, 112}), normal({128, 128, 3, 3}), normal({128})}, same)
      .bench("vgg16_56", {pictures({4, 256, 56, 56}), normal({256, 256, 3, 3}), normal({256})}, same)
      .bench("vgg16_28", {pictures({2, 512, 28, 28}), normal({512, 512, 3, 3}), normal({512})}, same)
      .bench("vgg16_14", {pictures({8, 512, 14, 14}), normal({512, 512, 3, 3}), normal({512})}, same)
      .bench("vit_b_patches", {pictures({8, 3, 224, 224}), normal({768, 3, 16, 16}), normal({768})},
             {{"stride", {16, 16}}});
}

Tensor run_conv_transpose2d(const Tensors& x, const Json& at) {
  ConvTranspose2dOptions options;
  read_pair(at, "stride", options.stride);
  read_pair(at, "padding", options.padding);
  read_pair(at, "output_padding", options.output_padding);
  read_pair(at, "dilation", options.dilation);
  options.groups = at.value("groups", 1);
  return conv_transpose2d(x[0], x[1], nothing_or(x, 2), options);
}

double conv_transpose_flops(const std::vector<Shape>& x, const Shape&, const Json&) {
  return 2.0 * static_cast<double>(x[0].numel()) * static_cast<double>(x[1][1] * x[1][2] * x[1][3]);
}

void add_conv_transpose2d(OpTable& table) {
  table.op("conv_transpose2d", run_conv_transpose2d, conv_transpose_flops)
      .row("plain", {normal({2, 3, 4, 5}), normal({3, 4, 3, 3}), normal({4})})
      .row("no_bias", {normal({1, 2, 3, 3}), normal({2, 5, 2, 2})})
      .row("up_two", {normal({2, 5, 3, 4}), normal({5, 3, 2, 2}), normal({3})}, {{"stride", {2, 2}}})
      .row("output_padding", {normal({1, 3, 4, 3}), normal({3, 2, 3, 3}), normal({2})},
           {{"stride", {2, 3}}, {"padding", {1, 1}}, {"output_padding", {1, 2}}})
      .row("dilated", {normal({1, 2, 4, 5}), normal({2, 3, 3, 2}), normal({3})},
           {{"dilation", {2, 3}}, {"padding", {1, 2}}})
      .row("grouped", {normal({2, 4, 4, 3}), normal({4, 3, 3, 3}), normal({6})},
           {{"groups", 2}, {"padding", {1, 0}}})
      .row("depthwise", {normal({2, 3, 4, 4}), normal({3, 1, 3, 3}), normal({3})},
           {{"groups", 3}, {"stride", {2, 2}}, {"padding", {1, 1}}})
      .row("one_pixel", {normal({1, 1, 1, 1}), normal({1, 1, 1, 1}), normal({1})})
      .row("primes", {normal({1, 17, 5, 7}), normal({17, 19, 3, 3}), normal({19})}, {{"padding", {1, 1}}})
      .row("no_pictures", {normal({0, 3, 4, 4}), normal({3, 2, 3, 3}), normal({2})})
      .bench("mini", {pictures({16, 32, 7, 7}), normal({32, 16, 2, 2}), normal({16})}, {{"stride", {2, 2}}})
      .bench("up_28", {pictures({4, 256, 28, 28}), normal({256, 128, 2, 2}), normal({128})},
             {{"stride", {2, 2}}});
}

}  // namespace

void add_conv_ops(OpTable& table) {
  add_conv2d(table);
  add_conv_transpose2d(table);
}

}  // namespace iskra::testing
