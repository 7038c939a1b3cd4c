// Runs rows of the op table and compares them with their goldens.
#pragma once

#include "golden_compare.h"
#include "op_cases.h"

namespace iskra::testing {

/// How the inputs of a run lie in memory. The gaps of `padded` and `strided` hold NaN.
enum class Memory {
  plain,          ///< dense, row-major
  reversed,       ///< dense, the first axis fastest
  padded,         ///< rows with a gap between them
  strided,        ///< every element with a gap behind it, starting off a 64-byte boundary
  channels_last,  ///< what has four axes lies as (N,H,W,C)
};

/// tests/golden/ops_FAMILY.safetensors, read once.
const GoldenFile& op_goldens(const std::string& family);

/// What one forward and one backward pass gave.
struct Outcome {
  Tensors ys;
  Tensors gradients;  ///< one per input, undefined where none arrived
  bool recorded() const;
};

struct RunOptions {
  DType dtype = DType::f64;
  Memory memory = Memory::plain;
  std::vector<bool> wanted = {};  ///< inputs that require a gradient; empty: all that the row says
  int passes = 1;                 ///< backward passes on fresh graphs, whose gradients add up
};

/// The dtypes that a row runs in: those it takes, without f16 where its inputs rounded to bf16 are not exact
/// in f16. Under sanitizers f32, and on the op's first row one 16-bit type too.
std::vector<DType> run_dtypes(const OpCase& row);
/// The first of them in which gradients are known best.
DType best_dtype(const OpCase& row);

/// The row's golden inputs in `dtype` (rounded to bf16 for both 16-bit floats), as leaves that require what
/// the row says.
Tensors golden_inputs(const OpCase& row, DType dtype);
/// Runs the row on its golden inputs. Cached memory is filled with NaN before, so that what a kernel fails to
/// write shows.
Outcome run_golden(const OpCase& row, const RunOptions& options);
/// Backpropagates dy_of(y, its number) from all outputs that are on the tape, in one pass.
void backward_from(const Tensors& ys, const std::function<Tensor(const Tensor& y, size_t i)>& dy_of);
/// Backpropagates the row's golden dy from all outputs that are on the tape.
void backward_golden(const OpCase& row, const Tensors& ys, DType dtype);

/// NaN into memory that the next tensors will be made of.
void poison_cached_memory();

/// The golden of `name` ("output", "gradient0") of a row for runs in `dtype`, its values times `factor`.
Golden golden_of(const OpCase& row, const std::string& name, DType dtype, double factor = 1);

/// What the row says of each input.
std::vector<bool> all_wanted(const OpCase& row, DType dtype);
/// Expects the outputs near their goldens, the gradients of the wanted inputs near theirs times `factor`, and
/// no others.
void expect_golden(const OpCase& row, const Outcome& outcome, DType dtype, const std::vector<bool>& wanted,
                   double factor = 1);
/// The same for all that the row says.
void expect_golden(const OpCase& row, const Outcome& outcome, DType dtype);

}  // namespace iskra::testing
