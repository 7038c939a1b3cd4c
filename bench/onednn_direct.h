// oneDNN called directly, with all threads and nothing of iskra between: what our products and convolutions
// are held against.
#pragma once

#include <functional>

#include "op_cases.h"

namespace iskra::bench {

/// The row's work as a chain of oneDNN primitives on memory of its own: forward, or forward and both backward
/// products. Weights lie as users hold them (and are reordered for a convolution that wants them otherwise,
/// each time, since training changes them); activations are channels-last. Empty where the op is no product,
/// or oneDNN has none for this dtype.
std::function<void()> onednn_direct(const testing::OpCase& row, DType dtype, bool step);

/// c = a b of square matrices; empty as above.
std::function<void()> onednn_square_product(int64_t n, DType dtype);

}  // namespace iskra::bench
