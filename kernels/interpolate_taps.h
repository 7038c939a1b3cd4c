// Which pixels along one axis a resized picture's pixel is made of, and by what weights; the same on both
// devices.
#pragma once

#include <math.h>

#include <cstdint>

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/kernels.h>

namespace iskra::kernels {
namespace {

/// Keys' cubic kernel; -0.75 as pictures are resized, -0.5 where it is stretched against aliasing (PyTorch's
/// choices). Keys 1981.
ISKRA_HD inline double cubic(double x, double a) {
  x = ::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

class InterpolateAxis {
 public:
  InterpolateAxis(const Interpolate2d& at, int axis, int64_t in, int64_t out)
      : mode_(at.mode),
        align_corners_(at.align_corners),
        antialias_(at.antialias && at.mode != Interpolation::nearest),
        in_(in) {
    if (at.align_corners && at.mode != Interpolation::nearest)
      scale_ = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
    else
      scale_ = at.scale[axis] > 0 ? 1 / at.scale[axis] : static_cast<double>(in) / static_cast<double>(out);
    support_ = (at.mode == Interpolation::bicubic ? 2 : 1) * (scale_ > 1 ? scale_ : 1.0);
  }

  int64_t most_taps() const {
    if (antialias_) return static_cast<int64_t>(::ceil(support_)) * 2 + 1;
    return mode_ == Interpolation::nearest ? 1 : mode_ == Interpolation::bilinear ? 2 : 4;
  }

  /// `count` taps at the places first, first + 1, …, each moved `inside` the picture. First and last place
  /// grow with the output pixel.
  struct Taps {
    int64_t first, count;
  };
  ISKRA_HD int64_t inside(int64_t place) const { return place < 0 ? 0 : place < in_ ? place : in_ - 1; }

  /// The taps of output pixel o, whose weights are written.
  template <class T>
  ISKRA_HD Taps taps(int64_t o, T* weight) const {
    if (mode_ == Interpolation::nearest) {
      // In f32, as other frameworks decide which of two neighbours is nearer.
      float from = ::floorf(static_cast<float>(o) * static_cast<float>(scale_));
      weight[0] = 1;
      return {inside(static_cast<int64_t>(from)), 1};
    }
    double place = static_cast<double>(o);
    if (antialias_) return stretched(scale_ * (place + 0.5), weight);
    double centre = align_corners_ ? scale_ * place : scale_ * (place + 0.5) - 0.5;
    return mode_ == Interpolation::bilinear ? linear(centre > 0 ? centre : 0.0, weight)
                                            : cubic_taps(centre, weight);
  }

 private:
  template <class T>
  ISKRA_HD Taps linear(double centre, T* weight) const {
    int64_t low = inside(static_cast<int64_t>(centre));
    double part = centre - static_cast<double>(low);
    part = part < 0 ? 0.0 : part < 1 ? part : 1.0;
    weight[0] = static_cast<T>(1 - part);
    weight[1] = static_cast<T>(part);
    return {low, 2};
  }

  template <class T>
  ISKRA_HD static Taps cubic_taps(double centre, T* weight) {
    double low = ::floor(centre);
    for (int i = 0; i < 4; ++i) weight[i] = static_cast<T>(cubic(centre - (low + i - 1), -0.75));
    return {static_cast<int64_t>(low) - 1, 4};
  }

  template <class T>
  ISKRA_HD Taps stretched(double centre, T* weight) const {
    auto begin = static_cast<int64_t>(centre - support_ + 0.5);
    auto end = static_cast<int64_t>(centre + support_ + 0.5);
    begin = begin > 0 ? begin : 0;
    end = end < in_ ? end : in_;
    if (end <= begin) return {begin, 0};
    double inverse = 1 / (scale_ > 1 ? scale_ : 1.0), total = 0;
    auto at = [&](int64_t i) {
      double x = (static_cast<double>(i) - centre + 0.5) * inverse;
      if (mode_ == Interpolation::bicubic) return cubic(x, -0.5);
      x = 1 - ::fabs(x);
      return x > 0 ? x : 0.0;
    };
    for (int64_t i = begin; i < end; ++i) total += at(i);
    for (int64_t i = begin; i < end; ++i)
      weight[i - begin] = static_cast<T>(at(i) / (total != 0 ? total : 1.0));
    return {begin, end - begin};
  }

  Interpolation mode_;
  bool align_corners_, antialias_;
  int64_t in_;
  double scale_, support_ = 0;
};

}  // namespace
}  // namespace iskra::kernels
