// Misuses of matrix products.
#include "misuses.h"

namespace iskra::testing {

std::vector<Misuse> product_misuses() {
  return {
      ISKRA_MISUSED("matmul", matmul(floats({2, 3}), floats({4, 5})),
                    "matmul: the shapes are (2, 3) and (4, 5); the last axis of the first must equal the "
                    "last but one of the second"),
      ISKRA_MISUSED("matmul", matmul(floats({}), floats({3, 4})),
                    "matmul: the shapes are () and (3, 4); both need an axis or more, use mul with a number"),
      ISKRA_MISUSED("matmul", matmul(floats({2, 3}), floats({4})),
                    "matmul: the shapes are (2, 3) and (4); the last axis of the first must equal the last "
                    "but one of the "
                    "second"),
      ISKRA_MISUSED("matmul", matmul(floats({2, 3, 4}), floats({5, 4, 3})),
                    "matmul: shapes (2) and (5) do not broadcast: sizes 2 and 5 at dimension -1 must be "
                    "equal, or one of them 1"),
      ISKRA_MISUSED("matmul", matmul(floats({2, 3}), doubles({3, 2})),
                    "matmul: the operands are f32 (2, 3) cpu and f64 (3, 2) cpu; both must have the same "
                    "floating dtype"),
      ISKRA_MISUSED("matmul", matmul(longs({2, 3}), longs({3, 2})),
                    "matmul: the operands are i64 (2, 3) cpu and i64 (3, 2) cpu; both must have the same "
                    "floating dtype"),
      ISKRA_MISUSED("matmul", matmul(floats({2, 3}), Tensor()), kUndefined),
      ISKRA_MISUSED(
          "linear", linear(floats({2, 3}), floats({5, 4})),
          "linear: the input has shape (2, 3), the weight takes 4 inputs; the last axes must agree"),
      ISKRA_MISUSED("linear", linear(floats({2, 3}), floats({3})),
                    "linear: the weight has shape (3); it must be (outputs, inputs)"),
      ISKRA_MISUSED("linear", linear(floats({}), floats({5, 3})),
                    "linear: the input has shape (), the weight takes 3 inputs; the last axes must agree"),
      ISKRA_MISUSED("linear", linear(floats({2, 3}), doubles({5, 3})),
                    "linear: the operands are f32 (2, 3) cpu and f64 (5, 3) cpu; both must have the same "
                    "floating dtype"),
      ISKRA_MISUSED("linear", linear(floats({2, 3}), floats({5, 3}), floats({3})),
                    "linear: the bias is f32 (3) cpu, the weight f32 (5, 3) cpu; the bias must have one "
                    "value per output"),
      ISKRA_MISUSED("linear", linear(floats({2, 3}), floats({5, 3}), doubles({5})),
                    "linear: the bias is f64 (5) cpu, the weight f32 (5, 3) cpu; the bias must have one "
                    "value per output"),
      ISKRA_MISUSED("linear", linear(floats({2, 3}), floats({5, 3}), {}, {.residual = floats({2, 3})}),
                    "linear: the residual is f32 (2, 3) cpu, the result f32 (2, 5) on cpu; they must agree"),
      ISKRA_MISUSED("linear", linear(floats({2, 3}), Tensor()), kUndefined),
  };
}

}  // namespace iskra::testing
