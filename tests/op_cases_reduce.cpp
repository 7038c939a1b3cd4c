// Rows of reductions.
#include "op_cases.h"

namespace iskra::testing {

namespace {

template <auto f>
Tensor run_reduction(const Tensors& x, const Json& at) {
  return f(x[0], at.contains("axes") ? ints_of(at["axes"]) : std::vector<int>{}, at.value("keep", false));
}

void add_sums(OpTable& table) {
  for (bool mean_op : {false, true}) {
    constexpr auto sum_of = [](const Tensor& x, const std::vector<int>& axes, bool keep) {
      return sum(x, axes, keep);
    };
    constexpr auto mean_of = [](const Tensor& x, const std::vector<int>& axes, bool keep) {
      return mean(x, axes, keep);
    };
    Op& op = mean_op ? table.op("mean", run_reduction<mean_of>) : table.op("sum", run_reduction<sum_of>);
    op.row("all", {normal({3, 5, 7})})
        .row("first", {normal({5, 3, 4})}, {{"axes", {0}}})
        .row("middle", {normal({3, 5, 4})}, {{"axes", {1}}})
        .row("last", {normal({4, 37})}, {{"axes", {-1}}})
        .row("outer_keep", {normal({3, 4, 5})}, {{"axes", {0, 2}}, {"keep", true}})
        .row("image", {normal({2, 3, 5, 4})}, {{"axes", {2, 3}}})
        .row("tokens_keep", {normal({2, 9, 6})}, {{"axes", {1}}, {"keep", true}})
        .row("number", {normal({})})
        .row("size_one_axis", {normal({3, 1, 2})}, {{"axes", {1}}})
        .row("long", {normal({1031})})
        .row("large", {normal({3, 67}, 1e18)}, {{"axes", {1}}}, {.gradcheck = false})
        .bench("mini", {normal({64, 49, 192})}, {{"axes", {1}}})
        .bench("rows", {normal({1576, 768})}, {{"axes", {1}}})
        .bench("columns", {normal({1576, 768})}, {{"axes", {0}}})
        .bench("all", {normal({8, 64, 112, 112})});
    if (!mean_op) {
      op.row("empty", {normal({0, 3})}).row("empty_axis", {normal({0, 3})}, {{"axes", {0}}});
    }
  }
  table.op("sum_to", [](const Tensors& x, const Json& at) { return sum_to(x[0], shape_of(at["shape"])); })
      .row("row", {normal({2, 3, 4})}, {{"shape", {4}}})
      .row("column", {normal({2, 3, 4})}, {{"shape", {3, 1}}})
      .row("number", {normal({2, 3, 4})}, {{"shape", Json::array()}})
      .row("same", {normal({2, 3})}, {{"shape", {2, 3}}})
      .row("channels", {normal({2, 3, 4, 5})}, {{"shape", {1, 3, 1, 1}}});
}

}  // namespace

void add_reduce_ops(OpTable& table) { add_sums(table); }

}  // namespace iskra::testing
