// Tensor's autograd members and the recording of nodes. The backward pass itself is backward.cpp.
#include <iskra/core/autograd.h>

#include <atomic>
#include <utility>
#include <vector>

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

void Node::free() {
  backward = nullptr;
  saved.clear();
}

void Node::check_saved() const {
  for (const SavedValue& value : saved) {
    const Storage& now = *value.impl->storage;
    uint64_t version = now.version.load(std::memory_order_relaxed);
    if (&now == value.storage && version == value.version) continue;
    ISKRA_CHECK(&now == value.storage, "backward of '", name, "': a saved value ", Tensor(value.impl).str(),
                " was given other memory by set_data() after it was saved; do so after the backward pass");
    throw Error(text("backward of '", name, "': a saved value ", Tensor(value.impl).str(),
                     " was changed in place after it was saved (version ", value.version, " then, ", version,
                     " now); change a clone() of it, or change it after the backward pass"));
  }
}

void Census::note(const std::shared_ptr<TensorImpl>& impl) {
  if (!impl) return;
  if (values_.empty()) values_.reserve(4);
  values_.push_back({impl, impl->storage.get(), impl->storage->version.load(std::memory_order_relaxed)});
}

void note_copy(Census& census, const std::shared_ptr<TensorImpl>& impl) { census.note(impl); }

// Views themselves are never changed in place with a record, so only the root of a view can be superseded.
void check_fresh(const GradMeta& x) {
  ISKRA_CHECK(!x.base || !x.base->superseded, "autograd: a view made by '", x.node->name,
              "' was taken before its base was changed in place; take the view again after the change");
}

Tensor record_node(const char* name, const Tensor& y, std::span<const Tensor> inputs, Backward backward,
                   std::vector<SavedValue> saved) {
  ISKRA_CHECK(is_floating(y.dtype()), name, ": a ", name_of(y.dtype()), " result has no gradient");
  auto node = std::make_shared<Node>();
  node->name = name;
  node->backward = std::move(backward);
  node->saved = std::move(saved);
  node->context = context();
  node->inputs.reserve(inputs.size());
  std::shared_ptr<GradMeta> base;
  for (const Tensor& x : inputs) {
    bool wanted = x.defined() && x.requires_grad();
    if (wanted) {
      const auto& meta = x.impl()->meta;
      check_fresh(*meta);
      if (x.impl()->storage == y.impl()->storage) base = meta->base ? meta->base : meta;
    }
    node->inputs.push_back(wanted ? x.impl()->meta : nullptr);
  }
  // A result that is one of the inputs, or that the closure itself keeps, would make the graph a cycle: give
  // it a handle of its own.
  bool kept = y.impl()->meta != nullptr;
  for (const SavedValue& value : node->saved) kept = kept || value.impl == y.impl();
  Tensor out = kept ? detail::view_of(y, y.shape(), y.strides()) : y;
  GradMeta& meta = meta_of(out);
  meta.requires_grad = true;
  meta.base = std::move(base);
  meta.node = std::move(node);
  return out;
}

Tensor record_node(const char* name, const Tensor& y, const std::vector<Tensor>& inputs,
                   const Backward& backward) {
  Census census;
  Backward kept(backward);
  return record_node(name, y, std::span<const Tensor>(inputs), std::move(kept), census.take());
}

}  // namespace detail

bool recording(std::initializer_list<const Tensor*> inputs) {
  if (!context().grad_enabled) {
    if (detail::current_probe != nullptr) {
      for (const Tensor* x : inputs)
        if (x->requires_grad()) detail::current_probe->push_back(*x);
    }
    return false;
  }
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

namespace {

HookHandle add_hook(const Tensor& x, detail::Hook hook) {
  static std::atomic<uint64_t> last = 0;
  const uint64_t id = ++last;
  hook.id = id;
  detail::meta_of(x).hooks.push_back(std::move(hook));
  return {x.impl()->meta, id};
}

}  // namespace

void HookHandle::remove() {
  auto meta = meta_.lock();
  if (meta) std::erase_if(meta->hooks, [id = id_](const detail::Hook& hook) { return hook.id == id; });
  meta_.reset();
}

HookHandle Tensor::on_gradient(std::function<void(Tensor&)> hook, Caller caller) {
  detail::OpScope scope("on_gradient", caller);
  detail::GradMeta& meta = detail::meta_of(*this);
  ISKRA_CHECK(!meta.node, "on_gradient: only a leaf takes such a hook; this Tensor was computed by '",
              meta.node->name, "', use hook_gradient()");
  return add_hook(*this, {0, std::move(hook), nullptr});
}

HookHandle Tensor::hook_gradient(std::function<Tensor(const Tensor&)> hook, Caller caller) {
  detail::OpScope scope("hook_gradient", caller);
  ISKRA_CHECK(requires_grad(), "hook_gradient: this Tensor ", str(),
              " requires no gradient, so the hook would never run; use set_requires_grad() on a leaf");
  return add_hook(*this, {0, nullptr, std::move(hook)});
}

Tensor& Tensor::retain_grad(Caller caller) {
  detail::OpScope scope("retain_grad", caller);
  ISKRA_CHECK(requires_grad(), "retain_grad: this Tensor ", str(),
              " requires no gradient; use set_requires_grad() on a leaf");
  impl_->meta->retains = impl_->meta->node != nullptr;
  return *this;
}

Tensor Tensor::detach(Caller caller) const {
  detail::OpScope scope("detach", caller);
  ISKRA_CHECK(defined(), "detach: this Tensor is undefined");
  return detail::view_of(*this, shape(), strides());
}

void Tensor::backward(Caller caller) const { iskra::backward(*this, {}, caller); }
void Tensor::backward(const Tensor& grad, Caller caller) const { iskra::backward(*this, grad, caller); }

}  // namespace iskra
