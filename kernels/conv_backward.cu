// The gradients of a convolution's weights and bias on CUDA. That of the weights is a product, filters by
// taps and channels, summed over all pixels of all pictures; gemm.cuh says how sums that long are cut.
#include <algorithm>
#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/conv.cuh>

namespace iskra::kernels {
namespace {

using namespace simt;  // NOLINT(google-build-using-namespace)

/// This thread's elements of a tile of 64 filters by 16 pixels of dy, and of one of 64 weights (tap, channel)
/// by the same pixels of x: four filters or weights beside each other of one pixel, or one of four pixels.
/// Tiles are read one after the other.
template <class S, class T, bool kVector>
class Pixels {
  static constexpr int kPixels = kVector ? 1 : 4, kPixelStep = kDepth / kPixels;
  static constexpr int kAcross = kVector ? kTile / 4 : kTile;  // threads for a pixel's lines

 public:
  /// x and dy begin with the group's channels and filters.
  DEV Pixels(const Gather& g, const S* x, const S* dy, int64_t row, int64_t col, int64_t begin, int64_t end,
             int thread)
      : g_(g),
        by_width_(g.out_size[1]),
        by_picture_(int64_t{g.out_size[0]} * g.out_size[1]),
        line_(thread % kAcross * (kVector ? 4 : 1)),
        k_(thread / kAcross),
        end_(end),
        has_filter_(row + line_ < g.out),
        has_weight_(col + line_ < int64_t{g.filter[0]} * g.filter[1] * g.in) {
    auto weight = static_cast<int>(col) + line_, tap = weight / max(g.in, 1);
    down_ = tap / max(g.filter[1], 1) * g.dilation[0] - g.padding[0];
    right_ = tap % max(g.filter[1], 1) * g.dilation[1] - g.padding[1];
    x_ = x + (weight - tap * g.in);
    dy_ = dy + (begin + k_) * g.out_channels() + row + line_;
    image_ = by_picture_.wide(begin + k_);
    at_ = static_cast<uint32_t>(begin + k_ - image_ * by_picture_.by());
  }

  DEV void read(int64_t k) {
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
      bool there = k + k_ + i * kPixelStep < end_;
      take<kVector>(dy_ + i * kPixelStep * g_.out_channels(), there && has_filter_, a_ + i);
      uint32_t at = at_ + i * kPixelStep, further = by_picture_.quotient(at);
      at = by_picture_.rest(at, further);
      auto row = static_cast<int>(by_width_.quotient(at)), col = static_cast<int>(by_width_.rest(at, row));
      int v = row * g_.stride[0] + down_, h = col * g_.stride[1] + right_;
      there = there && has_weight_ && v >= 0 && v < g_.in_size[0] && h >= 0 && h < g_.in_size[1];
      int64_t pixel = ((image_ + further) * g_.in_size[0] + v) * g_.in_size[1] + h;
      take<kVector>(x_ + pixel * g_.in_channels(), there, b_ + i);
    }
    dy_ += kDepth * g_.out_channels();
    uint32_t further = by_picture_.quotient(at_ + kDepth);
    at_ = by_picture_.rest(at_ + kDepth, further);
    image_ += further;
  }
  DEV void write(Tile<T>& a, Tile<T>& b) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      int k = kVector ? k_ : k_ + i * kPixelStep, line = kVector ? line_ + i : line_;
      a[k][line] = a_[i];
      b[k][line] = b_[i];
    }
  }

 private:
  const Gather& g_;
  Divider by_width_, by_picture_;
  int line_, k_, down_, right_;
  uint32_t at_;  // of this thread's first pixel, in its picture
  int64_t image_, end_;
  bool has_filter_, has_weight_;
  const S *x_, *dy_;
  T a_[4], b_[4];
};

template <class S, class T, bool kVector>
__global__ void __launch_bounds__(kThreads)
    conv_weight_tiles(Gather g, const S* x, const S* dy, Cut cut, Results to) {
  SHARED(tiles, Tiles<T>);
  Seat seat;
  int64_t across = (to.n + kTile - 1) / kTile;
  int64_t row = blockIdx.x / across * kTile, col = blockIdx.x % across * kTile;
  for (int64_t job = blockIdx.z; job < g.groups * cut.count; job += gridDim.z) {
    int64_t group = job % g.groups, part = job / g.groups, begin = cut.begin(part);
    Pixels<S, T, kVector> next(g, x + group * g.in, dy + group * g.out, row, col, begin, cut.k, seat.thread);
    T total[kEach][kEach];
    add_products(next, begin, cut.end(part, cut.k), cut.length, seat, tiles, total);
    store_tile(total, row, col, to.m, group, part, cut, to, seat, tiles,
               [&](int r) { return group * to.batch.c[0] + (row + r) * to.row; });
  }
}

/// Where weight gradients go that lie as d (filters, taps of a filter).
Results gradients(const MutView& d, int64_t filters, int64_t taps, float beta) {
  Results to;
  to.m = filters;
  to.n = taps;
  to.c = d.data;
  to.type = d.dtype;
  to.row = taps;
  to.then.beta = beta;
  return to;
}

template <class S, bool kVector>
void launch_tiles(const Cuda& on, const Gather& g, const S* x, const S* dy, Results to, const char* op) {
  using T = Computed<S>;
  to.batch.items = g.groups;
  to.batch.rank = 1;
  to.batch.size[0] = g.groups;
  to.batch.c[0] = int64_t{g.out} * to.row;
  to.m = g.out;
  to.channels = g.in;
  to.taps = int64_t{g.filter[0]} * g.filter[1];
  int64_t tiles = tiles_of(to.m) * tiles_of(to.n), pixels = g.images * g.out_size[0] * g.out_size[1];
  ISKRA_CHECK(tiles <= INT32_MAX, op, ": ", to.m, " filters of ", to.n, " values are too many for CUDA");
  in_parts<T>(on, to, tiles * g.groups, pixels, op, [&](const Cut& cut) {
    gpu::launch<conv_weight_tiles<S, T, kVector>>({grid_of(tiles, g.groups * cut.count), kThreads}, on, g, x,
                                                  dy, cut, to);
  });
}

template <class S>
void weight_gradient(const Cuda& on, const ConvShape& s, const View& x, const View& dy, const MutView& dw,
                     float beta, const char* op) {
  Gather g = gather_of(s, false, op);
  Results to = gradients(dw, s.filters, s.taps(), beta);
  const S *from = x.as<S>(), *from_dy = dy.as<S>();
  if (small_groups(s)) return conv_small_weights<S>(on, g, from, from_dy, to, op);
  if constexpr (!std::is_same_v<S, double>)
    if (g.in % 4 == 0 && g.out % 4 == 0 && aligned_to_four<S>(from) && aligned_to_four<S>(from_dy))
      return launch_tiles<S, true>(on, g, from, from_dy, to, op);
  launch_tiles<S, false>(on, g, from, from_dy, to, op);
}

}  // namespace

void conv2d_backward_weight(Cuda on, const Conv2d& at, View x, View dy, MutView dw, MutView dbias,
                            float weight_beta, float bias_beta) {
  constexpr const char* kOp = "conv2d_backward_weight";
  ConvShape s = checked_conv_gradients(at, x, dy, dw, dbias);
  if (s.images * s.out_pixels() == 0) {
    if (dw.defined() && weight_beta == 0) fill(on, dw, 0);
    if (dbias.defined() && bias_beta == 0) fill(on, dbias, 0);
    return;
  }
  with_floating(dy.dtype, kOp, [&]<class S>(S) {
    if (dbias.defined() && s.filters > 0) {  // the weights of ones
      ConvShape ones{{}, s.images, 1, s.out_height, s.out_width, s.filters, 1, 1, s.out_height, s.out_width};
      conv_small_weights<S>(on, gather_of(ones, false, kOp), nullptr, dy.as<S>(),
                            gradients(dbias, s.filters, 1, bias_beta), kOp);
    }
    if (dw.defined() && s.weights() > 0) weight_gradient<S>(on, s, x, dy, dw, weight_beta, kOp);
  });
}

}  // namespace iskra::kernels
