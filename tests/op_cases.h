// The one table of op cases. A row is an op, its inputs and its attributes; it gives that op its correctness
// test (against a float64 golden made by PyTorch), its gradient tests and, when it is a benchmark row, its
// speed.
//
// To add an op: define it and its rows in the op_cases_*.cpp of its family, add its PyTorch twin to
// tests/golden/make_ops.py, and make the goldens again:
//   build/cpu/bin/op-cases | python tests/golden/make_ops.py
// The attributes of a row stand here alone: the golden maker reads them from that pipe.
#pragma once

#include <functional>
#include <list>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <iskra/core/ops.h>

namespace iskra::testing {

using Json = nlohmann::json;
using Tensors = std::vector<Tensor>;

/// Kinds of input values; tests/golden/make_ops.py draws them. All are exact in f32, so that an f32 run
/// starts from the same numbers as the golden.
enum class Values {
  normal,         ///< `high` standard deviations around `low`
  positive,       ///< uniform in [0.5, 2]
  apart,          ///< all different, at least 0.05 from each other and from 0: no ties, no kinks
  integers,       ///< -2 … 2: many ties
  wide,           ///< either sign, magnitude 10^low … 10^high
  wide_positive,  ///< magnitude 10^low … 10^high
  special,        ///< zeros of both signs, infinities, NaN, and numbers around them
  labels,         ///< i64 in [0, high)
  bytes,          ///< u8
};

struct Input {
  Shape shape;
  Values values = Values::normal;
  double low = 0, high = 1;           ///< see Values
  bool gradient = true;               ///< false: never asked for a gradient
  Layout layout = Layout::row_major;  ///< of benchmark inputs; goldens run in every layout

  DType dtype(DType floating) const;
};

Input normal(const Shape& shape, double scale = 1);
Input shifted(const Shape& shape, double mean, double scale);
Input positive(const Shape& shape);
Input apart(const Shape& shape);
Input integers(const Shape& shape);
Input wide(const Shape& shape, double low_exponent, double high_exponent);
Input wide_positive(const Shape& shape, double low_exponent, double high_exponent);
Input labels(const Shape& shape, int64_t classes);
/// Pictures (N,C,H,W) as they lie between layers: channels-last.
Input pictures(const Shape& shape);
/// The same without a gradient.
Input fixed(Input input);

/// How close a row has to come: |got - want| <= relative * (|want| + floor), where the floor is the root mean
/// square of the expected tensor unless it is given.
struct Tolerance {
  double f32 = 2e-6, f64 = 1e-12;
  double floor = -1;
  double gradient_floor = -1;  ///< of the gradients; -1: the same floor
  bool gradcheck = true;       ///< false where finite differences mean nothing (ties, extremes, rounding)
};

struct Op;

struct OpCase {
  const Op* op = nullptr;
  std::string name;
  std::vector<Input> inputs;
  Json attributes;
  Tolerance tolerance;

  /// "matmul/batched"
  std::string key() const;
  /// What the golden maker reads, and what a golden remembers of the row it was made from.
  Json json() const;
  Tensor run(const Tensors& inputs) const;
};

struct Op {
  using Run = Tensor (*)(const Tensors& x, const Json& at);
  /// Floating-point operations of one forward pass.
  using Flops = double (*)(const std::vector<Shape>& x, const Shape& y, const Json& at);

  std::string name;
  Run run = nullptr;
  Flops flops = nullptr;      ///< null: bound by memory, measured in bytes
  double backward_flops = 2;  ///< of a backward pass, in forward passes
  std::vector<OpCase> rows, benches;

  /// Letters, digits and underscores only, for GoogleTest.
  std::string test_name() const;
  Op& row(std::string case_name, std::vector<Input> inputs, Json attributes = Json::object(),
          Tolerance tolerance = {});
  /// A benchmark row. The one named "mini" also serves the tests that need several pieces of work.
  Op& bench(std::string case_name, std::vector<Input> inputs, Json attributes = Json::object());
};

/// Every op in its order.
const std::list<Op>& op_table();
/// The rows of all ops, and the benchmark rows.
std::vector<OpCase> op_cases();
std::vector<OpCase> op_benches();

/// For the family files.
class OpTable {
 public:
  Op& op(std::string name, Op::Run run, Op::Flops flops = nullptr, double backward_flops = 2);
  std::list<Op> ops;
};
void add_pointwise_ops(OpTable& table);
void add_reduction_ops(OpTable& table);
void add_shape_ops(OpTable& table);
void add_product_ops(OpTable& table);
void add_image_ops(OpTable& table);
void add_row_ops(OpTable& table);
void add_attention_ops(OpTable& table);

/// Readers of attributes.
Shape shape_of(const Json& list);
std::vector<int> ints_of(const Json& list);

}  // namespace iskra::testing
