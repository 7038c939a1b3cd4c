// What this machine can do at most, measured now: what rows are held against.
#pragma once

#include <iskra/core/tensor.h>

namespace iskra::bench {

/// Bytes per second, reads and writes counted, of a copy with all threads whose source and destination
/// together have about this many bytes (to the nearest power of two): memory's when that is large, a cache's
/// when it is small. Measured once per size.
double copy_rate(double bytes);
/// Floating-point operations per second of a large square product in oneDNN, called directly; 0 for dtypes
/// that it has no product of. Measured once per dtype.
double product_rate(DType dtype);

}  // namespace iskra::bench
