// Rows of ops that depend on the order of elements.
#include "op_cases.h"

namespace iskra::testing {

namespace {

int axis_of(const Json& at) { return at.value("axis", -1); }

void add_sorts(OpTable& table) {
  const Tolerance ties{.gradcheck = false};
  const Tolerance exact{.f32 = 0, .f64 = 0, .half = 0, .floor = 0, .gradcheck = false};
  auto descending = [](const Json& at) { return at.value("descending", false); };
  table
      .op("sort",
          [descending](const Tensors& x, const Json& at) {
            Ordered sorted = sort(x[0], axis_of(at), descending(at));
            return Tensors{sorted.values, sorted.indices};
          })
      .takes(kEvery)
      .row("rows", {apart({3, 37})})
      .row("descending", {apart({3, 37})}, {{"descending", true}})
      .row("columns", {apart({11, 3})}, {{"axis", 0}})
      .row("ties", {integers({3, 67})}, Json::object(), ties)
      .row("ties_descending", {integers({3, 67})}, {{"descending", true}}, ties)
      .row("ties_by_digits", {integers({2, 301})}, {{"descending", true}}, ties)
      .row("special", {special({26})}, Json::object(), exact)
      .row("special_descending", {special({26})}, {{"descending", true}}, exact)
      .row("vector", {apart({7})}, {{"axis", 0}})
      .row("one_column", {apart({3, 1})})
      .row("nothing", {normal({0, 3})})
      .row("no_columns", {normal({3, 0})})
      .row("whole", {whole({3, 37}, 0, 1)}, Json::object(), ties)
      .row("bytes", {whole({500}, 0, 255)}, Json::object(), ties)
      .bench("mini", {apart({256, 101})})
      .bench("scores", {apart({1024, 1000})})
      .bench("long", {apart({1 << 20})});
  table
      .op("argsort", [descending](const Tensors& x,
                                  const Json& at) { return argsort(x[0], axis_of(at), descending(at)); })
      .takes(kEvery)
      .row("rows", {fixed(apart({3, 37}))})
      .row("columns", {fixed(apart({11, 3}))}, {{"axis", 0}, {"descending", true}})
      .row("whole", {fixed(whole({3, 37}, 0, 1))})
      .bench("scores", {fixed(apart({1024, 1000}))});
  auto top = [](const Tensors& x, const Json& at) {
    Ordered best = topk(x[0], at["k"].get<int64_t>(), axis_of(at), at.value("largest", true));
    return Tensors{best.values, best.indices};
  };
  table.op("topk", top)
      .takes(kEvery)
      .row("five", {apart({4, 101})}, {{"k", 5}})
      .row("smallest", {apart({4, 101})}, {{"k", 3}, {"largest", false}})
      .row("many", {apart({2, 101})}, {{"k", 67}})
      .row("all", {apart({3, 11})}, {{"k", 11}})
      .row("columns", {apart({11, 3})}, {{"k", 2}, {"axis", 0}})
      .row("ties", {integers({3, 67})}, {{"k", 20}}, ties)
      .row("ties_smallest", {integers({3, 67})}, {{"k", 40}, {"largest", false}}, ties)
      .row("special", {special({26})}, {{"k", 9}}, exact)
      .row("special_smallest", {special({26})}, {{"k", 9}, {"largest", false}}, exact)
      .row("none", {apart({3, 5})}, {{"k", 0}})
      .row("no_rows", {normal({0, 5})}, {{"k", 2}})
      .row("whole", {whole({3, 37}, 0, 1)}, {{"k", 7}}, ties)
      .bench("mini", {apart({256, 101})}, {{"k", 5}})
      .bench("top_five_of_1000", {apart({1024, 1000})}, {{"k", 5}})
      .bench("half", {apart({1024, 1000})}, {{"k", 500}});
}

void add_extremes(OpTable& table) {
  for (bool largest : {true, false}) {
    auto run = [largest](const Tensors& x, const Json& at) {
      return largest ? argmax(x[0], axis_of(at), at.value("keep", false))
                     : argmin(x[0], axis_of(at), at.value("keep", false));
    };
    table.op(largest ? "argmax" : "argmin", run)
        .takes(kEvery)
        .row("rows", {fixed(apart({4, 37}))})
        .row("columns", {fixed(apart({37, 4}))}, {{"axis", 0}})
        .row("middle_keep", {fixed(apart({2, 11, 3}))}, {{"axis", 1}, {"keep", true}})
        .row("ties", {fixed(integers({5, 11}))})
        .row("three_axes", {fixed(apart({2, 3, 5}))})
        .row("vector", {fixed(apart({7}))})
        .row("one_column", {fixed(apart({3, 1}))})
        .row("no_rows", {fixed(apart({0, 4}))})
        .row("special", {special({3, 13})})
        .row("long", {fixed(normal({2, 5003}))})
        .row("whole", {fixed(whole({5, 11}, 0, 1))})
        .bench("mini", {fixed(apart({1024, 101}))})
        .bench("scores", {fixed(apart({1024, 1000}))});
    auto both = [largest](const Tensors& x, const Json& at) {
      const bool keep = at.value("keep", false);
      Ordered found = largest ? max(x[0], axis_of(at), keep) : min(x[0], axis_of(at), keep);
      return Tensors{found.values, found.indices};
    };
    table.op(largest ? "max" : "min", both)
        .takes(kEvery)
        .row("rows", {apart({4, 37})})
        .row("columns", {apart({37, 4})}, {{"axis", 0}})
        .row("middle_keep", {apart({2, 11, 3})}, {{"axis", 1}, {"keep", true}})
        .row("ties", {integers({5, 11})}, Json::object(), {.gradcheck = false})
        .row("vector", {apart({7})})
        .row("one_column", {apart({3, 1})})
        .row("no_rows", {apart({0, 4})})
        .row("special", {special({3, 13})}, Json::object(),
             {.f32 = 0, .f64 = 0, .half = 0, .floor = 0, .gradcheck = false})
        .row("whole", {whole({5, 11}, 0, 1)}, Json::object(), {.gradcheck = false})
        .bench("scores", {apart({1024, 1000})});
  }
}

void add_scans(OpTable& table) {
  table.op("cumsum", [](const Tensors& x, const Json& at) { return cumsum(x[0], axis_of(at)); })
      .takes(kEvery)
      .row("rows", {normal({3, 37})})
      .row("columns", {normal({37, 3})}, {{"axis", 0}})
      .row("middle", {normal({2, 5, 3})}, {{"axis", 1}})
      .row("wide_columns", {normal({3, 131})}, {{"axis", 0}})
      .row("one", {normal({1})})
      .row("nothing", {normal({0, 3})})
      .row("no_columns", {normal({3, 0})})
      .row("whole", {whole({3, 37}, 0, 1)})
      .row("integers", {integers({3, 37})})
      .bench("mini", {normal({256, 1024})})
      .bench("rows", {normal({1576, 768})})
      .bench("columns", {normal({1576, 768})}, {{"axis", 0}});
}

}  // namespace

void add_order_ops(OpTable& table) {
  add_sorts(table);
  add_extremes(table);
  add_scans(table);
}

}  // namespace iskra::testing
