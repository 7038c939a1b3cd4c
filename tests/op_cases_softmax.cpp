// Rows of softmax and its kin.
#include "op_cases.h"

namespace iskra::testing {

namespace {

void add_rows(Op& op, bool logarithm) {
  op.row("rows", {normal({5, 37})})
      .row("middle", {normal({3, 7, 4})}, {{"axis", 1}})
      .row("first", {normal({5, 6})}, {{"axis", 0}})
      .row("channels", {normal({2, 5, 3, 4})}, {{"axis", 1}})
      .row("many_columns", {normal({1, 3, 131})}, {{"axis", 1}})
      .row("one_column", {normal({4, 1})}, Json::object(), {.floor = 1})
      .row("no_rows", {normal({0, 4})})
      .row("no_columns", {normal({3, 0})})
      .row("vector", {normal({11})})
      .row("large", {normal({6, 13}, logarithm ? 100 : 1e4)}, Json::object(), {.gradcheck = false})
      .row("shifted", {shifted({4, 13}, 1e4, 1)}, Json::object(), {.half = 4, .gradcheck = false})
      .row("equal", {normal({3, 9}, 0)})
      .bench("mini", {normal({256, 49, 49})})
      .bench("vit_b_scores", {normal({96, 197, 197})});
}

void add_softmax(OpTable& table) {
  Op& op = table.op("softmax",
                    [](const Tensors& x, const Json& at) { return softmax(x[0], at.value("axis", -1)); });
  add_rows(op, false);
  op.bench("vgg16_channels", {pictures({8, 64, 112, 112})}, {{"axis", 1}});
}

void add_log_softmax(OpTable& table) {
  add_rows(table.op("log_softmax",
                    [](const Tensors& x, const Json& at) { return log_softmax(x[0], at.value("axis", -1)); }),
           true);
}

}  // namespace

void add_softmax_ops(OpTable& table) {
  add_softmax(table);
  add_log_softmax(table);
}

}  // namespace iskra::testing
