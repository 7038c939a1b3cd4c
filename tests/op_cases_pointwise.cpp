// Rows of the pointwise ops. An op of ISKRA_UNARY_OPS or ISKRA_BINARY_OPS gets its rows by itself; what is
// special about its domain stands in domain_of().
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

Domain domain_of(std::string_view op) {
  if (op == "exp") return {.wide_low = -6, .wide_high = 1.9, .f32 = 6e-7};
  if (op == "log") return {.plain = positive, .wide_low = -30, .wide_high = 30, .positive_only = true};
  if (op == "sqrt") return {.plain = positive, .wide_low = -30, .wide_high = 30, .positive_only = true};
  if (op == "tanh")
    return {.wide_low = -8, .wide_high = 3, .f32 = 1e-6, .wide_floor = 0.1, .gradient_floor = 1};  // 1 - y y
  if (op == "sigmoid")
    return {.wide_low = -6, .wide_high = 1.9, .f32 = 1e-6, .gradient_floor = 1};  // y (1 - y)
  if (op == "gelu")
    return {.wide_low = -8, .wide_high = 3, .f32 = 1e-6, .wide_floor = 1, .gradient_floor = 1};
  return {};
}

void add_unary(OpTable& table, const char* name, Op::Run run) {
  Domain domain = domain_of(name);
  Tolerance plain{.f32 = domain.f32};
  Tolerance extreme{.f32 = domain.f32,
                    .floor = domain.wide_floor,
                    .gradient_floor = domain.gradient_floor,
                    .gradcheck = false};
  auto magnitudes = domain.positive_only ? wide_positive : wide;
  table.op(name, run)
      .row("plain", {domain.plain({3, 5, 7})}, Json::object(), plain)
      .row("image", {domain.plain({2, 3, 4, 5})}, Json::object(), plain)
      .row("one", {domain.plain({})}, Json::object(), plain)
      .row("empty", {domain.plain({0, 3})})
      .row("wide", {magnitudes({131}, domain.wide_low, domain.wide_high)}, Json::object(), extreme)
      .row("special", {special({13})}, Json::object(), extreme)
      .bench("mini", {domain.plain({64, 49, 192})})
      .bench("vit_b_mlp", {domain.plain({8, 197, 3072})});
}

void add_binary(OpTable& table, const char* name, Op::Run run) {
  Input (*right)(const Shape&) = std::string_view(name) == "div" ? positive : apart;
  Tolerance exact{.f32 = 4e-7};
  Tolerance extreme{.f32 = 4e-7, .floor = 0, .gradcheck = false};
  const Json none = Json::object();
  table.op(name, run)
      .row("same", {apart({5, 7}), right({5, 7})}, none, exact)
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

void add_number_operator(OpTable& table, const char* name, Op::Run run) {
  Tolerance exact{.f32 = 4e-7};
  table.op(name, run)
      .row("right", {positive({5, 7})}, {{"number", 2.5}, {"left", false}}, exact)
      .row("left", {positive({5, 7})}, {{"number", -0.3}, {"left", true}}, exact)
      .row("empty", {positive({0})}, {{"number", 3}, {"left", true}});
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

}  // namespace

void add_pointwise_ops(OpTable& table) {
#define ISKRA_ADD_UNARY(name, doc) \
  add_unary(table, #name, [](const Tensors& x, const Json&) { return iskra::name(x[0]); });
  ISKRA_UNARY_OPS(ISKRA_ADD_UNARY)
#undef ISKRA_ADD_UNARY
#define ISKRA_ADD_BINARY(name, doc) \
  add_binary(table, #name, run_pair<[](const Tensor& a, const Tensor& b) { return iskra::name(a, b); }>);
  ISKRA_BINARY_OPS(ISKRA_ADD_BINARY)
#undef ISKRA_ADD_BINARY
  add_number_operators(table);
}

}  // namespace iskra::testing
