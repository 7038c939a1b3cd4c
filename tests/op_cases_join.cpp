// Rows of ops that move whole blocks of elements.
#include "op_cases.h"

namespace iskra::testing {

namespace {

std::vector<int64_t> sizes_of(const Json& list) { return list.get<std::vector<int64_t>>(); }
int axis_of(const Json& at) { return at["axis"].get<int>(); }

void add_joins(OpTable& table) {
  table.op("cat", [](const Tensors& x, const Json& at) { return cat(x, axis_of(at)); })
      .takes(kEvery)
      .row("rows", {normal({2, 3}), normal({4, 3})}, {{"axis", 0}})
      .row("class_token", {normal({2, 1, 5}), normal({2, 4, 5})}, {{"axis", 1}})
      .row("three_last", {normal({2, 3}), normal({2, 1}), normal({2, 4})}, {{"axis", -1}})
      .row("pictures", {normal({2, 3, 4, 5}), normal({2, 2, 4, 5})}, {{"axis", 1}})
      .row("with_empty", {normal({2, 3}), normal({0, 3})}, {{"axis", 0}})
      .row("single", {normal({2, 3})}, {{"axis", 1}})
      .row("whole", {whole({2, 3}, 0, 1), whole({5, 3}, 0, 1)}, {{"axis", 0}})
      .row("integers_promote", {normal({2, 3}), labels({2, 2}, 5)}, {{"axis", 1}})
      .row("bf16_promotes",
           {fixed(of_type(normal({2, 3}), DType::f32)), fixed(of_type(integers({1, 3}), DType::bf16))},
           {{"axis", 0}})
      .bench("mini", {normal({64, 1, 192}), normal({64, 49, 192})}, {{"axis", 1}})
      .bench("vit_b_class_token", {normal({8, 1, 768}), normal({8, 196, 768})}, {{"axis", 1}})
      .bench("vit_b_qkv", {normal({8, 197, 768}), normal({8, 197, 768}), normal({8, 197, 768})},
             {{"axis", -1}});
  table.op("stack", [](const Tensors& x, const Json& at) { return stack(x, axis_of(at)); })
      .takes(kEvery)
      .row("first", {normal({3, 5}), normal({3, 5})}, {{"axis", 0}})
      .row("middle", {normal({3, 5}), normal({3, 5}), normal({3, 5})}, {{"axis", 1}})
      .row("last", {normal({3, 5}), normal({3, 5})}, {{"axis", -1}})
      .row("numbers", {normal({}), normal({}), normal({})}, {{"axis", 0}})
      .row("empty", {normal({0, 3}), normal({0, 3})}, {{"axis", 1}})
      .row("whole", {whole({7}, 0, 1), whole({7}, 0, 1)}, {{"axis", 1}})
      .bench("vit_b_tokens", {normal({8, 197, 768}), normal({8, 197, 768})}, {{"axis", 0}});
  table
      .op("split",
          [](const Tensors& x, const Json& at) {
            return at["size"].is_number() ? split(x[0], at["size"].get<int64_t>(), axis_of(at))
                                          : split(x[0], sizes_of(at["size"]), axis_of(at));
          })
      .takes(kEvery)
      .row("sizes", {normal({7, 3})}, {{"size", {2, 0, 5}}, {"axis", 0}})
      .row("equal", {normal({3, 7})}, {{"size", 3}, {"axis", -1}})
      .row("qkv", {normal({2, 5, 12})}, {{"size", 4}, {"axis", 2}})
      .row("whole", {whole({4, 3}, 0, 1)}, {{"size", 2}, {"axis", 0}});
  table
      .op("chunk", [](const Tensors& x,
                      const Json& at) { return chunk(x[0], at["count"].get<int64_t>(), axis_of(at)); })
      .takes(kEvery)
      .row("uneven", {normal({7, 3})}, {{"count", 3}, {"axis", 0}})
      .row("fewer", {normal({2, 5})}, {{"count", 4}, {"axis", 1}})
      .row("whole", {whole({4, 3}, 0, 1)}, {{"count", 2}, {"axis", 0}});
}

void add_moves(OpTable& table) {
  table.op("repeat", [](const Tensors& x, const Json& at) { return repeat(x[0], sizes_of(at["counts"])); })
      .takes(kEvery)
      .row("rows", {normal({3, 5})}, {{"counts", {2, 1}}})
      .row("both", {normal({3, 5})}, {{"counts", {2, 3}}})
      .row("new_axes", {normal({3})}, {{"counts", {2, 1, 3}}})
      .row("once", {normal({3, 5})}, {{"counts", {1, 1}}})
      .row("never", {normal({3, 5})}, {{"counts", {2, 0}}})
      .row("number", {normal({})}, {{"counts", {4}}})
      .row("whole", {whole({3, 5}, 0, 1)}, {{"counts", {2, 2}}})
      .bench("vit_b_class_token", {normal({1, 1, 768})}, {{"counts", {64, 1, 1}}});
  table.op("flip", [](const Tensors& x, const Json& at) { return flip(x[0], ints_of(at["axes"])); })
      .takes(kEvery)
      .row("rows", {normal({5, 3})}, {{"axes", {0}}})
      .row("columns", {normal({3, 37})}, {{"axes", {-1}}})
      .row("picture", {normal({2, 3, 5, 7})}, {{"axes", {2, 3}}})
      .row("all", {normal({2, 3, 5})}, {{"axes", {0, 1, 2}}})
      .row("none", {normal({2, 3})}, {{"axes", Json::array()}})
      .row("empty", {normal({0, 3})}, {{"axes", {0, 1}}})
      .row("whole", {whole({3, 37}, 0, 1)}, {{"axes", {1}}})
      .bench("mini", {normal({64, 3, 32, 32})}, {{"axes", {3}}})
      .bench("pictures", {normal({32, 3, 224, 224})}, {{"axes", {3}}})
      .bench("pictures_last", {pictures({32, 3, 224, 224})}, {{"axes", {3}}})
      .bench("vit_b_tokens", {normal({8, 197, 768})}, {{"axes", {1}}});
  table
      .op("roll", [](const Tensors& x,
                     const Json& at) { return roll(x[0], sizes_of(at["shifts"]), ints_of(at["axes"])); })
      .takes(kEvery)
      .row("rows", {normal({5, 3})}, {{"shifts", {2}}, {"axes", {0}}})
      .row("backwards", {normal({3, 7})}, {{"shifts", {-2}}, {"axes", {-1}}})
      .row("windows", {normal({2, 6, 7, 3})}, {{"shifts", {-2, 3}}, {"axes", {1, 2}}})
      .row("far", {normal({5, 3})}, {{"shifts", {13}}, {"axes", {0}}})
      .row("twice", {normal({5, 3})}, {{"shifts", {1, 2}}, {"axes", {0, 0}}})
      .row("empty", {normal({0, 3})}, {{"shifts", {1}}, {"axes", {0}}})
      .row("whole", {whole({3, 7}, 0, 1)}, {{"shifts", {1}}, {"axes", {1}}})
      .bench("swin_windows", {normal({8, 56, 56, 96})}, {{"shifts", {-3, -3}}, {"axes", {1, 2}}});
  for (const char* name : {"tril", "triu"}) {
    const bool lower = name[3] == 'l';
    auto run = [lower](const Tensors& x, const Json& at) {
      return lower ? tril(x[0], at.value("k", 0)) : triu(x[0], at.value("k", 0));
    };
    table.op(name, run)
        .takes(kEvery)
        .row("square", {normal({7, 7})})
        .row("above", {normal({5, 9})}, {{"k", 2}})
        .row("below", {normal({9, 5})}, {{"k", -3}})
        .row("batch", {normal({2, 3, 4, 5})}, {{"k", 1}})
        .row("outside", {normal({3, 4})}, {{"k", 9}})
        .row("empty", {normal({0, 3})})
        .row("whole", {whole({5, 5}, 0, 1)})
        .bench("scores", {normal({96, 197, 197})});
  }
}

void add_pads(OpTable& table) {
  auto run = [](const Tensors& x, const Json& at) {
    const std::string mode = at.value("mode", "constant");
    return pad(x[0], sizes_of(at["amounts"]),
               mode == "reflect"     ? Padding::reflect
               : mode == "replicate" ? Padding::replicate
               : mode == "circular"  ? Padding::circular
                                     : Padding::constant,
               at.value("value", 0.0));
  };
  Op& op = table.op("pad", run).takes(kEvery);
  op.row("last", {normal({3, 5})}, {{"amounts", {2, 1}}})
      .row("picture", {normal({2, 3, 4, 5})}, {{"amounts", {1, 2, 3, 0}}})
      .row("value", {normal({3, 5})}, {{"amounts", {0, 3}}, {"value", 1.5}})
      .row("cuts", {normal({3, 5})}, {{"amounts", {-1, 2, 1, -2}}})
      .row("of_nothing", {normal({0, 3})}, {{"amounts", {1, 1, 2, 0}}})
      .row("no_axis", {normal({3, 5})}, {{"amounts", Json::array()}})
      .row("whole", {whole({3, 5}, 0, 1)}, {{"amounts", {1, 1}}})
      .bench("mini", {normal({64, 3, 32, 32})}, {{"amounts", {4, 4, 4, 4}}})
      .bench("pictures", {pictures({8, 64, 112, 112})}, {{"amounts", {1, 1, 1, 1}}});
  for (const char* mode : {"reflect", "replicate", "circular"}) {
    const std::string name = mode;
    op.row(name + "_line", {normal({2, 3, 7})}, {{"amounts", {3, 2}}, {"mode", mode}})
        .row(name + "_picture", {normal({2, 3, 5, 7})}, {{"amounts", {2, 3, 1, 4}}, {"mode", mode}})
        .row(name + "_cuts", {normal({2, 3, 7})}, {{"amounts", {-2, 3}}, {"mode", mode}});
    op.bench("pictures_" + name, {pictures({8, 64, 112, 112})}, {{"amounts", {1, 1, 1, 1}}, {"mode", mode}})
        .bench("rows_" + name, {normal({8, 64, 112, 112})}, {{"amounts", {1, 1, 1, 1}}, {"mode", mode}});
  }
}

}  // namespace

void add_join_ops(OpTable& table) {
  add_joins(table);
  add_moves(table);
  add_pads(table);
}

}  // namespace iskra::testing
