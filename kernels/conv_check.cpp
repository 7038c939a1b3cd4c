// What convolutions on both devices take: sizes, types and layouts.
#include <algorithm>

#include <iskra/kernels/check.h>
#include <iskra/kernels/conv.h>

namespace iskra::kernels {
namespace {

ConvShape shape_of(const Conv2d& at, const View& x, const View& w, const View& y) {
  return {at,        x.size(0), x.size(1), x.size(2), x.size(3),
          w.size(0), w.size(2), w.size(3), y.size(2), y.size(3)};
}

void check_layout(const View& x, const View& w, const View& y, const char* op) {
  ISKRA_CHECK(x.rank() == 4 && y.rank() == 4 && w.rank() == 4, op, ": needs four axes, got x ", x.shape,
              ", w ", w.shape, ", y ", y.shape);
  ISKRA_CHECK(is_floating(x.dtype) && x.dtype == y.dtype, op, ": x is ", name_of(x.dtype), ", w ",
              name_of(w.dtype), ", y ", name_of(y.dtype), "; they must be of one floating type");
  ISKRA_CHECK(x.channels_last() && y.channels_last(), op,
              ": pictures must be dense and channels-last, got x ", x.shape, " with strides ", x.stride,
              " and y ", y.shape, " with strides ", y.stride);
  ISKRA_CHECK(w.contiguous(), op, ": weights must be dense (K,C/groups,R,S), got ", w.shape, " with strides ",
              w.stride);
}

/// A gradient is of its operand's type, or f32.
void check_gradient(const View& d, DType type, const char* op, const char* name) {
  ISKRA_CHECK(!d.defined() || d.dtype == type || d.dtype == DType::f32, op, ": ", name, " is ",
              name_of(d.dtype), ", but dy ", name_of(type), "; it must be of that type or f32");
}

}  // namespace

ConvShape checked_conv(const Conv2d& at, const View& x, const View& w, const View& y, const char* op) {
  check_layout(x, w, y, op);
  ConvShape s = shape_of(at, x, w, y);
  ISKRA_CHECK(at.groups >= 1 && s.channels % at.groups == 0 && s.filters % at.groups == 0, op, ": ",
              s.channels, " channels and ", s.filters, " filters do not divide into ", at.groups, " groups");
  ISKRA_CHECK(w.size(1) == s.group_channels(), op, ": x has ", s.channels, " channels in ", at.groups,
              " groups, but w is ", w.shape);
  ISKRA_CHECK(y.size(0) == s.images && y.size(1) == s.filters, op, ": x ", x.shape, " and w ", w.shape,
              " cannot give y ", y.shape);
  for (int axis = 0; axis < 2; ++axis) {
    ISKRA_CHECK(at.stride[axis] >= 1 && at.dilation[axis] >= 1 && at.padding[axis] >= 0, op,
                ": stride and dilation must be at least 1 and padding at least 0, got ", at.stride[axis],
                ", ", at.dilation[axis], " and ", at.padding[axis]);
    const int64_t reach =
        x.size(2 + axis) + 2 * at.padding[axis] - at.dilation[axis] * (w.size(2 + axis) - 1) - 1;
    const int64_t expected = reach < 0 ? 0 : reach / at.stride[axis] + 1;
    ISKRA_CHECK(y.size(2 + axis) == expected, op, ": x ", x.shape, " and w ", w.shape, " cannot give y ",
                y.shape, "; expected size ", expected, " along axis ", 2 + axis);
    // Beyond the padded picture no stride reaches further; libraries of others take only moderate ones.
    s.at.stride[axis] =
        std::min(at.stride[axis], std::max<int64_t>(1, x.size(2 + axis) + 2 * at.padding[axis]));
  }
  return s;
}

void check_like_y(const View& x, const View& y, const char* op, const char* name) {
  ISKRA_CHECK(
      !x.defined() || (x.dtype == y.dtype && x.shape == y.shape && (x.channels_last() || y.numel() == 0)), op,
      ": the ", name, " is ", name_of(x.dtype), " ", x.shape, " with strides ", x.stride,
      "; it must lie like y, ", name_of(y.dtype), " ", y.shape, " channels-last");
}

ConvShape checked_conv_gradients(const Conv2d& at, const View& x, const View& dy, const View& dw,
                                 const View& dbias) {
  constexpr const char* kOp = "conv2d_backward_weight";
  ConvShape s;
  if (dw.defined()) {
    s = checked_conv(at, x, dw, dy, kOp);
  } else {
    ISKRA_CHECK(dy.rank() == 4 && dy.channels_last() && is_floating(dy.dtype), kOp,
                ": dy must be floating and channels-last, got ", name_of(dy.dtype), " ", dy.shape,
                " with strides ", dy.stride);
    s = {at, dy.size(0), 0, 0, 0, dy.size(1), 0, 0, dy.size(2), dy.size(3)};
  }
  ISKRA_CHECK(!dbias.defined() || dbias.numel() == s.filters, kOp, ": dbias ", dbias.shape,
              " must be a dense vector of ", s.filters, " values");
  check_gradient(dw, dy.dtype, kOp, "dw");
  check_gradient(dbias, dy.dtype, kOp, "dbias");
  return s;
}

}  // namespace iskra::kernels
