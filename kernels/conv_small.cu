// Convolutions with few channels in a group, depthwise ones first of all: memory bounds them, and no tile of
// a matrix product would be filled. Threads of a block stand as channels by pixels.
#include <algorithm>

#include <iskra/kernels/conv.cuh>

namespace iskra::kernels::simt {
namespace {

// --- forward and data gradient: a thread for each result
// -----------------------------------------------------------

/// The pixel that tap `tap` of pixel `at` takes, or -1.
DEV int source(const Gather& g, int axis, const Divider& by_stride, int at, int tap) {
  if (!g.backward) {
    int from = at * g.stride[axis] - g.padding[axis] + tap * g.dilation[axis];
    return from < g.in_size[axis] ? from : -1;
  }
  int from = at + g.padding[axis] - tap * g.dilation[axis];
  if (from < 0) return -1;
  auto quotient = static_cast<int>(by_stride.quotient(from));
  return quotient * g.stride[axis] == from && quotient < g.in_size[axis] ? quotient : -1;
}

template <class S, class T>
__global__ void __launch_bounds__(kThreads, 3) conv_channels(Gather g, const S* in, const S* w, Results to) {
  int64_t channels = g.out_channels(), pixels = to.m;
  Divider by_stride[2] = {Divider(g.stride[0]), Divider(g.stride[1])}, by_group(g.out);
  Divider by_width(g.out_size[1]), by_picture(int64_t{g.out_size[0]} * g.out_size[1]);
  for (int64_t o = int64_t{blockIdx.y} * blockDim.x + threadIdx.x; o < channels;
       o += int64_t{gridDim.y} * blockDim.x) {
    const S* from = in + by_group.wide(o) * g.in;
    for (int64_t pixel = int64_t{blockIdx.x} * blockDim.y + threadIdx.y; pixel < pixels;
         pixel += int64_t{gridDim.x} * blockDim.y) {
      int64_t image = by_picture.wide(pixel);
      auto at = static_cast<uint32_t>(pixel - image * by_picture.by());
      uint32_t row = by_width.quotient(at), col = by_width.rest(at, row);
      T sum = 0;
      const S* weight = w + o;
      for (int r = 0; r < g.filter[0]; ++r) {
        int y = source(g, 0, by_stride[0], static_cast<int>(row), r);
        for (int s = 0; s < g.filter[1]; ++s, weight += g.in * channels) {
          int x = source(g, 1, by_stride[1], static_cast<int>(col), s);
          if (y < 0 || x < 0) continue;
          const S* taken = from + ((image * g.in_size[0] + y) * g.in_size[1] + x) * g.in_channels();
          for (int c = 0; c < g.in; ++c) sum += load(taken[c]) * load(weight[c * channels]);
        }
      }
      finish_one(to.then, sum, o, pixel * channels + o, to.c, to.type);
    }
  }
}

// --- weight gradient: threads of a block take turns at the pixels
// --------------------------------------------------

constexpr int kFilters = 32, kLanes = 8, kTaps = 4;
static_assert(kFilters * kLanes == kThreads);

/// Weight `t` of a filter: where its tap lies relative to an output pixel's first one, and its channel.
struct Weight {
  int down, right, channel;
};

DEV Weight weight_of(const Gather& g, int t) {
  int area = g.filter[0] * g.filter[1], tap = t % area;
  return {tap / g.filter[1] * g.dilation[0] - g.padding[0], tap % g.filter[1] * g.dilation[1] - g.padding[1],
          t / area};
}

/// sums += dy times x for kTaps weights of filter k, over pixels from `begin` + lane on, each kLanes-th, up
/// to `end`.
template <class S, class T>
DEV void add_pixels(const Gather& g, const S* x, const S* dy, int64_t k, const Weight (&of)[kTaps],
                    int64_t begin, int64_t end, T (&sums)[kTaps]) {
  Divider by_width(g.out_size[1]), by_picture(int64_t{g.out_size[0]} * g.out_size[1]);
  int64_t filters = g.out_channels(), channels = g.in_channels();
  for (int64_t pixel = begin + threadIdx.y; pixel < end; pixel += kLanes) {
    T gradient = load(dy[pixel * filters + k]);
    if (x == nullptr) {
      sums[0] += gradient;
      continue;
    }
    int64_t image = by_picture.wide(pixel);
    auto at = static_cast<uint32_t>(pixel - image * by_picture.by());
    auto row = static_cast<int>(by_width.quotient(at)), col = static_cast<int>(by_width.rest(at, row));
#pragma unroll
    for (int j = 0; j < kTaps; ++j) {
      int v = row * g.stride[0] + of[j].down, h = col * g.stride[1] + of[j].right;
      if (v < 0 || v >= g.in_size[0] || h < 0 || h >= g.in_size[1]) continue;
      sums[j] +=
          gradient * load(x[((image * g.in_size[0] + v) * g.in_size[1] + h) * channels + of[j].channel]);
    }
  }
}

template <class S, class T>
__global__ void __launch_bounds__(kThreads, 3)
    conv_weight_sums(Gather g, const S* x, const S* dy, Cut cut, Results to) {
  SHARED(sums_of, T[kTaps][kLanes][kFilters]);
  int64_t across = (to.m + kFilters - 1) / kFilters;
  int64_t k = blockIdx.x % across * kFilters + threadIdx.x;
  auto first = static_cast<int>(blockIdx.x / across * kTaps), lane = static_cast<int>(threadIdx.y);
  Weight of[kTaps];
#pragma unroll
  for (int j = 0; j < kTaps; ++j) {
    of[j] = weight_of(g, min(first + j, static_cast<int>(to.n) - 1));
    of[j].channel += static_cast<int>(k / g.out) * g.in;
  }
  T total = 0;  // of weight first + lane
  auto* partial = static_cast<T*>(cut.partial);
  int64_t parts = partial == nullptr ? (cut.k + cut.length - 1) / cut.length : cut.count;
  for (int64_t part = partial == nullptr ? 0 : blockIdx.z; part < parts;
       part += partial == nullptr ? 1 : gridDim.z) {
    int64_t begin = (cut.first + part) * cut.length;
    T sums[kTaps] = {};
    if (k < to.m) add_pixels(g, x, dy, k, of, begin, min(begin + cut.length, cut.k), sums);
#pragma unroll
    for (int j = 0; j < kTaps; ++j) sums_of[j][lane][threadIdx.x] = sums[j];
    __syncthreads();
    T sum = 0;
    if (lane < kTaps)
      for (int l = 0; l < kLanes; ++l) sum += sums_of[lane][l][threadIdx.x];
    if (partial != nullptr && lane < kTaps && k < to.m && first + lane < to.n)
      partial[(part * to.m + k) * to.n + first + lane] = sum;
    total += sum;
    __syncthreads();
  }
  if (partial == nullptr && lane < kTaps && k < to.m && first + lane < to.n)
    finish_one(to.then, total, 0, k * to.row + first + lane, to.c, to.type);
}

}  // namespace

template <class S>
void conv_small(const Cuda& on, const Gather& g, const S* in, const S* w, const Results& to) {
  unsigned across = 1;
  while (across < 64 && across < g.out_channels()) across *= 2;
  unsigned pixels = kThreads / across;
  dim3 grid(static_cast<unsigned>(std::min<int64_t>((to.m + pixels - 1) / pixels, 1 << 20)),
            static_cast<unsigned>(std::min<int64_t>((g.out_channels() + across - 1) / across, 65535)));
  gpu::launch<conv_channels<S, Computed<S>>>({grid, {across, pixels}}, on, g, in, w, to);
}

template <class S>
void conv_small_weights(const Cuda& on, const Gather& g, const S* x, const S* dy, const Results& to,
                        const char* op) {
  using T = Computed<S>;
  int64_t blocks = (to.m + kFilters - 1) / kFilters * ((to.n + kTaps - 1) / kTaps);
  in_parts<T>(on, to, blocks, g.images * g.out_size[0] * g.out_size[1], op, [&](const Cut& cut) {
    gpu::launch<conv_weight_sums<S, T>>(
        {{static_cast<unsigned>(blocks), 1, static_cast<unsigned>(cut.count)}, {kFilters, kLanes}}, on, g, x,
        dy, cut, to);
  });
}

#define ISKRA_INSTANTIATE(S)                                                                       \
  template void conv_small(const Cuda&, const Gather&, const S*, const S*, const Results&);        \
  template void conv_small_weights(const Cuda&, const Gather&, const S*, const S*, const Results&, \
                                   const char*);
ISKRA_INSTANTIATE(float)
ISKRA_INSTANTIATE(double)
ISKRA_INSTANTIATE(bf16)
ISKRA_INSTANTIATE(f16)
#undef ISKRA_INSTANTIATE

}  // namespace iskra::kernels::simt
