// NumPy's .npy files: one array. Format: numpy.lib.format, versions 1.0, 2.0 and 3.0.
#pragma once

#include <string>
#include <string_view>

#include <iskra/core/tensor.h>

namespace iskra::zoo {

/// The array of a file, on the CPU: little-endian f4, f8, i8, i4 or u1 in C order, at most eight axes. Throws
/// Error, naming the file and what is wrong, for anything else and for every kind of damage.
Tensor read_npy(const std::string& path);

/// The same from bytes; `name` is for messages.
Tensor parse_npy(std::string_view bytes, const std::string& name);

/// Writes (atomically) a tensor of one of these dtypes in row-major order, version 1.0.
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace iskra::zoo
