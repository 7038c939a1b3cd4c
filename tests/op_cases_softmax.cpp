// Rows of softmax and its kin.
#include "op_cases.h"

namespace iskra::testing {

namespace {

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

}  // namespace

void add_softmax_ops(OpTable& table) { add_softmax(table); }

}  // namespace iskra::testing
