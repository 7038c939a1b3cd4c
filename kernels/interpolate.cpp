// Resizing pictures: each axis has a table of weights, output pixel by input pixel, and a picture is resized
// along its height, then along its width. The gradient is the same with both tables transposed.
#include <algorithm>

#include <iskra/kernels/interpolate.isa.h>
#include <iskra/kernels/interpolate_taps.h>
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

Taps taps_of(const Cpu& on, const Interpolate2d& at, int axis, int64_t in, int64_t out) {
  const InterpolateAxis along(at, axis, in, out);
  const int64_t most = along.most_taps();
  Taps made{scratch_of<int64_t>(on, out + 1, "interpolate"), scratch_of<Tap>(on, out * most, "interpolate")};
  auto* weights = scratch_of<double>(on, most, "interpolate");
  made.first[0] = 0;
  for (int64_t o = 0; o < out; ++o) {
    const InterpolateAxis::Taps taps = along.taps(o, weights);
    for (int64_t i = 0; i < taps.count; ++i)
      made.taps[made.first[o] + i] = {along.inside(taps.first + i), weights[i]};
    made.first[o + 1] = made.first[o] + taps.count;
  }
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
