// The names of all pointwise ops. Each name has a struct of that name in pointwise_unary.h,
// pointwise_activations.h or pointwise_binary.h (f and its derivatives); these lists give the op its
// instantiations on both devices, its public function, its gradient and its tests. What an op does to
// integers stands in pointwise_integer.cpp.
#pragma once

#include <cstdint>

// name, one line for the reader
#define ISKRA_UNARY_OPS(X)                      \
  X(neg, "-x")                                  \
  X(abs, "|x|")                                 \
  X(sign, "-1, 0 or 1")                         \
  X(floor, "rounded down; gradient 0")          \
  X(ceil, "rounded up; gradient 0")             \
  X(round, "rounded, ties to even; gradient 0") \
  X(trunc, "rounded towards 0; gradient 0")     \
  X(exp, "e^x")                                 \
  X(expm1, "e^x - 1, also near 0")              \
  X(log, "natural logarithm")                   \
  X(log1p, "log(1 + x), also near 0")           \
  X(log2, "logarithm to base 2")                \
  X(sqrt, "square root")                        \
  X(rsqrt, "1 / sqrt(x)")                       \
  X(reciprocal, "1 / x")                        \
  X(square, "x * x")                            \
  X(sin, "sine of radians, of any size")        \
  X(cos, "cosine of radians, of any size")      \
  X(tan, "tangent of radians, of any size")     \
  X(tanh, "hyperbolic tangent")                 \
  X(sigmoid, "1 / (1 + e^-x)")                  \
  X(erf, "error function")                      \
  X(relu, "max(x, 0)")                          \
  X(gelu, "x * Phi(x), the exact (erf) form")   \
  X(gelu_tanh, "GELU's approximation by tanh")  \
  X(silu, "x * sigmoid(x)")                     \
  X(mish, "x * tanh(log(1 + e^x))")             \
  X(hardsigmoid, "min(max(x + 3, 0), 6) / 6")   \
  X(hardswish, "x * hardsigmoid(x)")

// Ops with numbers beside the tensor (PointwiseParams); what these mean stands at their public declarations.
#define ISKRA_PARAMETER_OPS(X)              \
  X(leaky_relu, "x > 0 ? x : slope * x")    \
  X(elu, "x > 0 ? x : alpha * (e^x - 1)")   \
  X(softplus, "log(1 + e^(beta x)) / beta") \
  X(clamp, "min(max(x, low), high)")        \
  X(pow_number, "x to a number")

// Ops that give bool and have no gradient.
#define ISKRA_TEST_OPS(X)     \
  X(logical_not, "x is 0")    \
  X(is_nan, "x is no number") \
  X(is_inf, "x is infinite")  \
  X(is_finite, "x is neither infinite nor NaN")

#define ISKRA_BINARY_OPS(X)                                    \
  X(add, "a + b")                                              \
  X(sub, "a - b")                                              \
  X(mul, "a * b")                                              \
  X(div, "a / b; of integers f32")                             \
  X(pow, "a to the power b")                                   \
  X(minimum, "the smaller; NaN wins; ties share the gradient") \
  X(maximum, "the larger; NaN wins; ties share the gradient")  \
  X(floor_divide, "a / b rounded down; gradient 0")            \
  X(remainder, "a - b * floor_divide(a, b), with b's sign")

// Ops that give bool and have no gradient.
#define ISKRA_COMPARE_OPS(X)       \
  X(eq, "a == b")                  \
  X(ne, "a != b")                  \
  X(lt, "a < b")                   \
  X(le, "a <= b")                  \
  X(gt, "a > b")                   \
  X(ge, "a >= b")                  \
  X(logical_and, "both are not 0") \
  X(logical_or, "one is not 0")    \
  X(logical_xor, "exactly one is not 0")

#define ISKRA_ALL_UNARY_OPS(X) ISKRA_UNARY_OPS(X) ISKRA_PARAMETER_OPS(X) ISKRA_TEST_OPS(X)
#define ISKRA_ALL_BINARY_OPS(X) ISKRA_BINARY_OPS(X) ISKRA_COMPARE_OPS(X)

namespace iskra::kernels {

#define ISKRA_ENUM(name, doc) name,
enum class UnaryOp : uint8_t { ISKRA_ALL_UNARY_OPS(ISKRA_ENUM) };
enum class BinaryOp : uint8_t { ISKRA_ALL_BINARY_OPS(ISKRA_ENUM) };
#undef ISKRA_ENUM

#define ISKRA_COUNT(name, doc) +1
inline constexpr int kPlainUnaryOps = 0 ISKRA_UNARY_OPS(ISKRA_COUNT);
inline constexpr int kUnaryOps = 0 ISKRA_ALL_UNARY_OPS(ISKRA_COUNT);
inline constexpr int kDifferentiableBinaryOps = 0 ISKRA_BINARY_OPS(ISKRA_COUNT);
inline constexpr int kBinaryOps = 0 ISKRA_ALL_BINARY_OPS(ISKRA_COUNT);
#undef ISKRA_COUNT

const char* name_of(UnaryOp op);
const char* name_of(BinaryOp op);

/// The numbers of the ops in ISKRA_PARAMETER_OPS, in the order of their public functions' arguments.
struct PointwiseParams {
  double value[2] = {0, 0};
};

/// Whether the op's result is bool, whatever it takes.
bool gives_bool(UnaryOp op);
bool gives_bool(BinaryOp op);
/// Whether the op is defined within integers (computed exactly, in 64 bits that wrap around); others make f32
/// of them.
bool takes_integers(UnaryOp op);
bool takes_integers(BinaryOp op);

/// Which operands an op's derivative reads, so that a tape saves nothing else. What is not read may be passed
/// undefined to unary_backward and binary_backward.
struct BackwardReads {
  bool first;   ///< x, or a
  bool second;  ///< y, or b
};
BackwardReads backward_reads(UnaryOp op);
BackwardReads backward_reads(BinaryOp op);

}  // namespace iskra::kernels
