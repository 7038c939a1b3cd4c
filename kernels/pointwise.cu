// Unary pointwise ops on CUDA: see pointwise.cuh.
#include <iskra/kernels/pointwise.cuh>

namespace iskra::kernels {
namespace {

struct Unary {
  static constexpr bool kIntegers = true;
  template <class T>
  DEV static T apply(int op, T x, T, T, Parameters<T> p) {
    if constexpr (std::is_same_v<T, int64_t>) {
      return of_integers(op, x, p);
    } else {
      switch (static_cast<UnaryOp>(op)) {
#define ISKRA_CASE(name, doc) \
  case UnaryOp::name:         \
    return ops::name::f(x);
        ISKRA_UNARY_OPS(ISKRA_CASE)
        ISKRA_TEST_OPS(ISKRA_CASE)
#undef ISKRA_CASE
#define ISKRA_CASE(name, doc) \
  case UnaryOp::name:         \
    return ops::name::f(x, p);
        ISKRA_PARAMETER_OPS(ISKRA_CASE)
#undef ISKRA_CASE
      }
      return x;
    }
  }

 private:
  DEV static int64_t of_integers(int op, int64_t x, Parameters<int64_t> p) {
    switch (static_cast<UnaryOp>(op)) {
      case UnaryOp::neg:
        return integer::neg(x, p.a, p.b);
      case UnaryOp::abs:
        return integer::abs(x, p.a, p.b);
      case UnaryOp::sign:
        return integer::sign(x, p.a, p.b);
      case UnaryOp::square:
        return integer::square(x, p.a, p.b);
      case UnaryOp::relu:
        return integer::relu(x, p.a, p.b);
      case UnaryOp::clamp:
        return integer::clamp(x, p.a, p.b);
      case UnaryOp::pow_number:
        return integer::pow_number(x, p.a, p.b);
      case UnaryOp::logical_not:
        return integer::logical_not(x, p.a, p.b);
      case UnaryOp::is_nan:
      case UnaryOp::is_inf:
        return integer::never(x, p.a, p.b);
      case UnaryOp::is_finite:
        return integer::always(x, p.a, p.b);
      default:  // those that round have nothing to do
        return x;
    }
  }
};

struct UnaryBackward {
  static constexpr bool kIntegers = false;
  template <class T>
  DEV static T apply(int op, T x, T y, T dy, Parameters<T> p) {
    switch (static_cast<UnaryOp>(op)) {
#define ISKRA_CASE(name, doc) \
  case UnaryOp::name:         \
    return dy * ops::name::df(x, y);
      ISKRA_UNARY_OPS(ISKRA_CASE)
#undef ISKRA_CASE
#define ISKRA_CASE(name, doc) \
  case UnaryOp::name:         \
    return dy * ops::name::df(x, y, p);
      ISKRA_PARAMETER_OPS(ISKRA_CASE)
#undef ISKRA_CASE
      default:  // tests have no gradient
        return T(0);
    }
  }
};

}  // namespace

void unary(Cuda on, UnaryOp op, View x, MutView y, const PointwiseParams& params) {
  run_on_gpu<Unary>(on, static_cast<int>(op), takes_integers(op), {x}, y, params);
}

void unary_backward(Cuda on, UnaryOp op, View x, View y, View dy, MutView dx, const PointwiseParams& params) {
  BackwardReads reads = backward_reads(op);
  run_on_gpu<UnaryBackward>(
      on, static_cast<int>(op), false,
      {read_if(x, reads.first, dy, name_of(op)), read_if(y, reads.second, dy, name_of(op)), dy}, dx, params);
}

}  // namespace iskra::kernels
