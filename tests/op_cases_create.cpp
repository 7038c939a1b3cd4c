// Rows of ops that make tensors of nothing but numbers.
#include "op_cases.h"

namespace iskra::testing {

namespace {

TensorOptions options_of(const Json& at) { return {.dtype = dtype_named(at.value("dtype", "f32"))}; }

void add_ranges(OpTable& table) {
  // Whole numbers and halves are exact in every type; other steps are rounded once.
  table
      .op("arange",
          [](const Tensors&, const Json& at) {
            return at.contains("n") ? arange(at["n"].get<int64_t>())
                                    : arange(at["start"].get<double>(), at["end"].get<double>(),
                                             at["step"].get<double>(), options_of(at));
          })
      .takes({DType::f64})
      .row("count", {}, {{"n", 7}})
      .row("none", {}, {{"n", 0}})
      .row("halves", {}, {{"start", -1}, {"end", 3}, {"step", 0.5}})
      .row("tenths", {}, {{"start", 0}, {"end", 1}, {"step", 0.1}, {"dtype", "f64"}})
      .row("backwards", {}, {{"start", 5}, {"end", -4}, {"step", -2}, {"dtype", "i32"}})
      .row("bf16", {}, {{"start", 0}, {"end", 40}, {"step", 3}, {"dtype", "bf16"}})
      .row("f16", {}, {{"start", 0}, {"end", 40}, {"step", 3}, {"dtype", "f16"}})
      .row("bytes", {}, {{"start", 0}, {"end", 250}, {"step", 30}, {"dtype", "u8"}})
      .row("blocks", {}, {{"start", 0}, {"end", 1000}, {"step", 1}, {"dtype", "i64"}})
      .bench("million", {}, {{"start", 0}, {"end", 1 << 20}, {"step", 1}});
  table
      .op("linspace",
          [](const Tensors&, const Json& at) {
            return linspace(at["start"].get<double>(), at["end"].get<double>(), at["count"].get<int64_t>(),
                            options_of(at));
          })
      .takes({DType::f64})
      .row("odd", {}, {{"start", -1}, {"end", 1}, {"count", 7}})
      .row("even", {}, {{"start", 3}, {"end", -2}, {"count", 12}, {"dtype", "f64"}})
      .row("one", {}, {{"start", 3}, {"end", 5}, {"count", 1}})
      .row("none", {}, {{"start", 3}, {"end", 5}, {"count", 0}})
      .row("bf16", {}, {{"start", 0}, {"end", 1}, {"count", 9}, {"dtype", "bf16"}})
      .bench("million", {}, {{"start", 0}, {"end", 1}, {"count", 1 << 20}});
}

void add_patterns(OpTable& table) {
  table
      .op("eye",
          [](const Tensors&, const Json& at) {
            return eye(at["rows"].get<int64_t>(),
                       at.contains("columns") ? std::optional(at["columns"].get<int64_t>()) : std::nullopt,
                       options_of(at));
          })
      .takes({DType::f64})
      .row("square", {}, {{"rows", 5}})
      .row("wide", {}, {{"rows", 3}, {"columns", 7}})
      .row("tall", {}, {{"rows", 7}, {"columns", 3}, {"dtype", "i64"}})
      .row("bool", {}, {{"rows", 2}, {"dtype", "bool"}})
      .row("half", {}, {{"rows", 4}, {"dtype", "f16"}})
      .row("nothing", {}, {{"rows", 0}})
      .bench("thousand", {}, {{"rows", 1000}});
  table
      .op("one_hot",
          [](const Tensors& x, const Json& at) {
            return one_hot(x[0], at["classes"].get<int64_t>(), dtype_named(at.value("dtype", "i64")));
          })
      .takes({DType::f64})
      .row("labels", {labels({7}, 5)}, {{"classes", 5}})
      .row("more_classes", {labels({2, 3}, 5)}, {{"classes", 11}, {"dtype", "f32"}})
      .row("bf16", {labels({9}, 3)}, {{"classes", 3}, {"dtype", "bf16"}})
      .row("bool", {labels({9}, 3)}, {{"classes", 3}, {"dtype", "bool"}})
      .row("nothing", {labels({0}, 3)}, {{"classes", 3}})
      .row("number", {labels({}, 3)}, {{"classes", 3}})
      .bench("imagenet", {labels({1024}, 1000)}, {{"classes", 1000}, {"dtype", "f32"}});
}

}  // namespace

void add_create_ops(OpTable& table) {
  add_ranges(table);
  add_patterns(table);
}

}  // namespace iskra::testing
