#include <iskra/core/autocast.h>

#include <unordered_map>
#include <utility>

#include <iskra/core/grad_meta.h>

namespace iskra {
namespace {

// The casts of leaves made in this scope. An entry holds its leaf, so that no other tensor gets its address.
struct CachedCast {
  Tensor leaf, cast;
  uint64_t version = 0;
};
using Cache = std::unordered_map<const detail::TensorImpl*, CachedCast>;

Cache& cache() {
  thread_local Cache casts;
  return casts;
}

bool castable(const Tensor& x) { return x.defined() && is_floating(x.dtype()) && x.dtype() != DType::f64; }

// A cast whose node has been through a backward pass cannot be part of another graph.
bool usable(const CachedCast& at, DType dtype) {
  const auto& meta = at.cast.impl()->meta;
  return at.cast.dtype() == dtype && at.version == at.leaf.version() && meta && meta->node->backward;
}

Tensor cached(const Tensor& leaf, DType dtype) {
  CachedCast& at = cache()[leaf.impl().get()];
  if (at.cast.defined() && usable(at, dtype)) return at.cast;
  at = {leaf, leaf.to(dtype), leaf.version()};
  return at.cast;
}

}  // namespace

Autocast::Autocast(DType dtype, Caller caller)
    : on_before_(context().autocast), dtype_before_(context().autocast_dtype), outermost_(!on_before_) {
  detail::OpScope scope("Autocast", caller);
  ISKRA_CHECK(dtype == DType::bf16 || dtype == DType::f16, "Autocast: ", name_of(dtype),
              " is no lower precision; use bf16 or f16");
  context().autocast = true;
  context().autocast_dtype = dtype;
}

Autocast::~Autocast() {
  context().autocast = on_before_;
  context().autocast_dtype = dtype_before_;
  if (outermost_) cache().clear();
}

NoAutocast::NoAutocast() : before_(context().autocast) { context().autocast = false; }
NoAutocast::~NoAutocast() { context().autocast = before_; }

namespace detail {

bool Recast::needed(Precision precision, std::initializer_list<const Tensor*> inputs) {
  target_ = precision == Precision::lower ? context().autocast_dtype : DType::f32;
  bool changes = false;
  for (const Tensor* x : inputs) {
    if (!x->defined()) continue;
    if (x->dtype() == DType::f64) return false;  // an op in double precision is wanted so
    changes = changes || (castable(*x) && x->dtype() != target_);
  }
  return changes;
}

Tensor Recast::operator()(const Tensor& x) const {
  if (!castable(x) || x.dtype() == target_) return x;
  const bool parameter = context().grad_enabled && x.requires_grad() && x.is_leaf();
  return parameter ? cached(x, target_) : x.to(target_);
}

struct NoCastCache::Held {
  Cache casts;
};
NoCastCache::NoCastCache() : held_(std::make_unique<Held>()) { std::swap(held_->casts, cache()); }
NoCastCache::~NoCastCache() { std::swap(held_->casts, cache()); }

}  // namespace detail
}  // namespace iskra
