// Rows of views and copies.
#include <limits>

#include "op_cases.h"

namespace iskra::testing {

namespace {

void add_moves(OpTable& table) {
  table.op("reshape", [](const Tensors& x, const Json& at) { return x[0].reshape(shape_of(at["shape"])); })
      .row("split", {normal({6, 4})}, {{"shape", {2, 3, 4}}})
      .row("guess", {normal({2, 3, 4})}, {{"shape", {4, -1}}})
      .row("number", {normal({1, 1})}, {{"shape", Json::array()}})
      .row("empty", {normal({0, 3})}, {{"shape", {3, 0, 2}}});
  table
      .op("flatten", [](const Tensors& x,
                        const Json& at) { return x[0].flatten(at.value("first", 0), at.value("last", -1)); })
      .row("all", {normal({2, 3, 4})})
      .row("image", {normal({2, 3, 4, 5})}, {{"first", 1}})
      .row("middle", {normal({2, 3, 4, 5})}, {{"first", 1}, {"last", -2}});
  table
      .op("transpose", [](const Tensors& x,
                          const Json& at) { return x[0].transpose(at["a"].get<int>(), at["b"].get<int>()); })
      .row("matrix", {normal({5, 7})}, {{"a", 0}, {"b", 1}})
      .row("heads", {normal({2, 3, 4, 5})}, {{"a", 1}, {"b", 2}})
      .row("negative", {normal({2, 3, 4})}, {{"a", -1}, {"b", 0}})
      .row("same_axis", {normal({2, 3})}, {{"a", 1}, {"b", 1}});
  table.op("permute", [](const Tensors& x, const Json& at) { return x[0].permute(shape_of(at["axes"])); })
      .row("rotate", {normal({2, 3, 4})}, {{"axes", {2, 0, 1}}})
      .row("to_channels_last", {normal({2, 3, 4, 5})}, {{"axes", {0, 2, 3, 1}}});
  table
      .op("narrow",
          [](const Tensors& x, const Json& at) {
            return x[0].narrow(at["axis"].get<int>(), at["start"].get<int64_t>(),
                               at["length"].get<int64_t>());
          })
      .row("rows", {normal({7, 3})}, {{"axis", 0}, {"start", 2}, {"length", 4}})
      .row("columns", {normal({3, 7})}, {{"axis", -1}, {"start", 3}, {"length", 4}})
      .row("class_token", {normal({2, 5, 3})}, {{"axis", 1}, {"start", 0}, {"length", 1}})
      .row("nothing", {normal({4, 3})}, {{"axis", 0}, {"start", 4}, {"length", 0}})
      .row("whole", {normal({4, 3})}, {{"axis", 0}, {"start", 0}, {"length", 4}});
  table.op("squeeze", [](const Tensors& x, const Json& at) { return x[0].squeeze(at["axis"].get<int>()); })
      .row("middle", {normal({3, 1, 4})}, {{"axis", 1}})
      .row("last", {normal({3, 1})}, {{"axis", -1}});
  table
      .op("unsqueeze", [](const Tensors& x, const Json& at) { return x[0].unsqueeze(at["axis"].get<int>()); })
      .row("first", {normal({3, 4})}, {{"axis", 0}})
      .row("last", {normal({3, 4})}, {{"axis", -1}})
      .row("number", {normal({})}, {{"axis", 0}});
  table.op("expand", [](const Tensors& x, const Json& at) { return x[0].expand(shape_of(at["shape"])); })
      .row("column", {normal({3, 1})}, {{"shape", {3, 5}}})
      .row("new_axes", {normal({3, 1})}, {{"shape", {2, 4, 3, 5}}})
      .row("class_token", {normal({1, 1, 6})}, {{"shape", {3, 1, 6}}})
      .row("to_nothing", {normal({1, 3})}, {{"shape", {0, 3}}});
}

void add_copies(OpTable& table) {
  table
      .op("contiguous",
          [](const Tensors& x, const Json& at) {
            Tensor view = at.value("transpose", false) ? x[0].transpose(1, 2) : x[0];
            return view.contiguous(at.value("channels_last", false) ? Layout::channels_last
                                                                    : Layout::row_major);
          })
      .row("already", {normal({2, 3})})
      .row("of_a_view", {normal({2, 3, 4})}, {{"transpose", true}})
      .row("channels_last", {normal({2, 3, 4, 5})}, {{"channels_last", true}})
      .row("channels_last_of_a_view", {normal({2, 3, 4, 5})}, {{"channels_last", true}, {"transpose", true}})
      .bench("mini", {normal({64, 49, 192})}, {{"transpose", true}})
      .bench("vit_b_heads", {normal({8, 197, 12, 64})}, {{"transpose", true}})
      .bench("to_channels_last", {normal({8, 64, 112, 112})}, {{"channels_last", true}});
  table.op("clone", [](const Tensors& x, const Json&) { return x[0].clone(); })
      .row("plain", {normal({3, 5})})
      .row("empty", {normal({0})})
      .bench("mini", {normal({64, 49, 192})})
      .bench("memory", {normal({32, 1024, 1024})});
  Tolerance rounds{.f32 = 0, .f64 = 0, .half = 0, .half_gradient = 0, .floor = 0, .gradcheck = false};
  table
      .op("to", [](const Tensors& x,
                   const Json& at) { return x[0].to(dtype_named(at["dtype"].get<std::string>())); })
      .row("f64", {normal({3, 7})}, {{"dtype", "f64"}})
      .row("f32", {normal({3, 7})}, {{"dtype", "f32"}}, rounds)
      .row("bf16", {normal({5, 37})}, {{"dtype", "bf16"}}, rounds)
      .row("f16", {normal({5, 37})}, {{"dtype", "f16"}}, rounds)
      .row("f16_wide", {fixed(wide({101}, -9, 6))}, {{"dtype", "f16"}}, rounds)
      .row("bf16_wide", {fixed(wide({101}, -30, 30))}, {{"dtype", "bf16"}}, rounds)
      .row("f16_special", {special({13})}, {{"dtype", "f16"}}, rounds)
      .row("bf16_special", {special({13})}, {{"dtype", "bf16"}}, rounds)
      .row("i64", {fixed(normal({3, 7}, 100))}, {{"dtype", "i64"}}, rounds)
      .row("i32", {fixed(normal({3, 7}, 100))}, {{"dtype", "i32"}}, rounds)
      .row("bool", {fixed(integers({3, 7}))}, {{"dtype", "bool"}}, rounds)
      .row("from_labels", {labels({9}, 1000)}, {{"dtype", "f32"}}, rounds)
      .row("from_bytes", {bytes({5, 13})}, {{"dtype", "f32"}}, rounds)
      .bench("mini", {normal({64, 49, 192})}, {{"dtype", "bf16"}});
}

void add_windows(OpTable& table) {
  table
      .op("slice",
          [](const Tensors& x, const Json& at) {
            return x[0].slice(at["axis"].get<int>(), at.value("start", int64_t{0}),
                              at.value("end", std::numeric_limits<int64_t>::max()),
                              at.value("step", int64_t{1}));
          })
      .takes(kEvery)
      .row("every_second", {normal({7, 3})}, {{"axis", 0}, {"step", 2}})
      .row("columns", {normal({3, 11})}, {{"axis", -1}, {"start", 1}, {"end", 9}, {"step", 3}})
      .row("from_the_end", {normal({7, 3})}, {{"axis", 0}, {"start", -4}, {"end", -1}})
      .row("beyond", {normal({7, 3})}, {{"axis", 0}, {"start", -100}, {"end", 100}, {"step", 5}})
      .row("nothing", {normal({7, 3})}, {{"axis", 0}, {"start", 5}, {"end", 2}})
      .row("of_nothing", {normal({0, 3})}, {{"axis", 0}, {"step", 2}})
      .row("whole", {whole({7, 3}, 0, 1)}, {{"axis", 0}, {"start", 1}, {"step", 2}});
  table
      .op("select", [](const Tensors& x,
                       const Json& at) { return x[0].select(at["axis"].get<int>(), at["index"].get<int>()); })
      .takes(kEvery)
      .row("class_token", {normal({2, 5, 3})}, {{"axis", 1}, {"index", 0}})
      .row("last", {normal({2, 5, 3})}, {{"axis", -1}, {"index", -1}})
      .row("number", {normal({4})}, {{"axis", 0}, {"index", 2}})
      .row("whole", {whole({7, 3}, 0, 1)}, {{"axis", 0}, {"index", 3}});
  table
      .op("unfold",
          [](const Tensors& x, const Json& at) {
            return x[0].unfold(at["axis"].get<int>(), at["size"].get<int64_t>(), at["step"].get<int64_t>());
          })
      .takes(kEvery)
      .row("overlap", {normal({11, 3})}, {{"axis", 0}, {"size", 4}, {"step", 2}})
      .row("dense", {normal({3, 9})}, {{"axis", 1}, {"size", 3}, {"step", 1}})
      .row("patches", {normal({2, 8, 3})}, {{"axis", 1}, {"size", 4}, {"step", 4}})
      .row("gaps", {normal({13})}, {{"axis", 0}, {"size", 2}, {"step", 5}})
      .row("one_window", {normal({5, 2})}, {{"axis", 0}, {"size", 5}, {"step", 3}})
      .row("whole", {whole({9}, 0, 1)}, {{"axis", 0}, {"size", 3}, {"step", 2}});
  table
      .op("diagonal",
          [](const Tensors& x, const Json& at) {
            return x[0].diagonal(at.value("offset", 0), at.value("a", 0), at.value("b", 1));
          })
      .takes(kEvery)
      .row("square", {normal({5, 5})})
      .row("above", {normal({4, 7})}, {{"offset", 2}})
      .row("below", {normal({4, 7})}, {{"offset", -3}})
      .row("batch", {normal({2, 3, 4})}, {{"a", 2}, {"b", 1}})
      .row("outside", {normal({3, 4})}, {{"offset", 9}})
      .row("whole", {whole({5, 5}, 0, 1)});
  table
      .op("movedim", [](const Tensors& x,
                        const Json& at) { return x[0].movedim(at["from"].get<int>(), at["to"].get<int>()); })
      .takes(kEvery)
      .row("channels", {normal({2, 3, 4, 5})}, {{"from", 1}, {"to", -1}})
      .row("back", {normal({2, 3, 4, 5})}, {{"from", -1}, {"to", 1}})
      .row("whole", {whole({3, 5}, 0, 1)}, {{"from", 0}, {"to", 1}});
  table
      .op("unflatten",
          [](const Tensors& x, const Json& at) {
            return x[0].unflatten(at["axis"].get<int>(), shape_of(at["sizes"]));
          })
      .takes(kEvery)
      .row("heads", {normal({2, 5, 12})}, {{"axis", -1}, {"sizes", {3, 4}}})
      .row("guess", {normal({12, 2})}, {{"axis", 0}, {"sizes", {2, -1, 3}}})
      .row("whole", {whole({6, 2}, 0, 1)}, {{"axis", 0}, {"sizes", {2, 3}}});
}

}  // namespace

void add_shape_ops(OpTable& table) {
  add_moves(table);
  add_copies(table);
  add_windows(table);
}

}  // namespace iskra::testing
