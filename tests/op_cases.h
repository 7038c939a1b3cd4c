// The one table of op cases. A row is an op, its inputs and its attributes; it gives that op its correctness
// test in every dtype (against a float64 golden made by PyTorch), its gradient tests and, when it is a
// benchmark row, its speed. CONTRIBUTING.md says how to add one.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <ostream>
#include <string>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

#include <iskra/core/ops.h>

namespace iskra::testing {

using Json = nlohmann::json;
using Tensors = std::vector<Tensor>;

/// Kinds of input values; tests/golden/make_ops.py draws them. All are exact in f32, so that an f32 run
/// starts from the same numbers as the golden. In a 16-bit run they are rounded to bf16 first, on both sides.
enum class Values {
  normal,         ///< `high` standard deviations around `low`
  positive,       ///< uniform in [0.5, 2]
  apart,          ///< all different, at least 0.05 from each other and from 0: no ties, no kinks
  wide,           ///< either sign, magnitude 10^low … 10^high
  wide_positive,  ///< magnitude 10^low … 10^high
  special,        ///< zeros of both signs, infinities, NaN, and numbers around them
  whole,          ///< whole numbers low … high, both included: the only kind that integer dtypes take
  permutation,    ///< 0 … n-1 in any order
};

struct Input {
  Shape shape;
  Values values = Values::normal;
  double low = 0, high = 1;           ///< see Values
  bool gradient = true;               ///< false: never asked for a gradient
  Layout layout = Layout::row_major;  ///< of benchmark inputs; goldens run in every layout
  std::optional<DType> type = {};     ///< its own, whatever dtype the row runs in (indices, masks)

  /// What it has in a run in `dtype`.
  DType dtype(DType run) const { return type.value_or(run); }
  /// Whether its values exist in `d` (16-bit floats round them, so they always do there).
  bool fits(DType d) const;
};

Input normal(const Shape& shape, double scale = 1);
Input shifted(const Shape& shape, double mean, double scale);
Input positive(const Shape& shape);
Input apart(const Shape& shape);
Input wide(const Shape& shape, double low_exponent, double high_exponent);
Input wide_positive(const Shape& shape, double low_exponent, double high_exponent);
Input special(const Shape& shape);
/// Whole numbers low … high, in whatever dtype the row runs in: with them a row runs in integers too.
Input whole(const Shape& shape, int low, int high);
/// -2 … 2: many ties.
Input integers(const Shape& shape);
/// i64 in [0, count): labels, indices.
Input labels(const Shape& shape, int64_t count);
/// i64, every number of [0, numel) once.
Input permutation(const Shape& shape);
/// Masks.
Input booleans(const Shape& shape);
/// u8, 0 … 255.
Input bytes(const Shape& shape);
/// Pictures (N,C,H,W) as they lie between layers: channels-last.
Input pictures(const Shape& shape);
/// The same without a gradient.
Input fixed(Input input);
/// The same in a dtype of its own; integers take no gradient.
Input of_type(Input input, DType type);

/// How close a row has to come: |got - want| <= relative * (|want| + floor), where the floor is the root mean
/// square of the expected tensor unless it is given. Integers and bool have to be equal.
struct Tolerance {
  double f32 = 2e-6, f64 = 1e-12;
  /// In 16-bit runs, in units of half the distance between two numbers (2^-8 in bf16, 2^-11 in f16).
  double half = 2, half_gradient = 4;
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
  std::vector<DType> only = {};  ///< empty: all dtypes of the op that the inputs exist in

  /// "matmul/batched"
  std::string key() const;
  /// What the golden maker reads, and what a golden remembers of the row it was made from.
  Json json() const;
  Tensors run(const Tensors& inputs) const;
  /// The dtypes to run in, f64 first when it is among them. A row all of whose inputs have a type of their
  /// own runs once.
  std::vector<DType> dtypes() const;
  /// GoogleTest's way of naming a parameter.
  friend void PrintTo(const OpCase& row, std::ostream* out) { *out << row.key(); }
};

inline const std::vector<DType> kFloating = {DType::f64, DType::f32, DType::bf16, DType::f16};
inline const std::vector<DType> kEvery = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                          DType::i64, DType::i32, DType::u8,   DType::boolean};
/// Floating types and integers, without bool.
inline const std::vector<DType> kNumbers = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                            DType::i64, DType::i32, DType::u8};

struct Op {
  /// Runs an op on a row's inputs: a function of (const Tensors&, const Json& attributes) that returns a
  /// Tensor, or Tensors when the op has several outputs.
  class Run {
   public:
    template <class F>
    Run(F f) {  // NOLINT(google-explicit-constructor): a lambda is what a table row writes
      if constexpr (std::is_same_v<std::invoke_result_t<F, const Tensors&, const Json&>, Tensor>) {
        run_ = [f](const Tensors& x, const Json& at) { return Tensors{f(x, at)}; };
      } else {
        run_ = f;
      }
    }
    Tensors operator()(const Tensors& x, const Json& at) const { return run_(x, at); }

   private:
    std::function<Tensors(const Tensors&, const Json&)> run_;
  };
  /// Floating-point operations of one forward pass; y is the shape of the first output.
  using Flops = double (*)(const std::vector<Shape>& x, const Shape& y, const Json& at);

  std::string name;
  std::string family;
  Run run;
  Flops flops = nullptr;      ///< null: bound by memory, measured in bytes
  double backward_flops = 2;  ///< of a backward pass, in forward passes
  std::vector<DType> dtypes = kFloating;
  std::vector<OpCase> rows = {}, benches = {};

  /// Letters, digits and underscores only, for GoogleTest.
  std::string test_name() const;
  /// The dtypes that the op is promised in; each needs a row that runs in it.
  Op& takes(std::vector<DType> types);
  Op& row(std::string case_name, std::vector<Input> inputs, Json attributes = Json::object(),
          Tolerance tolerance = {});
  /// Bounds the last row to these dtypes.
  Op& only(std::vector<DType> types);
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
  std::string family;  ///< of the ops that are added now
};

/// The families: rows in op_cases_FAMILY.cpp, twins in golden/ops_FAMILY.py, goldens in
/// golden/ops_FAMILY.safetensors.
#define ISKRA_OP_FAMILIES(X) \
  X(pointwise)               \
  X(reduce)                  \
  X(shape)                   \
  X(join)                    \
  X(index)                   \
  X(order)                   \
  X(create)                  \
  X(product)                 \
  X(conv)                    \
  X(pool)                    \
  X(image)                   \
  X(norm)                    \
  X(softmax)                 \
  X(attention)               \
  X(loss)                    \
  X(random)
#define ISKRA_DECLARE_FAMILY(family) void add_##family##_ops(OpTable& table);
ISKRA_OP_FAMILIES(ISKRA_DECLARE_FAMILY)
#undef ISKRA_DECLARE_FAMILY

/// Readers of attributes and inputs.
Shape shape_of(const Json& list);
std::vector<int> ints_of(const Json& list);
DType dtype_named(const std::string& name);
/// x[i], or an undefined tensor when the row has fewer inputs.
Tensor nothing_or(const Tensors& x, size_t i);
/// The attribute "activation", and input i as the residual if there is one.
FusedOptions fused(const Tensors& x, size_t i, const Json& at);
/// Two numbers into options such as Conv2dOptions::stride, when the attribute is there.
template <class Options>
void read_pair(const Json& at, const char* name, Options& into) {
  if (!at.contains(name)) return;
  into[0] = at[name][0].get<int64_t>();
  into[1] = at[name][1].get<int64_t>();
}

}  // namespace iskra::testing
