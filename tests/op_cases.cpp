#include "op_cases.h"

#include <algorithm>
#include <array>

namespace iskra::testing {

namespace {

const char* name_of_values(Values values) {
  constexpr std::array kNames = {"normal",        "positive", "apart", "wide",
                                 "wide_positive", "special",  "whole", "permutation"};
  return kNames.at(static_cast<size_t>(values));
}

Json json_of(const Input& input) {
  Json json = {{"shape", std::vector<int64_t>(input.shape.begin(), input.shape.end())},
               {"values", name_of_values(input.values)},
               {"low", input.low},
               {"high", input.high},
               {"gradient", input.gradient}};
  if (input.type) json["dtype"] = name_of(*input.type);
  return json;
}

}  // namespace

bool Input::fits(DType d) const {
  if (is_floating(d)) return true;
  if (values == Values::permutation) return d == DType::i64 || d == DType::i32;
  if (values != Values::whole) return false;
  if (d == DType::boolean) return low >= 0 && high <= 1;
  return d != DType::u8 || (low >= 0 && high <= 255);
}

Input normal(const Shape& shape, double scale) { return {.shape = shape, .high = scale}; }
Input shifted(const Shape& shape, double mean, double scale) {
  return {.shape = shape, .low = mean, .high = scale};
}
Input positive(const Shape& shape) { return {.shape = shape, .values = Values::positive}; }
Input apart(const Shape& shape) { return {.shape = shape, .values = Values::apart}; }
Input wide(const Shape& shape, double low_exponent, double high_exponent) {
  return {.shape = shape, .values = Values::wide, .low = low_exponent, .high = high_exponent};
}
Input wide_positive(const Shape& shape, double low_exponent, double high_exponent) {
  return {.shape = shape, .values = Values::wide_positive, .low = low_exponent, .high = high_exponent};
}
Input special(const Shape& shape) { return {.shape = shape, .values = Values::special, .gradient = false}; }
Input whole(const Shape& shape, int low, int high) {
  return {.shape = shape,
          .values = Values::whole,
          .low = static_cast<double>(low),
          .high = static_cast<double>(high)};
}
Input integers(const Shape& shape) { return whole(shape, -2, 2); }
Input labels(const Shape& shape, int64_t count) {
  return of_type(whole(shape, 0, static_cast<int>(count) - 1), DType::i64);
}
Input permutation(const Shape& shape) {
  return of_type({.shape = shape, .values = Values::permutation}, DType::i64);
}
Input booleans(const Shape& shape) { return of_type(whole(shape, 0, 1), DType::boolean); }
Input bytes(const Shape& shape) { return of_type(whole(shape, 0, 255), DType::u8); }
Input pictures(const Shape& shape) { return {.shape = shape, .layout = Layout::channels_last}; }
Input fixed(Input input) {
  input.gradient = false;
  return input;
}
Input of_type(Input input, DType type) {
  input.type = type;
  input.gradient = input.gradient && is_floating(type);
  return input;
}

std::string OpCase::key() const { return op->name + "/" + name; }

Json OpCase::json() const {
  Json list = Json::array();
  for (const Input& input : inputs) list.push_back(json_of(input));
  return {{"op", op->name}, {"name", name}, {"inputs", list}, {"attributes", attributes}};
}

Tensors OpCase::run(const Tensors& x) const { return op->run(x, attributes); }

std::vector<DType> OpCase::dtypes() const {
  std::vector<DType> types = only.empty() ? op->dtypes : only;
  auto own = [](const Input& input) { return input.type.has_value(); };
  if (std::all_of(inputs.begin(), inputs.end(), own)) return {types.at(0)};
  auto impossible = [this](DType d) {
    return std::any_of(inputs.begin(), inputs.end(), [d](const Input& x) { return !x.type && !x.fits(d); });
  };
  types.erase(std::remove_if(types.begin(), types.end(), impossible), types.end());
  return types;
}

std::string Op::test_name() const {
  static const std::array<std::pair<const char*, const char*>, 8> kOperators = {
      {{"operator+", "operator_add"},
       {"operator-", "operator_sub"},
       {"operator*", "operator_mul"},
       {"operator/", "operator_div"},
       {"operator<", "operator_lt"},
       {"operator<=", "operator_le"},
       {"operator>", "operator_gt"},
       {"operator>=", "operator_ge"}}};
  for (const auto& [symbol, word] : kOperators) {
    if (name == symbol) return word;
  }
  return name;
}

Op& Op::takes(std::vector<DType> types) {
  dtypes = std::move(types);
  return *this;
}

Op& Op::row(std::string case_name, std::vector<Input> inputs, Json attributes, Tolerance tolerance) {
  rows.push_back({this, std::move(case_name), std::move(inputs), std::move(attributes), tolerance});
  return *this;
}

Op& Op::only(std::vector<DType> types) {
  rows.back().only = std::move(types);
  return *this;
}

Op& Op::bench(std::string case_name, std::vector<Input> inputs, Json attributes) {
  benches.push_back({this, std::move(case_name), std::move(inputs), std::move(attributes), {}});
  return *this;
}

Op& OpTable::op(std::string name, Op::Run run, Op::Flops flops, double backward_flops) {
  ops.push_back({std::move(name), family, std::move(run), flops, backward_flops});
  return ops.back();
}

const std::list<Op>& op_table() {
  static const std::list<Op> kOps = [] {
    OpTable table;
#define ISKRA_ADD_FAMILY(name) \
  table.family = #name;        \
  add_##name##_ops(table);
    ISKRA_OP_FAMILIES(ISKRA_ADD_FAMILY)
#undef ISKRA_ADD_FAMILY
    return std::move(table.ops);  // a list: rows keep pointing at their op
  }();
  return kOps;
}

std::vector<OpCase> op_cases() {
  std::vector<OpCase> all;
  for (const Op& op : op_table()) all.insert(all.end(), op.rows.begin(), op.rows.end());
  return all;
}

std::vector<OpCase> op_benches() {
  std::vector<OpCase> all;
  for (const Op& op : op_table()) all.insert(all.end(), op.benches.begin(), op.benches.end());
  return all;
}

Shape shape_of(const Json& list) { return Shape(list.get<std::vector<int64_t>>()); }
std::vector<int> ints_of(const Json& list) { return list.get<std::vector<int>>(); }

DType dtype_named(const std::string& name) {
  for (DType d : kEvery) {
    if (name == name_of(d)) return d;
  }
  throw Error(text("no element type is called '", name, "'"));
}

Tensor nothing_or(const Tensors& x, size_t i) { return i < x.size() ? x[i] : Tensor(); }
FusedOptions fused(const Tensors& x, size_t i, const Json& at) {
  static const std::map<std::string, Activation> kNames = {{"none", Activation::none},
                                                           {"relu", Activation::relu},
                                                           {"gelu", Activation::gelu},
                                                           {"gelu_tanh", Activation::gelu_tanh}};
  return {.activation = kNames.at(at.value("activation", "none")), .residual = nothing_or(x, i)};
}

}  // namespace iskra::testing
