// Resizing pictures: each axis has a table of weights, output pixel by input pixel, and a picture is resized
// along its height, then along its width. The gradient is the same with both tables transposed.
#include <cmath>

#include <iskra/kernels/interpolate.isa.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/parameters.h>
#include <iskra/kernels/row_kernels.h>

namespace iskra::kernels {
namespace {

const InterpolateTable& table() {
  static const InterpolateTable& chosen =
      by_isa(v2::interpolate_table, v3::interpolate_table, v4::interpolate_table);
  return chosen;
}

struct Tap {
  int64_t from;
  double weight;
};

/// The weights along one axis: output pixel o takes the taps [first[o], first[o + 1]).
struct Taps {
  int64_t* first;
  Tap* taps;
};

/// Keys' cubic kernel; -0.75 as pictures are resized, -0.5 where it is stretched against aliasing (PyTorch's
/// choices). Keys 1981.
double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

class Axis {
 public:
  Axis(const Interpolate2d& at, int axis, int64_t in, int64_t out) : at_(at), in_(in) {
    if (at.align_corners && at.mode != Interpolation::nearest)
      scale_ = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
    else
      scale_ = at.scale[axis] > 0 ? 1 / at.scale[axis] : static_cast<double>(in) / static_cast<double>(out);
    support_ = (at.mode == Interpolation::bicubic ? 2 : 1) * std::max(scale_, 1.0);
  }

  int64_t most_taps() const {
    if (antialiased()) return static_cast<int64_t>(std::ceil(support_)) * 2 + 1;
    return at_.mode == Interpolation::nearest ? 1 : at_.mode == Interpolation::bilinear ? 2 : 4;
  }

  /// Writes the taps of output pixel o and returns how many.
  int64_t taps(int64_t o, Tap* to) const {
    if (at_.mode == Interpolation::nearest) {
      // In f32, as other frameworks decide which of two neighbours is nearer.
      const float from = std::floor(static_cast<float>(o) * static_cast<float>(scale_));
      to[0] = {std::min(static_cast<int64_t>(from), in_ - 1), 1};
      return 1;
    }
    if (antialiased()) return stretched(o, to);
    const double centre =
        at_.align_corners ? scale_ * static_cast<double>(o) : scale_ * (static_cast<double>(o) + 0.5) - 0.5;
    return at_.mode == Interpolation::bilinear ? linear(std::max(centre, 0.0), to) : cubic_taps(centre, to);
  }

 private:
  bool antialiased() const { return at_.antialias && at_.mode != Interpolation::nearest; }

  int64_t linear(double centre, Tap* to) const {
    const int64_t low = std::min(static_cast<int64_t>(centre), in_ - 1);
    const double part = std::min(std::max(centre - static_cast<double>(low), 0.0), 1.0);
    to[0] = {low, 1 - part};
    to[1] = {std::min(low + 1, in_ - 1), part};
    return 2;
  }

  int64_t cubic_taps(double centre, Tap* to) const {
    const double low = std::floor(centre);
    for (int i = 0; i < 4; ++i) {
      const double place = low + i - 1;
      const auto from = static_cast<int64_t>(std::min(std::max(place, 0.0), static_cast<double>(in_ - 1)));
      to[i] = {from, cubic(centre - place, -0.75)};
    }
    return 4;
  }

  int64_t stretched(int64_t o, Tap* to) const {
    const double centre = scale_ * (static_cast<double>(o) + 0.5), inverse = 1 / std::max(scale_, 1.0);
    const int64_t begin = std::max<int64_t>(static_cast<int64_t>(centre - support_ + 0.5), 0);
    const int64_t end = std::min(static_cast<int64_t>(centre + support_ + 0.5), in_);
    double total = 0;
    for (int64_t i = begin; i < end; ++i) {
      const double x = (static_cast<double>(i) - centre + 0.5) * inverse;
      const double weight =
          at_.mode == Interpolation::bicubic ? cubic(x, -0.5) : std::max(0.0, 1 - std::abs(x));
      to[i - begin] = {i, weight};
      total += weight;
    }
    for (int64_t i = 0; i < end - begin && total != 0; ++i) to[i].weight /= total;
    return end - begin;
  }

  const Interpolate2d& at_;
  int64_t in_;
  double scale_, support_;
};

Taps taps_of(const Cpu& on, const Interpolate2d& at, int axis, int64_t in, int64_t out) {
  const Axis weights(at, axis, in, out);
  Taps made{scratch_of<int64_t>(on, out + 1, "interpolate"),
            scratch_of<Tap>(on, out * weights.most_taps(), "interpolate")};
  made.first[0] = 0;
  for (int64_t o = 0; o < out; ++o)
    made.first[o + 1] = made.first[o] + weights.taps(o, made.taps + made.first[o]);
  return made;
}

/// Input pixel by output pixel.
Taps transposed(const Cpu& on, const Taps& taps, int64_t in, int64_t out) {
  const int64_t count = taps.first[out];
  Taps made{scratch_of<int64_t>(on, in + 2, "interpolate"), scratch_of<Tap>(on, count, "interpolate")};
  std::fill_n(made.first, in + 2, 0);
  for (int64_t i = 0; i < count; ++i) ++made.first[taps.taps[i].from + 2];
  for (int64_t i = 2; i < in + 2; ++i) made.first[i] += made.first[i - 1];
  // first[i + 1] is where pixel i goes on; in the end it is where pixel i + 1 begins.
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = taps.first[o]; i < taps.first[o + 1]; ++i)
      made.taps[made.first[taps.taps[i].from + 1]++] = {o, taps.taps[i].weight};
  return made;
}

void resize(const Cpu& on, const Taps& rows, const Taps& cols, const View& x, const MutView& y) {
  const int64_t channels = x.size(1), in_width = x.size(3), out_height = y.size(2), out_width = y.size(3);
  const int type = floating_type_index(x.dtype, "interpolate"), computed = type == 1 ? 1 : 0;
  const auto number = static_cast<int64_t>(size_of(computing_dtype(x.dtype)));
  const int64_t in_row = in_width * channels, out_row = out_width * channels;
  const size_t bytes = static_cast<size_t>((in_row + out_row) * number);
  for_rows(on, y.size(0) * out_height, in_row + out_row, bytes, "interpolate",
           [&](int64_t begin, int64_t count, char* memory) {
             char *line = memory, *result = memory + in_row * number;
             for (int64_t row = begin; row < begin + count; ++row) {
               const int64_t o = row % out_height, picture = row / out_height * x.size(2);
               if (rows.first[o] == rows.first[o + 1]) std::fill_n(line, in_row * number, char(0));
               for (int64_t i = rows.first[o]; i < rows.first[o + 1]; ++i)
                 table().add[type](at(x, (picture + rows.taps[i].from) * in_row), in_row, rows.taps[i].weight,
                                   i == rows.first[o], line);
               for (int64_t w = 0; w < out_width; ++w) {
                 char* pixel = result + w * channels * number;
                 if (cols.first[w] == cols.first[w + 1]) std::fill_n(pixel, channels * number, char(0));
                 for (int64_t i = cols.first[w]; i < cols.first[w + 1]; ++i)
                   table().add[computed](line + cols.taps[i].from * channels * number, channels,
                                         cols.taps[i].weight, i == cols.first[w], pixel);
               }
               table().store[type](result, out_row, at(y, row * out_row));
             }
           });
}

}  // namespace

void interpolate(Cpu on, const Interpolate2d& at, View x, MutView y) {
  if (y.numel() == 0) return;
  resize(on, taps_of(on, at, 0, x.size(2), y.size(2)), taps_of(on, at, 1, x.size(3), y.size(3)), x, y);
}

void interpolate_backward(Cpu on, const Interpolate2d& at, View dy, MutView dx) {
  if (dx.numel() == 0) return;
  auto axis = [&](int i) {
    const int64_t in = dx.size(2 + i), out = dy.size(2 + i);
    return transposed(on, taps_of(on, at, i, in, out), in, out);
  };
  resize(on, axis(0), axis(1), dy, dx);
}

}  // namespace iskra::kernels
