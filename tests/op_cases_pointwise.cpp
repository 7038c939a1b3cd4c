// Rows of the pointwise ops. An op of ISKRA_UNARY_OPS or ISKRA_BINARY_OPS gets its rows by itself; what is
// special about its domain stands in domain_of().
#include <optional>
#include <string_view>

#include "op_cases.h"

namespace iskra::testing {

namespace {

/// Where a unary op is defined, where it is interesting, and how well it can be known there.
struct Domain {
  Input (*plain)(const Shape&) = apart;
  double wide_low = -15, wide_high = 15;
  bool positive_only = false;
  double f32 = 4e-7;
  double wide_floor = 0;  ///< see Tolerance; above 0 where tiny results are differences of larger numbers
  double gradient_floor = 0;
};

Input centred(const Shape& shape) { return normal(shape); }

Domain domain_of(std::string_view op) {
  if (op == "exp") return {.wide_low = -6, .wide_high = 1.9, .f32 = 6e-7};
  if (op == "expm1") return {.wide_low = -6, .wide_high = 1.9, .f32 = 6e-7, .gradient_floor = 1};  // y + 1
  if (op == "log" || op == "log1p" || op == "log2" || op == "sqrt")
    return {.plain = positive, .wide_low = -30, .wide_high = 30, .positive_only = true};
  if (op == "rsqrt") return {.plain = positive, .wide_low = -12, .wide_high = 20, .positive_only = true};
  if (op == "sin" || op == "cos") return {.wide_low = -15, .wide_high = 30, .f32 = 6e-7};
  if (op == "tan") return {.plain = positive, .wide_low = -15, .wide_high = 30, .f32 = 1e-6};
  if (op == "tanh")
    return {.wide_low = -8, .wide_high = 3, .f32 = 1e-6, .wide_floor = 0.1, .gradient_floor = 1};  // 1 - y y
  if (op == "sigmoid")
    return {.wide_low = -6, .wide_high = 1.9, .f32 = 1e-6, .gradient_floor = 1};  // y (1 - y)
  if (op == "erf") return {.wide_low = -8, .wide_high = 3, .f32 = 1e-6, .gradient_floor = 1};
  if (op == "gelu" || op == "gelu_tanh" || op == "silu" || op == "mish")
    return {.wide_low = -8, .wide_high = 3, .f32 = 2e-6, .wide_floor = 1, .gradient_floor = 1};
  if (op == "hardsigmoid" || op == "hardswish")
    return {.plain = centred, .wide_low = -8, .wide_high = 3, .wide_floor = 1, .gradient_floor = 1};
  return {};
}

/// On whole numbers, where kinks lie; no finite differences there.
Tolerance loose(Tolerance tolerance) {
  tolerance.gradcheck = false;
  tolerance.gradient_floor = 1;
  return tolerance;
}

void add_unary(OpTable& table, const char* name, const Op::Run& run) {
  Domain domain = domain_of(name);
  const std::string_view op_name(name);
  const bool steps = op_name == "floor" || op_name == "ceil" || op_name == "round" || op_name == "trunc";
  Tolerance plain{.f32 = domain.f32, .gradcheck = !steps};
  Tolerance extreme{.f32 = domain.f32,
                    .floor = domain.wide_floor,
                    .gradient_floor = domain.gradient_floor,
                    .gradcheck = false};
  auto magnitudes = domain.positive_only ? wide_positive : wide;
  Op& op = table.op(name, run);
  op.row("plain", {domain.plain({3, 5, 7})}, Json::object(), plain)
      .row("image", {domain.plain({2, 3, 4, 5})}, Json::object(), plain)
      .row("one", {domain.plain({})}, Json::object(), plain)
      .row("empty", {domain.plain({0, 3})})
      .row("wide", {magnitudes({131}, domain.wide_low, domain.wide_high)}, Json::object(), extreme)
      .row("special", {special({13})}, Json::object(), extreme)
      .row("integers", {whole({3, 5}, domain.positive_only ? 1 : -3, 7)}, Json::object(), loose(plain))
      .bench("mini", {domain.plain({64, 49, 192})})
      .bench("vit_b_mlp", {domain.plain({8, 197, 3072})});
  if (op_name == "neg") {  // of u8 it wraps around, which a golden in i64 does not show
    op.takes({DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32});
    return;
  }
  op.row("counts", {whole({11}, domain.positive_only ? 1 : 0, 9)}, Json::object(), loose(plain))
      .takes(kNumbers);
}

Op& add_binary(OpTable& table, const char* name, const Op::Run& run) {
  Input (*right)(const Shape&) = std::string_view(name) == "div" ? positive : apart;
  Tolerance exact{.f32 = 4e-7};
  Tolerance extreme{.f32 = 4e-7, .floor = 0, .gradcheck = false};
  const Json none = Json::object();
  Op& op = table.op(name, run);
  op.row("same", {apart({5, 7}), right({5, 7})}, none, exact)
      .row("row", {apart({5, 7}), right({7})}, none, exact)
      .row("column_row", {apart({5, 1}), right({1, 7})}, none, exact)
      .row("number", {apart({5, 7}), right({})}, none, exact)
      .row("number_left", {apart({}), right({3, 1, 2})}, none, exact)
      .row("leading", {apart({2, 1, 3}), right({4, 1})}, none, exact)
      .row("channels", {apart({2, 3, 4, 5}), right({1, 3, 1, 1})}, none, exact)
      .row("one", {apart({1}), right({1})}, none, exact)
      .row("empty", {apart({0, 3}), right({1, 3})})
      .row("wide", {wide({61}, -15, 15), wide({61}, -15, 15)}, none, extreme)
      .row("itself", {positive({11})}, none, {.f32 = 4e-7, .floor = 1})
      .bench("mini", {apart({64, 49, 192}), right({64, 49, 192})})
      .bench("vit_b_residual", {apart({8, 197, 768}), right({8, 197, 768})})
      .bench("vit_b_position", {apart({8, 197, 768}), right({197, 768})});
  return op;
}

/// One input: the op of a tensor with itself, so that both gradients meet in one leaf.
template <auto f>
Tensor run_pair(const Tensors& x, const Json&) {
  return f(x[0], x.size() > 1 ? x[1] : x[0]);
}

/// A tensor and a number, either way round.
template <auto f>
Tensor run_number(const Tensors& x, const Json& at) {
  return f(x[0], at.at("number").get<double>(), at.at("left").get<bool>());
}

void add_number_operator(OpTable& table, const char* name, const Op::Run& run) {
  Tolerance exact{.f32 = 4e-7};
  table.op(name, run)
      .row("right", {positive({5, 7})}, {{"number", 2.5}, {"left", false}}, exact)
      .row("left", {positive({5, 7})}, {{"number", -0.3}, {"left", true}}, exact)
      .row("empty", {positive({0})}, {{"number", 3}, {"left", true}});
}

/// A comparison written as an operator: of two tensors, and of a tensor and a number either way round.
template <auto f>
Tensor run_comparison(const Tensors& x, const Json& at) {
  if (x.size() > 1) return f(x[0], Operand(x[1]));
  const auto number = at.at("number").get<double>();
  return at.at("left").get<bool>() ? f(number, Operand(x[0])) : f(x[0], Number(number));
}

void add_comparison_operator(OpTable& table, const char* name, const Op::Run& run) {
  table.op(name, run)
      .row("tensors", {fixed(integers({5, 7})), fixed(integers({7}))})
      .row("right", {fixed(integers({5, 7}))}, {{"number", 1}, {"left", false}})
      .row("left", {fixed(integers({5, 7}))}, {{"number", 1}, {"left", true}})
      .row("special", {special({13, 1}), special({13})})
      .row("whole", {fixed(whole({11}, 0, 1))}, {{"number", 1}, {"left", true}})
      .takes(kEvery);
}

void add_comparison_operators(OpTable& table) {
#define ISKRA_ADD(symbol)                            \
  add_comparison_operator(table, "operator" #symbol, \
                          run_comparison<[](const auto& a, const auto& b) { return (a symbol b); }>)
  ISKRA_ADD(<);
  ISKRA_ADD(<=);
  ISKRA_ADD(>);
  ISKRA_ADD(>=);
#undef ISKRA_ADD
}

void add_number_operators(OpTable& table) {
  add_number_operator(table, "operator+",
                      run_number<[](const Tensor& x, double c, bool left) { return left ? c + x : x + c; }>);
  add_number_operator(table, "operator-",
                      run_number<[](const Tensor& x, double c, bool left) { return left ? c - x : x - c; }>);
  add_number_operator(table, "operator*",
                      run_number<[](const Tensor& x, double c, bool left) { return left ? c * x : x * c; }>);
  add_number_operator(table, "operator/",
                      run_number<[](const Tensor& x, double c, bool left) { return left ? c / x : x / c; }>);
}

void add_arithmetic_integers(Op& op, bool nonzero_right) {
  op.row("integers", {whole({5, 7}, -4, 5), whole({7}, nonzero_right ? 1 : -3, 6)}, Json::object(),
         {.f32 = 4e-7, .gradcheck = false})
      .row("counts", {whole({11}, 6, 12), whole({11}, 1, 6)}, Json::object(),
           {.f32 = 4e-7, .gradcheck = false})
      .row("mixed", {of_type(whole({4, 3}, -9, 9), DType::i64), positive({3})}, Json::object(), {.f32 = 4e-7})
      .row("mixed_integers", {of_type(whole({4, 3}, 0, 9), DType::u8), of_type(whole({3}, 1, 9), DType::i32)})
      .takes(kNumbers);
}

constexpr auto power = [](const Tensor& a, const Tensor& b) { return pow(a, b); };

void add_binary_others(OpTable& table) {
  const Json none = Json::object();
  const Tolerance exact{.f32 = 4e-7}, kinks{.f32 = 4e-7, .gradcheck = false};
  const Tolerance extreme{.f32 = 1e-6, .floor = 0, .gradcheck = false};
  table
      .op("pow",
          [](const Tensors& x, const Json& at) {
            if (!at.contains("number")) return run_pair<power>(x, at);
            const double number = at["number"].get<double>();
            return at.value("left", false) ? pow(number, x[0]) : pow(x[0], number);
          })
      .row("same", {positive({5, 7}), apart({5, 7})}, none, {.f32 = 1e-6})
      .row("row", {positive({5, 7}), normal({7})}, none, {.f32 = 1e-6})
      .row("column_row", {positive({5, 1}), normal({1, 7})}, none, {.f32 = 1e-6})
      .row("itself", {positive({11})}, none, {.f32 = 1e-6})
      .row("wide", {wide_positive({61}, -10, 10), fixed(normal({61}, 2))}, none,
           {.f32 = 1e-5, .floor = 0, .gradcheck = false})
      .row("special", {special({13}), fixed(integers({13}))}, none, extreme)
      .row("special_special", {special({13, 1}), special({13})}, none, extreme)
      .row("empty", {positive({0, 3}), positive({3})})
      .row("one", {positive({}), positive({})}, none, {.f32 = 1e-6})
      .row("number", {positive({5, 7})}, {{"number", 2.5}}, {.f32 = 1e-6})
      .row("cube", {apart({5, 7})}, {{"number", 3}}, exact)
      .row("square", {apart({5, 7})}, {{"number", 2}}, exact)
      .row("root", {positive({5, 7})}, {{"number", 0.5}}, exact)
      .row("inverse", {positive({5, 7})}, {{"number", -1}}, exact)
      .row("zeroth", {apart({5})}, {{"number", 0}}, exact)
      .row("base", {normal({5, 7})}, {{"number", 2.5}, {"left", true}}, {.f32 = 1e-6})
      .row("integers", {fixed(whole({5, 7}, -4, 5)), fixed(whole({7}, 0, 6))}, none, kinks)
      .row("counts", {fixed(whole({11}, 0, 3)), fixed(whole({11}, 0, 4))}, none, kinks)
      .row("integer_number", {fixed(whole({11}, 0, 3))}, {{"number", 3}}, kinks)
      .takes(kNumbers)
      .bench("mini", {positive({64, 49, 192}), positive({64, 49, 192})})
      .bench("vit_b_residual", {positive({8, 197, 768}), positive({8, 197, 768})});
  for (bool larger : {false, true}) {
    constexpr auto of_smaller = [](const Tensor& a, const Tensor& b) { return minimum(a, b); };
    constexpr auto of_larger = [](const Tensor& a, const Tensor& b) { return maximum(a, b); };
    Op& op = larger ? table.op("maximum", run_pair<of_larger>) : table.op("minimum", run_pair<of_smaller>);
    op.row("same", {normal({5, 7}), normal({5, 7})}, none, exact)
        .row("row", {normal({5, 7}), normal({7})}, none, exact)
        .row("ties", {integers({5, 7}), integers({7})}, none, kinks)
        .row("itself", {apart({11})}, none, kinks)
        .row("special", {special({13, 1}), special({13})}, none, extreme)
        .row("wide", {wide({61}, -30, 30), wide({61}, -30, 30)}, none, kinks)
        .row("empty", {normal({0, 3}), normal({3})})
        .row("one", {normal({}), normal({})}, none, exact)
        .bench("mini", {normal({64, 49, 192}), normal({64, 49, 192})})
        .bench("vit_b_residual", {normal({8, 197, 768}), normal({8, 197, 768})});
    add_arithmetic_integers(op, false);
  }
  for (bool rest : {false, true}) {
    constexpr auto of_whole = [](const Tensor& a, const Tensor& b) { return floor_divide(a, b); };
    constexpr auto of_rest = [](const Tensor& a, const Tensor& b) { return remainder(a, b); };
    Op& op = rest ? table.op("remainder", run_pair<of_rest>) : table.op("floor_divide", run_pair<of_whole>);
    op.row("same", {fixed(whole({5, 7}, -40, 40)), fixed(of_type(whole({5, 7}, 1, 6), DType::f32))}, none,
           kinks)
        .row("fractions", {normal({5, 7}, 5), positive({5, 7})}, none, kinks)
        .only({DType::f64, DType::f32})  // near a whole number rounding the inputs decides
        .row("negative", {fixed(normal({5, 7}, 5)), fixed(shifted({7}, -2, 0.1))}, none, kinks)
        .only({DType::f64, DType::f32})
        .row("empty", {normal({0, 3}), positive({3})})
        .row("one", {positive({}), positive({})}, none, kinks)
        .bench("mini", {normal({64, 49, 192}), positive({64, 49, 192})});
    add_arithmetic_integers(op, true);
  }
}

void add_compare(OpTable& table, const char* name, const Op::Run& run) {
  table.op(name, run)
      .row("plain", {fixed(normal({5, 7})), fixed(normal({5, 7}))})
      .row("ties", {fixed(integers({5, 7})), fixed(integers({7}))})
      .row("counts", {fixed(whole({5, 1}, 0, 3)), fixed(whole({7}, 0, 3))})
      .row("booleans", {fixed(whole({5, 1}, 0, 1)), fixed(whole({7}, 0, 1))})
      .row("special", {special({13, 1}), special({13})})
      .row("mixed", {of_type(integers({5, 7}), DType::i64), fixed(integers({7}))})
      .row("number", {fixed(integers({5, 7}))}, {{"number", 1}})
      .row("empty", {fixed(normal({0, 3})), fixed(normal({3}))})
      .row("one", {fixed(normal({})), fixed(normal({}))})
      .takes(kEvery)
      .bench("vit_b_residual", {fixed(normal({8, 197, 768})), fixed(normal({8, 197, 768}))});
}

void add_test(OpTable& table, const char* name, const Op::Run& run) {
  table.op(name, run)
      .row("plain", {fixed(integers({3, 5, 7}))})
      .row("counts", {fixed(whole({11}, 0, 2))})
      .row("booleans", {fixed(whole({11}, 0, 1))})
      .row("special", {special({13})})
      .row("empty", {fixed(normal({0, 3}))})
      .row("one", {fixed(normal({}))})
      .takes(kEvery)
      .bench("vit_b_mlp", {fixed(normal({8, 197, 3072}))});
}

/// The rows of an op with numbers beside the tensor.
Op& add_parameter_op(OpTable& table, const char* name, const Op::Run& run,
                     const std::vector<Json>& attributes) {
  const Tolerance plain{.f32 = 1e-6}, extreme{.f32 = 1e-6, .floor = 1, .gradcheck = false};
  Op& op = table.op(name, run);
  op.row("defaults", {apart({3, 5, 7})}, attributes[0], plain)
      .row("one", {apart({})}, attributes[0], plain)
      .row("empty", {apart({0, 3})}, attributes[0])
      .row("image", {apart({2, 3, 4, 5})}, attributes[0], plain)
      .row("wide", {wide({61}, -8, 3)}, attributes[0], extreme)
      .row("special", {special({13})}, attributes[0], extreme)
      .row("integers", {fixed(whole({11}, -4, 5))}, attributes[0], extreme)
      .row("counts", {fixed(whole({11}, 0, 5))}, attributes[0], extreme)
      .takes(kNumbers)
      .bench("vit_b_mlp", {apart({8, 197, 3072})}, attributes[0]);
  for (size_t i = 1; i < attributes.size(); ++i)
    op.row("numbers" + std::to_string(i), {apart({3, 5, 7})}, attributes[i], plain);
  return op;
}

std::optional<double> bound(const Json& at, const char* name) {
  return at.contains(name) ? std::optional<double>(at[name].get<double>()) : std::nullopt;
}

void add_parameter_ops(OpTable& table) {
  add_parameter_op(table, "leaky_relu",
                   [](const Tensors& x, const Json& at) { return leaky_relu(x[0], at.value("slope", 0.01)); },
                   {Json::object(), {{"slope", 0.3}}});
  add_parameter_op(table, "elu",
                   [](const Tensors& x, const Json& at) { return elu(x[0], at.value("alpha", 1.0)); },
                   {Json::object(), {{"alpha", 0.5}}});
  add_parameter_op(table, "softplus",
                   [](const Tensors& x, const Json& at) {
                     return softplus(x[0], at.value("beta", 1.0), at.value("threshold", 20.0));
                   },
                   {Json::object(), {{"beta", 2.5}, {"threshold", 4}}});
  add_parameter_op(
      table, "clamp",
      [](const Tensors& x, const Json& at) { return clamp(x[0], bound(at, "low"), bound(at, "high")); },
      {{{"low", -1.01}, {"high", 2.01}},
       {{"low", 0.51}},
       {{"high", -0.51}},
       {{"low", 1.01}, {"high", -1.01}}})
      .row("whole_bounds", {fixed(whole({11}, -4, 5))}, {{"low", -1}, {"high", 3}})
      .row("at_bounds", {integers({11})}, {{"low", -1}, {"high", 1}}, {.gradcheck = false});
}

}  // namespace

void add_pointwise_ops(OpTable& table) {
#define ISKRA_ADD_UNARY(name, doc) \
  add_unary(table, #name, [](const Tensors& x, const Json&) { return iskra::name(x[0]); });
  ISKRA_UNARY_OPS(ISKRA_ADD_UNARY)
#undef ISKRA_ADD_UNARY
#define ISKRA_ADD_BINARY(name) \
  add_binary(table, #name, run_pair<[](const Tensor& a, const Tensor& b) { return iskra::name(a, b); }>)
  add_arithmetic_integers(ISKRA_ADD_BINARY(add), false);
  add_arithmetic_integers(ISKRA_ADD_BINARY(sub), false);
  add_arithmetic_integers(ISKRA_ADD_BINARY(mul), false);
  add_arithmetic_integers(ISKRA_ADD_BINARY(div), true);
#undef ISKRA_ADD_BINARY
  add_binary_others(table);
#define ISKRA_ADD_COMPARE(name, doc)                                                                        \
  add_compare(table, #name, [](const Tensors& x, const Json& at) {                                          \
    return at.contains("number") ? iskra::name(x[0], at["number"].get<double>()) : iskra::name(x[0], x[1]); \
  });
  ISKRA_COMPARE_OPS(ISKRA_ADD_COMPARE)
#undef ISKRA_ADD_COMPARE
#define ISKRA_ADD_TEST(name, doc) \
  add_test(table, #name, [](const Tensors& x, const Json&) { return iskra::name(x[0]); });
  ISKRA_TEST_OPS(ISKRA_ADD_TEST)
#undef ISKRA_ADD_TEST
  add_parameter_ops(table);
  add_number_operators(table);
  add_comparison_operators(table);
}

}  // namespace iskra::testing
