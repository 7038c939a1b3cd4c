// Every row of the op table: values and gradients against float64 goldens, in every memory layout, and finite
// differences.
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <iskra/core/autograd.h>

#include "op_check.h"

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

std::string file_text(const std::string& path) {
  std::ifstream in(std::string(ISKRA_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Names of the functions declared in `header` that return a Tensor.
std::set<std::string> ops_declared_in(std::string header) {
  header = std::regex_replace(header, std::regex(R"(#define ([^\n\\]|\\\n)*)"), "");  // what macros declare
  static const std::regex kDeclaration(R"(\n *Tensor (operator[-+*/]|\w+)\()");
  std::set<std::string> names;
  for (std::sregex_iterator at(header.begin(), header.end(), kDeclaration), end; at != end; ++at) {
    names.insert((*at)[1]);
  }
  return names;
}

}  // namespace

TEST_P(Ops, MatchPyTorch) {
  for_rows([](const OpCase& row) {
    for (DType dtype : {DType::f64, DType::f32}) {
      SCOPED_TRACE(name_of(dtype));
      expect_golden(row, run_golden(row, {.dtype = dtype}), dtype);
    }
  });
}

TEST_P(Ops, TakeAnyMemoryLayout) {
  for_rows([](const OpCase& row) {
    for (Memory memory : {Memory::reversed, Memory::padded, Memory::strided, Memory::channels_last}) {
      for (DType dtype : {DType::f64, DType::f32}) {
        SCOPED_TRACE(text("memory ", static_cast<int>(memory), " ", name_of(dtype)));
        expect_golden(row, run_golden(row, {.dtype = dtype, .memory = memory}), dtype);
      }
    }
  });
}

TEST_P(Ops, RecordWhatIsWanted) {
  for_rows([](const OpCase& row) {
    std::vector<bool> none(row.inputs.size(), false);
    Outcome outcome = run_golden(row, {.wanted = none});
    EXPECT_FALSE(outcome.y.requires_grad());
    expect_golden(row, outcome, DType::f64, none);
    for (size_t i = 0; i < row.inputs.size(); ++i) {
      if (!row.inputs[i].gradient) continue;
      std::vector<bool> one = none;
      one[i] = true;
      outcome = run_golden(row, {.wanted = one});
      EXPECT_TRUE(outcome.y.requires_grad()) << "input " << i;
      expect_golden(row, outcome, DType::f64, one);
    }
  });
}

TEST_P(Ops, RecordNothingUnderNoGrad) {
  NoGrad no_grad;
  for_rows([](const OpCase& row) {
    Tensors inputs = golden_inputs(row, DType::f64);
    Tensor y = row.run(inputs);
    EXPECT_TRUE(!y.requires_grad() || y.same(inputs[0]));
    EXPECT_TRUE(y.is_leaf());
  });
}

TEST_P(Ops, AddUpGradients) {
  for_rows([](const OpCase& row) {
    expect_golden(row, run_golden(row, {.passes = 2}), DType::f64, all_wanted(row), 2);
  });
}

TEST_P(Ops, LeaveInputsAsTheyWere) {
  for_rows([](const OpCase& row) {
    Tensors inputs = golden_inputs(row, DType::f32), before;
    for (const Tensor& x : inputs) before.push_back(x.detach().clone());
    Tensor y = row.run(inputs);
    if (y.requires_grad()) backward(y, golden_of(row, "dy").tensor(DType::f32).to(y.dtype()));
    for (size_t i = 0; i < inputs.size(); ++i) EXPECT_TRUE(same_bits(inputs[i], before[i])) << "input " << i;
  });
}

TEST_P(Ops, AgreeWithFiniteDifferences) {
  for_rows([](const OpCase& row) {
    if (!takes_gradient(row) || !row.tolerance.gradcheck) return;
    gradcheck([&](const Tensors& x) { return row.run(x); }, golden_inputs(row, DType::f64));
  });
}

INSTANTIATE_TEST_SUITE_P(Table, Ops, ::testing::ValuesIn(all_ops()),
                         [](const auto& at) { return at.param->test_name(); });

TEST(OpTable, GoldensWereMadeFromTheseRows) {
  std::set<std::string> keys;
  for (const OpCase& row : op_cases()) {
    EXPECT_TRUE(keys.insert(row.key()).second) << "two rows are called " << row.key();
    auto made = op_goldens().metadata.find(row.key());
    ASSERT_NE(made, op_goldens().metadata.end())
        << row.key() << " has no golden: make them again (make_ops.py)";
    EXPECT_EQ(Json::parse(made->second), row.json()) << row.key() << " has changed: make the goldens again";
  }
  EXPECT_EQ(op_goldens().metadata.size(), keys.size()) << "there are goldens without a row: make them again";
}

TEST(OpTable, HasEveryPublicOp) {
  std::set<std::string> ops = ops_declared_in(file_text("core/ops.h"));
  std::string tensor = file_text("core/tensor.h");
  size_t from = tensor.find("--- views and copies"), to = tensor.find("--- autograd");
  ASSERT_TRUE(from < to && to != std::string::npos);
  ops.merge(ops_declared_in(tensor.substr(from, to - from)));
#define ISKRA_INSERT(name, doc) ops.insert(#name);
  ISKRA_UNARY_OPS(ISKRA_INSERT)
  ISKRA_BINARY_OPS(ISKRA_INSERT)
#undef ISKRA_INSERT
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
