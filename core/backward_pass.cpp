#include <iskra/core/backward_pass.h>

#include <iskra/core/launch.h>
#include <iskra/kernels/kernels.h>

namespace iskra::detail {
namespace {

bool only_handle(const Tensor& x) { return x.impl().use_count() == 1 && x.impl()->storage.use_count() == 1; }

Tensor copy_like(const GradMeta& meta, const Tensor& x) {
  Tensor y = meta.empty_gradient();
  y.copy_from(x);
  return y;
}

// Memory of its own, laid out like the tensor.
Tensor owned(const GradMeta& meta, Tensor grad) {
  return only_handle(grad) && grad.strides() == meta.stride ? std::move(grad) : copy_like(meta, grad);
}

void check_gradient(const char* giver, const char* name, const GradMeta& meta, const Tensor& grad) {
  ISKRA_CHECK(grad.defined() && grad.shape() == meta.shape && grad.dtype() == meta.dtype, giver, name,
              "': gave a gradient ", grad.str(), " for an input ", name_of(meta.dtype), " ", meta.shape);
}

// Runs the hooks that may replace a gradient. They may add and remove hooks meanwhile.
Tensor hooked(const GradMeta& meta, Tensor grad) {
  const std::vector<Hook> hooks = meta.hooks;
  for (const Hook& hook : hooks) {
    if (!hook.value) continue;
    Tensor replaced = hook.value(grad);
    if (!replaced.defined()) continue;
    check_gradient("hook_gradient on '", meta.node ? meta.node->name : "leaf", meta, replaced);
    grad = replaced.detach();
  }
  return grad;
}

bool has_value_hook(const GradMeta& meta) {
  for (const Hook& hook : meta.hooks)
    if (hook.value) return true;
  return false;
}

// The settings of a node's forward pass, but nothing is recorded, and gradients have the types of inputs.
class Under {
 public:
  explicit Under(const Context& settings) : before_(context()) {
    context() = settings;
    context().grad_enabled = false;
    context().autocast = false;
    context().memory_tag = MemoryTag::gradients;
  }
  ~Under() { context() = before_; }
  Under(const Under&) = delete;
  Under& operator=(const Under&) = delete;

 private:
  Context before_;
};

}  // namespace

class Pass::NodeSinks final : public Sinks {
 public:
  NodeSinks(Pass& pass, const Node& node, int phase) : pass_(pass), node_(node), phase_(phase) {}

  void give(int input, Tensor grad) override {
    const auto& meta = node_.inputs.at(static_cast<size_t>(input));
    if (!meta || pass_.slots_.at(meta.get()).phase != phase_) return;
    check_gradient("backward of '", node_.name, *meta, grad);
    pass_.add(*meta, std::move(grad));
  }

  Sink accumulate(int input) override {
    const auto& meta = node_.inputs.at(static_cast<size_t>(input));
    ISKRA_CHECK(meta, node_.name, ": its backward asks for the gradient of input ", input,
                ", which takes none");
    if (pass_.slots_.at(meta.get()).phase != phase_) return {meta->empty_gradient(), 0.0F};  // dropped
    return pass_.memory(*meta);
  }

 private:
  Pass& pass_;
  const Node& node_;
  int phase_;
};

// A pass that failed half-way leaves leaves with what they had and what had arrived.
Pass::~Pass() {
  for (auto& [meta, slot] : slots_) {
    if (slot.seeded && slot.grad.defined()) meta->grad = std::move(slot.grad);
  }
}

void Pass::forward(GradMeta& meta, Sinks& outer, int input) {
  Slot& slot = slot_for_target(meta);
  slot.target = true;
  slot.outer = &outer;
  slot.outer_input = input;
}

// Depth first without recursion: order_ gets every tensor after all that it was computed from.
void Pass::sort(GradMeta* root) {
  struct Frame {
    GradMeta* meta;
    size_t next;
  };
  constexpr int kSeen = -1;
  std::vector<Frame> stack;
  auto visit = [&](GradMeta* meta) {
    Slot& slot = slots_[meta];
    if (slot.phase == kSeen) return;
    slot.phase = kSeen;
    stack.push_back({meta, 0});
  };
  visit(root);
  while (!stack.empty()) {
    Frame& top = stack.back();
    const Node* node = top.meta->node.get();
    if (node == nullptr || top.next == node->inputs.size() || slots_[top.meta].outer != nullptr) {
      order_.push_back(top.meta);
      stack.pop_back();
      continue;
    }
    GradMeta* input = node->inputs[top.next++].get();
    if (input == nullptr) continue;
    ++slots_[input].pending;
    visit(input);
  }
}

void Pass::assign_phases() {
  for (GradMeta* meta : order_) {  // inputs come before what is computed from them
    Slot& slot = slots_.at(meta);
    slot.phase = !has_targets_ || slot.target ? 1 : 2;
    if (slot.phase == 1 || !meta->node || slot.outer != nullptr) continue;
    for (const auto& input : meta->node->inputs) {
      if (input && slots_.at(input.get()).phase == 1) slot.phase = 1;
    }
  }
}

void Pass::start() {
  for (Root& root : roots_) sort(root.meta.get());
  assign_phases();
  for (Root& root : roots_) add(*root.meta, std::move(root.grad));
}

void Pass::run_first() {
  MemoryScope tag(MemoryTag::gradients);
  start();
  run(1);
}

void Pass::run_second() {
  MemoryScope tag(MemoryTag::gradients);
  run(2);
}

void Pass::run(int phase) {
  for (Root& root : roots_) {
    Slot& slot = slots_.at(root.meta.get());
    if (!root.meta->node && slot.pending == 0 && slot.phase == phase) finish_leaf(*root.meta, slot);
  }
  for (size_t i = order_.size(); i-- > 0;) {
    GradMeta* meta = order_[i];
    Slot& slot = slots_.at(meta);
    if (meta->node && slot.outer == nullptr && slot.phase <= phase) step(*meta, slot, phase);
  }
}

void Pass::step(GradMeta& meta, Slot& slot, int phase) {
  if (slot.phase == phase) complete(meta, slot);
  std::shared_ptr<Node> node = meta.node;
  bool now = false, later = false;
  for (const auto& input : node->inputs) {
    if (!input) continue;
    int when = slots_.at(input.get()).phase;
    now = now || when == phase;
    later = later || when > phase;
  }
  Tensor grad = later ? slot.grad : std::move(slot.grad);
  if (!later) slot.grad = {};
  if (now) {
    ISKRA_CHECK(node->backward, "backward: the graph of '", node->name,
                "' was already used and its saved values are freed; compute the loss again");
    if (grad.defined()) ask(*node, grad, phase);
  }
  if (!later && !keeps_graph_) node->free();
  if (now) settle(*node, phase);
}

// The whole gradient of a computed tensor has arrived.
void Pass::complete(GradMeta& meta, Slot& slot) {
  if (!slot.grad.defined()) return;
  if (!meta.hooks.empty()) slot.grad = hooked(meta, std::move(slot.grad));
  if (collects_) {
    if (slot.target) slot.result = slot.grad;
    return;
  }
  if (!meta.retains) return;
  Tensor kept = copy_like(meta, slot.grad);
  if (meta.grad.defined()) {
    launch(kept.device(), [&](auto on) { kernels::add_into(on, meta.grad.view(), kept.mut(), 1.0F); });
  }
  meta.grad = kept;
}

void Pass::ask(const Node& node, const Tensor& grad, int phase) {
  uint64_t bits = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const auto& input = node.inputs[i];
    if (input && slots_.at(input.get()).phase == phase)
      bits |= uint64_t{1} << Wanted::bit_of(static_cast<int>(i));
  }
  node.check_saved();
  NodeSinks sinks(*this, node, phase);
  Under settings(node.context);
  node.backward(grad, Wanted(bits), sinks);
}

void Pass::settle(const Node& node, int phase) {
  for (const auto& input : node.inputs) {
    if (!input) continue;
    Slot& slot = slots_.at(input.get());
    if (slot.phase == phase && --slot.pending == 0 && !input->node && slot.outer == nullptr)
      finish_leaf(*input, slot);
  }
}

// What comes is added to what a leaf holds, unless a hook is to see it alone.
void Pass::seed(GradMeta& meta, Slot& slot) {
  if (slot.seeded || meta.node || collects_ || slot.outer != nullptr || has_value_hook(meta)) return;
  slot.seeded = true;
  slot.grad = std::move(meta.grad);
  meta.grad = {};
}

void Pass::add(GradMeta& meta, Tensor grad) {
  Slot& slot = slots_.at(&meta);
  if (slot.outer != nullptr) return slot.outer->give(slot.outer_input, std::move(grad));
  seed(meta, slot);
  Tensor& held = slot.grad;
  if (!held.defined()) {
    held = std::move(grad);
    return;
  }
  if (!only_handle(held) || !held.is_dense()) held = copy_like(meta, held);
  launch(held.device(), [&](auto on) { kernels::add_into(on, grad.view(), held.mut(), 1.0F); });
}

Sink Pass::memory(GradMeta& meta) {
  Slot& slot = slots_.at(&meta);
  if (slot.outer != nullptr) return slot.outer->accumulate(slot.outer_input);
  seed(meta, slot);
  Tensor& held = slot.grad;
  if (!held.defined()) {
    held = meta.empty_gradient();
    return {held, 0.0F};
  }
  if (!only_handle(held) || !held.is_dense()) held = copy_like(meta, held);
  return {held, 1.0F};
}

void Pass::finish_leaf(GradMeta& leaf, Slot& slot) {
  Tensor grad = std::move(slot.grad);
  slot.grad = {};
  if (collects_) {
    if (slot.target) slot.result = std::move(grad);
    return;
  }
  const bool seeded = std::exchange(slot.seeded, false);
  if (grad.defined() && !seeded) {  // seen by a hook before it is added
    grad = owned(leaf, hooked(leaf, std::move(grad)));
    if (leaf.grad.defined())
      launch(grad.device(), [&](auto on) { kernels::add_into(on, leaf.grad.view(), grad.mut(), 1.0F); });
    leaf.grad = std::move(grad);
  } else if (grad.defined()) {
    leaf.grad = owned(leaf, std::move(grad));
  }
  auto owner = leaf.owner.lock();
  if (!owner || !leaf.grad.defined()) return;
  Tensor handle(owner);
  const std::vector<Hook> hooks = leaf.hooks;
  for (const Hook& hook : hooks) {
    if (hook.leaf) hook.leaf(handle);
  }
}

Tensor Pass::take(GradMeta& meta) {
  auto found = slots_.find(&meta);
  if (found == slots_.end() || !found->second.result.defined()) return {};
  Tensor result = std::move(found->second.result);
  found->second.result = {};
  return owned(meta, std::move(result));
}

void Pass::free_graph() {
  for (GradMeta* meta : order_) {
    if (meta->node) meta->node->free();
  }
}

}  // namespace iskra::detail
