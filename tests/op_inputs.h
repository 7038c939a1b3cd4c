// Inputs for benchmark rows, drawn by iskra's own generator: no golden goes with them.
#pragma once

#include "op_cases.h"

namespace iskra::testing {

/// Fresh leaves for the row; those that the row asks a gradient of require one.
Tensors drawn_inputs(const OpCase& row, DType dtype);

}  // namespace iskra::testing
