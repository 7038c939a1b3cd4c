// Misuses of reductions.
#include "misuses.h"

namespace iskra::testing {

std::vector<Misuse> reduce_misuses() {
  return {
      ISKRA_MISUSED("sum", sum(Tensor()), kUndefined),
      ISKRA_MISUSED("prod", prod(Tensor()), kUndefined),
      ISKRA_MISUSED("var", var(Tensor()), kUndefined),
      ISKRA_MISUSED("std_dev", std_dev(Tensor()), kUndefined),
      ISKRA_MISUSED("var_mean", var_mean(Tensor()), kUndefined),
      ISKRA_MISUSED("amax", amax(Tensor()), kUndefined),
      ISKRA_MISUSED("amin", amin(Tensor()), kUndefined),
      ISKRA_MISUSED("any", any(Tensor()), kUndefined),
      ISKRA_MISUSED("all", all(Tensor()), kUndefined),
      ISKRA_MISUSED("count_nonzero", count_nonzero(Tensor()), kUndefined),
      ISKRA_MISUSED("logsumexp", logsumexp(Tensor()), kUndefined),
      ISKRA_MISUSED("norm", norm(Tensor()), kUndefined),
      ISKRA_MISUSED("equal", equal(floats({2}), Tensor()), kUndefined),
      ISKRA_MISUSED("all_close", all_close(floats({2}), Tensor()), kUndefined),
      ISKRA_MISUSED(
          "amax", amax(floats({0, 3})),
          "amax: the input is f32 (0, 3) cpu; no elements have no extreme, leave out axes of size 0"),
      ISKRA_MISUSED("var", var(floats({0, 3})),
                    "var: the input is f32 (0, 3) cpu; no elements have no variance"),
      ISKRA_MISUSED("sum", sum(floats({2, 3}), {2}),
                    "sum: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("sum", sum(floats({2, 3}), {1, -1}),
                    "sum: axis -1 of f32 (2, 3) cpu is named twice; name each axis once"),
      ISKRA_MISUSED("mean", mean(floats({0, 3})),
                    "mean: the input is f32 (0, 3) cpu; no elements have no mean"),
      ISKRA_MISUSED("mean", mean(floats({2, 3}), {-3}),
                    "mean: axis -3 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("mean", mean(floats({}), {0}),
                    "mean: axis 0 of a tensor without axes, which holds one number"),
      ISKRA_MISUSED("sum_to", sum_to(floats({2, 3}), {2, 4}),
                    "sum_to: shapes (2, 3) and (2, 4) do not broadcast: sizes 3 and 4 at dimension -1 must "
                    "be equal, or one of them 1"),
      ISKRA_MISUSED("sum_to", sum_to(floats({1, 3}), {2, 3}),
                    "sum_to: shape (2, 3) does not broadcast to (1, 3)"),
      ISKRA_MISUSED("sum_to", sum_to(floats({3}), {1, 3}), "sum_to: shape (1, 3) does not broadcast to (3)"),
  };
}

}  // namespace iskra::testing
