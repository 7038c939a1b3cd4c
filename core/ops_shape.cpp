// Views, copies and conversions of whole tensors; views of parts are in ops_view.cpp.
#include <algorithm>

#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::normal_axis;
using detail::view_of;

namespace {

// Strides that give x the new shape without moving an element; false when there are none. Walks both shapes
// from the last axis: every run of old axes that lie densely inside each other must be covered exactly by new
// axes.
bool strides_for(const Tensor& x, const Shape& shape, Shape* stride) {
  *stride = contiguous_strides(shape);
  if (x.numel() == 0 || x.is_contiguous()) return true;
  int next = shape.rank() - 1;
  int64_t inner = x.strides().back();
  int64_t old_run = 1;
  int64_t new_run = 1;
  for (int i = x.rank() - 1; i >= 0; --i) {
    old_run *= x.shape()[i];
    bool run_goes_on = i > 0 && (x.shape()[i - 1] == 1 || x.strides()[i - 1] == old_run * inner);
    if (run_goes_on) continue;
    for (; next >= 0 && (new_run < old_run || shape[next] == 1); --next) {
      (*stride)[next] = new_run * inner;
      new_run *= shape[next];
    }
    if (new_run != old_run) return false;
    if (i > 0) inner = x.strides()[i - 1];
    old_run = new_run = 1;
  }
  return next < 0;
}

Shape resolved(const Tensor& x, Shape shape) {
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) {
      ISKRA_CHECK(unknown < 0, "reshape: shape ", shape, " has two sizes of -1; only one can be worked out");
      unknown = i;
    } else {
      ISKRA_CHECK(shape[i] >= 0, "reshape: size ", shape[i], " in shape ", shape, " is negative");
      known *= shape[i];
    }
  }
  Shape asked = shape;
  if (unknown >= 0 && known > 0 && x.numel() % known == 0) shape[unknown] = x.numel() / known;
  bool fits = (unknown < 0 || known > 0) && shape.numel() == x.numel();
  ISKRA_CHECK(fits, "reshape: ", x.shape(), " has ", x.numel(), " elements, which do not fill shape ", asked);
  return shape;
}

Tensor copied(const Tensor& x, Tensor y) {
  y.copy_from(x);
  return y;
}

}  // namespace

Tensor Tensor::reshape(const Shape& wanted, Caller caller) const {
  detail::OpScope scope("reshape", caller);
  Shape shape = resolved(*this, wanted);
  Shape stride;
  bool viewable = strides_for(*this, shape, &stride);
  Tensor y = viewable ? view_of(*this, shape, stride)
                      : view_of(detach().contiguous(), shape, contiguous_strides(shape));
  return record("reshape", y, {*this}, [from = this->shape()](const Tensor& dy, Wanted, Sinks& to) {
    to.give(0, dy.reshape(from));
  });
}

Tensor Tensor::flatten(int first, int last, Caller caller) const {
  detail::OpScope scope("flatten", caller);
  if (rank() == 0) return reshape({1});
  int from = normal_axis(first, rank(), "flatten");
  int until = normal_axis(last, rank(), "flatten");
  ISKRA_CHECK(from <= until, "flatten: axis ", first, " of ", str(), " comes after axis ", last,
              "; name the first axis first");
  Shape wanted;
  int64_t joined = 1;
  for (int i = 0; i < rank(); ++i) {
    if (i < from || i > until) {
      wanted.push_back(shape()[i]);
    } else {
      joined *= shape()[i];
      if (i == until) wanted.push_back(joined);
    }
  }
  return reshape(wanted);
}

Tensor Tensor::permute(const Shape& axes, Caller caller) const {
  detail::OpScope scope("permute", caller);
  ISKRA_CHECK(axes.rank() == rank(), "permute: the axes ", axes, " of ", str(), " are ", axes.rank(),
              "; name each of its ", rank(), " axes once");
  Shape sizes = axes;
  Shape strides_out = axes;
  Shape inverse = Shape::filled(rank(), -1);
  for (int i = 0; i < rank(); ++i) {
    int from = normal_axis(static_cast<int>(axes[i]), rank(), "permute");
    ISKRA_CHECK(inverse[from] < 0, "permute: the axes ", axes, " of ", str(), " name axis ", from,
                " twice; name each once");
    inverse[from] = i;
    sizes[i] = shape()[from];
    strides_out[i] = strides()[from];
  }
  return record("permute", view_of(*this, sizes, strides_out), {*this},
                [inverse](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.permute(inverse)); });
}

Tensor Tensor::transpose(int a, int b, Caller caller) const {
  detail::OpScope scope("transpose", caller);
  Shape axes = Shape::filled(rank(), 0);
  for (int i = 0; i < rank(); ++i) axes[i] = i;
  std::swap(axes[normal_axis(a, rank(), "transpose")], axes[normal_axis(b, rank(), "transpose")]);
  return permute(axes);
}

Tensor Tensor::narrow(int axis, int64_t start, int64_t length, Caller caller) const {
  detail::OpScope scope("narrow", caller);
  int at = normal_axis(axis, rank(), "narrow");
  ISKRA_CHECK(start >= 0 && length >= 0 && start + length <= shape()[at], "narrow: elements ", start, " to ",
              start + length, " of axis ", axis, ", but ", str(), " has ", shape()[at], " there");
  Shape sizes = shape();
  sizes[at] = length;
  Tensor y = view_of(*this, sizes, strides(), start * strides()[at]);
  return record("narrow", y, {*this}, [at, start](const Tensor& dy, Wanted, Sinks& to) {
    Sink sink = to.accumulate(0);
    if (sink.beta == 0) sink.into.fill(0);
    Tensor window = view_of(sink.into, dy.shape(), sink.into.strides(), start * sink.into.strides()[at]);
    launch(dy.device(), [&](auto on) { kernels::add_into(on, dy.view(), window.mut(), sink.beta); });
  });
}

Tensor Tensor::squeeze(int axis, Caller caller) const {
  detail::OpScope scope("squeeze", caller);
  int at = normal_axis(axis, rank(), "squeeze");
  ISKRA_CHECK(shape()[at] == 1, "squeeze: axis ", axis, " of ", str(), " has size ", shape()[at],
              "; it must have size 1");
  Shape sizes = shape();
  Shape strides_out = strides();
  sizes.erase(at);
  strides_out.erase(at);
  return record("squeeze", view_of(*this, sizes, strides_out), {*this},
                [at](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.unsqueeze(at)); });
}

Tensor Tensor::unsqueeze(int axis, Caller caller) const {
  detail::OpScope scope("unsqueeze", caller);
  int at = normal_axis(axis, rank() + 1, "unsqueeze");
  ISKRA_CHECK(rank() < Shape::kMaxRank, "unsqueeze: ", str(), " has ", rank(),
              " axes, and more are not possible");
  Shape sizes = shape();
  Shape strides_out = strides();
  int64_t stride = at < rank() ? strides()[at] * shape()[at] : 1;
  sizes.insert(at, 1);
  strides_out.insert(at, stride);
  return record("unsqueeze", view_of(*this, sizes, strides_out), {*this},
                [at](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.squeeze(at)); });
}

Tensor Tensor::expand(const Shape& wide, Caller caller) const {
  detail::OpScope scope("expand", caller);
  ISKRA_CHECK(wide.rank() >= rank() && broadcast_shapes(shape(), wide, "expand") == wide, "expand: shape ",
              shape(), " does not broadcast to ", wide);
  int extra = wide.rank() - rank();
  Shape strides_out = Shape::filled(wide.rank(), 0);
  for (int i = 0; i < rank(); ++i) {
    bool stretched = shape()[i] == 1 && wide[extra + i] != 1;
    strides_out[extra + i] = stretched ? 0 : strides()[i];
  }
  return record("expand", view_of(*this, wide, strides_out), {*this},
                [from = shape()](const Tensor& dy, Wanted, Sinks& to) { to.give(0, sum_to(dy, from)); });
}

Tensor Tensor::contiguous(Layout layout, Caller caller) const {
  detail::OpScope scope("contiguous", caller);
  bool channels_last = layout == Layout::channels_last;
  if (channels_last ? is_channels_last() : is_contiguous()) return *this;
  Tensor y = empty(shape(), {.dtype = dtype(), .device = device(), .layout = layout});
  return record("contiguous", copied(*this, y), {*this},
                [](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy); });
}

Tensor Tensor::clone(Caller caller) const {
  detail::OpScope scope("clone", caller);
  return record("clone", copied(*this, empty_like(*this)), {*this},
                [](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy); });
}

Tensor Tensor::to(DType wanted, Caller caller) const {
  detail::OpScope scope("to", caller);
  if (wanted == dtype()) return *this;
  Tensor y = empty(shape(), {.dtype = wanted, .device = device()});
  if (is_dense()) y = view_of(y, shape(), strides());
  y.copy_from(*this);
  if (!is_floating(wanted)) return y;
  return record("to", y, {*this},
                [from = dtype()](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.to(from)); });
}

}  // namespace iskra
