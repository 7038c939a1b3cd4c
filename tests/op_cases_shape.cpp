// Rows of views and copies.
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
  table.op("cat", [](const Tensors& x, const Json& at) { return cat(x, at["axis"].get<int>()); })
      .row("rows", {normal({2, 3}), normal({4, 3})}, {{"axis", 0}})
      .row("class_token", {normal({2, 1, 5}), normal({2, 4, 5})}, {{"axis", 1}})
      .row("three_last", {normal({2, 3}), normal({2, 1}), normal({2, 4})}, {{"axis", -1}})
      .row("with_empty", {normal({2, 3}), normal({0, 3})}, {{"axis", 0}})
      .row("single", {normal({2, 3})}, {{"axis", 1}})
      .bench("mini", {normal({64, 1, 192}), normal({64, 49, 192})}, {{"axis", 1}});
}

}  // namespace

void add_shape_ops(OpTable& table) {
  add_moves(table);
  add_copies(table);
}

}  // namespace iskra::testing
