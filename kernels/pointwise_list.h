// The names of all pointwise ops. Each name has a struct of that name in pointwise_ops.h (f and df); this
// list gives the op its instantiations on both devices, its public function, its gradient and its tests.
#pragma once

#include <cstdint>

// name, one line for the reader
#define ISKRA_UNARY_OPS(X)      \
  X(neg, "-x")                  \
  X(exp, "e^x")                 \
  X(log, "natural logarithm")   \
  X(sqrt, "square root")        \
  X(square, "x * x")            \
  X(tanh, "hyperbolic tangent") \
  X(sigmoid, "1 / (1 + e^-x)")  \
  X(relu, "max(x, 0)")          \
  X(gelu, "x * Phi(x), the exact (erf) form")

#define ISKRA_BINARY_OPS(X) \
  X(add, "a + b")           \
  X(sub, "a - b")           \
  X(mul, "a * b")           \
  X(div, "a / b")

namespace iskra::kernels {

#define ISKRA_ENUM(name, doc) name,
enum class UnaryOp : uint8_t { ISKRA_UNARY_OPS(ISKRA_ENUM) };
enum class BinaryOp : uint8_t { ISKRA_BINARY_OPS(ISKRA_ENUM) };
#undef ISKRA_ENUM

#define ISKRA_COUNT(name, doc) +1
inline constexpr int kUnaryOps = 0 ISKRA_UNARY_OPS(ISKRA_COUNT);
inline constexpr int kBinaryOps = 0 ISKRA_BINARY_OPS(ISKRA_COUNT);
#undef ISKRA_COUNT

const char* name_of(UnaryOp op);
const char* name_of(BinaryOp op);

/// Which operands an op's derivative reads, so that a tape saves nothing else. What is not read may be passed
/// undefined to unary_backward and binary_backward.
struct BackwardReads {
  bool first;   ///< x, or a
  bool second;  ///< y, or b
};
BackwardReads backward_reads(UnaryOp op);
BackwardReads backward_reads(BinaryOp op);

}  // namespace iskra::kernels
