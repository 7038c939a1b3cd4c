// What goes where along a padded axis; the same on both devices.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <utility>

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/kernels.h>

namespace iskra::kernels {
namespace {

/// One axis: `size` elements of x, `padded` of y of which the first `before` stand before x's own.
struct PaddedAxis {
  int64_t size = 1, padded = 1, before = 0;
  int64_t x_stride = 0, y_stride = 0;
  ISKRA_HD bool plain() const { return size == padded; }
};

/// Where element i of y comes from.
ISKRA_HD inline int64_t source(const PaddedAxis& axis, PadMode mode, int64_t i) {
  int64_t at = i - axis.before;
  if (at >= 0 && at < axis.size) return at;
  switch (mode) {
    case PadMode::reflect:
      return at < 0 ? -at : 2 * (axis.size - 1) - at;
    case PadMode::circular:
      return at < 0 ? at + axis.size : at - axis.size;
    default:
      return at < 0 ? 0 : axis.size - 1;
  }
}

/// The places of y that are made from element i of x: every i is in few of them, but for the ends of
/// replicated axes, whose places are neighbours.
class Images {
 public:
  Images() = default;
  ISKRA_HD Images(const PaddedAxis& axis, PadMode mode, int64_t i) {
    int64_t own = axis.before + i, last = axis.size - 1;
    if (mode == PadMode::replicate) {
      neighbours_ = true;
      first_ = i == 0 ? 0 : own;
      count_ = (i == last ? axis.padded : own + 1) - first_;
      return;
    }
    bool mirrored = mode == PadMode::reflect;
    int64_t low = mirrored ? axis.before - i : own - axis.size;
    int64_t high = mirrored ? axis.before + 2 * last - i : own + axis.size;
    bool has_low = low >= 0 && (!mirrored || i > 0), has_high = high < axis.padded && (!mirrored || i < last);
    first_ = has_low ? low : own;
    second_ = has_low ? own : high;
    third_ = high;
    count_ = 1 + (has_low ? 1 : 0) + (has_high ? 1 : 0);
  }
  ISKRA_HD int64_t count() const { return count_; }
  ISKRA_HD int64_t operator[](int64_t k) const {
    if (neighbours_) return first_ + k;
    return k == 0 ? first_ : k == 1 ? second_ : third_;
  }

 private:
  bool neighbours_ = false;
  int64_t first_ = 0, second_ = 0, third_ = 0, count_ = 0;
};

/// The axes of a tensor and of what it is padded to, innermost of y first, or of x if `by_x`, without those
/// of one element; returns how many.
inline int padded_axes(const View& x, const View& y, const Shape& before, bool by_x,
                       PaddedAxis (&axes)[Shape::kMaxRank]) {
  int count = 0;
  for (int i = x.rank() - 1; i >= 0; --i)
    if (y.shape[i] != 1 || x.shape[i] != 1)
      axes[count++] = {x.shape[i], y.shape[i], before[i], x.stride[i], y.stride[i]};
  auto step = [&](int i) { return std::abs(by_x ? axes[i].x_stride : axes[i].y_stride); };
  for (int i = 1; i < count; ++i)
    for (int j = i; j > 0 && step(j) < step(j - 1); --j) std::swap(axes[j], axes[j - 1]);
  return count;
}

}  // namespace
}  // namespace iskra::kernels
