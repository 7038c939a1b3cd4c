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

}  // namespace

void add_norm_ops(OpTable& table) { add_layer_norm(table); }

}  // namespace iskra::testing
