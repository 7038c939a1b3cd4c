// Misuses of pointwise ops.
#include "misuses.h"

namespace iskra::testing {

namespace {

const Tensor kNothing;

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
  };
#define ISKRA_ADD(name, doc) all.push_back(ISKRA_MISUSED(#name, name(kNothing), kUndefined));
  ISKRA_UNARY_OPS(ISKRA_ADD)
#undef ISKRA_ADD
#define ISKRA_ADD(name, doc)                                                                                \
  all.push_back(ISKRA_MISUSED(#name, name(floats({2}), kNothing), kUndefined));                             \
  all.push_back(ISKRA_MISUSED(#name, name(floats({2, 3}), floats({2, 4})),                                  \
                              #name                                                                         \
                              ": shapes (2, 3) and (2, 4) do not broadcast: sizes 3 and 4 at dimension -1 " \
                              "must be equal, or one of them 1"));
  ISKRA_BINARY_OPS(ISKRA_ADD)
#undef ISKRA_ADD
  return all;
}

}  // namespace iskra::testing
