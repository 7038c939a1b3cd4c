// Rows of ops that choose elements by index or by a condition.
#include "op_cases.h"

namespace iskra::testing {

namespace {

int axis_of(const Json& at) { return at["axis"].get<int>(); }

void add_gathers(OpTable& table) {
  table.op("gather", [](const Tensors& x, const Json& at) { return gather(x[0], axis_of(at), x[1]); })
      .takes(kEvery)
      .row("rows", {normal({5, 7}), labels({3, 7}, 5)}, {{"axis", 0}})
      .row("columns", {normal({5, 7}), labels({5, 11}, 7)}, {{"axis", 1}})
      .row("smaller", {normal({4, 5, 6}), labels({2, 3, 5}, 5)}, {{"axis", 1}})
      .row("repeats", {normal({3, 2}), labels({3, 13}, 2)}, {{"axis", -1}})
      .row("vector", {normal({9}), labels({4}, 9)}, {{"axis", 0}})
      .row("nothing", {normal({5, 3}), labels({0, 3}, 5)}, {{"axis", 0}})
      .row("i32_indices", {normal({5, 7}), of_type(whole({2, 7}, 0, 4), DType::i32)}, {{"axis", 0}})
      .row("whole", {whole({5, 7}, 0, 1), labels({5, 3}, 7)}, {{"axis", 1}})
      .bench("mini", {normal({1024, 101}), labels({1024, 5}, 101)}, {{"axis", 1}})
      .bench("columns", {normal({1576, 768}), labels({1576, 768}, 768)}, {{"axis", 1}})
      .bench("rows", {normal({1576, 768}), labels({1576, 768}, 1576)}, {{"axis", 0}});
  table.op("take_along", [](const Tensors& x, const Json& at) { return take_along(x[0], x[1], axis_of(at)); })
      .takes(kEvery)
      .row("tokens", {normal({2, 7, 5}), labels({2, 3, 1}, 7)}, {{"axis", 1}})
      .row("shared", {normal({1, 5}), labels({4, 3}, 5)}, {{"axis", 1}})
      .row("same_shape", {normal({3, 4}), labels({3, 4}, 3)}, {{"axis", 0}})
      .row("whole", {whole({3, 5}, 0, 1), labels({1, 5}, 3)}, {{"axis", 0}})
      .bench("vit_b_tokens", {normal({8, 196, 768}), labels({8, 49, 1}, 196)}, {{"axis", 1}});
  table
      .op("index_select",
          [](const Tensors& x, const Json& at) { return index_select(x[0], axis_of(at), x[1]); })
      .takes(kEvery)
      .row("rows", {normal({5, 7}), labels({9}, 5)}, {{"axis", 0}})
      .row("columns", {normal({5, 7}), labels({4}, 7)}, {{"axis", 1}})
      .row("middle", {normal({3, 5, 4}), labels({7}, 5)}, {{"axis", 1}})
      .row("picture", {normal({2, 3, 4, 5}), labels({6}, 4)}, {{"axis", 2}})
      .row("one", {normal({5, 7}), labels({1}, 5)}, {{"axis", 0}})
      .row("nothing", {normal({5, 7}), labels({0}, 5)}, {{"axis", 0}})
      .row("many_equal", {normal({2, 300}), labels({37}, 2)}, {{"axis", 0}})
      .row("order", {normal({7, 3}), permutation({7})}, {{"axis", 0}})
      .row("whole", {whole({5, 7}, 0, 1), labels({9}, 5)}, {{"axis", 0}})
      .bench("vit_b_rows", {normal({1576, 768}), labels({1576}, 1576)}, {{"axis", 0}})
      .bench("vit_b_columns", {normal({1576, 768}), labels({768}, 768)}, {{"axis", 1}})
      .bench("vit_b_tokens", {normal({8, 197, 768}), labels({98}, 197)}, {{"axis", 1}});
  table
      .op("embedding",
          [](const Tensors& x, const Json& at) {
            return embedding(
                x[0], x[1],
                at.contains("padding") ? std::optional(at["padding"].get<int64_t>()) : std::nullopt);
          })
      .row("sentence", {labels({2, 5}, 7), normal({7, 3})})
      .row("padding", {labels({4, 9}, 5), normal({5, 6})}, {{"padding", 2}}, {.gradcheck = false})
      .row("one_id", {labels({}, 7), normal({7, 3})})
      .row("nothing", {labels({0}, 7), normal({7, 3})})
      .row("wide", {labels({11}, 3), normal({3, 301})})
      .bench("mini", {labels({64, 49}, 1000), normal({1000, 192})})
      .bench("tokens", {labels({8, 512}, 30522), normal({30522, 768})})
      .bench("vit_b_positions", {labels({1576}, 197), normal({197, 768})});
}

void add_scatters(OpTable& table) {
  Op& put = table.op("scatter",
                     [](const Tensors& x, const Json& at) { return scatter(x[0], axis_of(at), x[1], x[2]); });
  put.takes(kEvery)
      .row("order", {normal({7, 1}), permutation({7, 1}), normal({7, 1})}, {{"axis", 0}})
      .row("some", {normal({9}), permutation({5}), normal({5})}, {{"axis", 0}})
      .row("number", {normal({9, 2}), labels({5, 2}, 9), normal({})}, {{"axis", 0}}, {.gradcheck = false})
      .row("nothing", {normal({9}), labels({0}, 9), normal({0})}, {{"axis", 0}})
      .row("whole", {whole({9}, 0, 1), permutation({7}), whole({7}, 0, 1)}, {{"axis", 0}})
      .bench("rows", {normal({1576, 768}), permutation({1576, 1}), normal({1576, 1})}, {{"axis", 0}});
  put.rows[2].inputs[2].gradient = false;  // its gradient is not defined where indices are equal
  table
      .op("scatter_add",
          [](const Tensors& x, const Json& at) { return scatter_add(x[0], axis_of(at), x[1], x[2]); })
      .takes(kNumbers)
      .row("rows", {normal({5, 7}), labels({9, 7}, 5), normal({9, 7})}, {{"axis", 0}})
      .row("columns", {normal({5, 7}), labels({5, 23}, 7), normal({5, 23})}, {{"axis", 1}})
      .row("smaller", {normal({4, 5, 6}), labels({2, 3, 5}, 5), normal({2, 3, 5})}, {{"axis", 1}})
      .row("all_one", {normal({1}), labels({37}, 1), normal({37})}, {{"axis", 0}})
      .row("nothing", {normal({5, 3}), labels({0, 3}, 5), normal({0, 3})}, {{"axis", 0}})
      .row("whole", {whole({5}, 0, 2), labels({9}, 5), whole({9}, 0, 2)}, {{"axis", 0}})
      .bench("rows", {normal({1000, 768}), labels({1576, 768}, 1000), normal({1576, 768})}, {{"axis", 0}})
      .bench("columns", {normal({1576, 500}), labels({1576, 768}, 500), normal({1576, 768})}, {{"axis", 1}});
}

void add_choices(OpTable& table) {
  const Tolerance exact{.f32 = 0, .f64 = 0, .half = 0, .floor = 0, .gradcheck = false};
  table.op("where", [](const Tensors& x, const Json&) { return where(x[0], x[1], x[2]); })
      .takes(kEvery)
      .row("same", {booleans({5, 7}), normal({5, 7}), normal({5, 7})})
      .row("mask_broadcasts", {booleans({7}), normal({5, 7}), normal({5, 7})})
      .row("numbers", {booleans({3, 7}), normal({}), normal({})})
      .row("all_broadcast", {booleans({3, 1, 1}), normal({5, 1}), normal({7})})
      .row("empty", {booleans({0, 3}), normal({0, 3}), normal({3})})
      .row("promotes", {booleans({5}), normal({5}), labels({5}, 9)})
      .row("whole", {booleans({5, 37}), whole({5, 37}, 0, 1), whole({5, 37}, 0, 1)})
      .row("special", {booleans({13}), special({13}), special({13})}, Json::object(), exact)
      .bench("mini", {booleans({64, 49, 192}), normal({64, 49, 192}), normal({64, 49, 192})})
      .bench("vit_b_tokens", {booleans({8, 197, 768}), normal({8, 197, 768}), normal({8, 197, 768})});
  table
      .op("masked_fill",
          [](const Tensors& x, const Json& at) { return masked_fill(x[0], x[1], at.value("value", 0.0)); })
      .takes(kEvery)
      .row("scores", {normal({2, 5, 7}), booleans({5, 7})}, {{"value", -1e4}})
      .row("column", {normal({5, 7}), booleans({5, 1})}, {{"value", 1}})
      .row("empty", {normal({0, 3}), booleans({3})})
      .row("whole", {whole({5, 7}, 0, 1), booleans({5, 7})}, {{"value", 1}})
      .bench("scores", {normal({96, 197, 197}), booleans({197, 197})}, {{"value", -1e9}});
  table.op("masked_select", [](const Tensors& x, const Json&) { return masked_select(x[0], x[1]); })
      .takes(kEvery)
      .row("some", {normal({5, 7}), booleans({5, 7})})
      .row("row_mask", {normal({5, 7}), booleans({7})})
      .row("nothing", {normal({0, 3}), booleans({0, 3})})
      .row("whole", {whole({5, 7}, 0, 1), booleans({5, 7})})
      .bench("vit_b_tokens", {normal({8, 197, 768}), booleans({8, 197, 768})});
  table.op("nonzero", [](const Tensors& x, const Json&) { return nonzero(x[0]); })
      .takes(kEvery)
      .row("matrix", {fixed(integers({5, 7}))})
      .row("cube", {fixed(whole({3, 5, 4}, 0, 1))})
      .row("special", {special({13})})
      .row("number", {fixed(normal({}))})
      .row("nothing", {fixed(whole({0, 3}, 0, 1))})
      .row("blocks", {booleans({40001})})
      .bench("mask", {booleans({1576, 768})});
  table
      .op("bincount", [](const Tensors& x,
                         const Json& at) { return bincount(x[0], nothing_or(x, 1), at.value("length", 0)); })
      .takes(kFloating)
      .row("labels", {labels({101}, 7)})
      .row("longer", {labels({5}, 7)}, {{"length", 11}})
      .row("bytes", {bytes({33})})
      .row("weights", {labels({101}, 7), fixed(normal({101}))})
      .row("nothing", {labels({0}, 7)}, {{"length", 3}})
      .bench("labels", {labels({1 << 20}, 1000)});
}

}  // namespace

void add_index_ops(OpTable& table) {
  add_gathers(table);
  add_scatters(table);
  add_choices(table);
}

}  // namespace iskra::testing
