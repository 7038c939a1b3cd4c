// Rows of reductions.
#include <array>
#include <string_view>

#include "op_cases.h"

namespace iskra::testing {

namespace {

template <auto f>
Tensor run_reduction(const Tensors& x, const Json& at) {
  return f(x[0], at.contains("axes") ? ints_of(at["axes"]) : std::vector<int>{}, at.value("keep", false));
}

using Reducing = Tensor (*)(const Tensor&, const std::vector<int>&, bool);

/// How a reduction is tested.
struct Style {
  Input (*plain)(const Shape&);
  Tolerance tolerance = {};
  bool of_nothing = false;  ///< it is defined
  bool gradient = true;
};

Op& add_reduction(OpTable& table, const char* name, Op::Run run, const Style& style) {
  auto in = [&](const Shape& shape) {
    return style.gradient ? style.plain(shape) : fixed(style.plain(shape));
  };
  const Tolerance close = style.tolerance;
  Op& op = table.op(name, std::move(run));
  op.row("all", {in({3, 5, 7})}, Json::object(), close)
      .row("first", {in({5, 3, 4})}, {{"axes", {0}}}, close)
      .row("middle", {in({3, 5, 4})}, {{"axes", {1}}}, close)
      .row("last", {in({4, 37})}, {{"axes", {-1}}}, close)
      .row("outer_keep", {in({3, 4, 5})}, {{"axes", {0, 2}}, {"keep", true}}, close)
      .row("image", {in({2, 3, 5, 4})}, {{"axes", {2, 3}}}, close)
      .row("tokens_keep", {in({2, 9, 6})}, {{"axes", {1}}, {"keep", true}}, close)
      .row("no_results", {in({0, 3})}, {{"axes", {1}}}, close)
      .bench("mini", {in({64, 49, 192})}, {{"axes", {1}}})
      .bench("rows", {in({1576, 768})}, {{"axes", {1}}})
      .bench("columns", {in({1576, 768})}, {{"axes", {0}}})
      .bench("vit_b_tokens", {in({8, 197, 768})}, {{"axes", {1}}})
      .bench("all", {in({8, 64, 112, 112})});
  if (style.of_nothing) op.row("empty", {in({0, 3})}).row("empty_axis", {in({0, 3})}, {{"axes", {0}}});
  return op;
}

void add_sums(OpTable& table) {
  for (bool mean_op : {false, true}) {
    constexpr auto sum_of = [](const Tensor& x, const std::vector<int>& axes, bool keep) {
      return sum(x, axes, keep);
    };
    constexpr auto mean_of = [](const Tensor& x, const std::vector<int>& axes, bool keep) {
      return mean(x, axes, keep);
    };
    const Style style{.plain = [](const Shape& shape) { return normal(shape); }, .of_nothing = !mean_op};
    Op& op = mean_op ? add_reduction(table, "mean", run_reduction<mean_of>, style)
                     : add_reduction(table, "sum", run_reduction<sum_of>, style);
    op.row("number", {normal({})})
        .row("size_one_axis", {normal({3, 1, 2})}, {{"axes", {1}}})
        .row("long", {normal({1031})})
        .row("large", {normal({3, 67}, 1e18)}, {{"axes", {1}}}, {.gradcheck = false})
        .only({DType::f64, DType::f32, DType::bf16})
        .row("special", {special({13, 1})}, {{"axes", {1}}}, {.floor = 0, .gradcheck = false});
    if (!mean_op) {
      op.row("integers", {whole({5, 3, 4}, -9, 9)}, {{"axes", {0, 2}}}, {.gradcheck = false})
          .row("counts", {whole({300}, 0, 200)}, Json::object(), {.gradcheck = false})
          .row("booleans", {whole({5, 37}, 0, 1)}, {{"axes", {1}}}, {.gradcheck = false})
          .takes(kEvery);
    }
  }
  table.op("sum_to", [](const Tensors& x, const Json& at) { return sum_to(x[0], shape_of(at["shape"])); })
      .row("row", {normal({2, 3, 4})}, {{"shape", {4}}})
      .row("column", {normal({2, 3, 4})}, {{"shape", {3, 1}}})
      .row("number", {normal({2, 3, 4})}, {{"shape", Json::array()}})
      .row("same", {normal({2, 3})}, {{"shape", {2, 3}}})
      .row("channels", {normal({2, 3, 4, 5})}, {{"shape", {1, 3, 1, 1}}});
}

void add_counts(OpTable& table) {
  constexpr std::array<Reducing, 3> kRun = {
      [](const Tensor& x, const std::vector<int>& axes, bool keep) { return any(x, axes, keep); },
      [](const Tensor& x, const std::vector<int>& axes, bool keep) { return all(x, axes, keep); },
      [](const Tensor& x, const std::vector<int>& axes, bool keep) { return count_nonzero(x, axes, keep); }};
  constexpr std::array kNames = {"any", "all", "count_nonzero"};
  for (size_t i = 0; i < kRun.size(); ++i) {
    const Style style{.plain = integers, .of_nothing = true, .gradient = false};
    add_reduction(
        table, kNames.at(i),
        [run = kRun.at(i)](const Tensors& x, const Json& at) {
          return run(x[0], at.contains("axes") ? ints_of(at["axes"]) : std::vector<int>{},
                     at.value("keep", false));
        },
        style)
        .row("number", {fixed(normal({}))})
        .row("counts", {fixed(whole({37, 2}, 0, 2))}, {{"axes", {1}}})
        .row("booleans", {fixed(whole({37, 2}, 0, 1))}, {{"axes", {1}}})
        .row("long", {fixed(whole({5003}, 0, 1))})
        .row("special", {special({13, 1})}, {{"axes", {1}}})
        .takes(kEvery);
  }
}

void add_products(OpTable& table) {
  constexpr auto product = [](const Tensor& x, const std::vector<int>& axes, bool keep) {
    return prod(x, axes, keep);
  };
  const Tolerance close{.f32 = 4e-6, .half_gradient = 6};
  add_reduction(
      table, "prod", run_reduction<product>,
      {.plain = [](const Shape& shape) { return positive(shape); }, .tolerance = close, .of_nothing = true})
      .row("number", {normal({})})
      .row("zeros", {integers({7, 5})}, {{"axes", {1}}}, {.gradcheck = false})
      .row("one_zero", {whole({64, 3}, 0, 5)}, {{"axes", {1}}}, {.gradcheck = false})
      .row("integers", {fixed(whole({5, 3, 4}, -9, 9))}, {{"axes", {0}}})
      .row("booleans", {fixed(whole({37, 2}, 0, 1))}, {{"axes", {1}}})
      .takes(kEvery);
}

void add_extremes(OpTable& table) {
  constexpr auto largest = [](const Tensor& x, const std::vector<int>& axes, bool keep) {
    return amax(x, axes, keep);
  };
  constexpr auto smallest = [](const Tensor& x, const std::vector<int>& axes, bool keep) {
    return amin(x, axes, keep);
  };
  for (bool large : {true, false}) {
    const Style style{.plain = [](const Shape& shape) { return apart(shape); }};
    Op& op = large ? add_reduction(table, "amax", run_reduction<largest>, style)
                   : add_reduction(table, "amin", run_reduction<smallest>, style);
    op.row("number", {apart({})})
        .row("ties", {integers({4, 9})}, {{"axes", {1}}}, {.gradcheck = false})
        .row("ties_columns", {integers({9, 40})}, {{"axes", {0}}}, {.gradcheck = false})
        .row("special", {special({13, 1})}, {{"axes", {1}}}, {.floor = 0})
        .row("special_all", {special({13})}, Json::object(), {.floor = 0})
        .row("counts", {fixed(whole({5, 37}, 0, 200))}, {{"axes", {1}}})
        .row("booleans", {fixed(whole({5, 3}, 0, 1))}, {{"axes", {0}}})
        .takes(kEvery);
  }
}

std::vector<int> axes_of(const Json& at) {
  return at.contains("axes") ? ints_of(at["axes"]) : std::vector<int>{};
}

void add_moments(OpTable& table) {
  const Style style{.plain = [](const Shape& shape) { return normal(shape); },
                    .tolerance = {.f32 = 4e-6, .half_gradient = 6}};
  const auto keep = [](const Json& at) { return at.value("keep", false); };
  const auto correction = [](const Json& at) { return at.value("correction", 1.0); };
  for (const char* name : {"var", "std_dev", "var_mean"}) {
    Op::Run run = [=](const Tensors& x, const Json& at) {
      return var(x[0], axes_of(at), keep(at), correction(at));
    };
    if (std::string_view(name) == "std_dev")
      run = [=](const Tensors& x, const Json& at) {
        return std_dev(x[0], axes_of(at), keep(at), correction(at));
      };
    if (std::string_view(name) == "var_mean")
      run = [=](const Tensors& x, const Json& at) {
        auto [v, m] = var_mean(x[0], axes_of(at), keep(at), correction(at));
        return Tensors{v, m};
      };
    add_reduction(table, name, run, style)
        .row("biased", {normal({4, 37})}, {{"axes", {1}}, {"correction", 0}}, style.tolerance)
        .row("large_mean", {shifted({4, 1031}, 1000, 1)}, {{"axes", {1}}}, {.f32 = 3e-4, .gradcheck = false})
        .only({DType::f64, DType::f32})
        .row("large_mean_columns", {shifted({1031, 4}, -3000, 1)}, {{"axes", {0}}},
             {.f32 = 1e-3, .gradcheck = false})
        .only({DType::f64, DType::f32});
  }
  constexpr auto lse = [](const Tensor& x, const std::vector<int>& axes, bool kept) {
    return logsumexp(x, axes, kept);
  };
  add_reduction(table, "logsumexp", run_reduction<lse>,
                {.plain = [](const Shape& shape) { return normal(shape, 3); }, .of_nothing = true})
      .row("number", {normal({})})
      .row("far", {shifted({5, 9}, 900, 20)}, {{"axes", {1}}}, {.f32 = 1e-4, .gradcheck = false})
      .only({DType::f64, DType::f32})
      .row("special", {special({13, 1})}, {{"axes", {1}}}, {.floor = 0});
}

void add_norms(OpTable& table) {
  Op& op = add_reduction(table, "norm",
                         [](const Tensors& x, const Json& at) {
                           const double p = at.contains("p")
                                                ? (at["p"].is_string() ? std::stod(at["p"].get<std::string>())
                                                                       : at["p"].get<double>())
                                                : 2.0;
                           return norm(x[0], p, axes_of(at), at.value("keep", false));
                         },
                         {.plain = [](const Shape& shape) { return apart(shape); }, .of_nothing = true});
  for (const Json& p :
       {Json(0), Json(1), Json(2), Json(3), Json(2.5), Json(0.5), Json("inf"), Json("-inf")}) {
    const std::string name = p.is_string() ? p.get<std::string>() : p.dump();
    op.row("p" + name, {apart({4, 9})}, {{"axes", {1}}, {"p", p}}, {.f32 = 4e-6});
    op.row("columns_p" + name, {apart({9, 40})}, {{"axes", {0}}, {"p", p}},
           {.f32 = 4e-6, .gradcheck = false});
  }
  op.row("zeros", {whole({3, 4}, 0, 0)}, {{"axes", {1}}}, {.gradcheck = false})
      .row("ties", {integers({3, 9})}, {{"axes", {1}}, {"p", "inf"}}, {.gradcheck = false})
      .row("number", {apart({})})
      .takes(kFloating);
}

}  // namespace

void add_reduce_ops(OpTable& table) {
  add_sums(table);
  add_counts(table);
  add_products(table);
  add_extremes(table);
  add_moments(table);
  add_norms(table);
}

}  // namespace iskra::testing
