// The autograd part of a tensor, and a node of the tape. For the engine's own files.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <iskra/core/autograd.h>
#include <iskra/core/context.h>
#include <iskra/core/saved.h>
#include <iskra/core/tensor_impl.h>

namespace iskra::detail {

struct Node;

struct Hook {
  uint64_t id;
  std::function<void(Tensor&)> leaf;           // either this one
  std::function<Tensor(const Tensor&)> value;  // or that one
};

struct GradMeta {
  bool requires_grad = false;
  bool retains = false;            // not a leaf, keeps its gradient
  bool superseded = false;         // the tensor was changed in place and has another autograd part since
  std::shared_ptr<GradMeta> base;  // of a view: the tensor at the root of it, which is no view itself
  std::shared_ptr<Node> node;      // null for a leaf
  Tensor grad;                     // of leaves, and where `retains`
  std::vector<Hook> hooks;
  std::weak_ptr<TensorImpl> owner;

  // How a gradient of this tensor looks; kept apart from the data, which the graph does not own.
  Shape shape;
  Shape stride;
  DType dtype = DType::f32;
  Device device;

  /// Uninitialised memory for a gradient, laid out like the tensor where that is dense.
  Tensor empty_gradient() const;
};

/// Never refers to its own output: outputs own nodes, nodes own the autograd parts of their inputs.
struct Node {
  const char* name = "";
  std::vector<std::shared_ptr<GradMeta>> inputs;  // null: this input takes no gradient
  Backward backward;                              // empty once used
  std::vector<SavedValue> saved;                  // what the closure keeps
  Context context;                                // settings of the forward pass
  ~Node();
  /// Drops the closure and what it keeps.
  void free();
  /// Throws when a value was changed since it was saved.
  void check_saved() const;
};

/// The autograd part of x, made on first use.
GradMeta& meta_of(const Tensor& x);
void describe(GradMeta& meta, const TensorImpl& impl);
/// Throws when x is a view whose base was since changed in place with a record: x's history would be wrong.
void check_fresh(const GradMeta& x);

}  // namespace iskra::detail
