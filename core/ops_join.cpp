// Ops that move whole blocks of elements: joining, cutting, repeating, rotating, padding.
#include <algorithm>
#include <numeric>

#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/promote.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::normal_axis;
using detail::view_of;

namespace {

constexpr size_t kMostInputs = 64;  // that a node of the tape can tell apart

// A tensor of another shape in x's dtype and, for pictures, layout.
Tensor empty_as(const Tensor& x, const Shape& shape) {
  const bool pictures = shape.rank() == 4 && x.is_channels_last() && !x.is_contiguous();
  return Tensor::empty(shape, {.dtype = x.dtype(),
                               .device = x.device(),
                               .layout = pictures ? Layout::channels_last : Layout::row_major});
}

// The tensor that the parts are joined into, uninitialised.
Tensor empty_joined(const std::vector<Tensor>& xs, int axis) {
  const Tensor& first = xs.front();
  Shape shape = first.shape();
  shape[axis] = 0;
  DType dtype = first.dtype();
  bool pictures = shape.rank() == 4;
  for (const Tensor& x : xs) {
    Shape other = x.shape();
    const bool same_rank = other.rank() == first.rank();
    if (same_rank) other[axis] = first.shape()[axis];
    ISKRA_CHECK(same_rank && other == first.shape() && x.device() == first.device(), "cat: the tensors ",
                first.str(), " and ", x.str(), " differ in more than axis ", axis,
                "; reshape, expand or pad one");
    shape[axis] += x.shape()[axis];
    dtype = promoted(dtype, x.dtype());
    pictures = pictures && x.is_channels_last() && !x.is_contiguous();
  }
  return Tensor::empty(shape, {.dtype = dtype,
                               .device = first.device(),
                               .layout = pictures ? Layout::channels_last : Layout::row_major});
}

Tensor cat_few(const std::vector<Tensor>& xs, int axis) {
  Tensor y = empty_joined(xs, axis);
  struct Part {
    int64_t start, length;
    DType dtype;
  };
  std::vector<Part> parts;
  int64_t start = 0;
  bool needed = false;
  for (const Tensor& x : xs) {
    parts.push_back({start, x.shape()[axis], x.dtype()});
    if (x.numel() > 0) view_of(y, x.shape(), y.strides(), start * y.strides()[axis]).copy_from(x);
    start += x.shape()[axis];
    needed = needed || recording({&x});
  }
  if (!needed) return y;
  return detail::record_node("cat", y, xs, [axis, parts](const Tensor& dy, Wanted wanted, Sinks& to) {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (wanted[static_cast<int>(i)])
        to.give(static_cast<int>(i), dy.narrow(axis, parts[i].start, parts[i].length).to(parts[i].dtype));
    }
  });
}

}  // namespace

Tensor cat(const std::vector<Tensor>& xs, int axis, Caller caller) {
  detail::OpScope scope("cat", caller);
  ISKRA_CHECK(!xs.empty(), "cat: the list of tensors is empty; it must name at least one");
  const int at = normal_axis(axis, xs.front().rank(), "cat");
  if (xs.size() <= kMostInputs) return cat_few(xs, at);
  std::vector<Tensor> groups;
  for (size_t first = 0; first < xs.size(); first += kMostInputs) {
    const size_t last = std::min(first + kMostInputs, xs.size());
    groups.push_back(
        cat_few({xs.begin() + static_cast<int64_t>(first), xs.begin() + static_cast<int64_t>(last)}, at));
  }
  return cat(groups, at);
}

Tensor stack(const std::vector<Tensor>& xs, int axis, Caller caller) {
  detail::OpScope scope("stack", caller);
  ISKRA_CHECK(!xs.empty(), "stack: the list of tensors is empty; it must name at least one");
  const int at = normal_axis(axis, xs.front().rank() + 1, "stack");
  std::vector<Tensor> slices;
  for (const Tensor& x : xs) {
    ISKRA_CHECK(x.shape() == xs.front().shape(), "stack: the tensors ", xs.front().str(), " and ", x.str(),
                " differ in shape; expand or reshape one");
    slices.push_back(x.unsqueeze(at));
  }
  return cat(slices, at);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int axis, Caller caller) {
  detail::OpScope scope("split", caller);
  const int at = normal_axis(axis, x.rank(), "split");
  int64_t total = 0;
  for (int64_t size : sizes) {
    ISKRA_CHECK(size >= 0, "split: size ", size, " is negative");
    total += size;
  }
  ISKRA_CHECK(total == x.size(at), "split: the sizes of ", sizes.size(), " parts sum up to ", total,
              ", and axis ", axis, " of ", x.str(), " has ", x.size(at), " elements; they must be equal");
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (int64_t size : sizes) {
    parts.push_back(x.narrow(at, start, size));
    start += size;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, int64_t size, int axis, Caller caller) {
  detail::OpScope scope("split", caller);
  ISKRA_CHECK(size > 0, "split: parts of ", size, " elements; the size must be positive");
  const int64_t length = x.size(axis);
  std::vector<int64_t> sizes;
  for (int64_t start = 0; start == 0 || start < length; start += size)
    sizes.push_back(std::min(size, length - start));
  return split(x, sizes, axis);
}

std::vector<Tensor> chunk(const Tensor& x, int64_t count, int axis, Caller caller) {
  detail::OpScope scope("chunk", caller);
  ISKRA_CHECK(count > 0, "chunk: ", count, " parts; the count must be positive");
  const int64_t length = x.size(axis);
  if (length == 0) return split(x, std::vector<int64_t>(static_cast<size_t>(count), 0), axis);
  return split(x, (length + count - 1) / count, axis);
}

Tensor repeat(const Tensor& x, const std::vector<int64_t>& counts, Caller caller) {
  detail::OpScope scope("repeat", caller);
  const int rank = static_cast<int>(counts.size());
  ISKRA_CHECK(rank >= x.rank() && rank <= Shape::kMaxRank, "repeat: ", rank, " counts for ", x.str(),
              "; there must be one for each axis, and at most ", Shape::kMaxRank);
  Shape shape = x.shape();
  while (shape.rank() < rank) shape.insert(0, 1);
  Tensor y = x;
  // Axis by axis, the last first, so that all but the last copy are small; each as (outer, 1, inner).
  for (int axis = rank - 1; axis >= 0; --axis) {
    const int64_t count = counts[static_cast<size_t>(axis)];
    ISKRA_CHECK(count >= 0, "repeat: count ", count, " of axis ", axis, " is negative");
    if (count == 1) continue;
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis; i < rank; ++i) inner *= shape[i];
    y = y.reshape({outer, 1, inner}).expand({outer, count, inner}).reshape({outer * count * inner});
    shape[axis] *= count;
  }
  y = y.reshape(shape);
  return y.impl()->storage == x.impl()->storage ? y.clone() : y;
}

namespace {

Tensor flipped(const Tensor& x, const std::vector<int>& axes) {
  Shape strides = x.strides();
  int64_t offset = 0;
  for (int axis : axes) {
    offset += std::max<int64_t>(0, x.shape()[axis] - 1) * strides[axis];
    strides[axis] = -strides[axis];
  }
  Tensor y = Tensor::empty_like(x);
  if (x.numel() > 0) y.copy_from(view_of(x, x.shape(), strides, offset));
  return y;
}

}  // namespace

Tensor flip(const Tensor& x, const std::vector<int>& axes, Caller caller) {
  detail::OpScope scope("flip", caller);
  std::vector<int> at;
  for (int axis : axes) {
    const int one = normal_axis(axis, x.rank(), "flip");
    ISKRA_CHECK(std::find(at.begin(), at.end(), one) == at.end(), "flip: axis ", axis, " of ", x.str(),
                " is named twice; name it once");
    at.push_back(one);
  }
  return record("flip", flipped(x, at), {x},
                [at](const Tensor& dy, Wanted, Sinks& to) { to.give(0, flipped(dy, at)); });
}

namespace {

// Copies the blocks that a rotation makes, axis by axis; shift[i] in [0, size i).
void copy_rolled(const Tensor& x, const Tensor& y, const Shape& shift, int axis) {
  if (axis == x.rank()) {
    Tensor block = y;
    return block.copy_from(x);
  }
  const int64_t size = x.shape()[axis], kept = size - shift[axis];
  copy_rolled(x.narrow(axis, 0, kept), y.narrow(axis, shift[axis], kept), shift, axis + 1);
  if (shift[axis] > 0)
    copy_rolled(x.narrow(axis, kept, shift[axis]), y.narrow(axis, 0, shift[axis]), shift, axis + 1);
}

Tensor rolled(const Tensor& x, const Shape& shift) {
  NoGrad no_grad;
  Tensor y = Tensor::empty_like(x);
  if (x.numel() > 0) copy_rolled(x.detach(), y, shift, 0);
  return y;
}

}  // namespace

Tensor roll(const Tensor& x, const std::vector<int64_t>& shifts, const std::vector<int>& axes,
            Caller caller) {
  detail::OpScope scope("roll", caller);
  ISKRA_CHECK(shifts.size() == axes.size(), "roll: ", shifts.size(), " shifts for ", axes.size(),
              " axes; there must be one for each axis");
  Shape shift = Shape::filled(x.rank(), 0), back = shift;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = normal_axis(axes[i], x.rank(), "roll");
    const int64_t size = std::max<int64_t>(1, x.shape()[axis]);
    shift[axis] = ((shift[axis] + shifts[i]) % size + size) % size;
    back[axis] = (size - shift[axis]) % size;
  }
  return record("roll", rolled(x, shift), {x},
                [back](const Tensor& dy, Wanted, Sinks& to) { to.give(0, rolled(dy, back)); });
}

namespace {

kernels::PadMode pad_mode(Padding mode) {
  if (mode == Padding::reflect) return kernels::PadMode::reflect;
  return mode == Padding::circular ? kernels::PadMode::circular : kernels::PadMode::replicate;
}

void check_padding(const Tensor& x, int axis, int64_t before, int64_t after, Padding mode) {
  const int64_t size = x.shape()[axis], most = std::max(before, after);
  const bool fits = mode == Padding::reflect    ? most < size
                    : mode == Padding::circular ? most <= size
                                                : size > 0;
  ISKRA_CHECK(most == 0 || fits, "pad: ", before, " and ", after, " elements at axis ", axis, " of ", x.str(),
              "; reflection needs more elements than it adds, wrapping at least as many, a border one");
}

// Padded with elements of its own.
Tensor pad_from_inside(const Tensor& x, const Shape& before, const Shape& shape, Padding mode) {
  for (int i = 0; i < x.rank(); ++i)
    check_padding(x, i, before[i], shape[i] - x.shape()[i] - before[i], mode);
  Tensor y = empty_as(x, shape);
  const kernels::PadMode how = pad_mode(mode);
  launch(x.device(), [&](auto on) { kernels::pad(on, how, x.view(), before, y.mut()); });
  const Layout layout = y.is_contiguous() ? Layout::row_major : Layout::channels_last;
  return record(
      "pad", y, {x}, [how, before, layout, from = x.shape()](const Tensor& grad, Wanted, Sinks& to) {
        const Tensor dy = grad.contiguous(layout);
        Tensor dx = empty_as(dy, from);
        launch(dy.device(), [&](auto on) { kernels::pad_backward(on, how, dy.view(), before, dx.mut()); });
        to.give(0, dx);
      });
}

Tensor pad_constant(const Tensor& x, const Shape& before, const Shape& shape, double value) {
  Tensor y = empty_as(x, shape);
  y.fill(value);
  int64_t offset = 0;
  for (int i = 0; i < x.rank(); ++i) offset += before[i] * y.strides()[i];
  if (x.numel() > 0) view_of(y, x.shape(), y.strides(), offset).copy_from(x);
  return record("pad", y, {x}, [before, from = x.shape()](const Tensor& dy, Wanted, Sinks& to) {
    Tensor dx = dy;
    for (int i = 0; i < from.rank(); ++i) dx = dx.narrow(i, before[i], from[i]);
    to.give(0, dx);
  });
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<int64_t>& amounts, Padding mode, double value, Caller caller) {
  detail::OpScope scope("pad", caller);
  const int axes = static_cast<int>(amounts.size()) / 2;
  ISKRA_CHECK(amounts.size() % 2 == 0 && axes <= x.rank(), "pad: ", amounts.size(), " amounts for ", x.str(),
              "; there must be two for each padded axis, the last axis first");
  Shape before = Shape::filled(x.rank(), 0), shape = x.shape();
  Tensor inner = x;
  for (int i = 0; i < axes; ++i) {
    const int axis = x.rank() - 1 - i;
    const int64_t front = amounts[2 * static_cast<size_t>(i)], back = amounts[2 * static_cast<size_t>(i) + 1];
    const int64_t size = x.shape()[axis], cut_front = std::max<int64_t>(0, -front),
                  cut_back = std::max<int64_t>(0, -back);
    ISKRA_CHECK(cut_front + cut_back <= size, "pad: cuts ", cut_front, " and ", cut_back,
                " elements from the ", size, " of axis ", axis, " of ", x.str(), "; cut fewer");
    if (cut_front + cut_back > 0) inner = inner.narrow(axis, cut_front, size - cut_front - cut_back);
    before[axis] = std::max<int64_t>(0, front);
    shape[axis] = inner.shape()[axis] + before[axis] + std::max<int64_t>(0, back);
  }
  if (mode == Padding::constant) return pad_constant(inner, before, shape, value);
  if (shape != inner.shape()) return pad_from_inside(inner, before, shape, mode);
  return inner.impl()->storage == x.impl()->storage ? inner.clone() : inner;
}

namespace {

Tensor triangle(const char* name, const Tensor& x, bool upper, int64_t k) {
  ISKRA_CHECK(x.rank() >= 2, name, ": the input is ", x.str(), "; it must have at least two axes");
  auto kept = [upper, k](const Tensor& from) {
    Tensor y = Tensor::empty_like(from);
    launch(from.device(), [&](auto on) { kernels::triangle(on, from.view(), upper, k, y.mut()); });
    return y;
  };
  return record(name, kept(x), {x}, [kept](const Tensor& dy, Wanted, Sinks& to) { to.give(0, kept(dy)); });
}

}  // namespace

Tensor tril(const Tensor& x, int64_t k, Caller caller) {
  detail::OpScope scope("tril", caller);
  return triangle("tril", x, false, k);
}

Tensor triu(const Tensor& x, int64_t k, Caller caller) {
  detail::OpScope scope("triu", caller);
  return triangle("triu", x, true, k);
}

}  // namespace iskra
