// Looking for numbers outside of their range, in host memory. Kernels on the CPU do it while they read; those
// on CUDA cannot throw, and the engine asks here when it is to find out which call was wrong.
#pragma once

#include <iskra/kernels/kernels.h>

namespace iskra::kernels {

/// Throws unless all indices (i64, any strides) lie in [0, size): names the first one, in row-major order,
/// and its position.
void check_indices(const char* op, const View& index, int64_t size);

/// The same for the labels (R) of a cross entropy.
void check_labels(const CrossEntropy& at, const View& labels, int64_t classes, const char* op);

}  // namespace iskra::kernels
