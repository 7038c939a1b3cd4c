// Errors of ops end with the place of the user's call: " (at file:line)".
#include <gtest/gtest.h>

#include <iskra/core/ops.h>
#include <iskra/core/promote.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_with_caller;

/// How an error that was thrown by a call on `line` of this file ends.
std::string at_line(int line, const std::string& in = "") {
  return text(" (", in, "at test_core_caller.cpp:", line, ")");
}

void expect_ending(const std::string& message, const std::string& ending) {
  EXPECT_TRUE(message.ends_with(ending)) << message << " does not end with" << ending;
}

TEST(Caller, OfFunctionsMembersAndOperators) {
  const Tensor a = Tensor::zeros({2, 3}), b = Tensor::zeros({4, 5});
  expect_ending(error_with_caller([&] { matmul(a, b); }), at_line(__LINE__));
  expect_ending(error_with_caller([&] { a.reshape({4}); }), at_line(__LINE__));
  expect_ending(error_with_caller([&] { a + b; }), at_line(__LINE__));
  expect_ending(error_with_caller([&] { a.backward(); }), at_line(__LINE__));
  expect_ending(error_with_caller([&] { Tensor::empty({-1}); }), at_line(__LINE__, "in empty "));
  expect_ending(error_with_caller([&] { a.data<double>(); }), at_line(__LINE__, "in data "));
}

// An op that is made of others is the one that the user wrote.
TEST(Caller, IsTheOutermostOp) {
  const Tensor x = Tensor::zeros({2, 3});
  Tensor y = record("bad", x.clone(), {Tensor::zeros({2, 3}).set_requires_grad()},
                    [](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.reshape({5})); });
  expect_ending(error_with_caller([&] { sum(y).backward(); }), at_line(__LINE__, "in backward "));
}

TEST(Caller, IsForgottenAfterTheOp) {
  const Tensor x = Tensor::zeros({2, 3});
  error_with_caller([&] { x.reshape({4}); });
  EXPECT_EQ(error_with_caller([] { throw Error("alone"); }), "alone");
}

TEST(Promotion, IsThatOfTorch) {
  EXPECT_EQ(promoted(DType::boolean, DType::u8), DType::u8);
  EXPECT_EQ(promoted(DType::u8, DType::i32), DType::i32);
  EXPECT_EQ(promoted(DType::i64, DType::i32), DType::i64);
  EXPECT_EQ(promoted(DType::i64, DType::f16), DType::f16);
  EXPECT_EQ(promoted(DType::bf16, DType::f16), DType::f32);
  EXPECT_EQ(promoted(DType::bf16, DType::f32), DType::f32);
  EXPECT_EQ(promoted(DType::f64, DType::f32), DType::f64);
  EXPECT_EQ(promoted(DType::bf16, 0.5), DType::bf16);
  EXPECT_EQ(promoted(DType::i32, 3), DType::i32);
  EXPECT_EQ(promoted(DType::i32, 0.5), DType::f32);
  EXPECT_EQ(promoted(DType::boolean, 2), DType::i64);
}

// bf16 beside f32 computes and gives f32; each operand's gradient comes back in its own type.
TEST(Promotion, GradientsKeepTheTypeOfTheirOperand) {
  Tensor a = Tensor::of({1.5F, -2.0F, 3.0F}, {3}).to(DType::bf16).set_requires_grad();
  Tensor b = Tensor::of({2.00390625F}, {1}).set_requires_grad();
  Tensor y = a * b;
  EXPECT_EQ(y.dtype(), DType::f32);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{3.005859375F, -4.0078125F, 6.01171875F}));
  sum(y).backward();
  EXPECT_EQ(a.grad().dtype(), DType::bf16);
  EXPECT_EQ(a.grad().to(DType::f32).to_vector<float>(), (std::vector<float>(3, 2.0F)));
  EXPECT_EQ(b.grad().dtype(), DType::f32);
  EXPECT_EQ(b.grad().item(), 2.5);
}

}  // namespace
}  // namespace iskra
