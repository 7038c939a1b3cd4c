// The public ways into a backward pass; the pass itself is backward_pass.cpp.
#include <utility>
#include <vector>

#include <iskra/core/autograd.h>
#include <iskra/core/backward_pass.h>

namespace iskra {
namespace {

using detail::Pass;
using detail::Root;

Root root_of(const char* op, const Tensor& root, const Tensor& grad) {
  ISKRA_CHECK(root.defined(), op, ": this Tensor is undefined");
  ISKRA_CHECK(root.requires_grad(), op, ": this Tensor depends on nothing that requires a gradient",
              context().grad_enabled ? "" : " (NoGrad is active here)",
              "; gradients themselves cannot be differentiated (there is no double backward)");
  detail::check_fresh(*root.impl()->meta);
  Tensor seed = grad;
  if (!seed.defined()) {
    ISKRA_CHECK(root.numel() == 1, op, ": the Tensor has shape ", root.shape(),
                "; reduce it to one element, or pass the gradient to start from");
    seed = Tensor::full(root.shape(), 1, {.dtype = root.dtype(), .device = root.device()});
  }
  ISKRA_CHECK(seed.shape() == root.shape() && seed.dtype() == root.dtype(), op, ": the gradient is ",
              seed.str(), ", the Tensor ", root.str());
  return {root.impl()->meta, seed.detach()};
}

std::vector<Root> roots_of(const char* op, const std::vector<Tensor>& roots,
                           const std::vector<Tensor>& grads) {
  ISKRA_CHECK(!roots.empty(), op, ": the list of roots is empty; name one Tensor or more");
  ISKRA_CHECK(grads.empty() || grads.size() == roots.size(), op, ": ", grads.size(), " gradients for ",
              roots.size(), " roots; give one for each, or none");
  std::vector<Root> all;
  for (size_t i = 0; i < roots.size(); ++i)
    all.push_back(root_of(op, roots[i], grads.empty() ? Tensor() : grads[i]));
  return all;
}

}  // namespace

void backward(const Tensor& root, const Tensor& grad, Caller caller) {
  backward(std::vector<Tensor>{root}, grad.defined() ? std::vector<Tensor>{grad} : std::vector<Tensor>{}, {},
           caller);
}

void backward(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads, BackwardOptions options,
              Caller caller) {
  detail::OpScope scope("backward", caller);
  Pass pass(roots_of("backward", roots, grads));
  if (options.keep_graph) pass.keep_graph();
  NoGrad no_grad;
  pass.run_first();
}

std::vector<Tensor> gradients(const std::vector<Tensor>& roots, const std::vector<Tensor>& inputs,
                              const std::vector<Tensor>& grads, BackwardOptions options, Caller caller) {
  detail::OpScope scope("gradients", caller);
  Pass pass(roots_of("gradients", roots, grads));
  if (options.keep_graph) pass.keep_graph();
  ISKRA_CHECK(!inputs.empty(), "gradients: the list of inputs is empty; name one Tensor or more");
  for (size_t i = 0; i < inputs.size(); ++i) {
    ISKRA_CHECK(inputs[i].requires_grad(), "gradients: input ", i, " is ", inputs[i].str(),
                ", which requires no gradient; use set_requires_grad() before the forward pass");
    pass.target(*inputs[i].impl()->meta);
  }
  pass.collect();
  NoGrad no_grad;
  pass.run_first();
  if (!options.keep_graph) pass.free_graph();
  std::vector<Tensor> results;
  for (const Tensor& input : inputs) results.push_back(pass.take(*input.impl()->meta));
  return results;
}

struct DeferredBackward::State {
  explicit State(std::vector<Root> roots) : pass(std::move(roots)) {}
  Pass pass;
};

DeferredBackward::DeferredBackward(std::unique_ptr<State> state) : state_(std::move(state)) {}
DeferredBackward::DeferredBackward(DeferredBackward&&) noexcept = default;
DeferredBackward& DeferredBackward::operator=(DeferredBackward&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
DeferredBackward::~DeferredBackward() {
  if (state_) state_->pass.free_graph();
}

void DeferredBackward::finish(Caller caller) {
  detail::OpScope scope("finish", caller);
  ISKRA_CHECK(state_, "finish: this backward pass has finished already; it has one second half");
  std::unique_ptr<State> state = std::move(state_);
  NoGrad no_grad;
  state->pass.run_second();
}

DeferredBackward backward_inputs(const std::vector<Tensor>& roots, const std::vector<Tensor>& inputs,
                                 const std::vector<Tensor>& grads, Caller caller) {
  detail::OpScope scope("backward_inputs", caller);
  auto state = std::make_unique<DeferredBackward::State>(roots_of("backward_inputs", roots, grads));
  ISKRA_CHECK(!inputs.empty(), "backward_inputs: the list of inputs is empty; without one, use backward()");
  for (size_t i = 0; i < inputs.size(); ++i) {
    ISKRA_CHECK(inputs[i].requires_grad() && inputs[i].is_leaf(), "backward_inputs: input ", i, " is ",
                inputs[i].str(), "; it must be a leaf that requires a gradient");
    state->pass.target(*inputs[i].impl()->meta);
  }
  NoGrad no_grad;
  state->pass.run_first();
  return DeferredBackward(std::move(state));
}

}  // namespace iskra
