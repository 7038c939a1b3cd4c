#include "op_cases.h"

#include <array>
#include <cctype>

namespace iskra::testing {

namespace {

const char* name_of_values(Values values) {
  constexpr std::array kNames = {"normal",        "positive", "apart",  "integers", "wide",
                                 "wide_positive", "special",  "labels", "bytes"};
  return kNames.at(static_cast<size_t>(values));
}

Json json_of(const Input& input) {
  return {{"shape", std::vector<int64_t>(input.shape.begin(), input.shape.end())},
          {"values", name_of_values(input.values)},
          {"low", input.low},
          {"high", input.high},
          {"gradient", input.gradient}};
}

}  // namespace

DType Input::dtype(DType floating) const {
  if (values == Values::labels) return DType::i64;
  if (values == Values::bytes) return DType::u8;
  return floating;
}

Input normal(const Shape& shape, double scale) { return {.shape = shape, .high = scale}; }
Input shifted(const Shape& shape, double mean, double scale) {
  return {.shape = shape, .low = mean, .high = scale};
}
Input positive(const Shape& shape) { return {.shape = shape, .values = Values::positive}; }
Input apart(const Shape& shape) { return {.shape = shape, .values = Values::apart}; }
Input integers(const Shape& shape) { return {.shape = shape, .values = Values::integers}; }
Input wide(const Shape& shape, double low_exponent, double high_exponent) {
  return {.shape = shape, .values = Values::wide, .low = low_exponent, .high = high_exponent};
}
Input wide_positive(const Shape& shape, double low_exponent, double high_exponent) {
  return {.shape = shape, .values = Values::wide_positive, .low = low_exponent, .high = high_exponent};
}
Input labels(const Shape& shape, int64_t classes) {
  return {.shape = shape, .values = Values::labels, .high = static_cast<double>(classes), .gradient = false};
}
Input pictures(const Shape& shape) { return {.shape = shape, .layout = Layout::channels_last}; }
Input fixed(Input input) {
  input.gradient = false;
  return input;
}

std::string OpCase::key() const { return op->name + "/" + name; }

std::string Op::test_name() const {
  static const std::array<std::pair<const char*, const char*>, 4> kOperators = {
      {{"operator+", "operator_add"},
       {"operator-", "operator_sub"},
       {"operator*", "operator_mul"},
       {"operator/", "operator_div"}}};
  for (const auto& [symbol, word] : kOperators) {
    if (name == symbol) return word;
  }
  return name;
}

Json OpCase::json() const {
  Json list = Json::array();
  for (const Input& input : inputs) list.push_back(json_of(input));
  return {{"op", op->name}, {"name", name}, {"inputs", list}, {"attributes", attributes}};
}

Tensor OpCase::run(const Tensors& x) const { return op->run(x, attributes); }

Op& Op::row(std::string case_name, std::vector<Input> inputs, Json attributes, Tolerance tolerance) {
  rows.push_back({this, std::move(case_name), std::move(inputs), std::move(attributes), tolerance});
  return *this;
}

Op& Op::bench(std::string case_name, std::vector<Input> inputs, Json attributes) {
  benches.push_back({this, std::move(case_name), std::move(inputs), std::move(attributes), {}});
  return *this;
}

Op& OpTable::op(std::string name, Op::Run run, Op::Flops flops, double backward_flops) {
  ops.push_back({std::move(name), run, flops, backward_flops, {}, {}});
  return ops.back();
}

const std::list<Op>& op_table() {
  static const std::list<Op> kOps = [] {
    OpTable table;
    add_pointwise_ops(table);
    add_reduction_ops(table);
    add_shape_ops(table);
    add_product_ops(table);
    add_image_ops(table);
    add_row_ops(table);
    add_attention_ops(table);
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

}  // namespace iskra::testing
