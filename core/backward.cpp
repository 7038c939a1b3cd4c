// The backward pass. Tensors that take part are visited consumers first; a tensor's gradient is complete when
// every node that uses it has been asked. Kernels overwrite; the pass adds when a second gradient arrives, in
// place where nobody else can see the memory.
#include <unordered_map>
#include <utility>
#include <vector>

#include <iskra/core/autograd.h>
#include <iskra/core/grad_meta.h>
#include <iskra/core/launch.h>
#include <iskra/kernels/kernels.h>

namespace iskra {
namespace {

using detail::GradMeta;
using detail::Node;

bool only_handle(const Tensor& x) { return x.impl().use_count() == 1 && x.impl()->storage.use_count() == 1; }

Tensor copy_like(const GradMeta& meta, const Tensor& x) {
  Tensor y = meta.empty_gradient();
  y.copy_from(x);
  return y;
}

class Pass final {
 public:
  void run(const Tensor& root, Tensor grad) {
    GradMeta& start = *root.impl()->meta;
    sort(&start);
    add(start, std::move(grad));
    if (!start.node) return finish_leaf(start);
    for (size_t i = order_.size(); i-- > 0;) {
      GradMeta* meta = order_[i];
      if (meta->node) step(*meta);
    }
  }

  // A pass that failed half-way leaves leaves with what they had and what had arrived.
  ~Pass() {
    for (auto& [meta, slot] : slots_) {
      if (!meta->node && slot.grad.defined()) meta->grad = std::move(slot.grad);
    }
  }

 private:
  struct Slot {
    Tensor grad;
    int pending = 0;  // uses of this tensor by nodes not yet asked
  };

  class NodeSinks final : public Sinks {
   public:
    NodeSinks(Pass& pass, const Node& node) : pass_(pass), node_(node) {}
    void give(int input, Tensor grad) override {
      const auto& meta = node_.inputs.at(static_cast<size_t>(input));
      if (!meta) return;
      ISKRA_CHECK(grad.defined() && grad.shape() == meta->shape && grad.dtype() == meta->dtype,
                  "backward of '", node_.name, "': gave a gradient ", grad.str(), " for an input ",
                  name_of(meta->dtype), " ", meta->shape);
      pass_.add(*meta, std::move(grad));
    }
    Sink accumulate(int input) override {
      const auto& meta = node_.inputs.at(static_cast<size_t>(input));
      ISKRA_CHECK(meta, node_.name, ": its backward asks for the gradient of input ", input,
                  ", which takes none");
      return pass_.memory(*meta);
    }

   private:
    Pass& pass_;
    const Node& node_;
  };

  // False when it was visited before. What comes is added to what a leaf holds.
  bool visit(GradMeta& meta) {
    auto [slot, first] = slots_.try_emplace(&meta);
    if (first && !meta.node) slot->second.grad = std::move(meta.grad);
    return first;
  }

  // Depth first without recursion: order_ gets every tensor after all that it was computed from.
  void sort(GradMeta* root) {
    struct Frame {
      GradMeta* meta;
      size_t next;
    };
    std::vector<Frame> stack{{root, 0}};
    visit(*root);
    while (!stack.empty()) {
      Frame& top = stack.back();
      const Node* node = top.meta->node.get();
      if (node == nullptr || top.next == node->inputs.size()) {
        order_.push_back(top.meta);
        stack.pop_back();
        continue;
      }
      GradMeta* input = node->inputs[top.next++].get();
      if (input == nullptr) continue;
      bool first_visit = visit(*input);
      ++slots_[input].pending;
      if (first_visit) stack.push_back({input, 0});
    }
  }

  void step(GradMeta& meta) {
    std::shared_ptr<Node> node = meta.node;
    ISKRA_CHECK(node->backward, "backward: the graph of '", node->name,
                "' was already used and its saved values are freed; compute the loss again");
    Tensor grad = std::move(slots_[&meta].grad);
    slots_[&meta].grad = {};
    if (grad.defined()) ask(*node, std::move(grad));
    node->backward = nullptr;
    for (const auto& input : node->inputs) {
      if (!input) continue;
      if (--slots_[input.get()].pending == 0 && !input->node) finish_leaf(*input);
    }
  }

  void ask(const Node& node, Tensor grad) {
    uint64_t bits = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i]) bits |= uint64_t{1} << i;
    }
    NodeSinks sinks(*this, node);
    Context before = context();
    context() = node.context;
    context().grad_enabled = false;
    context().memory_tag = MemoryTag::gradients;
    try {
      node.backward(grad, Wanted(bits), sinks);
    } catch (...) {
      context() = before;
      throw;
    }
    context() = before;
  }

  void add(GradMeta& meta, Tensor grad) {
    Tensor& held = slots_[&meta].grad;
    if (!held.defined()) {
      held = std::move(grad);
      return;
    }
    // Not in place where another handle sees it, or where elements share memory (the gradient of a sum).
    if (!only_handle(held) || !held.is_dense()) held = copy_like(meta, held);
    detail::launch(held.device(), [&](auto on) { kernels::add_into(on, grad.view(), held.mut(), 1.0F); });
  }

  Sink memory(GradMeta& meta) {
    Tensor& held = slots_[&meta].grad;
    if (!held.defined()) {
      held = meta.empty_gradient();
      return {held, 0.0F};
    }
    if (!only_handle(held) || !held.is_dense()) held = copy_like(meta, held);
    return {held, 1.0F};
  }

  // The gradient that a leaf keeps is its own memory, laid out like the leaf.
  void finish_leaf(GradMeta& leaf) {
    Tensor grad = std::move(slots_[&leaf].grad);
    slots_[&leaf].grad = {};
    if (grad.defined() && !(only_handle(grad) && grad.strides() == leaf.stride)) grad = copy_like(leaf, grad);
    leaf.grad = std::move(grad);
    auto owner = leaf.owner.lock();
    if (!owner || !leaf.grad.defined()) return;
    Tensor handle(owner);
    for (auto& hook : leaf.hooks) hook(handle);
  }

  std::unordered_map<GradMeta*, Slot> slots_;
  std::vector<GradMeta*> order_;
};

}  // namespace

void backward(const Tensor& root, const Tensor& grad, Caller caller) {
  detail::OpScope scope("backward", caller);
  ISKRA_CHECK(root.defined(), "backward: this Tensor is undefined");
  ISKRA_CHECK(root.requires_grad(), "backward: this Tensor depends on nothing that requires a gradient",
              context().grad_enabled ? "" : " (NoGrad is active here)",
              "; gradients themselves cannot be differentiated (there is no double backward)");
  Tensor seed = grad;
  if (!seed.defined()) {
    ISKRA_CHECK(root.numel() == 1, "backward: the Tensor has shape ", root.shape(),
                "; reduce it to one element, or pass the gradient to start from");
    seed = Tensor::full(root.shape(), 1, {.dtype = root.dtype(), .device = root.device()});
  }
  ISKRA_CHECK(seed.shape() == root.shape() && seed.dtype() == root.dtype(), "backward: the gradient is ",
              seed.str(), ", the Tensor ", root.str());
  NoGrad no_grad;
  Pass().run(root, seed.detach());
}

}  // namespace iskra
