// Misuses of the tape.
#include "misuses.h"

namespace iskra::testing {

namespace {

Tensor leaf(const Shape& shape) { return floats(shape).set_requires_grad(); }

Tensor& computed() {
  static Tensor y = exp(leaf({2}));
  return y;
}

Tensor used() {
  Tensor y = sum(exp(leaf({2})));
  y.backward();
  return y;
}

Tensor unrecorded() {
  NoGrad no_grad;
  return sum(leaf({2}));
}

DeferredBackward first_half() {
  Tensor x = leaf({2});
  return backward_inputs({sum(exp(x))}, {x});
}

std::string changed_leaf(const std::string& op) {
  return op +
         ": this Tensor f32 (2) cpu is a leaf that requires a gradient; change it within NoGrad, or change "
         "a clone()";
}

Tensor wrong_backward() {
  return record("halved", floats({2}), {leaf({2})},
                [](const Tensor&, Wanted, Sinks& to) { to.give(0, floats({3})); });
}

}  // namespace

std::vector<Misuse> autograd_misuses() {
  return {
    ISKRA_MISUSED("backward", floats({}).backward(),
                  "backward: this Tensor depends on nothing that requires a gradient; gradients themselves "
                  "cannot be differentiated (there is no double backward)"),
        ISKRA_MISUSED("backward", leaf({2, 3}).backward(),
                      "backward: the Tensor has shape (2, 3); reduce it to one element, or pass the gradient "
                      "to start from"),
        ISKRA_MISUSED("backward", Tensor().backward(), "backward: this Tensor is undefined"),
        ISKRA_MISUSED("backward", backward(leaf({2, 3}), floats({3, 2})),
                      "backward: the gradient is f32 (3, 2) cpu, the Tensor f32 (2, 3) cpu"),
        ISKRA_MISUSED("backward", backward(leaf({2, 3}), doubles({2, 3})),
                      "backward: the gradient is f64 (2, 3) cpu, the Tensor f32 (2, 3) cpu"),
        ISKRA_MISUSED("backward", used().backward(),
                      "backward: the graph of 'sum' was already used and its saved values are freed; compute "
                      "the loss again"),
        ISKRA_MISUSED(
            "backward", unrecorded().backward(),
            "backward: this Tensor depends on nothing that requires a gradient; gradients themselves "
            "cannot be differentiated (there is no double backward)"),
        ISKRA_MISUSED("backward", backward(wrong_backward(), floats({2})),
                      "backward of 'halved': gave a gradient f32 (3) cpu for an input f32 (2)"),
        ISKRA_MISUSED(
            "set_requires_grad", computed().set_requires_grad(false),
            "set_requires_grad: this Tensor was computed by 'exp'; only a leaf can be switched, use "
            "detach() first"),
        ISKRA_MISUSED("set_requires_grad", longs({2}).set_requires_grad(),
                      "set_requires_grad: a i64 Tensor has no gradient; only f32, f64, f16, bf16 have"),
        ISKRA_MISUSED("set_grad", leaf({2, 3}).set_grad(floats({3, 2})),
                      "set_grad: the gradient is f32 (3, 2) cpu, the tensor f32 (2, 3) cpu"),
        ISKRA_MISUSED("set_grad", leaf({2, 3}).set_grad(doubles({2, 3})),
                      "set_grad: the gradient is f64 (2, 3) cpu, the tensor f32 (2, 3) cpu"),
        ISKRA_MISUSED("on_gradient", computed().on_gradient([](Tensor&) {}),
                      "on_gradient: only a leaf takes such a hook; this Tensor was computed by 'exp', use "
                      "hook_gradient()"),
        ISKRA_MISUSED(
            "hook_gradient", floats({2}).hook_gradient([](const Tensor& g) { return g; }),
            "hook_gradient: this Tensor f32 (2) cpu requires no gradient, so the hook would never run; "
            "use set_requires_grad() on a leaf"),
        ISKRA_MISUSED(
            "retain_grad", floats({2}).retain_grad(),
            "retain_grad: this Tensor f32 (2) cpu requires no gradient; use set_requires_grad() on a "
            "leaf"),
        ISKRA_MISUSED("gradients", gradients({computed()}, {}, {floats({2})}),
                      "gradients: the list of inputs is empty; name one Tensor or more"),
        ISKRA_MISUSED("backward_inputs", backward_inputs({computed()}, {}, {floats({2})}),
                      "backward_inputs: the list of inputs is empty; without one, use backward()"),
        ISKRA_MISUSED("finish", auto rest = first_half(); rest.finish();
                      rest.finish(),
                      "finish: this backward pass has finished already; it has one second half"),
        ISKRA_MISUSED("add_", leaf({2}).add_(1.0), changed_leaf("add_")),
        ISKRA_MISUSED("sub_", leaf({2}).sub_(1.0), changed_leaf("sub_")),
        ISKRA_MISUSED("mul_", leaf({2}).mul_(1.0), changed_leaf("mul_")),
        ISKRA_MISUSED("div_", leaf({2}).div_(1.0), changed_leaf("div_")),
        ISKRA_MISUSED("fill_", leaf({2}).fill_(1.0), changed_leaf("fill_")),
        ISKRA_MISUSED("zero_", leaf({2}).zero_(), changed_leaf("fill_")),
        ISKRA_MISUSED("copy_", leaf({2}).copy_(floats({2})), changed_leaf("copy_")),
        ISKRA_MISUSED(
            "fill", computed().fill(1),
            "fill: this Tensor was computed by 'exp' and a plain write is not recorded; use fill_(), "
            "or write within NoGrad"),
        ISKRA_MISUSED("detach", Tensor().detach(), "detach: this Tensor is undefined"),
        ISKRA_MISUSED("set_data", Tensor().set_data(floats({2})),
                      "set_data: this Tensor is undefined; assign to it instead"),
        ISKRA_MISUSED("set_data", leaf({2}).set_data(computed()),
                      "set_data: the new value is part of a graph; pass value.detach()"),
  };
}

}  // namespace iskra::testing
