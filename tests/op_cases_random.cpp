// Rows of ops that draw random numbers.
#include "op_cases.h"

namespace iskra::testing {

namespace {

void add_dropout(OpTable& table) {
  // With p above 0 no other framework draws the same numbers: test_core_ops_dropout.cpp.
  table.op("dropout", [](const Tensors& x, const Json& at) { return dropout(x[0], at["p"].get<double>()); })
      .row("off", {normal({3, 7})}, {{"p", 0}})
      .bench("mini", {normal({64, 49, 192})}, {{"p", 0.1}})
      .bench("vit_b_mlp", {normal({8, 197, 3072})}, {{"p", 0.1}});
}

}  // namespace

void add_random_ops(OpTable& table) { add_dropout(table); }

}  // namespace iskra::testing
