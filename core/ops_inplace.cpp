// Changes in place: which are allowed, and how they are recorded.
//
// A recorded change gives the tensor a new place on the tape: a node whose input is the tensor's former
// autograd part, which nodes that used the tensor before keep. What they saved of its memory has an old
// version by then, and their backward says so.
#include <iskra/core/grad_meta.h>
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/promote.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::GradMeta;
using detail::launch;
using detail::mut_or_none;
using detail::view_or_none;
using kernels::BinaryOp;

namespace {

bool overlaps_itself(const Tensor& y) {
  for (int i = 0; i < y.rank(); ++i)
    if (y.strides()[i] == 0 && y.shape()[i] > 1) return true;
  return false;
}

// Throws unless y may change; says whether the change has to be recorded.
bool check_change(const char* name, const Tensor& y, const Tensor& other) {
  ISKRA_CHECK(y.defined(), name, ": this Tensor is undefined; give it a value first");
  ISKRA_CHECK(!overlaps_itself(y), name, ": this Tensor ", y.str(),
              " is expanded, several of its elements are one in memory; use clone() first");
  if (!context().grad_enabled) return false;
  if (!y.requires_grad() && !recording({&other})) return false;
  ISKRA_CHECK(is_floating(y.dtype()), name, ": a ", name_of(y.dtype()),
              " Tensor has no gradient, but the other operand ", other.str(),
              " requires one; use detach() on it");
  const GradMeta* meta = y.impl()->meta.get();
  if (!y.requires_grad()) {
    ISKRA_CHECK(y.impl()->storage.use_count() == 1, name, ": the memory of this Tensor ", y.str(),
                " is shared with another one, whose history would miss the change; use clone() first");
    return true;
  }
  ISKRA_CHECK(meta->node, name, ": this Tensor ", y.str(),
              " is a leaf that requires a gradient; change it within NoGrad, or change a clone()");
  ISKRA_CHECK(!meta->base, name, ": this Tensor ", y.str(), " is a view made by '", meta->node->name,
              "', and its base is part of the graph; change the base, or a clone() of the view");
  detail::check_fresh(*meta);
  return true;
}

// y's autograd part becomes that of a node which reads y as it was (input 0) and `other` (input 1).
template <class F>
void rebase(const char* name, Tensor& y, const Tensor& other, F&& backward) {
  const auto& impl = y.impl();
  const bool itself = other.impl() == impl;
  auto former = std::move(impl->meta);
  impl->meta = nullptr;
  Tensor before = detail::view_of(y, y.shape(), y.strides());
  before.impl()->meta = former;
  Tensor now = record(name, y, {before, itself ? before : other}, std::forward<F>(backward));
  GradMeta& meta = *now.impl()->meta;
  meta.base = nullptr;
  if (former) {
    former->superseded = true;
    meta.retains = former->retains;
    former->retains = false;
  }
  impl->meta = now.impl()->meta;
  meta.owner = impl;
}

Tensor broadcast_to(const char* name, const Tensor& other, const Tensor& y) {
  ISKRA_CHECK(other.defined(), name, ": the other operand is undefined");
  ISKRA_CHECK(other.rank() <= y.rank() && broadcast_shapes(y.shape(), other.shape(), name) == y.shape(), name,
              ": the other operand ", other.str(), " does not broadcast to this shape ", y.shape());
  ISKRA_CHECK(other.device() == y.device(), name, ": the operands are on ", y.device(), " and ",
              other.device(), "; move one with to(Device)");
  NoGrad no_grad;
  Tensor wide = other.shape() == y.shape() ? other.detach() : other.detach().expand(y.shape());
  bool same_place = wide.raw_data() == y.raw_data() && wide.strides() == y.strides();
  return wide.impl()->storage == y.impl()->storage && !same_place ? wide.clone() : wide;
}

// y = y op other. Where the result has another type it is computed aside and converted.
void compute(BinaryOp op, const char* name, Tensor& y, const Tensor& wide) {
  NoGrad no_grad;
  const DType dtype = promoted(y.dtype(), wide.dtype());
  if (dtype == y.dtype() && is_floating(dtype)) {
    launch(y.device(), [&](auto on) { kernels::binary(on, op, y.view(), wide.view(), y.mut()); });
    y.mark_changed();
    return;
  }
  ISKRA_CHECK(is_floating(y.dtype()) || !is_floating(dtype), name, ": the result of ", y.str(), " and ",
              wide.str(), " is ", name_of(dtype), ", which this Tensor cannot hold; convert it with to()");
  Tensor old = y.detach();
  y.copy_from(op == BinaryOp::add   ? add(old, wide)
              : op == BinaryOp::sub ? sub(old, wide)
              : op == BinaryOp::mul ? mul(old, wide)
                                    : div(old, wide));
}

Tensor& change(BinaryOp op, const char* name, Tensor& y, const Tensor& other, const Caller& caller) {
  detail::OpScope scope(name, caller);
  const bool recorded = check_change(name, y, other);
  Tensor wide = broadcast_to(name, other, y);
  if (!recorded) {
    compute(op, name, y, wide);
    return y;
  }
  const kernels::BackwardReads reads = kernels::backward_reads(op);
  const bool self = wide.impl()->storage == y.impl()->storage;
  Tensor a, b;
  {
    NoGrad no_grad;
    if (reads.first && other.requires_grad()) a = y.detach().clone();
    if (reads.second) b = self ? wide.clone() : wide;
  }
  compute(op, name, y, wide);
  rebase(name, y, other,
         [op, a, b, dtype = y.dtype(), b_shape = other.shape(), b_dtype = other.dtype()](
             const Tensor& dy, Wanted wanted, Sinks& to) {
           Tensor da = wanted[0] ? Tensor::empty_like(dy) : Tensor();
           Tensor db = wanted[1] ? Tensor::empty_like(dy) : Tensor();
           // The first derivatives of a product and a quotient do not read a: b stands in for it.
           launch(dy.device(), [&](auto on) {
             kernels::binary_backward(on, op, view_or_none(a.defined() ? a : b), view_or_none(b), dy.view(),
                                      mut_or_none(da), mut_or_none(db));
           });
           if (wanted[0]) to.give(0, da.to(dtype));
           if (wanted[1]) to.give(1, sum_to(db, b_shape).to(b_dtype));
         });
  return y;
}

Tensor number_like(const Tensor& y, double value) {
  ISKRA_CHECK(y.defined(), "in-place: this Tensor is undefined; give it a value first");
  return Tensor::full({}, value, {.dtype = promoted(y.dtype(), value), .device = y.device()});
}

}  // namespace

#define ISKRA_DEFINE_CHANGE(name, op)                                             \
  Tensor& Tensor::name(const Tensor& other, Caller caller) {                      \
    return change(BinaryOp::op, #name, *this, other, caller);                     \
  }                                                                               \
  Tensor& Tensor::name(double other, Caller caller) {                             \
    detail::OpScope scope(#name, caller);                                         \
    return change(BinaryOp::op, #name, *this, number_like(*this, other), caller); \
  }
ISKRA_DEFINE_CHANGE(add_, add)
ISKRA_DEFINE_CHANGE(sub_, sub)
ISKRA_DEFINE_CHANGE(mul_, mul)
ISKRA_DEFINE_CHANGE(div_, div)
#undef ISKRA_DEFINE_CHANGE

Tensor& Tensor::fill_(double value, Caller caller) {
  detail::OpScope scope("fill_", caller);
  const bool recorded = check_change("fill_", *this, {});
  {
    NoGrad no_grad;
    fill(value);
  }
  // Nothing comes through: the former value has no part in the new one.
  if (recorded) rebase("fill_", *this, {}, [](const Tensor&, Wanted, Sinks&) {});
  return *this;
}

Tensor& Tensor::zero_(Caller caller) {
  detail::OpScope scope("zero_", caller);
  return fill_(0);
}

Tensor& Tensor::copy_(const Tensor& source, Caller caller) {
  detail::OpScope scope("copy_", caller);
  const bool recorded = check_change("copy_", *this, source);
  Tensor wide = broadcast_to("copy_", source, *this);
  {
    NoGrad no_grad;
    copy_from(wide);
  }
  if (!recorded) return *this;
  rebase("copy_", *this, source,
         [shape = source.shape(), dtype = source.dtype()](const Tensor& dy, Wanted wanted, Sinks& to) {
           if (wanted[1]) to.give(1, sum_to(dy, shape).to(dtype));
         });
  return *this;
}

}  // namespace iskra
