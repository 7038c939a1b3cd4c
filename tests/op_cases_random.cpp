// Rows of ops that draw random numbers.
#include "op_cases.h"

namespace iskra::testing {

namespace {

void add_dropout(OpTable& table) {
  // With p above 0 no other framework draws the same numbers: test_core_ops_dropout.cpp.
  table.op("dropout", [](const Tensors& x, const Json& at) { return dropout(x[0], at["p"].get<double>()); })
      .row("off", {normal({3, 7})}, {{"p", 0}})
      .bench("mini", {normal({64, 49, 192})}, {{"p", 0.1}})
      .bench("vit_b_mlp", {normal({8, 197, 3072})}, {{"p", 0.1}})
      .bench("vgg16_channels_last", {pictures({8, 64, 112, 112})}, {{"p", 0.1}});
}

void add_stochastic_depth(OpTable& table) {
  table
      .op("stochastic_depth",
          [](const Tensors& x, const Json& at) { return stochastic_depth(x[0], at["p"].get<double>()); })
      .row("off", {normal({3, 7})}, {{"p", 0}})
      .bench("mini", {normal({64, 49, 192})}, {{"p", 0.1}})
      .bench("vit_b", {normal({8, 197, 768})}, {{"p", 0.1}});
}

void add_dropout2d(OpTable& table) {
  table
      .op("dropout2d",
          [](const Tensors& x, const Json& at) { return dropout2d(x[0], at["p"].get<double>()); })
      .row("off", {normal({3, 7, 2})}, {{"p", 0}})
      .bench("mini", {pictures({16, 32, 28, 28})}, {{"p", 0.1}})
      .bench("vgg16", {pictures({8, 64, 112, 112})}, {{"p", 0.1}});
}

}  // namespace

void add_random_ops(OpTable& table) {
  add_dropout(table);
  add_stochastic_depth(table);
  add_dropout2d(table);
}

}  // namespace iskra::testing
