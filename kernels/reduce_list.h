// The names of all reductions over axes.
#pragma once

#include <cstdint>

// name, what is put together of the elements x and a number s for each result, if given
#define ISKRA_REDUCE_OPS(X)                                 \
  X(sum, "sum of x")                                        \
  X(abs_sum, "sum of |x|")                                  \
  X(square_sum, "sum of (x - s)^2; s is 0 unless given")    \
  X(power_sum, "sum of |x|^power")                          \
  X(exp_sum, "sum of e^(x - s); an infinite s counts as 0") \
  X(product, "product of x")                                \
  X(nonzero_product, "product of x that are not 0")         \
  X(maximum, "largest x; NaN wins")                         \
  X(minimum, "smallest x; NaN wins")                        \
  X(abs_maximum, "largest |x|; NaN wins")                   \
  X(abs_minimum, "smallest |x|; NaN wins")                  \
  X(count, "number of x that are not 0")

namespace iskra::kernels {

#define ISKRA_ENUM(name, doc) name,
enum class ReduceOp : uint8_t { ISKRA_REDUCE_OPS(ISKRA_ENUM) };
#undef ISKRA_ENUM
#define ISKRA_COUNT(name, doc) +1
inline constexpr int kReduceOps = 0 ISKRA_REDUCE_OPS(ISKRA_COUNT);
#undef ISKRA_COUNT

const char* name_of(ReduceOp op);

}  // namespace iskra::kernels
