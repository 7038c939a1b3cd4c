// Results do not depend on the number of threads, bit by bit, on sizes that are cut into several pieces of
// work.
#include <gtest/gtest.h>

#include <algorithm>

#include <iskra/core/autograd.h>
#include <iskra/core/random.h>

#include "op_check.h"
#include "op_inputs.h"

namespace iskra::testing {

namespace {

std::vector<OpCase> mini_benches() {
  std::vector<OpCase> minis;
  for (const OpCase& row : op_benches()) {
    if (row.name == "mini") minis.push_back(row);
  }
  return minis;
}

Outcome run_on(const OpCase& row, DType dtype, int threads) {
  set_threads(threads);
  Tensors inputs = drawn_inputs(row, dtype);
  RngScope scope({.seed = 3, .step = 5});
  Outcome outcome{row.run(inputs), {}};
  RngScope upstream({.seed = 4});
  backward_from(outcome.ys,
                [](const Tensor& y, size_t) { return iskra::normal(y.shape(), 0, 1).to(y.dtype()); });
  set_threads(0);
  for (const Tensor& x : inputs) outcome.gradients.push_back(x.grad());
  return outcome;
}

class Threads : public ::testing::TestWithParam<OpCase> {};

TEST_P(Threads, GiveTheSameBits) {
  for (DType dtype : {DType::f32, DType::f64, DType::bf16}) {
    std::vector<DType> taken = GetParam().dtypes();
    if (std::find(taken.begin(), taken.end(), dtype) == taken.end()) continue;
    SCOPED_TRACE(name_of(dtype));
    Outcome one = run_on(GetParam(), dtype, 1);
    for (int threads : {2, 3}) {
      Outcome many = run_on(GetParam(), dtype, threads);
      for (size_t i = 0; i < one.ys.size(); ++i) {
        EXPECT_TRUE(same_bits(one.ys[i], many.ys[i])) << "output " << i << " on " << threads << " threads";
      }
      for (size_t i = 0; i < one.gradients.size(); ++i) {
        ASSERT_EQ(one.gradients[i].defined(), many.gradients[i].defined());
        if (!one.gradients[i].defined()) continue;
        EXPECT_TRUE(same_bits(one.gradients[i], many.gradients[i])) << "gradient " << i << " on " << threads;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Threads, ::testing::ValuesIn(mini_benches()),
                         [](const auto& at) { return at.param.op->test_name(); });

}  // namespace

}  // namespace iskra::testing
