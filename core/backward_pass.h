// One backward pass over the tape, in one or two phases. For the engine's own files.
#pragma once

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include <iskra/core/grad_meta.h>

namespace iskra::detail {

/// A tensor that a pass starts from, with the gradient that it starts with.
struct Root {
  std::shared_ptr<GradMeta> meta;
  Tensor grad;
};

/// Tensors that take part are visited consumers first; a tensor's gradient is complete when every node that
/// uses it has been asked. Kernels overwrite; the pass adds when a second gradient arrives, in place where
/// nobody else can see the memory.
///
/// The phase of a tensor says when its gradient is computed: all in phase 1, or, where targets are named,
/// those that lie between the roots and a target in phase 1 and the others in phase 2. A node whose inputs
/// have both is asked in both. Additions into one tensor all happen in its own phase and in the order of the
/// nodes, so two phases give the bits of one.
class Pass final {
 public:
  explicit Pass(std::vector<Root> roots) : roots_(std::move(roots)) {}
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  /// Phase 1 stops at what leads to no target.
  void target(GradMeta& meta) { slot_for_target(meta).target = true; }
  /// A target whose gradients are handed to input `input` of an outer pass's node, and where this one ends.
  void forward(GradMeta& meta, Sinks& outer, int input);
  /// Leaves are left alone: their gradients are picked up with take().
  void collect() { collects_ = true; }
  void keep_graph() { keeps_graph_ = true; }

  void run_first();
  void run_second();
  /// A target's gradient after run_first(), in memory of its own; undefined when none arrived.
  Tensor take(GradMeta& meta);
  /// Drops the saved values of all nodes of this pass.
  void free_graph();

 private:
  class NodeSinks;
  struct Slot {
    Tensor grad;
    Tensor result;    // of a target that is collected
    int pending = 0;  // uses of this tensor by nodes not yet asked
    int phase = 0;    // 0: not yet known
    bool target = false;
    bool seeded = false;  // grad began as what the leaf holds
    Sinks* outer = nullptr;
    int outer_input = 0;
  };

  Slot& slot_for_target(GradMeta& meta) {
    has_targets_ = true;
    return slots_[&meta];
  }
  void start();
  void sort(GradMeta* root);
  void assign_phases();
  void run(int phase);
  void step(GradMeta& meta, Slot& slot, int phase);
  void complete(GradMeta& meta, Slot& slot);
  void ask(const Node& node, const Tensor& grad, int phase);
  void settle(const Node& node, int phase);
  void seed(GradMeta& meta, Slot& slot);
  void add(GradMeta& meta, Tensor grad);
  Sink memory(GradMeta& meta);
  void finish_leaf(GradMeta& leaf, Slot& slot);

  std::vector<Root> roots_;
  std::unordered_map<GradMeta*, Slot> slots_;
  std::vector<GradMeta*> order_;
  bool has_targets_ = false, collects_ = false, keeps_graph_ = false;
};

}  // namespace iskra::detail
