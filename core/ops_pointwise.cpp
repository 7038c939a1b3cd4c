// Pointwise ops with broadcasting.
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/promote.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::mut_or_none;
using detail::view_or_none;
using kernels::BinaryOp;
using kernels::UnaryOp;

namespace {

Tensor unary(UnaryOp op, const Tensor& x, const Caller& caller) {
  const char* name = name_of(op);
  detail::OpScope scope(name, caller);
  ISKRA_CHECK(is_floating(x.dtype()), name, ": the input is ", x.str(),
              "; convert it to a floating dtype first");
  Tensor y = Tensor::empty_like(x);
  launch(x.device(), [&](auto on) { kernels::unary(on, op, x.view(), y.mut()); });
  kernels::BackwardReads reads = kernels::backward_reads(op);
  return record(name, y, {x},
                [op, x = save_if(reads.first && x.requires_grad(), x),
                 y = save_if(reads.second && x.requires_grad(), y)](const Tensor& dy, Wanted, Sinks& to) {
                  Tensor dx = Tensor::empty_like(x.defined() ? x : y.defined() ? y : dy);
                  launch(dy.device(), [&](auto on) {
                    kernels::unary_backward(on, op, view_or_none(x), view_or_none(y), dy.view(), dx.mut());
                  });
                  to.give(0, dx);
                });
}

// The layout of the operand that already has y's shape, so that channels-last stays channels-last.
Tensor empty_broadcast(const Tensor& a, const Tensor& b, const Shape& shape, DType dtype) {
  Tensor y = Tensor::empty(shape, {.dtype = dtype, .device = a.device()});
  for (const Tensor* like : {&a, &b})
    if (like->shape() == shape && like->is_dense()) return detail::view_of(y, shape, like->strides());
  return y;
}

Tensor broadcast_view(const Tensor& x, const Shape& shape) {
  NoGrad no_grad;
  return x.shape() == shape ? x.detach() : x.expand(shape);
}

// The gradient of an operand of this shape and type from one of the broadcast shape.
Tensor gradient_like(const Tensor& dy, DType dtype) {
  Tensor d = Tensor::empty(dy.shape(), {.dtype = dtype, .device = dy.device()});
  return dy.is_dense() ? detail::view_of(d, dy.shape(), dy.strides()) : d;
}

Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b, const Caller& caller) {
  const char* name = name_of(op);
  detail::OpScope scope(name, caller);
  const DType dtype = promoted(a.dtype(), b.dtype());
  ISKRA_CHECK(is_floating(dtype), name, ": the operands are ", a.str(), " and ", b.str(),
              "; convert one to a floating dtype first");
  ISKRA_CHECK(a.device() == b.device(), name, ": the operands are on ", a.device(), " and ", b.device(),
              "; move one with to(Device)");
  Shape shape = broadcast_shapes(a.shape(), b.shape(), name);
  Tensor y = empty_broadcast(a, b, shape, dtype);
  Tensor a_wide = broadcast_view(a, shape);
  Tensor b_wide = broadcast_view(b, shape);
  launch(a.device(), [&](auto on) { kernels::binary(on, op, a_wide.view(), b_wide.view(), y.mut()); });
  kernels::BackwardReads reads = kernels::backward_reads(op);
  bool needed = recording({&a, &b});
  return record(
      name, y, {a, b},
      [op, a_shape = a.shape(), b_shape = b.shape(), a_dtype = a.dtype(), b_dtype = b.dtype(),
       a = save_if(needed && reads.first, a_wide),
       b = save_if(needed && reads.second, b_wide)](const Tensor& dy, Wanted wanted, Sinks& to) {
        // What is summed over a broadcast stays in dy's type until it is summed.
        Tensor da = wanted[0] ? gradient_like(dy, a_shape == dy.shape() ? a_dtype : dy.dtype()) : Tensor();
        Tensor db = wanted[1] ? gradient_like(dy, b_shape == dy.shape() ? b_dtype : dy.dtype()) : Tensor();
        launch(dy.device(), [&](auto on) {
          kernels::binary_backward(on, op, view_or_none(a), view_or_none(b), dy.view(), mut_or_none(da),
                                   mut_or_none(db));
        });
        if (wanted[0]) to.give(0, sum_to(da, a_shape).to(a_dtype));
        if (wanted[1]) to.give(1, sum_to(db, b_shape).to(b_dtype));
      });
}

Tensor scalar_like(const Tensor& x, double value) {
  return Tensor::full({}, value, {.dtype = promoted(x.dtype(), value), .device = x.device()});
}

}  // namespace

#define ISKRA_DEFINE_UNARY(name, doc) \
  Tensor name(const Tensor& x, Caller caller) { return unary(UnaryOp::name, x, caller); }
ISKRA_UNARY_OPS(ISKRA_DEFINE_UNARY)
#undef ISKRA_DEFINE_UNARY
#define ISKRA_DEFINE_BINARY(name, doc)                           \
  Tensor name(const Tensor& a, const Tensor& b, Caller caller) { \
    return binary(BinaryOp::name, a, b, caller);                 \
  }
ISKRA_BINARY_OPS(ISKRA_DEFINE_BINARY)
#undef ISKRA_DEFINE_BINARY

Tensor operator-(Operand x) { return neg(x.tensor, x.caller); }

#define ISKRA_DEFINE_OPERATOR(symbol, name)                                                  \
  Tensor operator symbol(const Tensor& a, Operand b) { return name(a, b.tensor, b.caller); } \
  Tensor operator symbol(const Tensor& a, Number b) {                                        \
    detail::OpScope scope(#name, b.caller);                                                  \
    return name(a, scalar_like(a, b.value));                                                 \
  }                                                                                          \
  Tensor operator symbol(double a, Operand b) {                                              \
    detail::OpScope scope(#name, b.caller);                                                  \
    return name(scalar_like(b.tensor, a), b.tensor);                                         \
  }
ISKRA_DEFINE_OPERATOR(+, add)
ISKRA_DEFINE_OPERATOR(-, sub)
ISKRA_DEFINE_OPERATOR(*, mul)
ISKRA_DEFINE_OPERATOR(/, div)
#undef ISKRA_DEFINE_OPERATOR

}  // namespace iskra
