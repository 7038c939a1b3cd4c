// Elements chosen and placed by index along one axis.
#include <algorithm>

#include <iskra/core/launch.h>
#include <iskra/core/op_parts.h>
#include <iskra/core/tensor_impl.h>
#include <iskra/kernels/index_check.h>

namespace iskra {

using detail::check_on_host;
using detail::launch;
using detail::normal_axis;
using detail::view_of;

namespace {

// Indices as kernels take them.
Tensor index_of(const char* op, const Tensor& index, const Tensor& x) {
  ISKRA_CHECK(index.dtype() == DType::i64 || index.dtype() == DType::i32, op, ": the indices are ",
              index.str(), "; they must be i64 or i32, convert them with to(DType::i64)");
  ISKRA_CHECK(index.device() == x.device(), op, ": the indices are on ", index.device(),
              " and the tensor on ", x.device(), "; move one with to(Device)");
  return index.to(DType::i64).detach();
}

}  // namespace

void detail::check_on_host(const char* op, const Tensor& index, int64_t size) {
  if (index.device().is_cpu() || !context().synchronous) return;
  // A copy keeps strides of dense tensors only; what is repeated is copied once.
  Shape own = index.shape();
  for (int i = 0; i < index.rank(); ++i) own[i] = index.strides()[i] == 0 ? 1 : own[i];
  Tensor host = view_of(index, own, index.strides()).to(Device::cpu());
  kernels::check_indices(op, host.expand(index.shape()).view(), size);
}

namespace {

// Along the other axes index may be shorter than x, never longer.
void check_inside(const char* op, const Tensor& x, const Tensor& index, int axis) {
  ISKRA_CHECK(index.rank() == x.rank(), op, ": the indices are ", index.str(), " and the tensor ", x.str(),
              "; they must have equally many axes");
  for (int i = 0; i < x.rank(); ++i)
    ISKRA_CHECK(i == axis || index.shape()[i] <= x.shape()[i], op, ": the indices are ", index.str(),
                " and the tensor ", x.str(), "; axis ", i, " of the indices must not be longer");
}

Tensor gathered(const Tensor& x, int axis, const Tensor& index) {
  Tensor y = Tensor::empty(index.shape(), {.dtype = x.dtype(), .device = x.device()});
  check_on_host("gather", index, x.shape()[axis]);
  launch(x.device(), [&](auto on) { kernels::gather(on, x.view(), index.view(), axis, y.mut()); });
  return y;
}

void add_scattered(const Tensor& source, const Tensor& index, int axis, Tensor into) {
  check_on_host("scatter_add", index, into.shape()[axis]);
  launch(into.device(),
         [&](auto on) { kernels::scatter_add(on, source.view(), index.view(), axis, into.mut()); });
}

// The gradient of what was chosen by index: added up where it was taken from.
void give_scattered(Sinks& to, int input, const Tensor& dy, const Tensor& index, int axis) {
  Sink sink = to.accumulate(input);
  if (sink.beta == 0) sink.into.fill(0);
  add_scattered(dy, index, axis, sink.into);
}

// The gradient of slices (R) of a tensor along `axis`: rows of (outer, R, inner).
void give_slices(Sinks& to, int input, const Tensor& dy, const Tensor& index, int axis, int64_t skip) {
  detail::into_row_major(to.accumulate(input), [&](const Sink& sink) {
    int64_t outer = 1, inner = 1;
    const Shape& shape = sink.into.shape();
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    const Shape rows{outer, index.numel(), inner}, whole{outer, shape[axis], inner};
    Tensor x = view_of(dy.contiguous(), rows, contiguous_strides(rows));
    Tensor y = view_of(sink.into, whole, contiguous_strides(whole));
    launch(dy.device(),
           [&](auto on) { kernels::index_add(on, x.view(), index.view(), skip, y.mut(), sink.beta); });
  });
}

}  // namespace

Tensor gather(const Tensor& x, int axis, const Tensor& index, Caller caller) {
  detail::OpScope scope("gather", caller);
  const int at = normal_axis(axis, x.rank(), "gather");
  Tensor places = index_of("gather", index, x);
  check_inside("gather", x, places, at);
  return record("gather", gathered(x, at, places), {x},
                [at, places](const Tensor& dy, Wanted, Sinks& to) { give_scattered(to, 0, dy, places, at); });
}

Tensor take_along(const Tensor& x, const Tensor& index, int axis, Caller caller) {
  detail::OpScope scope("take_along", caller);
  const int at = normal_axis(axis, x.rank(), "take_along");
  ISKRA_CHECK(index.rank() == x.rank(), "take_along: the indices are ", index.str(), " and the tensor ",
              x.str(), "; they must have equally many axes");
  Shape others = x.shape(), index_others = index.shape();
  others[at] = index_others[at] = 1;
  Shape shape = broadcast_shapes(others, index_others, "take_along");
  Shape index_shape = shape, x_shape = shape;
  index_shape[at] = index.shape()[at];
  x_shape[at] = x.shape()[at];
  return gather(x.expand(x_shape), at, index.expand(index_shape));
}

Tensor index_select(const Tensor& x, int axis, const Tensor& index, Caller caller) {
  detail::OpScope scope("index_select", caller);
  const int at = normal_axis(axis, x.rank(), "index_select");
  ISKRA_CHECK(index.rank() == 1, "index_select: the indices are ", index.str(),
              "; they must be a list (R), flatten() them");
  Tensor places = index_of("index_select", index, x);
  Shape shape = x.shape(), stride = Shape::filled(x.rank(), 0);
  shape[at] = places.numel();
  stride[at] = places.strides()[0];
  const bool pictures = x.rank() == 4 && x.is_channels_last() && !x.is_contiguous();
  Tensor y = Tensor::empty(shape, {.dtype = x.dtype(),
                                   .device = x.device(),
                                   .layout = pictures ? Layout::channels_last : Layout::row_major});
  Tensor shared = view_of(places, shape, stride);
  check_on_host("index_select", shared, x.shape()[at]);
  launch(x.device(), [&](auto on) { kernels::gather(on, x.view(), shared.view(), at, y.mut()); });
  return record("index_select", y, {x}, [at, places](const Tensor& dy, Wanted, Sinks& to) {
    give_slices(to, 0, dy, places, at, -1);
  });
}

Tensor embedding(const Tensor& ids, const Tensor& weight, std::optional<int64_t> padding, Caller caller) {
  detail::OpScope scope("embedding", caller);
  ISKRA_CHECK(weight.rank() == 2, "embedding: the weight is ", weight.str(),
              "; it must be a matrix, a row for each id");
  ISKRA_CHECK(ids.rank() < Shape::kMaxRank, "embedding: the ids are ", ids.str(), "; at most ",
              Shape::kMaxRank - 1, " axes");
  const int64_t rows = weight.shape()[0], skip = padding.value_or(-1);
  ISKRA_CHECK(!padding || (skip >= 0 && skip < rows), "embedding: the padding id is ", skip,
              " and the weight ", weight.str(), "; it must lie in [0, ", rows, ")");
  Tensor places = index_of("embedding", ids, weight).contiguous();
  Shape shape = ids.shape();
  shape.push_back(weight.shape()[1]);
  const Shape flat{places.numel(), weight.shape()[1]};
  places = view_of(places, {places.numel()}, {1});
  Tensor y = Tensor::empty(shape, {.dtype = weight.dtype(), .device = weight.device()});
  Tensor shared = view_of(places, flat, {1, 0}), out = view_of(y, flat, contiguous_strides(flat));
  check_on_host("embedding", shared, rows);
  launch(weight.device(), [&](auto on) { kernels::gather(on, weight.view(), shared.view(), 0, out.mut()); });
  return record("embedding", y, {weight}, [places, skip](const Tensor& dy, Wanted, Sinks& to) {
    give_slices(to, 0, dy, places, 0, skip);
  });
}

namespace {

Tensor checked_source(const char* op, const Tensor& x, const Tensor& index, const Tensor& source) {
  ISKRA_CHECK(source.dtype() == x.dtype() && source.device() == x.device(), op, ": the source is ",
              source.str(), " and the tensor ", x.str(), "; both must have one dtype and device");
  return source.shape() == index.shape() ? source : source.expand(index.shape());
}

}  // namespace

Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source, Caller caller) {
  detail::OpScope scope("scatter", caller);
  const int at = normal_axis(axis, x.rank(), "scatter");
  Tensor places = index_of("scatter", index, x);
  check_inside("scatter", x, places, at);
  Tensor from = checked_source("scatter", x, places, source);
  Tensor y = x.detach().clone();
  check_on_host("scatter", places, x.shape()[at]);
  launch(x.device(), [&](auto on) { kernels::scatter(on, from.view(), places.view(), at, y.mut()); });
  return record("scatter", y, {x, from}, [at, places](const Tensor& dy, Wanted wanted, Sinks& to) {
    if (wanted[0]) {
      Tensor dx = dy.clone(), zero = Tensor::zeros({}, {.dtype = dy.dtype(), .device = dy.device()});
      Tensor zeros = zero.expand(places.shape());
      launch(dy.device(), [&](auto on) { kernels::scatter(on, zeros.view(), places.view(), at, dx.mut()); });
      to.give(0, dx);
    }
    if (wanted[1]) to.give(1, gathered(dy, at, places));
  });
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source, Caller caller) {
  detail::OpScope scope("scatter_add", caller);
  const int at = normal_axis(axis, x.rank(), "scatter_add");
  ISKRA_CHECK(x.dtype() != DType::boolean, "scatter_add: the tensor is ", x.str(),
              "; there are no sums of bool, convert it to an integer first");
  Tensor places = index_of("scatter_add", index, x);
  check_inside("scatter_add", x, places, at);
  Tensor from = checked_source("scatter_add", x, places, source);
  Tensor y = x.detach().clone();
  add_scattered(from, places, at, y);
  return record("scatter_add", y, {x, from}, [at, places](const Tensor& dy, Wanted wanted, Sinks& to) {
    if (wanted[0]) to.give(0, dy);
    if (wanted[1]) to.give(1, gathered(dy, at, places));
  });
}

}  // namespace iskra
