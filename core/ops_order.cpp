// Ops that depend on the order of elements.
#include <algorithm>

#include <iskra/core/autocast.h>
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::normal_axis;
using detail::view_of;

namespace {

// The axis in the last place, dense: rows of it, as kernels take them.
Tensor rows_of(const Tensor& x, int axis) {
  NoGrad no_grad;
  return x.detach().transpose(axis, -1).contiguous();
}

Tensor empty_rows(const Tensor& rows, int64_t length, DType dtype) {
  Shape shape = rows.shape();
  shape[rows.rank() - 1] = length;
  return Tensor::empty(shape, {.dtype = dtype, .device = rows.device()});
}

// Values found along `axis`, connected to where they come from.
Ordered recorded(const char* name, const Tensor& x, int axis, const Tensor& values, const Tensor& places) {
  Tensor indices = places.transpose(axis, -1);
  Tensor y = record(name, view_of(values, values.shape(), values.strides()).transpose(axis, -1), {x},
                    [axis, indices](const Tensor& dy, Wanted, Sinks& to) {
                      Sink sink = to.accumulate(0);
                      if (sink.beta == 0) sink.into.fill(0);
                      launch(dy.device(), [&](auto on) {
                        // Places differ from each other: where nothing is added, sums are not needed.
                        if (sink.beta == 0)
                          kernels::scatter(on, dy.view(), indices.view(), axis, sink.into.mut());
                        else
                          kernels::scatter_add(on, dy.view(), indices.view(), axis, sink.into.mut());
                      });
                    });
  return {y, indices};
}

Tensor sorted_places(const Tensor& rows, bool descending, const Tensor& values) {
  Tensor places = empty_rows(rows, rows.shape().back(), DType::i64);
  launch(rows.device(), [&](auto on) {
    kernels::sort(on, rows.view(), descending, detail::mut_or_none(values), places.mut());
  });
  return places;
}

}  // namespace

Ordered sort(const Tensor& x, int axis, bool descending, Caller caller) {
  detail::OpScope scope("sort", caller);
  const int at = normal_axis(axis, x.rank(), "sort");
  Tensor rows = rows_of(x, at), values = empty_rows(rows, x.shape()[at], x.dtype());
  return recorded("sort", x, at, values, sorted_places(rows, descending, values));
}

Tensor argsort(const Tensor& x, int axis, bool descending, Caller caller) {
  detail::OpScope scope("argsort", caller);
  const int at = normal_axis(axis, x.rank(), "argsort");
  return sorted_places(rows_of(x, at), descending, {}).transpose(at, -1);
}

Ordered topk(const Tensor& x, int64_t k, int axis, bool largest, Caller caller) {
  detail::OpScope scope("topk", caller);
  const int at = normal_axis(axis, x.rank(), "topk");
  ISKRA_CHECK(k >= 0 && k <= x.shape()[at], "topk: k is ", k, " and axis ", axis, " of ", x.str(), " has ",
              x.shape()[at], " elements; k must lie in [0, ", x.shape()[at], "]");
  Tensor rows = rows_of(x, at), values = empty_rows(rows, k, x.dtype());
  Tensor places = empty_rows(rows, k, DType::i64);
  launch(x.device(), [&](auto on) { kernels::topk(on, rows.view(), largest, values.mut(), places.mut()); });
  return recorded("topk", x, at, values, places);
}

namespace {

Tensor arg_extreme(const char* name, const Tensor& x, int axis, bool keep, bool largest) {
  const int at = normal_axis(axis, x.rank(), name);
  ISKRA_CHECK(x.shape()[at] > 0, name, ": axis ", axis, " of ", x.str(),
              " is empty; it must have at least one element");
  Tensor rows = rows_of(x, at), y = empty_rows(rows, 1, DType::i64);
  launch(x.device(), [&](auto on) {
    if (largest)
      kernels::argmax(on, rows.view(), y.mut());
    else
      kernels::argmin(on, rows.view(), y.mut());
  });
  // One element along the axis: leaving it away, or moving it, changes no place.
  Shape shape = x.shape();
  if (keep)
    shape[at] = 1;
  else
    shape.erase(at);
  return y.transpose(at, -1).reshape(shape);
}

}  // namespace

Tensor argmax(const Tensor& x, int axis, bool keep, Caller caller) {
  detail::OpScope scope("argmax", caller);
  return arg_extreme("argmax", x, axis, keep, true);
}

Tensor argmin(const Tensor& x, int axis, bool keep, Caller caller) {
  detail::OpScope scope("argmin", caller);
  return arg_extreme("argmin", x, axis, keep, false);
}

namespace {

Ordered extremes(const char* name, const Tensor& x, int axis, bool keep, bool largest) {
  const int at = normal_axis(axis, x.rank(), name);
  Tensor places = arg_extreme(name, x, axis, true, largest);
  Tensor values = gather(x, at, places);
  if (keep) return {values, places};
  return {values.squeeze(at), places.squeeze(at)};
}

}  // namespace

Ordered max(const Tensor& x, int axis, bool keep, Caller caller) {
  detail::OpScope scope("max", caller);
  return extremes("max", x, axis, keep, true);
}

Ordered min(const Tensor& x, int axis, bool keep, Caller caller) {
  detail::OpScope scope("min", caller);
  return extremes("min", x, axis, keep, false);
}

Tensor cumsum(const Tensor& x, int axis, Caller caller) {
  detail::OpScope scope("cumsum", caller);
  if (auto cast = detail::Recast(detail::Precision::single, {&x})) return cumsum(cast(x), axis, caller);
  const int at = normal_axis(axis, x.rank(), "cumsum");
  auto sums = [at](const Tensor& from, bool reverse) {
    Tensor y = Tensor::empty_like(from);
    if (!is_floating(from.dtype()))
      y = Tensor::empty(from.shape(), {.dtype = DType::i64, .device = from.device()});
    launch(from.device(), [&](auto on) { kernels::cumsum(on, from.view(), at, reverse, y.mut()); });
    return y;
  };
  return record("cumsum", sums(x, false), {x},
                [sums](const Tensor& dy, Wanted, Sinks& to) { to.give(0, sums(dy, true)); });
}

}  // namespace iskra
