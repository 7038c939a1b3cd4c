// Convolution and its data gradient on CUDA as products: pixels by taps and channels, gathered on the way
// into shared memory, times the weights (taps and channels, filters). gemm.cuh says how the sums are made.
//
// The data gradient of a stride falls apart into phases, the pixels with one remainder each: all of a phase
// take the same taps, from pixels that lie beside each other as in a forward convolution.
#include <algorithm>
#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/conv.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

using namespace simt;  // NOLINT(google-build-using-namespace)

/// One axis of one phase: its pixel i, which is pixel `phase + i * apart` of all, takes for j in [0, taps)
/// tap `tap + j * tap_step` from place i * each + start + j * step.
struct Axis {
  int size, apart;
  int taps, tap, tap_step;
  int each, start, step;
};

DEV Axis axis_of(const Gather& g, int axis, int phase) {
  int stride = g.stride[axis], dilation = g.dilation[axis], filter = g.filter[axis];
  if (!g.backward) return {g.out_size[axis], 1, filter, 0, 1, stride, -g.padding[axis], dilation};
  int common = stride;
  for (int rest = dilation; rest > 0;) {
    int next = common % rest;
    common = rest, rest = next;
  }
  int tap_step = stride / common, most = min(tap_step, filter), tap = 0;
  while (tap < most && (phase + g.padding[axis] - tap * dilation) % stride != 0) ++tap;
  int taps = tap < most ? (filter - tap + tap_step - 1) / tap_step : 0;
  return {(g.out_size[axis] - phase + stride - 1) / stride,
          stride,
          taps,
          tap,
          tap_step,
          1,
          taps > 0 ? (phase + g.padding[axis] - tap * dilation) / stride : 0,
          -(dilation / common)};
}

/// Phases along an axis that have pixels.
ISKRA_HD inline int phases_of(const Gather& g, int axis) {
  if (!g.backward) return 1;
  return g.stride[axis] < g.out_size[axis] ? g.stride[axis] : g.out_size[axis];
}

/// This thread's elements of a tile of 64 pixels by 16 places (taps and channels), and of one of 64 filters
/// by the same places: four places beside each other of one pixel, or one place of four pixels.
template <class S, class T, bool kVector>
class Taps {
  static constexpr int kLines = kVector ? 1 : 4, kLineStep = kTile / kLines;
  static constexpr int kOutside = -(1 << 30);

 public:
  /// in and w begin with the group's channels and filters; `left` filters are left.
  DEV Taps(const Gather& g, const Axis& vertical, const Axis& horizontal, const S* in, const S* w,
           int64_t row, int64_t rows, int64_t left, int thread)
      : g_(g),
        v_(vertical),
        h_(horizontal),
        by_channels_(g.in),
        by_width_(horizontal.taps),
        places_(vertical.taps * horizontal.taps * g.in),
        line_(kVector ? thread / 4 : thread / kDepth),
        k_(kVector ? thread % 4 * 4 : thread % kDepth),
        left_(static_cast<int>(min(left, int64_t{kTile})) - line_),
        in_(in),
        w_(w + int64_t{line_} * g.filter[0] * g.filter[1] * g.in) {
    Divider by_row(h_.size), by_picture(int64_t{h_.size} * v_.size);
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      int64_t pixel = row + line_ + i * kLineStep;
      image_[i] = by_picture.wide(pixel);
      auto at = static_cast<uint32_t>(pixel - image_[i] * by_picture.by());
      uint32_t y = by_row.quotient(at);
      y_[i] = pixel < rows ? static_cast<int>(y) * v_.each + v_.start : kOutside;
      x_[i] = static_cast<int>(by_row.rest(at, y)) * h_.each + h_.start;
    }
  }

  DEV void read(int64_t k) {
    auto place = static_cast<int>(k) + k_;
    bool inside = place < places_;
    uint32_t tap = by_channels_.quotient(place), c = by_channels_.rest(place, tap);
    uint32_t i_v = by_width_.quotient(tap), i_h = by_width_.rest(tap, i_v);
    int dy = static_cast<int>(i_v) * v_.step, dx = static_cast<int>(i_h) * h_.step;
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      int y = y_[i] + dy, x = x_[i] + dx;
      bool there = inside && y >= 0 && y < g_.in_size[0] && x >= 0 && x < g_.in_size[1];
      int64_t pixel = (image_[i] * g_.in_size[0] + y) * g_.in_size[1] + x;
      take<kVector>(in_ + pixel * g_.in_channels() + c, there, a_ + i);
    }
    int r = v_.tap + static_cast<int>(i_v) * v_.tap_step, s = h_.tap + static_cast<int>(i_h) * h_.tap_step;
    const S* w = w_ + (int64_t{r} * g_.filter[1] + s) * g_.in + c;
    int64_t filter = int64_t{g_.filter[0]} * g_.filter[1] * g_.in;
#pragma unroll
    for (int i = 0; i < kLines; ++i)
      take<kVector>(w + i * kLineStep * filter, inside && i * kLineStep < left_, b_ + i);
  }
  DEV void write(Tile<T>& a, Tile<T>& b) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      int k = kVector ? k_ + i : k_, line = kVector ? line_ : line_ + i * kLineStep;
      a[k][line] = a_[i];
      b[k][line] = b_[i];
    }
  }

 private:
  const Gather& g_;
  const Axis &v_, &h_;
  Divider by_channels_, by_width_;
  int places_, line_, k_, left_;
  const S *in_, *w_;
  int64_t image_[kLines];
  int y_[kLines], x_[kLines];
  T a_[4], b_[4];
};

/// Element (row, 0) of a phase's results.
DEV int64_t place_of(const Gather& g, const Axis& v, const Axis& h, int phase_v, int phase_h, int64_t row) {
  int64_t image = Divider(int64_t{h.size} * v.size).wide(row);
  auto at = static_cast<uint32_t>(row - image * h.size * v.size), width = static_cast<uint32_t>(h.size);
  int64_t y = phase_v + int64_t{at / width} * v.apart, x = phase_h + int64_t{at % width} * h.apart;
  return ((image * g.out_size[0] + y) * g.out_size[1] + x) * g.out_channels();
}

template <class S, class T, bool kVector>
__global__ void __launch_bounds__(kThreads)
    conv_tiles(Gather g, const S* in, const S* w, Cut cut, Results to) {
  SHARED(tiles, Tiles<T>);
  SHARED(places, int64_t[kTile]);
  Seat seat;
  int64_t across = (to.n + kTile - 1) / kTile;
  int64_t row = blockIdx.x / across * kTile, col = blockIdx.x % across * kTile;
  int phases_h = phases_of(g, 1);
  int64_t phases = int64_t{phases_of(g, 0)} * phases_h;
  for (int64_t job = blockIdx.z; job < g.groups * phases * cut.count; job += gridDim.z) {
    int64_t group = job % g.groups, part = job / g.groups / phases;
    auto phase = static_cast<int>(job / g.groups % phases);
    Axis v = axis_of(g, 0, phase / phases_h), h = axis_of(g, 1, phase % phases_h);
    int64_t rows = g.images * v.size * h.size;
    if (row >= rows) continue;
    if (seat.thread < kTile)
      places[seat.thread] =
          group * g.out + place_of(g, v, h, phase / phases_h, phase % phases_h, row + seat.thread);
    int64_t filter = int64_t{g.filter[0]} * g.filter[1] * g.in;
    Taps<S, T, kVector> next(g, v, h, in + group * g.in, w + (group * g.out + col) * filter, row, rows,
                             to.n - col, seat.thread);
    T total[kEach][kEach];
    add_products(next, cut.begin(part), cut.end(part, int64_t{v.taps} * h.taps * g.in), cut.length, seat,
                 tiles, total);
    store_tile(total, row, col, rows, group, part, cut, to, seat, tiles, [&](int r) { return places[r]; });
  }
}

/// Element i of the arranged weights, of `size` bytes each; see arranged_weights.
template <class U>
__global__ void __launch_bounds__(kThreads)
    arrange_weights(Gather g, const U* w, bool out_last, int64_t n, U* to) {
  int64_t area = int64_t{g.filter[0]} * g.filter[1], outs = g.out_channels();
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += int64_t{gridDim.x} * kThreads) {
    int64_t in, out, tap;
    if (out_last)
      out = i % outs, in = i / outs % g.in, tap = i / outs / g.in;
    else
      in = i % g.in, tap = i / g.in % area, out = i / g.in / area;
    int64_t line = g.backward ? (out / g.out * g.in + in) * g.out + out % g.out : out * g.in + in;
    to[i] = w[line * area + tap];
  }
}

template <class S, bool kVector>
void launch_tiles(const Cuda& on, const Gather& g, const S* in, const S* w, const Results& to,
                  const char* op) {
  using T = Computed<S>;
  int64_t phases = int64_t{phases_of(g, 0)} * phases_of(g, 1);
  auto most = [&](int axis) {  // pixels of the first phase, which has most
    return (int64_t{g.out_size[axis]} + phases_of(g, axis) - 1) / phases_of(g, axis);
  };
  int64_t tiles = tiles_of(g.images * most(0) * most(1)) * tiles_of(to.n);
  ISKRA_CHECK(tiles <= INT32_MAX, op, ": ", g.images, " pictures of ", g.out_size[0], " x ", g.out_size[1],
              " pixels are too many for one call on CUDA");
  auto launch = [&](const Cut& cut) {
    gpu::launch<conv_tiles<S, T, kVector>>({grid_of(tiles, g.groups * phases * cut.count), kThreads}, on, g,
                                           in, w, cut, to);
  };
  int64_t k = int64_t{g.filter[0]} * g.filter[1] * g.in;
  if (phases > 1)
    launch(Cut{k, part_length(k)});
  else
    in_parts<T>(on, to, tiles * g.groups, k, op, launch);
}

/// out = then(the sums of g over w and in).
void run(const Cuda& on, const ConvShape& s, bool backward, const View& w, const View& in, const Finish& then,
         const MutView& out, const char* op) {
  Gather g = gather_of(s, backward, op);
  bool small = small_groups(s);
  const void* arranged = arranged_weights(on, g, in.dtype, w.data, small, op);
  Results to;
  to.batch.items = g.groups;
  to.batch.rank = 1;
  to.batch.size[0] = g.groups;
  to.batch.c[0] = g.out;
  to.m = g.images * g.out_size[0] * g.out_size[1];
  to.n = g.out;
  to.c = out.data;
  to.type = out.dtype;
  to.row = g.out_channels();
  to.bias_step = g.out;
  to.then = then;
  with_floating(in.dtype, op, [&]<class S>(S) {
    const S *from = in.as<S>(), *weights = static_cast<const S*>(arranged);
    if (small) return conv_small<S>(on, g, from, weights, to);
    if constexpr (!std::is_same_v<S, double>)
      if (g.in % 4 == 0 && aligned_to_four<S>(from) && aligned_to_four<S>(weights))
        return launch_tiles<S, true>(on, g, from, weights, to, op);
    launch_tiles<S, false>(on, g, from, weights, to, op);
  });
}

}  // namespace

namespace simt {

Gather gather_of(const ConvShape& s, bool backward, const char* op) {
  Gather g{};
  auto small = [op](int64_t n, const char* what) {
    ISKRA_CHECK(n < int64_t{1} << 29, op, ": ", what, " of ", n, " is too large for CUDA");
    return static_cast<int>(n);
  };
  int64_t sizes[2] = {s.height, s.width}, out_sizes[2] = {s.out_height, s.out_width};
  int64_t filter[2] = {s.filter_height, s.filter_width};
  g.backward = backward;
  g.images = s.images;
  g.groups = small(s.at.groups, "a number of groups");
  g.in = small(backward ? s.group_filters() : s.group_channels(), "a number of channels");
  g.out = small(backward ? s.group_channels() : s.group_filters(), "a number of channels");
  small(s.height * s.width, "a picture");
  small(s.out_pixels(), "a picture");
  small(filter[0] * filter[1] * std::max<int64_t>(g.in, 1), "a filter");
  for (int axis = 0; axis < 2; ++axis) {
    small(sizes[axis] + 2 * s.at.padding[axis], "a padded size");
    small(filter[axis] * s.at.dilation[axis], "a dilated filter");
    g.in_size[axis] = static_cast<int>(backward ? out_sizes[axis] : sizes[axis]);
    g.out_size[axis] = static_cast<int>(backward ? sizes[axis] : out_sizes[axis]);
    g.filter[axis] = static_cast<int>(filter[axis]);
    g.stride[axis] = static_cast<int>(s.at.stride[axis]);
    g.padding[axis] = static_cast<int>(s.at.padding[axis]);
    g.dilation[axis] = static_cast<int>(s.at.dilation[axis]);
  }
  return g;
}

const void* arranged_weights(const Cuda& on, const Gather& g, DType type, const void* w, bool out_last,
                             const char* op) {
  int64_t area = int64_t{g.filter[0]} * g.filter[1], n = area * g.in * g.out_channels();
  if (n == 0 || (!out_last && !g.backward && (area == 1 || g.in == 1))) return w;
  void* to = scratch_of(on, op).bytes(static_cast<size_t>(n) * size_of(type));
  auto arrange = [&]<class U>(U) {
    gpu::launch<arrange_weights<U>>({blocks_for(n, kThreads), kThreads}, on, g, static_cast<const U*>(w),
                                    out_last, n, static_cast<U*>(to));
  };
  if (type == DType::f64)
    arrange(uint64_t{});
  else if (type == DType::f32)
    arrange(uint32_t{});
  else
    arrange(uint16_t{});
  return to;
}

}  // namespace simt

void conv2d(Cuda on, const Conv2d& at, View x, View w, const Epilogue& then, MutView y) {
  constexpr const char* kOp = "conv2d";
  ConvShape s = checked_conv(at, x, w, y, kOp);
  check_bias(then.bias, s.filters, y.dtype, kOp);
  check_like_y(then.residual, y, kOp, "residual");
  check_like_y(then.preactivation, y, kOp, "preactivation");
  if (y.numel() == 0) return;
  run(on, s, false, w, x, finish_of(then, 0), y, kOp);
}

void conv2d_backward_data(Cuda on, const Conv2d& at, View w, View dy, MutView dx) {
  constexpr const char* kOp = "conv2d_backward_data";
  ConvShape s = checked_conv(at, dx, w, dy, kOp);
  if (dx.numel() == 0) return;
  if (dy.numel() == 0) return fill(on, dx, 0);
  run(on, s, true, w, dy, {}, dx, kOp);
}

void conv_transpose2d(Cuda on, const Conv2d& at, View x, View w, View bias, MutView y) {
  constexpr const char* kOp = "conv_transpose2d";
  ConvShape s = checked_conv(at, y, w, x, kOp);
  check_bias(bias, s.channels, y.dtype, kOp);
  if (y.numel() == 0) return;
  run(on, s, true, w, x, finish_of({.bias = bias}, 0), y, kOp);
}

}  // namespace iskra::kernels
