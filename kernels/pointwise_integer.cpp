// The loops of pointwise ops within integers and bool; what they compute stands in pointwise_integer.h.
#include <cstddef>
#include <type_traits>

#include <iskra/kernels/pointwise_integer.h>
#include <iskra/kernels/pointwise_run.h>

namespace iskra::kernels {
namespace {

using namespace integer;

template <auto f>
void unary_body(const PointwiseBlock& at) {
  const auto* x = static_cast<const int64_t*>(at.in[0]);
  auto* y = static_cast<int64_t*>(at.out);
  const int64_t a = whole(at.params.value[0]), b = whole(at.params.value[1]);
  for (int64_t i = 0; i < at.n; ++i) y[i] = f(x[i], a, b);
}

template <auto f>
void binary_body(const PointwiseBlock& at) {
  const auto *a = static_cast<const int64_t*>(at.in[0]), *b = static_cast<const int64_t*>(at.in[1]);
  auto* y = static_cast<int64_t*>(at.out);
  for (int64_t i = 0; i < at.n; ++i) y[i] = f(a[i], b[i]);
}

template <auto f>
PointwiseBody binary_body_of() {
  if constexpr (std::is_null_pointer_v<decltype(f)>)
    return nullptr;
  else
    return binary_body<f>;
}

}  // namespace

PointwiseBody integer_body(UnaryOp op) {
  switch (op) {
    case UnaryOp::neg:
      return unary_body<neg>;
    case UnaryOp::abs:
      return unary_body<abs>;
    case UnaryOp::sign:
      return unary_body<sign>;
    case UnaryOp::floor:
    case UnaryOp::ceil:
    case UnaryOp::round:
    case UnaryOp::trunc:
      return unary_body<itself>;
    case UnaryOp::square:
      return unary_body<square>;
    case UnaryOp::relu:
      return unary_body<relu>;
    case UnaryOp::clamp:
      return unary_body<clamp>;
    case UnaryOp::pow_number:
      return unary_body<pow_number>;
    case UnaryOp::logical_not:
      return unary_body<logical_not>;
    case UnaryOp::is_nan:
    case UnaryOp::is_inf:
      return unary_body<never>;
    case UnaryOp::is_finite:
      return unary_body<always>;
    default:
      return nullptr;
  }
}

PointwiseBody integer_body(BinaryOp op) {
  switch (op) {
#define ISKRA_BODY(name, doc) \
  case BinaryOp::name:        \
    return binary_body_of<name>();
    ISKRA_BINARY_OPS(ISKRA_BODY)
    ISKRA_COMPARE_OPS(ISKRA_BODY)
#undef ISKRA_BODY
  }
  return nullptr;
}

}  // namespace iskra::kernels
