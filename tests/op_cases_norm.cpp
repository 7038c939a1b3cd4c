// Rows of normalization layers.
#include "op_cases.h"

namespace iskra::testing {

namespace {

void add_layer_norm(OpTable& table) {
  table
      .op("layer_norm",
          [](const Tensors& x, const Json& at) {
            bool bias_only = at.value("bias_only", false);
            return layer_norm(x[0], bias_only ? Tensor() : nothing_or(x, 1), nothing_or(x, bias_only ? 1 : 2),
                              at.value("eps", 1e-6), at.value("axes", 0));
          })
      .row("affine", {normal({5, 12}), normal({12}), normal({12})})
      .row("tokens", {normal({2, 3, 37}), normal({37}), normal({37})})
      .row("plain", {normal({5, 12})})
      .row("two_axes", {normal({3, 4, 5}), normal({4, 5}), normal({4, 5})}, {{"axes", 2}})
      .row("three_axes_plain", {normal({2, 3, 4, 5})}, {{"axes", 3}})
      .row("parameters_in_f32",
           {normal({5, 12}), of_type(normal({12}), DType::f32), of_type(normal({12}), DType::f32)},
           Json::object(), {.gradcheck = false})
      .only({DType::f32, DType::bf16, DType::f16})
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

void add_rms_norm(OpTable& table) {
  table
      .op("rms_norm",
          [](const Tensors& x, const Json& at) {
            return rms_norm(x[0], nothing_or(x, 1), at.value("eps", 1e-6), at.value("axes", 0));
          })
      .row("weighted", {normal({5, 12}), normal({12})})
      .row("plain", {normal({2, 3, 37})})
      .row("two_axes", {normal({3, 4, 5}), normal({4, 5})}, {{"axes", 2}})
      .row("one_row", {normal({9}), normal({9})}, {{"eps", 0.25}})
      .row("shifted", {shifted({4, 33}, 100, 1), normal({33})}, Json::object(), {.f32 = 1e-5})
      .row("zeros", {normal({3, 5}, 0), normal({5})}, {{"eps", 0.25}})
      .row("no_rows", {normal({0, 6}), normal({6})})
      .bench("mini", {normal({64, 49, 192}), normal({192})})
      .bench("vit_b", {normal({8, 197, 768}), normal({768})});
}

/// The inputs x, running_mean, running_var, weight, bias; in training the running statistics are results,
/// too.
Tensors run_batch_norm(const Tensors& x, const Json& at) {
  BatchNormOptions options;
  options.training = at.value("training", false);
  options.momentum = at.value("momentum", 0.1);
  options.eps = at.value("eps", 1e-5);
  if (at.value("forgetful", false))
    return {batch_norm(x[0], {}, {}, nothing_or(x, 3), nothing_or(x, 4), options)};
  const DType wide = x[0].dtype() == DType::f64 ? DType::f64 : DType::f32;
  Tensor mean = x[1].to(wide).contiguous().clone(), var = x[2].to(wide).contiguous().clone();
  Tensor y = batch_norm(x[0], mean, var, nothing_or(x, 3), nothing_or(x, 4), options);
  return at.value("running", false) ? Tensors{mean, var} : Tensors{y};
}

/// Statistics of `channels` channels.
Input some_mean(int64_t channels) { return fixed(normal({channels})); }
Input some_var(int64_t channels) { return fixed(positive({channels})); }

void add_batch_norm(OpTable& table) {
  const Json train = {{"training", true}};
  table.op("batch_norm", run_batch_norm)
      .row("eval", {normal({2, 3, 4, 5}), some_mean(3), some_var(3), normal({3}), normal({3})})
      .row("eval_plain", {normal({2, 5, 3, 2}), some_mean(5), some_var(5)})
      .row("eval_columns", {normal({6, 7}), some_mean(7), some_var(7), normal({7})}, {{"eps", 0.5}})
      .row("train", {normal({2, 3, 4, 5}), some_mean(3), some_var(3), normal({3}), normal({3})}, train)
      .row("train_plain", {normal({3, 5, 2, 2}), some_mean(5), some_var(5)},
           {{"training", true}, {"momentum", 0.5}})
      .row("train_weight", {normal({3, 5, 2, 2}), some_mean(5), some_var(5), normal({5})}, train)
      .row("train_columns", {normal({9, 17}), some_mean(17), some_var(17), normal({17}), normal({17})}, train)
      .row("train_line", {normal({3, 4, 11}), some_mean(4), some_var(4), normal({4}), normal({4})}, train)
      .row("train_forgetful", {normal({2, 3, 4, 5}), some_mean(3), some_var(3), normal({3}), normal({3})},
           {{"training", true}, {"forgetful", true}})
      .row("running", {fixed(normal({2, 3, 4, 5})), some_mean(3), some_var(3)},
           {{"training", true}, {"running", true}})
      .row("running_line", {fixed(shifted({3, 4, 11}, 10, 2)), some_mean(4), some_var(4)},
           {{"training", true}, {"running", true}, {"momentum", 0.5}})
      .row("one_channel", {normal({5, 1, 7, 3}), some_mean(1), some_var(1), normal({1}), normal({1})}, train)
      .row("shifted", {shifted({4, 3, 5, 5}, 100, 1), some_mean(3), some_var(3), normal({3}), normal({3})},
           train, {.f32 = 1e-4, .half = 3, .half_gradient = 16})
      .row("two_values", {normal({2, 3}), some_mean(3), some_var(3)}, {{"training", true}, {"eps", 0.5}})
      .row("no_pictures_eval", {normal({0, 3, 2, 2}), some_mean(3), some_var(3), normal({3}), normal({3})})
      .bench("mini", {pictures({4, 32, 28, 28}), some_mean(32), some_var(32), normal({32}), normal({32})},
             train)
      .bench("vgg16", {pictures({8, 64, 112, 112}), some_mean(64), some_var(64), normal({64}), normal({64})},
             train)
      .bench("vgg16_eval",
             {pictures({8, 64, 112, 112}), some_mean(64), some_var(64), normal({64}), normal({64})});
}

void add_group_norm(OpTable& table) {
  table
      .op("group_norm",
          [](const Tensors& x, const Json& at) {
            return group_norm(x[0], at["groups"], nothing_or(x, 1), nothing_or(x, 2), at.value("eps", 1e-5));
          })
      .row("affine", {normal({2, 6, 4, 5}), normal({6}), normal({6})}, {{"groups", 3}})
      .row("plain", {normal({3, 8, 3, 3})}, {{"groups", 2}})
      .row("weight_only", {normal({2, 6, 5}), normal({6})}, {{"groups", 2}})
      .row("one_group", {normal({2, 5, 3, 2}), normal({5}), normal({5})}, {{"groups", 1}, {"eps", 0.25}})
      .row("a_group_each", {normal({2, 5, 3, 2}), normal({5}), normal({5})}, {{"groups", 5}})
      .row("columns", {normal({4, 12}), normal({12}), normal({12})}, {{"groups", 4}})
      .row("many_pixels", {normal({1, 34, 25, 25}), normal({34}), normal({34})}, {{"groups", 17}})
      .row("shifted", {shifted({2, 6, 4, 5}, 100, 1), normal({6}), normal({6})}, {{"groups", 3}},
           {.f32 = 1e-4, .half = 3, .half_gradient = 16})
      .row("no_samples", {normal({0, 4, 2, 2}), normal({4}), normal({4})}, {{"groups", 2}})
      .bench("mini", {pictures({4, 32, 28, 28}), normal({32}), normal({32})}, {{"groups", 8}})
      .bench("vgg16", {pictures({8, 64, 112, 112}), normal({64}), normal({64})}, {{"groups", 32}});
}

void add_instance_norm(OpTable& table) {
  table
      .op("instance_norm",
          [](const Tensors& x, const Json& at) {
            return instance_norm(x[0], nothing_or(x, 1), nothing_or(x, 2), at.value("eps", 1e-5));
          })
      .row("affine", {normal({2, 5, 4, 3}), normal({5}), normal({5})})
      .row("plain", {normal({3, 4, 7, 5})})
      .row("line", {normal({2, 3, 19}), normal({3}), normal({3})}, {{"eps", 0.25}})
      .bench("mini", {pictures({4, 32, 28, 28}), normal({32}), normal({32})})
      .bench("vgg16", {pictures({8, 64, 112, 112}), normal({64}), normal({64})});
}

}  // namespace

void add_norm_ops(OpTable& table) {
  add_layer_norm(table);
  add_rms_norm(table);
  add_batch_norm(table);
  add_group_norm(table);
  add_instance_norm(table);
}

}  // namespace iskra::testing
