// The gradient of products over axes.
#include <atomic>

#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/reduce_axes.isa.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kGrain = 32768;

const ReduceAxesTable& table() {
  static const ReduceAxesTable& chosen =
      by_isa(v2::reduce_axes_table, v3::reduce_axes_table, v4::reduce_axes_table);
  return chosen;
}

// Whether one of the products is 0 or NaN.
template <class T>
bool any_zero(const Cpu& on, const T* y, int64_t n) {
  std::atomic<bool> found{false};
  parallel_for(on, n, kGrain, [&](int64_t begin, int64_t end) {
    bool here = false;
    for (int64_t i = begin; i < end; ++i) here = here || y[i] == T(0) || y[i] != y[i];
    if (here) found = true;
  });
  return found;
}

// Strides of a tensor of shape `kept` as one of a larger shape, along which it is repeated.
Shape repeated(const Shape& stride, const Shape& kept) {
  Shape to = stride;
  for (int i = 0; i < to.rank(); ++i)
    if (kept[i] == 1) to[i] = 0;
  return to;
}

/// The products of what is not 0, and the numbers of zeros, in y's type and layout.
struct WithoutZeros {
  View product, zeros;
};

template <class T>
WithoutZeros without_zeros(const Cpu& on, const View& x, const View& y) {
  const int64_t kept = y.numel(), each = x.numel() / kept;
  const MutView product{scratch_of<T>(on, kept, "product_backward"), y.dtype, y.shape, y.stride};
  const MutView zeros{scratch_of<T>(on, kept, "product_backward"), y.dtype, y.shape, y.stride};
  const MutView others{scratch_of<int64_t>(on, kept, "product_backward"), DType::i64, y.shape, y.stride};
  reduce(on, ReduceOp::nonzero_product, x, {}, product);
  reduce(on, ReduceOp::count, x, {}, others);
  parallel_for(on, kept, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) zeros.as<T>()[i] = static_cast<T>(each - others.as<int64_t>()[i]);
  });
  return {product, zeros};
}

// Where a product does not tell that of the others by a division, or is too small for its type, everything
// is computed anew.
template <class T>
WithoutZeros factors(const Cpu& on, const View& x, const View& y) {
  if (any_zero(on, y.as<T>(), y.numel())) return without_zeros<T>(on, x, y);
  return {y, {}};
}

}  // namespace

void product_backward(Cpu on, View x, View y, View dy, MutView dx) {
  if (x.numel() == 0) return;
  const int type = floating_type_index(x.dtype, "product_backward");
  const WithoutZeros of = y.dtype == DType::f64 ? factors<double>(on, x, y) : factors<float>(on, x, y);
  const View &q = of.product, &zeros = of.zeros;
  const Shape dy_stride = repeated(dy.stride, dy.shape), q_stride = repeated(q.stride, q.shape);
  const StridedLoop loop(x.shape, {&dy_stride, &q_stride, &x.stride, &dx.stride});
  const auto gradient = table().product_gradient[type];
  auto flat = [](int64_t stride) { return stride == 0 || stride == 1; };
  const bool runs = flat(loop.inner_stride(0)) && flat(loop.inner_stride(1)) && loop.inner_stride(2) == 1 &&
                    loop.inner_stride(3) == 1;
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& run) {
      const int64_t step = runs ? run.inner : 1;
      for (int64_t row = 0; row < run.outer; ++row)
        for (int64_t i = 0; i < run.inner; i += step) {
          auto offset = [&](int o) {
            return run.offset[o] + row * loop.outer_stride(o) + i * loop.inner_stride(o);
          };
          gradient(at(x, offset(2)), at(dy, offset(0)), runs ? loop.inner_stride(0) : 0, at(q, offset(1)),
                   zeros.defined() ? at(zeros, offset(1)) : nullptr, runs ? loop.inner_stride(1) : 0, step,
                   at(dx, offset(3)));
        }
    });
  });
}

}  // namespace iskra::kernels
