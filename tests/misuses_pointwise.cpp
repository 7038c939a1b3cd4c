// Misuses of pointwise ops.
#include "misuses.h"

namespace iskra::testing {

namespace {

const Tensor kNothing;

Tensor booleans(const Shape& shape) { return Tensor::zeros(shape, {.dtype = DType::boolean}); }

}  // namespace

std::vector<Misuse> pointwise_misuses() {
  std::vector<Misuse> all = {
      ISKRA_MISUSED("neg", -kNothing, kUndefined),
      ISKRA_MISUSED("operator+", kNothing + 2, kUndefined),
      ISKRA_MISUSED("operator+", 2 + kNothing, kUndefined),
      ISKRA_MISUSED("operator+", floats({2, 3}) + floats({2, 4}),
                    "add: shapes (2, 3) and (2, 4) do not broadcast: sizes 3 and 4 at dimension -1 must be "
                    "equal, or one of them 1"),
      ISKRA_MISUSED("operator-", floats({2, 3}) - floats({3, 2}),
                    "sub: shapes (2, 3) and (3, 2) do not broadcast: sizes 3 and 2 at dimension -1 must be "
                    "equal, or one of them 1"),
      ISKRA_MISUSED("operator*", floats({2, 3}) * floats({2}),
                    "mul: shapes (2, 3) and (2) do not broadcast: sizes 3 and 2 at dimension -1 must be "
                    "equal, or one of them 1"),
      ISKRA_MISUSED("operator/", floats({2, 3}) / floats({4, 2, 4}),
                    "div: shapes (2, 3) and (4, 2, 4) do not broadcast: sizes 3 and 4 at dimension -1 must "
                    "be equal, or one of them 1"),
      ISKRA_MISUSED("operator/", floats({2}) / kNothing, kUndefined),
      ISKRA_MISUSED("operator<", static_cast<void>(floats({2, 3}) < floats({2, 4})),
                    "lt: shapes (2, 3) and (2, 4) do not broadcast: sizes 3 and 4 at dimension -1 must be "
                    "equal, or one of them 1"),
      ISKRA_MISUSED("operator<=", static_cast<void>(kNothing <= 1), kUndefined),
      ISKRA_MISUSED("operator>", static_cast<void>(1 > kNothing), kUndefined),
      ISKRA_MISUSED("operator>=", static_cast<void>(floats({2}) >= kNothing), kUndefined),
      ISKRA_MISUSED("leaky_relu", leaky_relu(kNothing), kUndefined),
      ISKRA_MISUSED("elu", elu(kNothing), kUndefined),
      ISKRA_MISUSED("softplus", softplus(kNothing), kUndefined),
      ISKRA_MISUSED("clamp", clamp(kNothing, 0), kUndefined),
      ISKRA_MISUSED("pow", pow(kNothing, 2.5), kUndefined),
      ISKRA_MISUSED("pow", pow(2.5, kNothing), kUndefined),
      ISKRA_MISUSED("lt", lt(kNothing, 2.5), kUndefined),
  };
#define ISKRA_ADD(name, doc) all.push_back(ISKRA_MISUSED(#name, name(kNothing), kUndefined));
  ISKRA_UNARY_OPS(ISKRA_ADD)
  ISKRA_TEST_OPS(ISKRA_ADD)
#undef ISKRA_ADD
#define ISKRA_ADD(name, doc)                                                                         \
  all.push_back(ISKRA_MISUSED(#name, name(booleans({2})),                                            \
                              #name ": the input is bool (2) cpu; it must hold numbers, convert it " \
                                    "with to(DType) first"));
  ISKRA_UNARY_OPS(ISKRA_ADD)
#undef ISKRA_ADD
#define ISKRA_ADD(name, doc)                                                                                \
  all.push_back(ISKRA_MISUSED(#name, name(floats({2}), kNothing), kUndefined));                             \
  all.push_back(ISKRA_MISUSED(#name, name(floats({2, 3}), floats({2, 4})),                                  \
                              #name                                                                         \
                              ": shapes (2, 3) and (2, 4) do not broadcast: sizes 3 and 4 at dimension -1 " \
                              "must be equal, or one of them 1"));
  ISKRA_BINARY_OPS(ISKRA_ADD)
  ISKRA_COMPARE_OPS(ISKRA_ADD)
#undef ISKRA_ADD
#define ISKRA_ADD(name)                                                                                \
  all.push_back(ISKRA_MISUSED(#name, name(booleans({2}), booleans({2})),                               \
                              #name ": the operands are bool (2) cpu and bool (2) cpu; one must hold " \
                                    "numbers, convert it with to(DType) first"));
  ISKRA_ADD(sub)
  ISKRA_ADD(pow)
  ISKRA_ADD(floor_divide)
  ISKRA_ADD(remainder)
#undef ISKRA_ADD
  return all;
}

}  // namespace iskra::testing
