// Ways into a backward pass: hooks, several roots, gradients of chosen inputs, two halves, a kept graph.
#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include <iskra/core/autograd.h>
#include <iskra/core/context.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_of;
using Values = std::vector<double>;

Tensor leaf(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::of(values, shape).set_requires_grad();
}

Values values(const Tensor& x) { return x.to_vector<double>(); }

TEST(Hooks, ALeafHookFiresOnceAPassHoweverOftenItIsUsed) {
  Tensor w = leaf({2}, {1});
  std::vector<double> seen;
  w.on_gradient([&](Tensor& at) { seen.push_back(at.grad().item()); });
  Tensor h = w * 3.0;          // first use
  Tensor y = h * w + w * 1.0;  // tied: used thrice in all
  sum(y).backward();           // 6 w + 1
  EXPECT_EQ(seen, (Values{13}));
  sum(w * 1.0).backward();  // adds to what the leaf holds
  EXPECT_EQ(seen, (Values{13, 14}));
}

TEST(Hooks, HooksOfComputedTensorsSeeAndReplace) {
  Tensor x = leaf({1, 2}, {2});
  Tensor h = x * 3.0;
  std::vector<Values> seen;
  h.hook_gradient([&](const Tensor& grad) {
    seen.push_back(values(grad));
    return Tensor();
  });
  HookHandle doubled = h.hook_gradient([](const Tensor& grad) { return grad * 2.0; });
  Tensor loss = sum(h * h + h);  // two consumers: dh = 2h + 1
  backward(std::vector<Tensor>{loss}, {}, {.keep_graph = true});
  EXPECT_EQ(seen, (std::vector<Values>{{7, 13}}));
  EXPECT_EQ(values(x.grad()), (Values{42, 78}));
  doubled.remove();
  doubled.remove();
  x.clear_grad();
  loss.backward();
  EXPECT_EQ(values(x.grad()), (Values{21, 39}));
  EXPECT_EQ(seen.size(), 2U);
}

TEST(Hooks, AReplacingHookOnALeafSeesThePassAlone) {
  Tensor x = leaf({1, 2}, {2});
  std::vector<Values> seen;
  x.hook_gradient([&](const Tensor& grad) {
    seen.push_back(values(grad));
    return grad * 10.0;
  });
  sum(x * 2.0 + x).backward();
  sum(x * 1.0).backward();
  EXPECT_EQ(seen, (std::vector<Values>{{3, 3}, {1, 1}}));
  EXPECT_EQ(values(x.grad()), (Values{40, 40}));
}

TEST(Hooks, MisuseIsExplained) {
  Tensor x = leaf({1, 2}, {2});
  Tensor h = x * 2.0;
  EXPECT_EQ(error_of([&] { h.on_gradient([](Tensor&) {}); }),
            "on_gradient: only a leaf takes such a hook; this Tensor was computed by 'mul', use "
            "hook_gradient()");
  EXPECT_EQ(error_of([&] { x.detach().hook_gradient([](const Tensor& g) { return g; }); }),
            "hook_gradient: this Tensor f64 (2) cpu requires no gradient, so the hook would never run; use "
            "set_requires_grad() on a leaf");
  h.hook_gradient([](const Tensor& grad) { return sum(grad); });
  EXPECT_EQ(error_of([&] { sum(h).backward(); }),
            "hook_gradient on 'mul': gave a gradient f64 () cpu for an input f64 (2)");
}

TEST(Backward, RetainGradKeepsTheGradientOfAComputedTensor) {
  Tensor x = leaf({1, 2}, {2});
  Tensor h = x * 3.0;
  EXPECT_FALSE(h.retain_grad().grad().defined());
  Tensor loss = sum(h * h);
  backward(std::vector<Tensor>{loss}, {}, {.keep_graph = true});
  EXPECT_EQ(values(h.grad()), (Values{6, 12}));
  loss.backward();
  EXPECT_EQ(values(h.grad()), (Values{12, 24}));
  EXPECT_NE(error_of([&] { x.detach().retain_grad(); }).find("requires no gradient"), std::string::npos);
}

TEST(Backward, SeveralRootsAreOnePass) {
  Tensor x = leaf({1, 2}, {2});
  int calls = 0;
  x.on_gradient([&](Tensor&) { ++calls; });
  Tensor h = x * x;
  Tensor a = sum(h), b = h * 3.0;
  backward({a, b}, {Tensor(), Tensor::of({1.0, 10.0}, {2})});
  EXPECT_EQ(values(x.grad()), (Values{2 + 6, 4 + 120}));
  EXPECT_EQ(calls, 1);
  Tensor y = leaf({5}, {1});
  backward({y, y * 2.0});  // a root that is a leaf, and an input of another root
  EXPECT_EQ(values(y.grad()), (Values{3}));
  EXPECT_EQ(error_of([&] { backward({y}, {y, y}); }),
            "backward: 2 gradients for 1 roots; give one for each, or none");
  EXPECT_EQ(error_of([&] { backward(std::vector<Tensor>{}); }),
            "backward: the list of roots is empty; name one Tensor or more");
}

TEST(Backward, GradientsTouchNoLeaf) {
  Tensor x = leaf({1, 2}, {2}), w = leaf({3, 4}, {2}), unused = leaf({1}, {1});
  x.on_gradient([](Tensor&) { FAIL() << "gradients() ran a hook"; });
  Tensor h = x * w;
  Tensor loss = sum(h * h);
  std::vector<Tensor> got = gradients({loss}, {h, x, unused, x}, {}, {.keep_graph = true});
  EXPECT_EQ(values(got[0]), (Values{6, 16}));
  EXPECT_EQ(values(got[1]), (Values{18, 64}));
  EXPECT_FALSE(got[2].defined());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
  EXPECT_EQ(values(gradients({loss}, {w})[0]), (Values{6, 32}));
  EXPECT_NE(error_of([&] { loss.backward(); }).find("was already used"), std::string::npos);
  EXPECT_EQ(
      error_of([&] { gradients({sum(x * x)}, {x.detach()}); }),
      "gradients: input 0 is f64 (2) cpu, which requires no gradient; use set_requires_grad() before the "
      "forward pass");
}

TEST(Backward, GradientsAskOnlyWhatLiesBetween) {
  Tensor x = leaf({1, 2}, {2});
  int asked = 0;
  auto counted = [&](const Tensor& in) {
    return record("counted", in.detach(), {in}, [&](const Tensor& dy, Wanted, Sinks& to) {
      ++asked;
      to.give(0, dy);
    });
  };
  Tensor a = counted(x);
  Tensor b = counted(a);
  gradients({sum(counted(b))}, {b});
  EXPECT_EQ(asked, 1);
}

TEST(Backward, AKeptGraphGivesTheSameBitsAgain) {
  Tensor x = leaf({0.1, 0.2, 0.3}, {3});
  Tensor loss = sum(tanh(x * x));
  backward(std::vector<Tensor>{loss}, {}, {.keep_graph = true});
  Values first = values(x.grad());
  x.clear_grad();
  loss.backward();
  EXPECT_EQ(values(x.grad()), first);
  EXPECT_NE(error_of([&] { loss.backward(); }).find("was already used"), std::string::npos);
}

TEST(Backward, EnableGradRecordsWithinNoGrad) {
  Tensor x = leaf({1, 2}, {2});
  NoGrad no_grad;
  EXPECT_FALSE((x * 2.0).requires_grad());
  {
    EnableGrad enable;
    EXPECT_TRUE((x * 2.0).requires_grad());
  }
  EXPECT_FALSE((x * 2.0).requires_grad());
}

TEST(Backward, FollowsItsForwardIntoExactConvolutions) {
  RngScope scope({.seed = 4});
  const Tensor x = normal({1, 32, 16, 16}, 0, 1).set_requires_grad();
  const Tensor w = normal({32, 32, 3, 3}, 0, 1).set_requires_grad();
  const auto under = [](bool exact, auto&& f) {
    std::optional<ExactConvolutions> guard;
    if (exact) guard.emplace();
    return f();
  };
  const auto gradients_of = [&](bool exact_forward, bool exact_backward) {
    const Tensor loss = under(exact_forward, [&] {
      const Tensor y = conv2d(x, w, {}, {.padding = {1, 1}});
      return sum(y * y);
    });
    return under(exact_backward, [&] {
      const auto both = gradients({loss}, {x, w});
      return std::pair(values(both[0]), values(both[1]));
    });
  };
  const auto exact = gradients_of(true, true), fast = gradients_of(false, false);
  EXPECT_NE(exact.first, fast.first);
  EXPECT_NE(exact.second, fast.second);
  EXPECT_EQ(gradients_of(true, false), exact);
  EXPECT_EQ(gradients_of(false, true), fast);
}

// A pre-norm attention block and an MLP on it, as a pipeline stage.
struct Stage {
  Tensor x, norm_w, norm_b, qkv_w, qkv_b, proj_w, fc1_w, fc1_b, fc2_w;
  Stage() {
    RngScope scope({.seed = 3});
    auto make = [](const Shape& shape) { return normal(shape, 0, 0.3).set_requires_grad(); };
    x = make({2, 5, 8});
    norm_w = make({8}), norm_b = make({8});
    qkv_w = make({24, 8}), qkv_b = make({24}), proj_w = make({8, 8});
    fc1_w = make({16, 8}), fc1_b = make({16}), fc2_w = make({8, 16});
  }
  std::vector<Tensor> weights() const { return {norm_w, norm_b, qkv_w, qkv_b, proj_w, fc1_w, fc1_b, fc2_w}; }
  Tensor forward() const {
    Tensor attended = packed_attention(linear(layer_norm(x, norm_w, norm_b), qkv_w, qkv_b), 2);
    Tensor h = x + linear(attended, proj_w);
    Tensor y = h + linear(gelu(linear(layer_norm(h, norm_w, norm_b), fc1_w, fc1_b)), fc2_w);
    return linear(y, proj_w.transpose(0, 1));  // tied, through a view that only weights lead to
  }
};

TEST(Backward, TwoHalvesGiveTheBitsOfOne) {
  Stage whole, halves;
  RngScope scope({.seed = 9});
  Tensor grad = normal({2, 5, 8}, 0, 1);
  std::vector<std::vector<float>> expected;
  for (int pass = 0; pass < 2; ++pass) backward(whole.forward(), grad);  // the second adds to the first
  for (int pass = 0; pass < 2; ++pass) {
    int hooks = 0;
    HookHandle handle = halves.proj_w.on_gradient([&](Tensor&) { ++hooks; });
    std::vector<float> before;
    if (pass == 1) before = halves.fc1_w.grad().to_vector<float>();
    DeferredBackward rest = backward_inputs({halves.forward()}, {halves.x}, {grad});
    EXPECT_TRUE(halves.x.grad().defined());
    for (const Tensor& w : halves.weights()) EXPECT_EQ(w.grad().defined(), pass == 1);
    if (pass == 1) {
      EXPECT_EQ(halves.fc1_w.grad().to_vector<float>(), before);
    }
    EXPECT_EQ(hooks, 0);
    rest.finish();
    EXPECT_EQ(hooks, 1);
    EXPECT_EQ(error_of([&] { rest.finish(); }),
              "finish: this backward pass has finished already; it has one second half");
    handle.remove();
  }
  EXPECT_EQ(halves.x.grad().to_vector<float>(), whole.x.grad().to_vector<float>());
  for (size_t i = 0; i < whole.weights().size(); ++i) {
    EXPECT_EQ(halves.weights()[i].grad().to_vector<float>(), whole.weights()[i].grad().to_vector<float>())
        << "weight " << i;
  }
}

TEST(Backward, ANodeIsAskedOnceAHalfAndFreedAfterItsLast) {
  Tensor x = leaf({1, 2}, {2}), w = leaf({3, 4}, {2});
  std::vector<std::pair<bool, bool>> asked;
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> alive = held;
  Tensor y =
      record("both", mul(x, w).detach(), {x, w},
             [&asked, held, a = x.detach(), b = w.detach()](const Tensor& dy, Wanted wanted, Sinks& to) {
               asked.emplace_back(wanted[0], wanted[1]);
               if (wanted[0]) to.give(0, dy * b);
               if (wanted[1]) to.give(1, dy * a);
             });
  held.reset();
  DeferredBackward rest = backward_inputs({sum(y)}, {x});
  EXPECT_EQ(asked, (std::vector<std::pair<bool, bool>>{{true, false}}));
  EXPECT_FALSE(alive.expired());
  rest.finish();
  EXPECT_EQ(asked, (std::vector<std::pair<bool, bool>>{{true, false}, {false, true}}));
  EXPECT_TRUE(alive.expired());
  EXPECT_EQ(values(x.grad()), (Values{3, 4}));
  EXPECT_EQ(values(w.grad()), (Values{1, 2}));
}

TEST(Backward, HalvesOfSeveralPassesMayInterleave) {
  Tensor x = leaf({1, 2}, {2}), w = leaf({3, 4}, {2});
  DeferredBackward first = backward_inputs({sum(x * w)}, {x});
  DeferredBackward second = backward_inputs({sum(x * w * w)}, {x});
  first.finish();
  second.finish();
  EXPECT_EQ(values(x.grad()), (Values{12, 20}));
  EXPECT_EQ(values(w.grad()), (Values{1 + 6, 2 + 16}));
  {
    DeferredBackward dropped = backward_inputs({sum(x * w)}, {x});
  }
  EXPECT_EQ(values(w.grad()), (Values{7, 18}));
  EXPECT_EQ(error_of([&] { backward_inputs({sum(x * w)}, {}); }),
            "backward_inputs: the list of inputs is empty; without one, use backward()");
  EXPECT_NE(error_of([&] { backward_inputs({sum(x * w)}, {x * w}); }).find("must be a leaf"),
            std::string::npos);
}

TEST(Backward, MoreThan63InputsShareABit) {
  std::vector<Tensor> xs;
  for (int i = 0; i < 80; ++i) xs.push_back(leaf({double(i)}, {1}));
  xs[70].set_requires_grad(false);
  Tensor y = detail::record_node("many", Tensor::ones({1}, {.dtype = DType::f64}), xs,
                                 [](const Tensor& dy, Wanted wanted, Sinks& to) {
                                   for (int i = 0; i < 80; ++i)
                                     if (wanted[i]) to.give(i, dy * double(i));
                                 });
  backward(y);
  for (int i = 0; i < 80; ++i) {
    if (i == 70) continue;
    EXPECT_EQ(values(xs[size_t(i)].grad()), (Values{double(i)}));
  }
  EXPECT_FALSE(xs[70].grad().defined());
}

TEST(Gradcheck, TakesSeveralOutputsAndAnyLayout) {
  Tensor x = leaf({0.3, -0.7, 1.1, 0.2, 0.5, -0.9}, {2, 3});
  std::vector<Shape> strides;
  gradcheck(
      [&](const std::vector<Tensor>& in) {
        strides.push_back(in[0].strides());
        return std::vector<Tensor>{tanh(in[0]), argmax(in[0]), sum(in[0] * in[0], {0})};
      },
      {x.detach().transpose(0, 1).set_requires_grad()});
  for (const Shape& s : strides) EXPECT_EQ(s, Shape({1, 3}));
  Tensor gaps = Tensor::of({1.0, 9.0, 2.0, 9.0, 3.0, 9.0}, {3, 2}).narrow(1, 0, 1);
  gradcheck([](const std::vector<Tensor>& in) { return in[0] * in[0]; }, {gaps.set_requires_grad()});
}

TEST(Gradcheck, FindsAWrongGradientInOneOfSeveralOutputs) {
  Tensor x = leaf({0.3, -0.7}, {2});
  auto second_wrong = [](const std::vector<Tensor>& in) {
    Tensor wrong = record("wrong", exp(in[0]).detach(), {in[0]},
                          [](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy); });
    return std::vector<Tensor>{in[0] * 2.0, wrong};
  };
  EXPECT_NE(
      error_of([&] { gradcheck(second_wrong, {x}); }).find("gradcheck: input 0, element 0: the tape says"),
      std::string::npos);
  auto constant = [](const std::vector<Tensor>& in) { return in[0].detach(); };
  EXPECT_EQ(error_of([&] { gradcheck(constant, {x}); }),
            "gradcheck: no output of f depends on an input that requires a gradient");
  auto nothing = [](const std::vector<Tensor>& in) {
    return record("forgets", exp(in[0]).detach(), {in[0]}, [](const Tensor&, Wanted, Sinks&) {});
  };
  EXPECT_NE(error_of([&] { gradcheck(nothing, {x}); }).find("the tape says 0,"), std::string::npos);
}

}  // namespace
}  // namespace iskra
