// Pointwise ops with broadcasting.
#include <cmath>
#include <limits>
#include <optional>

#include <iskra/core/autocast.h>
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

// Uninitialised, laid out like x where that is dense.
Tensor like_in(const Tensor& x, DType dtype) {
  Tensor y = Tensor::empty(x.shape(), {.dtype = dtype, .device = x.device()});
  return x.is_dense() ? detail::view_of(y, x.shape(), x.strides()) : y;
}

// Floating ops make f32 of integers, the others keep their type.
DType result_dtype(UnaryOp op, DType x, bool whole_params) {
  if (gives_bool(op)) return DType::boolean;
  if (is_floating(x)) return x;
  return takes_integers(op) && whole_params ? x : DType::f32;
}

bool is_whole(double number) { return std::isinf(number) || number == std::trunc(number); }

// What overflows or loses its small differences in a 16-bit result; see docs/autocast.md.
bool in_single_precision(UnaryOp op) {
  switch (op) {
    case UnaryOp::exp:
    case UnaryOp::expm1:
    case UnaryOp::log:
    case UnaryOp::log1p:
    case UnaryOp::log2:
    case UnaryOp::rsqrt:
    case UnaryOp::reciprocal:
    case UnaryOp::softplus:
    case UnaryOp::pow_number:
      return true;
    default:
      return false;
  }
}

Tensor unary(UnaryOp op, const Tensor& x, const Caller& caller, const kernels::PointwiseParams& params = {}) {
  const char* name = name_of(op);
  detail::OpScope scope(name, caller);
  if (in_single_precision(op)) {
    if (auto cast = detail::Recast(detail::Precision::single, {&x}))
      return unary(op, cast(x), caller, params);
  }
  ISKRA_CHECK(gives_bool(op) || x.dtype() != DType::boolean, name, ": the input is ", x.str(),
              "; it must hold numbers, convert it with to(DType) first");
  const bool whole = is_whole(params.value[0]) && is_whole(params.value[1]);
  const DType dtype = result_dtype(op, x.dtype(), whole);
  Tensor y = like_in(x, dtype);
  // Beside a number with a fraction integers count as floating.
  const Tensor in = whole || is_floating(x.dtype()) ? x : x.to(DType::f32);
  launch(x.device(), [&](auto on) { kernels::unary(on, op, in.view(), y.mut(), params); });
  if (gives_bool(op)) return y;
  kernels::BackwardReads reads = kernels::backward_reads(op);
  return record(name, y, {x},
                [op, params, x = save_if(reads.first && x.requires_grad(), x),
                 y = save_if(reads.second && x.requires_grad(), y)](const Tensor& dy, Wanted, Sinks& to) {
                  Tensor dx = Tensor::empty_like(x.defined() ? x : y.defined() ? y : dy);
                  launch(dy.device(), [&](auto on) {
                    kernels::unary_backward(on, op, view_or_none(x), view_or_none(y), dy.view(), dx.mut(),
                                            params);
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

bool refuses_bool(BinaryOp op) {
  return op == BinaryOp::sub || op == BinaryOp::pow || op == BinaryOp::floor_divide ||
         op == BinaryOp::remainder;
}

// Whether the derivative by each operand reads the other one alone, so that an operand beside one that takes
// no gradient need not be kept.
bool crosswise(BinaryOp op) { return op == BinaryOp::mul; }

// `kind` is the promoted dtype of the operands.
Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b, DType kind, const Caller& caller) {
  const char* name = name_of(op);
  detail::OpScope scope(name, caller);
  ISKRA_CHECK(kind != DType::boolean || !refuses_bool(op), name, ": the operands are ", a.str(), " and ",
              b.str(), "; one must hold numbers, convert it with to(DType) first");
  const bool stays = is_floating(kind) || takes_integers(op);
  const DType dtype = gives_bool(op) ? DType::boolean : stays ? kind : DType::f32;
  ISKRA_CHECK(a.device() == b.device(), name, ": the operands are on ", a.device(), " and ", b.device(),
              "; move one with to(Device)");
  Shape shape = broadcast_shapes(a.shape(), b.shape(), name);
  Tensor y = empty_broadcast(a, b, shape, dtype);
  Tensor a_wide = broadcast_view(a, shape);
  Tensor b_wide = broadcast_view(b, shape);
  launch(a.device(), [&](auto on) { kernels::binary(on, op, a_wide.view(), b_wide.view(), y.mut()); });
  if (gives_bool(op)) return y;
  kernels::BackwardReads reads = kernels::backward_reads(op);
  bool needed = recording({&a, &b});
  return record(
      name, y, {a, b},
      [op, a_shape = a.shape(), b_shape = b.shape(), a_dtype = a.dtype(), b_dtype = b.dtype(),
       a = save_if(needed && reads.first && (!crosswise(op) || b.requires_grad()), a_wide),
       b = save_if(needed && reads.second && (!crosswise(op) || a.requires_grad()), b_wide)](
          const Tensor& dy, Wanted wanted, Sinks& to) {
        // What is summed over a broadcast stays in dy's type until it is summed.
        Tensor da = wanted[0] ? like_in(dy, a_shape == dy.shape() ? a_dtype : dy.dtype()) : Tensor();
        Tensor db = wanted[1] ? like_in(dy, b_shape == dy.shape() ? b_dtype : dy.dtype()) : Tensor();
        launch(dy.device(), [&](auto on) {
          // What was not kept is not read: the other operand stands in for it.
          kernels::binary_backward(on, op, view_or_none(a.defined() ? a : b),
                                   view_or_none(b.defined() ? b : a), dy.view(), mut_or_none(da),
                                   mut_or_none(db));
        });
        if (wanted[0]) to.give(0, sum_to(da, a_shape).to(a_dtype));
        if (wanted[1]) to.give(1, sum_to(db, b_shape).to(b_dtype));
      });
}

Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b, const Caller& caller) {
  detail::OpScope scope(name_of(op), caller);
  if (op == BinaryOp::pow) {
    if (auto cast = detail::Recast(detail::Precision::single, {&a, &b}))
      return binary(op, cast(a), cast(b), caller);
  }
  return binary(op, a, b, promoted(a.dtype(), b.dtype()), caller);
}

// A number beside a 16-bit tensor is not rounded to 16 bits.
Tensor number_beside(const Tensor& x, double number) {
  DType dtype = promoted(x.dtype(), number);
  if (dtype == DType::bf16 || dtype == DType::f16) dtype = DType::f32;
  return Tensor::full({}, number, {.dtype = dtype, .device = x.device()});
}
Tensor binary(BinaryOp op, const Tensor& a, double b, const Caller& caller) {
  detail::OpScope scope(name_of(op), caller);
  return binary(op, a, number_beside(a, b), promoted(a.dtype(), b), caller);
}
Tensor binary(BinaryOp op, double a, const Tensor& b, const Caller& caller) {
  detail::OpScope scope(name_of(op), caller);
  return binary(op, number_beside(b, a), b, promoted(b.dtype(), a), caller);
}

}  // namespace

#define ISKRA_DEFINE_UNARY(name, doc) \
  Tensor name(const Tensor& x, Caller caller) { return unary(UnaryOp::name, x, caller); }
ISKRA_UNARY_OPS(ISKRA_DEFINE_UNARY)
ISKRA_TEST_OPS(ISKRA_DEFINE_UNARY)
#undef ISKRA_DEFINE_UNARY
#define ISKRA_DEFINE_BINARY(name, doc)                           \
  Tensor name(const Tensor& a, const Tensor& b, Caller caller) { \
    return binary(BinaryOp::name, a, b, caller);                 \
  }
ISKRA_BINARY_OPS(ISKRA_DEFINE_BINARY)
ISKRA_COMPARE_OPS(ISKRA_DEFINE_BINARY)
#undef ISKRA_DEFINE_BINARY
#define ISKRA_DEFINE_COMPARE(name, doc) \
  Tensor name(const Tensor& a, double b, Caller caller) { return binary(BinaryOp::name, a, b, caller); }
ISKRA_COMPARE_OPS(ISKRA_DEFINE_COMPARE)
#undef ISKRA_DEFINE_COMPARE

Tensor leaky_relu(const Tensor& x, double slope, Caller caller) {
  return unary(UnaryOp::leaky_relu, x, caller, {{slope, 0}});
}
Tensor elu(const Tensor& x, double alpha, Caller caller) {
  return unary(UnaryOp::elu, x, caller, {{alpha, 0}});
}
Tensor softplus(const Tensor& x, double beta, double threshold, Caller caller) {
  return unary(UnaryOp::softplus, x, caller, {{beta, threshold}});
}
Tensor clamp(const Tensor& x, std::optional<double> low, std::optional<double> high, Caller caller) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return unary(UnaryOp::clamp, x, caller, {{low.value_or(-kInfinity), high.value_or(kInfinity)}});
}

Tensor pow(const Tensor& x, double exponent, Caller caller) {
  detail::OpScope scope("pow", caller);
  if (exponent == 2) return square(x, caller);
  if (is_floating(x.dtype()) && exponent == 0.5) return sqrt(x, caller);
  if (is_floating(x.dtype()) && exponent == -1) return reciprocal(x, caller);
  return unary(UnaryOp::pow_number, x, caller, {{exponent, 0}});
}
Tensor pow(double base, const Tensor& exponent, Caller caller) {
  return binary(BinaryOp::pow, base, exponent, caller);
}

Tensor operator-(Operand x) { return neg(x.tensor, x.caller); }

#define ISKRA_DEFINE_OPERATOR(symbol, name)                                                                  \
  Tensor operator symbol(const Tensor& a, Operand b) { return name(a, b.tensor, b.caller); }                 \
  Tensor operator symbol(const Tensor& a, Number b) { return binary(BinaryOp::name, a, b.value, b.caller); } \
  Tensor operator symbol(double a, Operand b) { return binary(BinaryOp::name, a, b.tensor, b.caller); }
ISKRA_DEFINE_OPERATOR(+, add)
ISKRA_DEFINE_OPERATOR(-, sub)
ISKRA_DEFINE_OPERATOR(*, mul)
ISKRA_DEFINE_OPERATOR(/, div)
ISKRA_DEFINE_OPERATOR(<, lt)
ISKRA_DEFINE_OPERATOR(<=, le)
ISKRA_DEFINE_OPERATOR(>, gt)
ISKRA_DEFINE_OPERATOR(>=, ge)
#undef ISKRA_DEFINE_OPERATOR

}  // namespace iskra
