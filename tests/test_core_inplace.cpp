// Changes in place: values, gradients, and the rule that a changed saved value is an error.
#include <gtest/gtest.h>

#include <iskra/core/autograd.h>
#include <iskra/core/ops.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_of;
using Values = std::vector<double>;

Tensor leaf(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::of(values, shape).set_requires_grad();
}

Values values(const Tensor& x) { return x.to_vector<double>(); }

TEST(InPlace, ComputesAndBroadcasts) {
  Tensor x = Tensor::of({1.0, 2.0, 3.0, 4.0}, {2, 2});
  Tensor alias = x;
  EXPECT_TRUE(x.add_(Tensor::of({10.0, 20.0}, {2})).same(alias));
  EXPECT_EQ(values(alias), (Values{11, 22, 13, 24}));
  EXPECT_EQ(values(x.sub_(1.0)), (Values{10, 21, 12, 23}));
  EXPECT_EQ(values(x.mul_(2.0)), (Values{20, 42, 24, 46}));
  EXPECT_EQ(values(x.div_(x)), (Values{1, 1, 1, 1}));
  EXPECT_EQ(values(x.copy_(Tensor::of({5.0F}, {1}))), (Values{5, 5, 5, 5}));  // converted and broadcast
  EXPECT_EQ(values(x.fill_(7)), (Values{7, 7, 7, 7}));
  EXPECT_EQ(values(x.zero_()), (Values{0, 0, 0, 0}));
}

TEST(InPlace, KeepsItsTypeAndLayout) {
  Tensor x = Tensor::ones({2, 3}, {.dtype = DType::f32}).transpose(0, 1);
  x.add_(Tensor::of({0.25, 0.5}, {2}));
  EXPECT_EQ(x.dtype(), DType::f32);
  EXPECT_EQ(x.strides(), Shape({1, 3}));
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1.25F, 1.5F, 1.25F, 1.5F, 1.25F, 1.5F}));
}

TEST(InPlace, AnOperandThatOverlapsIsReadBeforeItChanges) {
  Tensor x = Tensor::of({1.0, 2.0, 3.0, 4.0}, {2, 2});
  x.add_(x.transpose(0, 1));
  EXPECT_EQ(values(x), (Values{2, 5, 5, 8}));
  Tensor y = Tensor::of({1.0, 2.0, 3.0}, {3});
  y.narrow(0, 1, 2).copy_(y.narrow(0, 0, 2));
  EXPECT_EQ(values(y), (Values{1, 1, 2}));
}

TEST(InPlace, TheVersionIsThatOfTheMemory) {
  Tensor x = Tensor::of({1.0, 2.0}, {2});
  Tensor view = x.narrow(0, 0, 1);
  uint64_t before = x.version();
  view.fill_(3);
  EXPECT_EQ(x.version(), before + 1);
  x.copy_from(Tensor::of({1.0, 1.0}, {2}));
  x.mark_changed();
  EXPECT_EQ(view.version(), before + 3);
}

// Every change of a computed tensor against the same computation without one.
TEST(InPlace, RecordsWhatItDoes) {
  using Change = std::function<Tensor(Tensor, const Tensor&)>;
  struct Pair {
    const char* name;
    Change in_place, pure;
  };
  const Pair pairs[] = {
      {"add_", [](Tensor h, const Tensor& b) { return h.add_(b); },
       [](const Tensor& h, const Tensor& b) { return h + b; }},
      {"sub_", [](Tensor h, const Tensor& b) { return h.sub_(b); },
       [](const Tensor& h, const Tensor& b) { return h - b; }},
      {"mul_", [](Tensor h, const Tensor& b) { return h.mul_(b); },
       [](const Tensor& h, const Tensor& b) { return h * b; }},
      {"div_", [](Tensor h, const Tensor& b) { return h.div_(b); },
       [](const Tensor& h, const Tensor& b) { return h / b; }},
      {"scalar", [](Tensor h, const Tensor& b) { return h.mul_(3.0).sub_(b).div_(2.0).add_(1.0); },
       [](const Tensor& h, const Tensor& b) { return (h * 3.0 - b) / 2.0 + 1.0; }},
      {"copy_", [](Tensor h, const Tensor& b) { return h.copy_(b); },
       [](const Tensor& h, const Tensor& b) { return h * 0.0 + b; }},
      {"zero_", [](Tensor h, const Tensor& b) { return h.zero_().add_(b); },
       [](const Tensor& h, const Tensor& b) { return h * 0.0 + b; }},
      {"itself", [](Tensor h, const Tensor& b) { return h.mul_(h).mul_(b); },
       [](const Tensor& h, const Tensor& b) { return h * h * b; }},
  };
  for (const Pair& pair : pairs) {
    SCOPED_TRACE(pair.name);
    auto run = [](const Change& change) {
      Tensor x = leaf({1, -2, 3, 0.5}, {2, 2});
      Tensor b = leaf({2, 4}, {2});
      Tensor h = x * 3.0;
      Tensor y = change(h, b);
      sum(y * y).backward();
      return std::vector<Values>{values(y), x.grad().defined() ? values(x.grad()) : Values(4, 0.0),
                                 values(b.grad())};
    };
    EXPECT_EQ(run(pair.in_place), run(pair.pure));
  }
}

TEST(InPlace, GradcheckHolds) {
  Tensor x = leaf({0.3, -0.7, 1.1, 0.9}, {2, 2}), b = leaf({1.5, -0.4}, {2});
  gradcheck(
      [](const std::vector<Tensor>& in) {
        Tensor h = tanh(in[0]).clone();
        h.mul_(in[1]).add_(in[0]).div_(in[1]);
        Tensor buffer = Tensor::zeros({2, 2}, {.dtype = DType::f64});
        buffer.add_(h);  // a constant that becomes part of the graph
        return buffer.sub_(in[1]).mul_(h);
      },
      {x, b});
}

TEST(InPlace, HandlesOfTheSameTensorSeeItsNewHistory) {
  Tensor x = leaf({1, 2}, {2});
  Tensor h = x * 1.0;
  Tensor alias = h;
  Tensor before = h * 10.0;  // of the old value
  h.mul_(5.0);
  sum(before + alias).backward();
  EXPECT_EQ(values(x.grad()), (Values{15, 15}));
}

TEST(InPlace, ASavedValueThatChangedIsAnError) {
  Tensor x = leaf({1, 2}, {2});
  Tensor w = leaf({3, 4}, {2});
  Tensor h = x * 1.0;
  Tensor y = h * w;  // reads h for w's gradient
  h.add_(1.0);
  EXPECT_EQ(error_of([&] { sum(y).backward(); }),
            "backward of 'mul': a saved value f64 (2) cpu was changed in place after it was saved (version 0 "
            "then, 1 now); change a clone() of it, or change it after the backward pass");
}

TEST(InPlace, AValueThatNobodyReadsMayChange) {
  Tensor x = leaf({1, 2}, {2});
  Tensor h = x * 1.0;
  Tensor y = h + 1.0;  // add reads nothing
  h.mul_(2.0);
  sum(y).backward();
  EXPECT_EQ(values(x.grad()), (Values{1, 1}));
}

TEST(InPlace, WeightsChangedBetweenForwardAndBackwardAreAnError) {
  Tensor w = leaf({3, 4}, {2});
  Tensor x = leaf({1, 2}, {2});
  Tensor y = x * w;
  {
    NoGrad no_grad;
    w.sub_(0.1);
  }
  EXPECT_NE(error_of([&] { sum(y).backward(); }).find("a saved value"), std::string::npos);
}

TEST(InPlace, UserClosuresAreCheckedWithoutAWord) {
  Tensor x = leaf({1, 2}, {2});
  std::vector<Tensor> buffers = {Tensor::of({1.0, 1.0}, {2}), Tensor::of({2.0, 2.0}, {2})};
  Tensor y = record("scaled", mul(x, buffers[1]).detach(), {x},
                    [buffers](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy * buffers[1]); });
  buffers[1].fill(5);
  EXPECT_NE(error_of([&] { sum(y).backward(); }).find("backward of 'scaled': a saved value f64 (2) cpu"),
            std::string::npos);
}

TEST(InPlace, AClosureThatKeepsItsOwnResultMakesNoCycle) {
  std::weak_ptr<detail::TensorImpl> alive;
  {
    Tensor x = leaf({1, 2}, {2});
    Tensor y = tanh(x).detach();
    Tensor z = record("keeps", y, {x}, [y](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy * y); });
    alive = z.impl();
    EXPECT_TRUE(z.requires_grad());
  }
  EXPECT_TRUE(alive.expired());
}

TEST(InPlace, RulesAreExplained) {
  Tensor x = leaf({1, 2}, {2});
  EXPECT_EQ(error_of([&] { x.add_(1.0); }),
            "add_: this Tensor f64 (2) cpu is a leaf that requires a gradient; change it within NoGrad, or "
            "change a clone()");
  EXPECT_EQ(error_of([&] { x.narrow(0, 0, 1).mul_(2.0); }),
            "mul_: this Tensor f64 (1) cpu is a view made by 'narrow', and its base is part of the graph; "
            "change the base, or a clone() of the view");
  Tensor h = x * 2.0;
  EXPECT_EQ(
      error_of([&] { h.fill(1); }),
      "fill: this Tensor was computed by 'mul' and a plain write is not recorded; use fill_(), or write "
      "within NoGrad");
  Tensor buffer = Tensor::zeros({4}, {.dtype = DType::f64});
  Tensor part = buffer.narrow(0, 0, 2);
  EXPECT_EQ(
      error_of([&] { part.add_(x); }),
      "add_: the memory of this Tensor f64 (2) cpu is shared with another one, whose history would miss "
      "the change; use clone() first");
  EXPECT_EQ(error_of([&] { Tensor::ones({1}).expand({3}).add_(1.0); }),
            "add_: this Tensor f32 (3) cpu is expanded, several of its elements are one in memory; use "
            "clone() first");
  EXPECT_EQ(error_of([&] { Tensor::ones({2}).add_(Tensor::ones({3, 2})); }),
            "add_: the other operand f32 (3, 2) cpu does not broadcast to this shape (2)");
  EXPECT_EQ(error_of([&] { Tensor().add_(1.0); }),
            "in-place: this Tensor is undefined; give it a value first");
  EXPECT_EQ(
      error_of([&] { Tensor::of({int64_t{1}}, {1}).add_(0.5); }),
      "add_: the result of i64 (1) cpu and f32 (1) cpu is f32, which this Tensor cannot hold; convert it "
      "with to()");
}

TEST(InPlace, AViewTakenBeforeItsBaseChangedIsRefused) {
  Tensor x = leaf({1, 2}, {2});
  Tensor h = x * 2.0;
  Tensor view = h.reshape({2, 1}).squeeze(1);
  Tensor used = view * 1.0;
  h.mul_(3.0);
  EXPECT_NE(error_of([&] { Tensor y = view * 2.0; }).find("was taken before its base was changed in place"),
            std::string::npos);
  EXPECT_NE(error_of([&] { sum(h).backward(), view.backward(view.detach()); }).find("take the view again"),
            std::string::npos);
  Tensor again = leaf({1, 2}, {2});
  sum(again * 1.0).backward();
  EXPECT_TRUE(used.requires_grad());
}

TEST(InPlace, NoGradChangesWithoutARecord) {
  Tensor x = leaf({1, 2}, {2});
  {
    NoGrad no_grad;
    x.mul_(2.0).add_(1.0);
    x.narrow(0, 0, 1).zero_();
  }
  EXPECT_TRUE(x.is_leaf());
  EXPECT_EQ(values(x), (Values{0, 5}));
}

}  // namespace
}  // namespace iskra
