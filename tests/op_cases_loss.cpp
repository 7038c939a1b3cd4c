// Rows of losses.
#include "op_cases.h"

namespace iskra::testing {

namespace {

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

}  // namespace

void add_loss_ops(OpTable& table) { add_cross_entropy(table); }

}  // namespace iskra::testing
