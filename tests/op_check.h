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

/// tests/golden/ops.safetensors, read once.
const GoldenFile& op_goldens();

/// What one forward and one backward pass gave.
struct Outcome {
  Tensor y;
  Tensors gradients;  ///< one per input, undefined where none arrived
};

struct RunOptions {
  DType dtype = DType::f64;
  Memory memory = Memory::plain;
  std::vector<bool> wanted = {};  ///< inputs that require a gradient; empty: all that the row says
  int passes = 1;                 ///< backward passes on fresh graphs, whose gradients add up
};

/// The row's golden inputs in `dtype`, as leaves that require what the row says.
Tensors golden_inputs(const OpCase& row, DType dtype);
/// Runs the row on its golden inputs. Cached memory is filled with NaN before, so that what a kernel fails to
/// write shows.
Outcome run_golden(const OpCase& row, const RunOptions& options);

/// NaN into memory that the next tensors will be made of.
void poison_cached_memory();

/// The golden of `name` ("output", "gradient0") of a row, its values times `factor`.
Golden golden_of(const OpCase& row, const std::string& name, double factor = 1);

/// What the row says of each input.
std::vector<bool> all_wanted(const OpCase& row);
/// Expects the output near its golden, the gradients of the wanted inputs near theirs times `factor`, and no
/// others.
void expect_golden(const OpCase& row, const Outcome& outcome, DType dtype, const std::vector<bool>& wanted,
                   double factor = 1);
/// The same for all that the row says.
void expect_golden(const OpCase& row, const Outcome& outcome, DType dtype);

}  // namespace iskra::testing
