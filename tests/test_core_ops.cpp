// Every row of the op table: values and gradients against float64 goldens, in every memory layout, and finite
// differences.
#include <map>
#include <set>

#include <iskra/core/autograd.h>

#include "op_check.h"
#include "public_ops.h"

namespace iskra::testing {

namespace {

/// One test per op and property; the rows are traced.
class Ops : public ::testing::TestWithParam<const Op*> {
 protected:
  template <class F>
  void for_rows(F&& check) const {
    for (const OpCase& row : GetParam()->rows) {
      SCOPED_TRACE(row.key());
      ASSERT_NO_THROW(check(row));
    }
  }
};

std::vector<const Op*> all_ops() {
  std::vector<const Op*> ops;
  for (const Op& op : op_table()) ops.push_back(&op);
  return ops;
}

bool takes_gradient(const OpCase& row) {
  for (const Input& input : row.inputs) {
    if (input.gradient) return true;
  }
  return false;
}

/// Every layout in f32 and bf16; the others show what they can in one.
std::vector<Memory> layouts_for(DType dtype) {
#ifndef ISKRA_SANITIZED
  if (dtype == DType::f32 || dtype == DType::bf16) {
    return {Memory::reversed, Memory::padded, Memory::strided, Memory::channels_last};
  }
#endif
  (void)dtype;
  return {Memory::strided};
}

/// All floating outputs as one, for finite differences.
Tensor joined(const Tensors& ys) {
  if (ys.size() == 1) return ys[0];
  Tensors flat;
  for (const Tensor& y : ys) {
    if (is_floating(y.dtype())) flat.push_back(y.reshape({-1}));
  }
  return cat(flat, 0);
}

}  // namespace

TEST_P(Ops, MatchPyTorch) {
  for_rows([](const OpCase& row) {
    for (DType dtype : run_dtypes(row)) {
      SCOPED_TRACE(name_of(dtype));
      expect_golden(row, run_golden(row, {.dtype = dtype}), dtype);
    }
  });
}

TEST_P(Ops, TakeAnyMemoryLayout) {
  for_rows([](const OpCase& row) {
    for (DType dtype : run_dtypes(row)) {
      for (Memory memory : layouts_for(dtype)) {
        SCOPED_TRACE(text("memory ", static_cast<int>(memory), " ", name_of(dtype)));
        expect_golden(row, run_golden(row, {.dtype = dtype, .memory = memory}), dtype);
      }
    }
  });
}

TEST_P(Ops, RecordWhatIsWanted) {
  for_rows([](const OpCase& row) {
    const DType dtype = best_dtype(row);
    std::vector<bool> none(row.inputs.size(), false);
    Outcome outcome = run_golden(row, {.dtype = dtype, .wanted = none});
    EXPECT_FALSE(outcome.recorded());
    expect_golden(row, outcome, dtype, none);
    for (size_t i = 0; i < row.inputs.size(); ++i) {
      if (!all_wanted(row, dtype)[i]) continue;
      std::vector<bool> one = none;
      one[i] = true;
      outcome = run_golden(row, {.dtype = dtype, .wanted = one});
      EXPECT_TRUE(outcome.recorded()) << "input " << i;
      expect_golden(row, outcome, dtype, one);
    }
  });
}

TEST_P(Ops, RecordNothingUnderNoGrad) {
  NoGrad no_grad;
  for_rows([](const OpCase& row) {
    Tensors inputs = golden_inputs(row, best_dtype(row));
    for (const Tensor& y : row.run(inputs)) {
      EXPECT_TRUE(!y.requires_grad() || y.same(inputs.at(0)));
      EXPECT_TRUE(y.is_leaf());
    }
  });
}

TEST_P(Ops, AddUpGradients) {
  for_rows([](const OpCase& row) {
    const DType dtype = best_dtype(row);
    expect_golden(row, run_golden(row, {.dtype = dtype, .passes = 2}), dtype, all_wanted(row, dtype), 2);
  });
}

TEST_P(Ops, LeaveInputsAsTheyWere) {
  for_rows([](const OpCase& row) {
    const DType dtype = run_dtypes(row).back();
    Tensors inputs = golden_inputs(row, dtype), before;
    for (const Tensor& x : inputs) before.push_back(x.detach().clone());
    Outcome outcome{row.run(inputs), {}};
    if (outcome.recorded()) backward_golden(row, outcome.ys, dtype);
    for (size_t i = 0; i < inputs.size(); ++i) EXPECT_TRUE(same_bits(inputs[i], before[i])) << "input " << i;
  });
}

TEST_P(Ops, AgreeWithFiniteDifferences) {
  for_rows([](const OpCase& row) {
    const DType dtype = best_dtype(row);
    if (dtype != DType::f64 || !takes_gradient(row) || !row.tolerance.gradcheck) return;
    gradcheck([&](const Tensors& x) { return joined(row.run(x)); }, golden_inputs(row, dtype));
  });
}

TEST_P(Ops, RunInEveryDtypeTheyPromise) {
  std::set<DType> promised(GetParam()->dtypes.begin(), GetParam()->dtypes.end()), seen;
  for (const OpCase& row : GetParam()->rows) {
    for (DType dtype : run_dtypes(row)) seen.insert(dtype);
    for (const Input& input : row.inputs) seen.insert(input.type.value_or(DType::f32));
  }
  for (DType dtype : promised) {
#ifdef ISKRA_SANITIZED
    if (dtype != DType::f32) continue;  // run_dtypes() leaves out the others
#endif
    EXPECT_TRUE(seen.count(dtype)) << GetParam()->name << " promises " << name_of(dtype)
                                   << ", but no row runs in it";
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Ops, ::testing::ValuesIn(all_ops()),
                         [](const auto& at) { return at.param->test_name(); });

TEST(OpTable, GoldensWereMadeFromTheseRows) {
  std::set<std::string> keys;
  std::map<std::string, size_t> count;
  for (const OpCase& row : op_cases()) {
    EXPECT_TRUE(keys.insert(row.key()).second) << "two rows are called " << row.key();
    ++count[row.op->family];
    const auto& metadata = op_goldens(row.op->family).metadata;
    auto made = metadata.find(row.key());
    ASSERT_NE(made, metadata.end()) << row.key() << " has no golden: make them again (make_ops.py)";
    EXPECT_EQ(Json::parse(made->second), row.json()) << row.key() << " has changed: make the goldens again";
  }
  for (const auto& [family, rows] : count) {
    EXPECT_EQ(op_goldens(family).metadata.size(), rows) << family << " has goldens without a row";
  }
}

TEST(OpTable, HasEveryPublicOp) {
  const std::set<std::string> ops = public_ops();
  EXPECT_GE(ops.size(), 40U) << "core/ops.h or core/tensor.h is not read as it should be";
  std::set<std::string> with_rows;
  for (const Op& op : op_table()) {
    if (!op.rows.empty()) with_rows.insert(op.name);
  }
  for (const std::string& op : ops) EXPECT_TRUE(with_rows.count(op)) << op << " has no row in the table";
  for (const std::string& op : with_rows)
    EXPECT_TRUE(ops.count(op)) << op << " has a row but is no public op";
}

}  // namespace iskra::testing
