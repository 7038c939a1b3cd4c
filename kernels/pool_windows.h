// Where the windows of pooling lie along one axis, the same on both devices, and what is checked of pictures.
#pragma once

#include <cstdint>

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/kernels.h>

namespace iskra::kernels {

struct PoolAxis {
  int64_t in, out, size, stride, padding;
  int64_t step;  ///< from one place of a window to its next
  bool adaptive, include_pad;

  PoolAxis(const Pool2d& at, int axis, int64_t in_size, int64_t out_size)
      : in(in_size),
        out(out_size),
        size(at.size[axis]),
        stride(at.stride[axis]),
        padding(at.padding[axis]),
        step(at.adaptive ? 1 : at.dilation[axis]),
        adaptive(at.adaptive),
        include_pad(at.count_include_pad) {}

  /// The places begin, begin + step, … below end, and how many a mean divides by.
  struct Window {
    int64_t begin, end, counted;
  };
  ISKRA_HD Window window(int64_t o) const {
    if (adaptive) {
      int64_t begin = o * in / out, end = ((o + 1) * in + out - 1) / out;
      return {begin, end, end - begin};
    }
    int64_t first = o * stride - padding, past = first + (size - 1) * step + 1;
    int64_t begin = first >= 0 ? first : first + (-first + step - 1) / step * step;
    int64_t end = past < in ? past : in;
    if (include_pad) return {begin, end, (past < in + padding ? past : in + padding) - first};
    return {begin, end, end > begin ? end - begin : 0};
  }

  /// The windows [begin, end) reach over place i, …
  struct Windows {
    int64_t begin, end;
  };
  ISKRA_HD Windows over(int64_t i) const {
    if (adaptive) return {i * out / in, ((i + 1) * out + in - 1) / in};
    int64_t late = i + padding - (size - 1) * step;  // where the first of them may begin, from the padding on
    int64_t begin = late > 0 ? (late + stride - 1) / stride : 0, end = (i + padding) / stride + 1;
    return {begin, end < out ? end : out};
  }
  /// … and those that have no hole there hold it.
  ISKRA_HD bool holds(int64_t o, int64_t i) const {
    return step == 1 || (i + padding - o * stride) % step == 0;
  }
};

/// Throw, naming `op`, what is wrong with pictures x and y, and with the places of maxima.
void check_pool(const Pool2d& at, const View& x, const View& y, const char* op);
void check_pool_places(const View& x, const View& y, const View& place, const char* op);

}  // namespace iskra::kernels
