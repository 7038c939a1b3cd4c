// Rows of attention.
#include "op_cases.h"

namespace iskra::testing {

namespace {

double attention_flops(const std::vector<Shape>& x, const Shape&, const Json&) {
  const Shape& q = x[0];
  return 4.0 * static_cast<double>(q.numel()) * static_cast<double>(x[1][2]);
}

AttentionOptions options_of(const Tensors& x, size_t mask, const Json& at) {
  return {.mask = nothing_or(x, mask), .causal = at.value("causal", false), .scale = at.value("scale", 0.0)};
}

void add_attention(OpTable& table) {
  table
      .op(
          "scaled_dot_product_attention",
          [](const Tensors& x, const Json& at) {
            return scaled_dot_product_attention(x[0], x[1], x[2], options_of(x, 3, at));
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
      .row("no_keys", {normal({2, 3, 5, 4}), normal({2, 3, 0, 4}), normal({2, 3, 0, 4})})
      .row("causal", {normal({2, 2, 7, 4}), normal({2, 2, 7, 4}), normal({2, 2, 7, 4})}, {{"causal", true}})
      .row("causal_cross", {normal({1, 2, 5, 4}), normal({1, 2, 9, 4}), normal({1, 2, 9, 4})},
           {{"causal", true}})
      .row("masked",
           {normal({2, 3, 5, 4}), normal({2, 3, 7, 4}), normal({2, 3, 7, 4}), fixed(normal({2, 3, 5, 7}))})
      .row("mask_broadcast",
           {normal({2, 3, 5, 4}), normal({2, 3, 7, 4}), normal({2, 3, 7, 4}), fixed(normal({3, 1, 7}))})
      .row("mask_causal",
           {normal({2, 1, 6, 4}), normal({2, 1, 6, 4}), normal({2, 1, 6, 4}), fixed(normal({6, 1}))},
           {{"causal", true}})
      .row("mask_bool",
           {normal({2, 2, 6, 4}), normal({2, 2, 9, 4}), normal({2, 2, 9, 4}), booleans({2, 1, 6, 9})})
      // Pictures of few keys: with a mask of one column a query sees all or nothing.
      .row("mask_nothing",
           {normal({2, 2, 9, 4}), normal({2, 2, 3, 4}), normal({2, 2, 3, 4}), booleans({2, 2, 9, 1})})
      .row("grouped", {normal({2, 6, 5, 4}), normal({2, 2, 7, 4}), normal({2, 2, 7, 4})})
      .row("one_key_head", {normal({2, 3, 5, 4}), normal({2, 1, 5, 4}), normal({2, 1, 5, 4})},
           {{"causal", true}})
      .row("value_width", {normal({2, 2, 5, 4}), normal({2, 2, 7, 4}), normal({2, 2, 7, 3})})
      .bench("mini", {normal({16, 4, 49, 16}), normal({16, 4, 49, 16}), normal({16, 4, 49, 16})})
      .bench("vit_b", {normal({8, 12, 197, 64}), normal({8, 12, 197, 64}), normal({8, 12, 197, 64})});
  table
      .op(
          "packed_attention",
          [](const Tensors& x, const Json& at) {
            return packed_attention(x[0], at["heads"].get<int64_t>(), options_of(x, 1, at));
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
      .row("causal", {normal({2, 9, 24})}, {{"heads", 2}, {"causal", true}})
      .row("masked", {normal({2, 5, 24}), fixed(normal({2, 1, 5, 5}))}, {{"heads", 2}})
      .bench("mini", {normal({16, 49, 192})}, {{"heads", 4}})
      .bench("vit_b", {normal({8, 197, 2304})}, {{"heads", 12}});
}

}  // namespace

void add_attention_ops(OpTable& table) { add_attention(table); }

}  // namespace iskra::testing
