// Tensor's autograd members and the recording of nodes. The backward pass itself is backward.cpp.
#include <iskra/core/autograd.h>

#include <utility>

#include <iskra/core/grad_meta.h>
#include <iskra/core/launch.h>
#include <iskra/kernels/kernels.h>

namespace iskra {
namespace detail {

Tensor GradMeta::empty_gradient() const {
  MemoryScope scope(MemoryTag::gradients);
  Tensor y = Tensor::empty(shape, {.dtype = dtype, .device = device});
  Tensor strided = view_of(y, shape, stride);
  return strided.is_dense() ? strided : y;
}

// A long chain of ops would otherwise be freed by as deep a recursion.
Node::~Node() {
  thread_local std::vector<std::shared_ptr<GradMeta>>* graveyard = nullptr;
  if (graveyard != nullptr) {
    for (auto& input : inputs) graveyard->push_back(std::move(input));
    return;
  }
  std::vector<std::shared_ptr<GradMeta>> waiting = std::move(inputs);
  graveyard = &waiting;
  while (!waiting.empty()) {
    std::shared_ptr<GradMeta> last = std::move(waiting.back());
    waiting.pop_back();
    last.reset();
  }
  graveyard = nullptr;
}

void into_row_major(const Sink& sink, const std::function<void(const Sink&)>& compute) {
  if (sink.into.is_contiguous()) return compute(sink);
  Tensor part = Tensor::empty(sink.into.shape(), {.dtype = sink.into.dtype(), .device = sink.into.device()});
  compute({part, 0});
  Tensor into = sink.into;
  launch(into.device(), [&](auto on) { kernels::add_into(on, part.view(), into.mut(), sink.beta); });
}

void describe(GradMeta& meta, const TensorImpl& impl) {
  meta.shape = impl.shape;
  meta.stride = impl.stride;
  meta.dtype = impl.dtype;
  meta.device = impl.storage->device;
}

GradMeta& meta_of(const Tensor& x) {
  ISKRA_CHECK(x.defined(), "autograd: this Tensor is undefined; give it a value first");
  auto& meta = x.impl()->meta;
  if (!meta) {
    meta = std::make_shared<GradMeta>();
    describe(*meta, *x.impl());
    meta->owner = x.impl();
  }
  return *meta;
}

Tensor record_node(const char* name, const Tensor& y, const std::vector<Tensor>& inputs, Backward backward) {
  ISKRA_CHECK(is_floating(y.dtype()), name, ": a ", name_of(y.dtype()), " result has no gradient");
  ISKRA_CHECK(inputs.size() <= 64, name, ": ", inputs.size(), " inputs; a node takes at most 64");
  auto node = std::make_shared<Node>();
  node->name = name;
  node->backward = std::move(backward);
  node->context = context();
  for (const Tensor& x : inputs) {
    node->inputs.push_back(x.defined() && x.requires_grad() ? x.impl()->meta : nullptr);
  }
  // A result that is one of the inputs would make the graph a cycle: give it a handle of its own.
  Tensor out = y.impl()->meta ? y.detach() : y;
  GradMeta& meta = meta_of(out);
  meta.requires_grad = true;
  meta.node = std::move(node);
  return out;
}

}  // namespace detail

bool recording(std::initializer_list<const Tensor*> inputs) {
  if (!context().grad_enabled) return false;
  for (const Tensor* x : inputs) {
    if (x->defined() && x->requires_grad()) return true;
  }
  return false;
}

Tensor save_if(bool needed, const Tensor& value) {
  return needed && context().grad_enabled ? value.detach() : Tensor();
}

bool Tensor::requires_grad() const { return defined() && impl_->meta && impl_->meta->requires_grad; }

bool Tensor::is_leaf() const { return !impl_ || !impl_->meta || !impl_->meta->node; }

Tensor& Tensor::set_requires_grad(bool on, Caller caller) {
  detail::OpScope scope("set_requires_grad", caller);
  if (!on && (!defined() || !impl_->meta)) return *this;
  detail::GradMeta& meta = detail::meta_of(*this);
  ISKRA_CHECK(!meta.node, "set_requires_grad: this Tensor was computed by '", meta.node->name,
              "'; only a leaf can be switched, use detach() first");
  ISKRA_CHECK(!on || is_floating(dtype()), "set_requires_grad: a ", name_of(dtype()),
              " Tensor has no gradient; only f32, f64, f16, bf16 have");
  meta.requires_grad = on;
  if (!on) meta.grad = {};
  return *this;
}

Tensor Tensor::grad() const { return defined() && impl_->meta ? impl_->meta->grad : Tensor(); }

void Tensor::set_grad(const Tensor& grad, Caller caller) {
  detail::OpScope scope("set_grad", caller);
  detail::GradMeta& meta = detail::meta_of(*this);
  if (grad.defined()) {
    ISKRA_CHECK(grad.shape() == shape() && grad.dtype() == dtype(), "set_grad: the gradient is ", grad.str(),
                ", the tensor ", str());
  }
  meta.grad = grad;
}

void Tensor::clear_grad() {
  if (defined() && impl_->meta) impl_->meta->grad = {};
}

void Tensor::on_gradient(std::function<void(Tensor&)> hook, Caller caller) {
  detail::OpScope scope("on_gradient", caller);
  detail::GradMeta& meta = detail::meta_of(*this);
  ISKRA_CHECK(!meta.node, "on_gradient: only a leaf takes a gradient hook; this Tensor was computed by '",
              meta.node->name, "'");
  meta.hooks.push_back(std::move(hook));
}

Tensor Tensor::detach(Caller caller) const {
  detail::OpScope scope("detach", caller);
  ISKRA_CHECK(defined(), "detach: this Tensor is undefined");
  return detail::view_of(*this, shape(), strides());
}

void Tensor::backward(Caller caller) const { iskra::backward(*this, {}, caller); }
void Tensor::backward(const Tensor& grad, Caller caller) const { iskra::backward(*this, grad, caller); }

}  // namespace iskra
