// Rows of products, images, row-wise ops and attention.
#include "op_cases.h"

namespace iskra::testing {

namespace {

Tensor nothing_or(const Tensors& x, size_t i) { return i < x.size() ? x[i] : Tensor(); }

double product_flops(const std::vector<Shape>& x, const Shape& y, const Json&) {
  return 2.0 * static_cast<double>(y.numel()) * static_cast<double>(x[0].back());
}

void add_matmul(OpTable& table) {
  table
      .op(
          "matmul",
          [](const Tensors& x, const Json& at) {
            Tensor a = at.value("transpose_a", false) ? x[0].transpose(-1, -2) : x[0];
            Tensor b = at.value("transpose_b", false) ? x[1].transpose(-1, -2) : x[1];
            return matmul(a, b);
          },
          [](const std::vector<Shape>& x, const Shape& y, const Json& at) {
            int axis = x[0].rank() - (at.value("transpose_a", false) ? 2 : 1);
            return 2.0 * static_cast<double>(y.numel()) * static_cast<double>(x[0][axis]);
          })
      .row("plain", {normal({5, 7}), normal({7, 3})})
      .row("primes", {normal({37, 53}), normal({53, 29})})
      .row("one", {normal({1, 1}), normal({1, 1})})
      .row("inner", {normal({1, 67}), normal({67, 1})})
      .row("outer", {normal({13, 1}), normal({1, 17})})
      .row("no_k", {normal({3, 0}), normal({0, 4})})
      .row("no_rows", {normal({0, 4}), normal({4, 3})})
      .row("transposed_a", {normal({9, 11}), normal({9, 5})}, {{"transpose_a", true}})
      .row("transposed_b", {normal({9, 11}), normal({5, 11})}, {{"transpose_b", true}})
      .row("transposed_both", {normal({9, 11}), normal({5, 9})},
           {{"transpose_a", true}, {"transpose_b", true}})
      .row("batched", {normal({2, 3, 4, 5}), normal({2, 3, 5, 6})})
      .row("batched_transposed", {normal({3, 4, 5}), normal({3, 6, 5})}, {{"transpose_b", true}})
      .row("shared_right", {normal({2, 3, 4, 5}), normal({5, 6})})
      .row("shared_left", {normal({4, 5}), normal({3, 5, 6})})
      .row("broadcast_both", {normal({2, 1, 4, 5}), normal({3, 5, 6})})
      .row("no_batch", {normal({0, 4, 5}), normal({0, 5, 2})})
      .row("large", {normal({7, 19}, 1e12), normal({19, 5}, 1e12)}, Json::object(), {.gradcheck = false})
      .row("small", {normal({7, 19}, 1e-12), normal({19, 5}, 1e-12)}, Json::object(), {.gradcheck = false})
      .bench("mini", {normal({257, 191}), normal({191, 263})})
      .bench("square_1024", {normal({1024, 1024}), normal({1024, 1024})})
      .bench("vit_b_scores", {normal({96, 197, 64}), normal({96, 197, 64})}, {{"transpose_b", true}});
}

void add_linear(OpTable& table) {
  table
      .op(
          "linear", [](const Tensors& x, const Json&) { return linear(x[0], x[1], nothing_or(x, 2)); },
          product_flops)
      .row("plain", {normal({6, 5}), normal({4, 5}), normal({4})})
      .row("no_bias", {normal({6, 5}), normal({4, 5})})
      .row("tokens", {normal({2, 3, 5}), normal({7, 5}), normal({7})})
      .row("primes", {normal({29, 37}), normal({41, 37}), normal({41})})
      .row("vector", {normal({5}), normal({4, 5}), normal({4})})
      .row("one_output", {normal({6, 5}), normal({1, 5}), normal({1})})
      .row("no_rows", {normal({0, 5}), normal({4, 5}), normal({4})})
      .bench("mini", {normal({64, 49, 64}), normal({192, 64}), normal({192})})
      .bench("vit_b_qkv", {normal({8, 197, 768}), normal({2304, 768}), normal({2304})})
      .bench("vit_b_fc1", {normal({8, 197, 768}), normal({3072, 768}), normal({3072})})
      .bench("vit_b_fc2", {normal({8, 197, 3072}), normal({768, 3072}), normal({768})})
      .bench("vgg16_head", {normal({8, 25088}), normal({512, 25088}), normal({512})});
}

template <class Options>
void read_pair(const Json& at, const char* name, Options& into) {
  if (!at.contains(name)) return;
  into[0] = at[name][0].get<int64_t>();
  into[1] = at[name][1].get<int64_t>();
}

Tensor run_conv2d(const Tensors& x, const Json& at) {
  Conv2dOptions options;
  read_pair(at, "stride", options.stride);
  read_pair(at, "padding", options.padding);
  read_pair(at, "dilation", options.dilation);
  options.groups = at.value("groups", 1);
  return conv2d(x[0], x[1], nothing_or(x, 2), options);
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
      .bench("vgg16_56", {pictures({4, 256, 56, 56}), normal({256, 256, 3, 3}), normal({256})}, same)
      .bench("vgg16_14", {pictures({8, 512, 14, 14}), normal({512, 512, 3, 3}), normal({512})}, same)
      .bench("vit_b_patches", {pictures({8, 3, 224, 224}), normal({768, 3, 16, 16}), normal({768})},
             {{"stride", {16, 16}}});
}

void add_max_pool2d(OpTable& table) {
  table
      .op("max_pool2d",
          [](const Tensors& x, const Json& at) {
            Pool2dOptions options;
            read_pair(at, "size", options.size);
            read_pair(at, "stride", options.stride);
            read_pair(at, "padding", options.padding);
            return max_pool2d(x[0], options);
          })
      .row("plain", {apart({2, 3, 6, 4})})
      .row("odd", {apart({1, 2, 7, 5})})
      .row("overlap", {apart({2, 3, 7, 7})}, {{"size", {3, 3}}, {"stride", {2, 2}}})
      .row("padded", {apart({2, 5, 7, 6})}, {{"size", {3, 3}}, {"stride", {2, 2}}, {"padding", {1, 1}}})
      .row("uneven", {apart({1, 3, 7, 8})}, {{"size", {3, 2}}, {"stride", {1, 3}}, {"padding", {1, 0}}})
      .row("ties", {integers({2, 3, 6, 6})}, {{"size", {3, 3}}, {"stride", {1, 1}}}, {.gradcheck = false})
      .row("whole_image", {apart({2, 3, 4, 5})}, {{"size", {4, 5}}, {"stride", {1, 1}}})
      .row("no_pictures", {apart({0, 3, 4, 4})})
      .row("wide", {wide({1, 3, 6, 6}, -30, 30)}, Json::object(), {.floor = 0, .gradcheck = false})
      .bench("mini", {pictures({16, 32, 28, 28})})
      .bench("vgg16_first", {pictures({4, 64, 224, 224})});
}

void add_normalize_images(OpTable& table) {
  table
      .op("normalize_images",
          [](const Tensors& x, const Json& at) {
            return normalize_images(x[0], at["mean"].get<std::vector<float>>(),
                                    at["std"].get<std::vector<float>>(),
                                    at.value("f64", false) ? DType::f64 : DType::f32);
          })
      .row("rgb", {fixed({.shape = {2, 5, 7, 3}, .values = Values::bytes})},
           {{"mean", {0.5, 0.25, 0.375}}, {"std", {0.25, 0.5, 0.125}}})
      .row("grey", {fixed({.shape = {3, 4, 4, 1}, .values = Values::bytes})},
           {{"mean", {0.28125}}, {"std", {0.34375}}})
      .row("f64", {fixed({.shape = {1, 3, 3, 3}, .values = Values::bytes})},
           {{"mean", {0.5, 0.25, 0.375}}, {"std", {0.25, 0.5, 0.125}}, {"f64", true}})
      .row("none", {fixed({.shape = {0, 4, 4, 1}, .values = Values::bytes})},
           {{"mean", {0.5}}, {"std", {0.5}}})
      .bench("mini", {fixed({.shape = {64, 28, 28, 1}, .values = Values::bytes})},
             {{"mean", {0.5}}, {"std", {0.5}}})
      .bench("imagenet", {fixed({.shape = {16, 224, 224, 3}, .values = Values::bytes})},
             {{"mean", {0.5, 0.25, 0.375}}, {"std", {0.25, 0.5, 0.125}}});
}

void add_layer_norm(OpTable& table) {
  table
      .op("layer_norm",
          [](const Tensors& x, const Json& at) {
            bool bias_only = at.value("bias_only", false);
            return layer_norm(x[0], bias_only ? Tensor() : nothing_or(x, 1), nothing_or(x, bias_only ? 1 : 2),
                              at.value("eps", 1e-6));
          })
      .row("affine", {normal({5, 12}), normal({12}), normal({12})})
      .row("tokens", {normal({2, 3, 37}), normal({37}), normal({37})})
      .row("plain", {normal({5, 12})})
      .row("weight_only", {normal({5, 12}), normal({12})})
      .row("bias_only", {normal({5, 12}), normal({12})}, {{"bias_only", true}})
      .row("large_eps", {normal({3, 8}), normal({8}), normal({8})}, {{"eps", 0.5}})
      .row("one_row", {normal({9}), normal({9}), normal({9})})
      .row("width_one", {normal({4, 1}), normal({1}), normal({1})}, Json::object(),
           {.floor = 1000, .gradcheck = false})  // 1 / sqrt(eps) magnifies rounding
      .row("no_rows", {normal({0, 6}), normal({6}), normal({6})})
      .row("shifted", {shifted({4, 33}, 100, 1), normal({33}), normal({33})}, Json::object(), {.f32 = 5e-5})
      .row("large", {normal({4, 17}, 1e10), normal({17}), normal({17})}, Json::object(), {.gradcheck = false})
      .row("small", {normal({4, 17}, 1e-6), normal({17}), normal({17})}, {{"eps", 1e-12}},
           {.gradcheck = false})
      .bench("mini", {normal({64, 49, 192}), normal({192}), normal({192})})
      .bench("vit_b", {normal({8, 197, 768}), normal({768}), normal({768})});
}

void add_softmax(OpTable& table) {
  table.op("softmax", [](const Tensors& x, const Json& at) { return softmax(x[0], at.value("axis", -1)); })
      .row("rows", {normal({5, 37})})
      .row("middle", {normal({3, 7, 4})}, {{"axis", 1}})
      .row("first", {normal({5, 6})}, {{"axis", 0}})
      .row("channels", {normal({2, 5, 3, 4})}, {{"axis", 1}})
      .row("one_column", {normal({4, 1})})
      .row("no_rows", {normal({0, 4})})
      .row("vector", {normal({11})})
      .row("large", {normal({6, 13}, 1e4)}, Json::object(), {.gradcheck = false})
      .row("shifted", {shifted({4, 13}, 1e4, 1)}, Json::object(), {.gradcheck = false})
      .row("equal", {normal({3, 9}, 0)})
      .bench("mini", {normal({256, 49, 49})})
      .bench("vit_b_scores", {normal({96, 197, 197})});
}

void add_cross_entropy(OpTable& table) {
  table
      .op("cross_entropy",
          [](const Tensors& x, const Json& at) {
            return cross_entropy(x[0], x[1], at.value("smoothing", 0.0));
          })
      .row("plain", {normal({6, 11}), labels({6}, 11)})
      .row("smoothed", {normal({6, 11}), labels({6}, 11)}, {{"smoothing", 0.125}})
      .row("two_classes", {normal({5, 2}), labels({5}, 2)})
      .row("one_row", {normal({1, 7}), labels({1}, 7)})
      .row("one_class", {normal({4, 1}), labels({4}, 1)}, Json::object(), {.floor = 1})
      .row("wide", {normal({37, 101}), labels({37}, 101)}, {{"smoothing", 0.0625}})
      .row("large", {normal({7, 13}, 1e4), labels({7}, 13)}, {{"smoothing", 0.125}}, {.gradcheck = false})
      .row("shifted", {shifted({7, 13}, 1e3, 1), labels({7}, 13)}, Json::object(),
           {.f32 = 1e-4, .f64 = 1e-11})
      .bench("mini", {normal({1024, 101}), labels({1024}, 101)})
      .bench("imagenet", {normal({256, 1000}), labels({256}, 1000)}, {{"smoothing", 0.125}});
}

double attention_flops(const std::vector<Shape>& x, const Shape&, const Json&) {
  const Shape& q = x[0];
  return 4.0 * static_cast<double>(q.numel()) * static_cast<double>(x[1][2]);
}

void add_attention(OpTable& table) {
  table
      .op(
          "scaled_dot_product_attention",
          [](const Tensors& x, const Json& at) {
            return scaled_dot_product_attention(x[0], x[1], x[2], at.value("scale", 0.0));
          },
          attention_flops, 2.5)
      .row("plain", {normal({2, 3, 8, 4}), normal({2, 3, 8, 4}), normal({2, 3, 8, 4})})
      .row("odd", {normal({1, 2, 17, 5}), normal({1, 2, 17, 5}), normal({1, 2, 17, 5})})
      .row("cross", {normal({2, 2, 5, 4}), normal({2, 2, 11, 4}), normal({2, 2, 11, 4})})
      .row("one_token", {normal({2, 2, 1, 4}), normal({2, 2, 1, 4}), normal({2, 2, 1, 4})}, Json::object(),
           {.floor = 1})
      .row("one_query", {normal({1, 2, 1, 8}), normal({1, 2, 13, 8}), normal({1, 2, 13, 8})})
      .row("scaled", {normal({1, 2, 6, 4}), normal({1, 2, 6, 4}), normal({1, 2, 6, 4})}, {{"scale", 0.75}})
      .row("long", {normal({1, 1, 67, 3}), normal({1, 1, 67, 3}), normal({1, 1, 67, 3})}, Json::object(),
           {.f32 = 5e-6})
      .row("sharp", {normal({1, 2, 7, 4}, 100), normal({1, 2, 7, 4}, 100), normal({1, 2, 7, 4})},
           Json::object(), {.f32 = 2e-3, .floor = 1, .gradcheck = false})
      .row("no_pictures", {normal({0, 2, 5, 4}), normal({0, 2, 5, 4}), normal({0, 2, 5, 4})})
      .bench("mini", {normal({16, 4, 49, 16}), normal({16, 4, 49, 16}), normal({16, 4, 49, 16})})
      .bench("vit_b", {normal({8, 12, 197, 64}), normal({8, 12, 197, 64}), normal({8, 12, 197, 64})});
  table
      .op(
          "packed_attention",
          [](const Tensors& x, const Json& at) {
            return packed_attention(x[0], at["heads"].get<int64_t>(), at.value("scale", 0.0));
          },
          [](const std::vector<Shape>& x, const Shape& y, const Json&) {
            return 4.0 * static_cast<double>(y.numel()) * static_cast<double>(x[0][1]);
          },
          2.5)
      .row("plain", {normal({2, 5, 24})}, {{"heads", 2}})
      .row("one_head", {normal({1, 7, 15})}, {{"heads", 1}})
      .row("one_token", {normal({3, 1, 12})}, {{"heads", 4}})
      .row("odd", {normal({2, 17, 30})}, {{"heads", 2}, {"scale", 0.3}})
      .row("no_pictures", {normal({0, 5, 24})}, {{"heads", 2}})
      .bench("mini", {normal({16, 49, 192})}, {{"heads", 4}})
      .bench("vit_b", {normal({8, 197, 2304})}, {{"heads", 12}});
}

void add_dropout(OpTable& table) {
  // With p above 0 no other framework draws the same numbers: test_core_ops_dropout.cpp.
  table.op("dropout", [](const Tensors& x, const Json& at) { return dropout(x[0], at["p"].get<double>()); })
      .row("off", {normal({3, 7})}, {{"p", 0}})
      .bench("mini", {normal({64, 49, 192})}, {{"p", 0.1}})
      .bench("vit_b_mlp", {normal({8, 197, 3072})}, {{"p", 0.1}});
}

}  // namespace

void add_product_ops(OpTable& table) {
  add_matmul(table);
  add_linear(table);
}

void add_image_ops(OpTable& table) {
  add_conv2d(table);
  add_max_pool2d(table);
  add_normalize_images(table);
}

void add_row_ops(OpTable& table) {
  add_layer_norm(table);
  add_softmax(table);
  add_cross_entropy(table);
  add_dropout(table);
}

void add_attention_ops(OpTable& table) { add_attention(table); }

}  // namespace iskra::testing
