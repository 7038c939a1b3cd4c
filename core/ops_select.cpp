// Elements chosen by a condition, and counted.
#include <algorithm>
#include <utility>

#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/promote.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::view_of;

namespace {

// y = mask ? a : b in the layout of the first operand that has y's shape.
Tensor chosen(const Tensor& mask, const Tensor& a, const Tensor& b, const Shape& shape) {
  NoGrad no_grad;
  Tensor y = Tensor::empty(shape, {.dtype = a.dtype(), .device = a.device()});
  for (const Tensor* like : {&a, &b}) {
    if (like->shape() != shape || !like->is_dense()) continue;
    y = view_of(y, shape, like->strides());
    break;
  }
  Tensor m = mask.expand(shape), left = a.expand(shape), right = b.expand(shape);
  launch(a.device(), [&](auto on) { kernels::where(on, m.view(), left.view(), right.view(), y.mut()); });
  return y;
}

void check_mask(const char* op, const Tensor& mask, const Tensor& x) {
  ISKRA_CHECK(mask.dtype() == DType::boolean, op, ": the mask is ", mask.str(),
              "; it must be bool, convert it with to(DType::boolean)");
  ISKRA_CHECK(mask.device() == x.device(), op, ": the mask is on ", mask.device(), " and the tensor on ",
              x.device(), "; move one with to(Device)");
}

Tensor where_named(const char* name, const Tensor& mask, const Tensor& a, const Tensor& b) {
  check_mask(name, mask, a);
  check_mask(name, mask, b);
  const Shape shape = broadcast_shapes(mask.shape(), broadcast_shapes(a.shape(), b.shape(), name), name);
  const DType dtype = promoted(a.dtype(), b.dtype());
  Tensor left = a.to(dtype), right = b.to(dtype);
  const bool needed = recording({&left, &right});
  return record(name, chosen(mask, left, right, shape), {left, right},
                [mask = save_if(needed, mask), a_shape = a.shape(), b_shape = b.shape()](
                    const Tensor& dy, Wanted wanted, Sinks& to) {
                  Tensor zero = Tensor::zeros({}, {.dtype = dy.dtype(), .device = dy.device()});
                  if (wanted[0]) to.give(0, sum_to(chosen(mask, dy, zero, dy.shape()), a_shape));
                  if (wanted[1]) to.give(1, sum_to(chosen(mask, zero, dy, dy.shape()), b_shape));
                });
}

Tensor number_like(const Tensor& x, double value) {
  return Tensor::full({}, value, {.dtype = promoted(x.dtype(), value), .device = x.device()});
}

// Places (K, rank of shape) of what is true in a dense mask.
Tensor places_of(const Tensor& mask, const Shape& shape) {
  const int64_t n = mask.numel(), blocks = (n + kernels::kNonzeroBlock - 1) / kernels::kNonzeroBlock;
  Tensor counts = Tensor::empty({blocks}, {.dtype = DType::i64, .device = mask.device()});
  launch(mask.device(), [&](auto on) { kernels::count_nonzero_blocks(on, mask.view(), counts.mut()); });
  std::vector<int64_t> starts = counts.to_vector<int64_t>();
  int64_t total = 0;
  for (int64_t& start : starts) total += std::exchange(start, total);
  Tensor places = Tensor::empty({total, shape.rank()}, {.dtype = DType::i64, .device = mask.device()});
  Tensor first = Tensor::of(starts, {blocks}, mask.device());
  launch(mask.device(),
         [&](auto on) { kernels::nonzero_places(on, mask.view(), shape, first.view(), places.mut()); });
  return places;
}

}  // namespace

Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b, Caller caller) {
  detail::OpScope scope("where", caller);
  return where_named("where", mask, a, b);
}

Tensor where(const Tensor& mask, const Tensor& a, double b, Caller caller) {
  detail::OpScope scope("where", caller);
  return where_named("where", mask, a, number_like(a, b));
}

Tensor where(const Tensor& mask, double a, const Tensor& b, Caller caller) {
  detail::OpScope scope("where", caller);
  return where_named("where", mask, number_like(b, a), b);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value, Caller caller) {
  detail::OpScope scope("masked_fill", caller);
  Tensor number = Tensor::full({}, value, {.dtype = x.dtype(), .device = x.device()});
  return where_named("masked_fill", mask, number, x);
}

Tensor masked_select(const Tensor& x, const Tensor& mask, Caller caller) {
  detail::OpScope scope("masked_select", caller);
  check_mask("masked_select", mask, x);
  const Shape shape = broadcast_shapes(x.shape(), mask.shape(), "masked_select");
  Tensor all = mask.detach().expand(shape).contiguous();
  const Shape flat{all.numel()};
  Tensor places = places_of(view_of(all, flat, {1}), flat);
  return gather(x.expand(shape).reshape({-1}), 0, places.squeeze(1));
}

Tensor nonzero(const Tensor& x, Caller caller) {
  detail::OpScope scope("nonzero", caller);
  const Shape& shape = x.shape();
  return places_of(x.detach().to(DType::boolean).contiguous(), shape);
}

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t length, Caller caller) {
  detail::OpScope scope("bincount", caller);
  ISKRA_CHECK(x.rank() == 1 && !is_floating(x.dtype()) && x.dtype() != DType::boolean,
              "bincount: the input is ", x.str(), "; it must be a list of integers");
  ISKRA_CHECK(!weights || (weights.shape() == x.shape() && weights.device() == x.device()),
              "bincount: the weights are ", weights.str(), " and the input ", x.str(),
              "; both must have one shape and device");
  ISKRA_CHECK(length >= 0, "bincount: the length ", length, " is negative");
  NoGrad no_grad;
  Tensor places = x.to(DType::i64);
  int64_t size = length;
  if (x.numel() > 0) {
    places = places.contiguous();
    Tensor range = Tensor::empty({2}, {.dtype = DType::i64, .device = x.device()});
    launch(x.device(), [&](auto on) { kernels::value_range(on, places.view(), range.mut()); });
    const std::vector<int64_t> ends = range.to_vector<int64_t>();
    const int64_t least = ends[0];
    ISKRA_CHECK(least >= 0, "bincount: the input ", x.str(), " holds ", least,
                "; its numbers must not be negative");
    size = std::max(size, ends[1] + 1);
  }
  if (weights)
    return scatter_add(Tensor::zeros({size}, {.dtype = weights.dtype(), .device = x.device()}), 0, places,
                       weights.detach());
  Tensor counts = Tensor::empty({size}, {.dtype = DType::i64, .device = x.device()});
  launch(x.device(), [&](auto on) { kernels::count_values(on, places.view(), counts.mut()); });
  return counts;
}

}  // namespace iskra
