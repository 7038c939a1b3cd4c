// The autograd part of a tensor, and a node of the tape. For the engine's own files.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <iskra/core/autograd.h>
#include <iskra/core/context.h>
#include <iskra/core/tensor_impl.h>

namespace iskra::detail {

struct Node;

struct GradMeta {
  bool requires_grad = false;
  std::shared_ptr<Node> node;  // null for a leaf
  Tensor grad;                 // leaves only
  std::vector<std::function<void(Tensor&)>> hooks;
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
  Context context;                                // settings of the forward pass
  ~Node();
};

/// The autograd part of x, made on first use.
GradMeta& meta_of(const Tensor& x);
void describe(GradMeta& meta, const TensorImpl& impl);

}  // namespace iskra::detail
