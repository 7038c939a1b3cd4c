// Views that choose a part of a tensor. Their gradients are added through the same window on the gradient of
// the whole.
#include <algorithm>

#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;
using detail::normal_axis;
using detail::view_of;

namespace {

// The same elements of any tensor that has the shape of the whole.
using Window = std::function<Tensor(const Tensor& whole)>;

Tensor window_view(const char* name, const Tensor& x, const Window& window) {
  return record(name, window(x), {x}, [window](const Tensor& dy, Wanted, Sinks& to) {
    Sink sink = to.accumulate(0);
    if (sink.beta == 0) sink.into.fill(0);
    Tensor part = window(sink.into);
    launch(dy.device(), [&](auto on) { kernels::add_into(on, dy.view(), part.mut(), 1); });
  });
}

}  // namespace

Tensor Tensor::slice(int axis, int64_t start, int64_t end, int64_t step, Caller caller) const {
  detail::OpScope scope("slice", caller);
  int at = normal_axis(axis, rank(), "slice");
  ISKRA_CHECK(step > 0, "slice: step ", step, " of axis ", axis,
              "; steps are positive, use flip() for the reverse order");
  const int64_t size = shape()[at];
  auto inside = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = inside(start), last = std::max(inside(end), first);
  const int64_t count = (last - first + step - 1) / step;
  return window_view("slice", *this, [=](const Tensor& x) {
    Shape sizes = x.shape(), strides_out = x.strides();
    sizes[at] = count;
    strides_out[at] *= step;
    return view_of(x, sizes, strides_out, count > 0 ? first * x.strides()[at] : 0);
  });
}

Tensor Tensor::select(int axis, int64_t index, Caller caller) const {
  detail::OpScope scope("select", caller);
  int at = normal_axis(axis, rank(), "select");
  const int64_t size = shape()[at];
  ISKRA_CHECK(index >= -size && index < size, "select: index ", index, " of axis ", axis, " of ", str(),
              "; it must lie in [", -size, ", ", size, ")");
  const int64_t place = index < 0 ? index + size : index;
  return window_view("select", *this, [=](const Tensor& x) {
    Shape sizes = x.shape(), strides_out = x.strides();
    sizes.erase(at);
    strides_out.erase(at);
    return view_of(x, sizes, strides_out, place * x.strides()[at]);
  });
}

Tensor Tensor::diagonal(int64_t offset, int row_axis, int column_axis, Caller caller) const {
  detail::OpScope scope("diagonal", caller);
  int r = normal_axis(row_axis, rank(), "diagonal");
  int c = normal_axis(column_axis, rank(), "diagonal");
  ISKRA_CHECK(r != c, "diagonal: axes ", row_axis, " and ", column_axis, " of ", str(),
              " are the same; name two");
  const int64_t down = std::max<int64_t>(-offset, 0), right = std::max<int64_t>(offset, 0);
  const int64_t length = std::max<int64_t>(0, std::min(shape()[r] - down, shape()[c] - right));
  return window_view("diagonal", *this, [=](const Tensor& x) {
    Shape sizes = x.shape(), strides_out = x.strides();
    const int64_t sr = strides_out[r], sc = strides_out[c];
    for (int axis : {std::max(r, c), std::min(r, c)}) {
      sizes.erase(axis);
      strides_out.erase(axis);
    }
    sizes.push_back(length);
    strides_out.push_back(sr + sc);
    return view_of(x, sizes, strides_out, length > 0 ? down * sr + right * sc : 0);
  });
}

Tensor Tensor::unfold(int axis, int64_t size, int64_t step, Caller caller) const {
  detail::OpScope scope("unfold", caller);
  int at = normal_axis(axis, rank(), "unfold");
  ISKRA_CHECK(size >= 0 && size <= shape()[at] && step > 0, "unfold: windows of ", size, " in steps of ",
              step, " along axis ", axis, " of ", str(), "; windows must fit, and steps be positive");
  ISKRA_CHECK(rank() < Shape::kMaxRank, "unfold: a tensor has at most ", Shape::kMaxRank, " axes");
  const int64_t count = (shape()[at] - size) / step + 1;
  auto window = [=](const Tensor& x, int64_t first, int64_t length) {  // elements first … of each window
    Shape sizes = x.shape(), strides_out = x.strides();
    const int64_t stride = strides_out[at];
    sizes[at] = count;
    strides_out[at] = stride * step;
    sizes.push_back(length);
    strides_out.push_back(stride);
    return view_of(x, sizes, strides_out, first * stride);
  };
  return record("unfold", window(*this, 0, size), {*this}, [=](const Tensor& dy, Wanted, Sinks& to) {
    Sink sink = to.accumulate(0);
    if (sink.beta == 0) sink.into.fill(0);
    // 16-bit sums of overlapping windows add up in f32.
    const bool widens = size > step && is_floating(dy.dtype()) && size_of(dy.dtype()) == 2;
    Tensor sum = widens ? sink.into.to(DType::f32) : sink.into, terms = widens ? dy.to(DType::f32) : dy;
    // Elements less than a step apart belong to different places; further ones are added after them.
    for (int64_t first = 0; first < size; first += step) {
      const int64_t length = std::min(step, size - first);
      Tensor part = window(sum, first, length);
      Tensor from = view_of(terms, part.shape(), terms.strides(), first * terms.strides().back());
      launch(dy.device(), [&](auto on) { kernels::add_into(on, from.view(), part.mut(), 1); });
    }
    if (widens) sink.into.copy_from(sum);
  });
}

Tensor Tensor::movedim(int from, int to, Caller caller) const {
  detail::OpScope scope("movedim", caller);
  int source = normal_axis(from, rank(), "movedim"), target = normal_axis(to, rank(), "movedim");
  Shape axes;
  for (int i = 0; i < rank(); ++i)
    if (i != source) axes.push_back(i);
  axes.insert(target, source);
  return permute(axes);
}

Tensor Tensor::unflatten(int axis, const Shape& sizes, Caller caller) const {
  detail::OpScope scope("unflatten", caller);
  int at = normal_axis(axis, rank(), "unflatten");
  ISKRA_CHECK(rank() + sizes.rank() - 1 <= Shape::kMaxRank, "unflatten: axis ", axis, " of ", str(), " into ",
              sizes, "; a tensor has at most ", Shape::kMaxRank, " axes");
  int64_t known = 1;
  int unknown = -1;
  for (int i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] == -1 && unknown < 0) {
      unknown = i;
      continue;
    }
    ISKRA_CHECK(sizes[i] >= 0, "unflatten: sizes ", sizes,
                "; one may be -1, the others must not be negative");
    known *= sizes[i];
  }
  Shape parts = sizes;
  if (unknown >= 0 && known > 0 && shape()[at] % known == 0) parts[unknown] = shape()[at] / known;
  ISKRA_CHECK(sizes.rank() > 0 && (unknown < 0 || known > 0) && parts.numel() == shape()[at],
              "unflatten: axis ", axis, " of ", str(), " has ", shape()[at], " elements, which do not fill ",
              sizes);
  Shape wanted;
  for (int i = 0; i < rank(); ++i) {
    if (i != at) {
      wanted.push_back(shape()[i]);
    } else {
      for (int64_t size : parts) wanted.push_back(size);
    }
  }
  return reshape(wanted);
}

}  // namespace iskra
