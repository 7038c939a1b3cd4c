// The tape's contract: accumulation, hooks, sinks, freeing, NoGrad, and gradcheck itself.
#include <gtest/gtest.h>

#include <iskra/core/autograd.h>
#include <iskra/core/ops.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_of;

Tensor leaf(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::of(values, shape).set_requires_grad();
}

using Values = std::vector<double>;

TEST(Autograd, AddsWhenATensorIsUsedTwice) {
  Tensor x = leaf({2, 3}, {2});
  Tensor y = x * x + x;  // dy/dx = 2x + 1
  sum(y).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{5, 7}));
  sum(x * 3.0).backward();  // a second pass adds to what the leaf holds
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{8, 10}));
  x.clear_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, GradientsOfLeavesNeverShareMemory) {
  Tensor a = leaf({1, 2}, {2});
  Tensor b = leaf({3, 4}, {2});
  sum(a + b).backward();
  EXPECT_NE(a.grad().raw_data(), b.grad().raw_data());
  Tensor kept = a.grad();
  sum(a * 2.0).backward();
  EXPECT_EQ(kept.to_vector<double>(), (Values{1, 1}));  // a handle that somebody holds keeps its value
  EXPECT_EQ(a.grad().to_vector<double>(), (Values{3, 3}));
}

TEST(Autograd, BroadcastsAreSummedBack) {
  Tensor row = leaf({1, 2, 3}, {3});
  Tensor column = leaf({10, 20}, {2, 1});
  sum(row * column).backward();
  EXPECT_EQ(row.grad().to_vector<double>(), (Values{30, 30, 30}));
  EXPECT_EQ(column.grad().to_vector<double>(), (Values{6, 6}));
  EXPECT_EQ(column.grad().shape(), Shape({2, 1}));
}

TEST(Autograd, AHookFiresOnceAfterTheLastContribution) {
  Tensor w = leaf({1}, {1});
  int calls = 0;
  double seen = 0;
  w.on_gradient([&](Tensor& at) {
    ++calls;
    seen = at.grad().item();
    EXPECT_TRUE(at.same(w));
  });
  Tensor y = w * 2.0 + w * 3.0;  // tied: used twice
  sum(y).backward();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen, 5.0);
  sum(w * 1.0).backward();
  EXPECT_EQ(calls, 2);
}

TEST(Autograd, NarrowAccumulatesIntoOneBuffer) {
  Tensor x = leaf({1, 2, 3, 4}, {4});
  sum(x.narrow(0, 0, 2) * 2.0 + x.narrow(0, 1, 2) * 5.0).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{2, 7, 5, 0}));
}

TEST(Autograd, GradientsTakeTheLayoutOfTheirLeaf) {
  Tensor w = Tensor::ones({2, 3}, {.dtype = DType::f64}).set_requires_grad();
  Tensor x = Tensor::of({1.0, 2.0}, {2});
  sum(w.transpose(0, 1) * x).backward();
  EXPECT_EQ(w.grad().strides(), w.strides());
  EXPECT_EQ(w.grad().to_vector<double>(), (Values{1, 1, 1, 2, 2, 2}));
}

TEST(Autograd, NothingIsRecordedWithoutNeed) {
  Tensor x = leaf({1, 2}, {2});
  {
    NoGrad no_grad;
    EXPECT_FALSE((x * 2.0).requires_grad());
  }
  EXPECT_FALSE((x.detach() * 2.0).requires_grad());
  Tensor y = x * 2.0;
  EXPECT_TRUE(y.requires_grad());
  EXPECT_FALSE(y.is_leaf());
  EXPECT_TRUE(x.is_leaf());
}

TEST(Autograd, FrozenInputsAreNotWanted) {
  Tensor x = leaf({1, 2}, {2});
  Tensor frozen = Tensor::of({3.0, 4.0}, {2});
  bool asked = false;
  Tensor y =
      record("both", mul(x, frozen).detach(), {x, frozen}, [&](const Tensor& dy, Wanted wanted, Sinks& to) {
        asked = true;
        EXPECT_TRUE(wanted[0]);
        EXPECT_FALSE(wanted[1]);
        to.give(0, dy);
        to.give(1, dy);  // given all the same: dropped
      });
  sum(y).backward();
  EXPECT_TRUE(asked);
  EXPECT_FALSE(frozen.grad().defined());
}

TEST(Autograd, SavedValuesAreFreedAfterTheirUse) {
  Tensor x = leaf({1, 2}, {2});
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> alive = held;
  Tensor y = record("holder", mul(x, x).detach(), {x},
                    [held](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy); });
  held.reset();
  EXPECT_FALSE(alive.expired());
  Tensor loss = sum(y);
  loss.backward();
  EXPECT_TRUE(alive.expired());
  EXPECT_EQ(
      error_of([&] { loss.backward(); }),
      "backward: the graph of 'sum' was already used and its saved values are freed; compute the loss again");
}

TEST(Autograd, AGraphThatIsDroppedIsFreedHoweverLong) {
  Tensor x = leaf({1}, {1});
  Tensor y = x;
  for (int i = 0; i < 100000; ++i) y = y.reshape({1});
  y = {};
  Tensor z = x;
  for (int i = 0; i < 20000; ++i) z = z * 1.0;
  sum(z).backward();
  EXPECT_EQ(x.grad().item(), 1.0);
}

TEST(Autograd, AFailingBackwardNamesItsNodeAndLosesNothing) {
  Tensor x = leaf({1, 2}, {2});
  sum(x * 2.0).backward();
  Tensor bad = record("bad", mul(x, x).detach(), {x},
                      [](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.reshape({2, 1})); });
  EXPECT_EQ(error_of([&] { sum(bad).backward(); }),
            "backward of 'bad': gave a gradient f64 (2, 1) cpu for an input f64 (2)");
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{2, 2}));
}

TEST(Autograd, MisuseIsExplained) {
  Tensor x = leaf({1, 2}, {2});
  EXPECT_EQ(
      error_of([&] { (x * 2.0).backward(); }),
      "backward: the Tensor has shape (2); reduce it to one element, or pass the gradient to start from");
  EXPECT_NE(error_of([&] { sum(x.detach()).backward(); }).find("depends on nothing that requires a gradient"),
            std::string::npos);
  sum(x * x).backward();
  EXPECT_NE(error_of([&] { sum(x.grad()).backward(); }).find("there is no double backward"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { (x * 2.0).set_requires_grad(false); }),
            "set_requires_grad: this Tensor was computed by 'mul'; only a leaf can be switched, use detach() "
            "first");
  EXPECT_NE(error_of([&] {
              Tensor::of({int64_t{1}}, {1}).set_requires_grad();
            }).find("a i64 Tensor has no gradient"),
            std::string::npos);
}

TEST(Autograd, ARootThatIsALeafTakesItsGradient) {
  Tensor x = leaf({3}, {});
  x.backward();
  EXPECT_EQ(x.grad().item(), 1.0);
}

TEST(Gradcheck, PassesRightAndFindsWrongGradients) {
  Tensor x = leaf({0.3, -0.7, 1.1}, {3});
  gradcheck([](const std::vector<Tensor>& in) { return tanh(in[0] * in[0]); }, {x});
  auto wrong = [](const std::vector<Tensor>& in) {
    return record(
        "wrong", mul(in[0], in[0]).detach(), {in[0]},
        [x = in[0].detach()](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy * x); });  // forgets the 2
  };
  EXPECT_NE(error_of([&] { gradcheck(wrong, {x}); }).find("gradcheck: input 0, element 0: the tape says"),
            std::string::npos);
  EXPECT_NE(error_of([&] { gradcheck(wrong, {x.to(DType::f32)}); }).find("need f64"), std::string::npos);
}

}  // namespace
}  // namespace iskra
