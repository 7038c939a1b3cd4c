// Convolution of our own: blocks of output pixels, unfolded into rows of taps (R,S,C) that our gemm
// multiplies with the weights, permuted to (K, R,S,C). Pictures and weights are stored as S, sums are of
// type Compute<S>.
#include <algorithm>
#include <type_traits>

#include <iskra/kernels/conv.h>
#include <iskra/kernels/gemm.h>
#include <iskra/kernels/lanes.h>

namespace iskra::kernels::native {
namespace {

/// Output pixels of a block: the unfolded block stays in the cache.
int64_t block_pixels(const ConvShape& s) {
  constexpr int64_t kValues = 65536, kLeast = 16, kMost = 256;
  const int64_t fit = std::clamp(kValues / std::max<int64_t>(s.taps(), 1), kLeast, kMost);
  return std::min(fit, s.out_pixels());
}

/// Calls f(tap, pixel) for every tap of output pixel `out`: the first tap's place in the row, and the input
/// pixel or -1 where it is padding.
template <class F>
void for_taps(const ConvShape& s, int64_t out, F&& f) {
  const int64_t oh = out / s.out_width, ow = out % s.out_width, width = s.group_channels();
  int64_t tap = 0;
  for (int64_t r = 0; r < s.filter_height; ++r) {
    const int64_t h = oh * s.at.stride[0] - s.at.padding[0] + r * s.at.dilation[0];
    for (int64_t q = 0; q < s.filter_width; ++q, tap += width) {
      const int64_t w = ow * s.at.stride[1] - s.at.padding[1] + q * s.at.dilation[1];
      const bool inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
      f(tap, inside ? h * s.width + w : -1);
    }
  }
}

/// rows (pixels, taps) of one group, from a picture.
template <class T>
void unfold(const ConvShape& s, const T* picture, int64_t group, int64_t first, int64_t pixels, T* rows) {
  const int64_t width = s.group_channels();
  for (int64_t p = 0; p < pixels; ++p, rows += s.taps())
    for_taps(s, first + p, [&](int64_t tap, int64_t pixel) {
      if (pixel < 0)
        std::fill_n(rows + tap, width, T{});
      else
        std::copy_n(picture + pixel * s.channels + group * width, width, rows + tap);
    });
}

/// The transpose of unfold: adds rows to the picture.
template <class T>
void fold(const ConvShape& s, const T* rows, int64_t group, int64_t first, int64_t pixels, T* picture) {
  const int64_t width = s.group_channels();
  for (int64_t p = 0; p < pixels; ++p, rows += s.taps())
    for_taps(s, first + p, [&](int64_t tap, int64_t pixel) {
      if (pixel < 0) return;
      T* to = picture + pixel * s.channels + group * width;
      for (int64_t c = 0; c < width; ++c) to[c] += rows[tap + c];
    });
}

/// (K, C/groups, R, S) <-> (K, R, S, C/groups): f(place in the first, place in the second).
template <class F>
void for_weights(const ConvShape& s, F&& f) {
  const int64_t area = s.filter_height * s.filter_width, width = s.group_channels();
  for (int64_t k = 0; k < s.filters; ++k)
    for (int64_t c = 0; c < width; ++c)
      for (int64_t tap = 0; tap < area; ++tap)
        f(k * s.taps() + c * area + tap, k * s.taps() + tap * width + c);
}

template <class T>
T* permuted_weights(const Cpu& on, const ConvShape& s, const T* w, const char* op) {
  T* to = scratch_of<T>(on, s.weights(), op);
  for_weights(s, [&](int64_t plain, int64_t permuted) { to[permuted] = w[plain]; });
  return to;
}

GemmShape forward_shape(const ConvShape& s, int64_t pixels) {
  return {pixels, s.group_filters(), s.taps(), s.taps(), 1, 1, s.taps(), s.filters};
}
GemmShape data_shape(const ConvShape& s, int64_t pixels) {
  return {pixels, s.taps(), s.group_filters(), s.filters, 1, s.taps(), 1, s.taps()};
}
GemmShape weight_shape(const ConvShape& s, int64_t pixels) {
  return {s.group_filters(), s.taps(), pixels, 1, s.filters, s.taps(), 1, s.taps()};
}

/// A lane's memory: a block of unfolded pixels of type R, sums of type T, and what gemm needs.
template <class R, class T>
struct Lane {
  R* rows;
  T* sums;
  void* gemm;
  Lane(char* memory, size_t rows_bytes, size_t sums_bytes)
      : rows(reinterpret_cast<R*>(memory)),
        sums(reinterpret_cast<T*>(memory + rows_bytes)),
        gemm(memory + rows_bytes + sums_bytes) {}
};

template <class T>
size_t bytes_of(int64_t values) {
  return round_up_64(sizeof(T) * static_cast<size_t>(values));
}

}  // namespace

template <class S>
void conv2d(const Cpu& on, const ConvShape& s, const S* x, const S* w, const ConvThen<S>& then, S* y) {
  using T = Compute<S>;
  const S* weights = permuted_weights(on, s, w, "conv2d");
  const int64_t most = block_pixels(s), blocks = (s.out_pixels() + most - 1) / most;
  const bool finish = then.beyond_bias() || !std::is_same_v<S, T>;
  const size_t rows_bytes = bytes_of<S>(most * s.taps()),
               sums_bytes = bytes_of<T>(finish ? most * s.filters : 0);
  const size_t bytes = rows_bytes + sums_bytes + gemm_scratch_bytes<S>(forward_shape(s, most));
  parallel_lanes(on, s.images * blocks, bytes, "conv2d", [&](Pieces& todo, char* memory) {
    const Lane<S, T> lane(memory, rows_bytes, sums_bytes);
    for (int64_t piece; todo.next(piece);) {
      const int64_t image = piece / blocks, first = piece % blocks * most;
      const int64_t pixels = std::min(most, s.out_pixels() - first);
      const int64_t at = image * s.out_picture() + first * s.filters;
      T* sums = lane.sums;
      if constexpr (std::is_same_v<S, T>)
        if (!finish) sums = y + at;
      for (int64_t group = 0; group < s.at.groups; ++group) {
        const int64_t filter = group * s.group_filters();
        unfold(s, x + image * s.picture(), group, first, pixels, lane.rows);
        gemm<S>(forward_shape(s, pixels), lane.rows, weights + filter * s.taps(),
                finish || then.bias == nullptr ? nullptr : then.bias + filter, sums + filter, T(0),
                lane.gemm);
      }
      if (finish) finish_pixels<S>(then, pixels, s.filters, sums, then.bias, at, y);
    }
  });
}

template <class S>
void conv2d_backward_data(const Cpu& on, const ConvShape& s, const S* w, const S* dy, const Compute<S>* bias,
                          S* dx) {
  using T = Compute<S>;
  constexpr const char* kOp = "conv2d_backward_data";
  const S* weights = permuted_weights(on, s, w, kOp);
  const int64_t most = std::max<int64_t>(block_pixels(s), 1);
  constexpr bool kApart = !std::is_same_v<S, T>;
  const size_t rows_bytes = bytes_of<T>(most * s.taps()), sums_bytes = bytes_of<T>(kApart ? s.picture() : 0);
  const size_t bytes = rows_bytes + sums_bytes + gemm_scratch_bytes<S>(data_shape(s, most));
  parallel_lanes(on, s.images, bytes, kOp, [&](Pieces& todo, char* memory) {
    const Lane<T, T> lane(memory, rows_bytes, sums_bytes);
    for (int64_t image; todo.next(image);) {
      T* picture = lane.sums;
      if constexpr (!kApart) picture = dx + image * s.picture();
      std::fill_n(picture, s.picture(), T(0));
      for (int64_t first = 0; first < s.out_pixels(); first += most) {
        const int64_t pixels = std::min(most, s.out_pixels() - first);
        for (int64_t group = 0; group < s.at.groups; ++group) {
          const int64_t filter = group * s.group_filters();
          gemm<S>(data_shape(s, pixels), dy + image * s.out_picture() + first * s.filters + filter,
                  weights + filter * s.taps(), nullptr, lane.rows, T(0), lane.gemm);
          fold(s, lane.rows, group, first, pixels, picture);
        }
      }
      if (kApart || bias != nullptr)
        finish_pixels<S>({}, s.height * s.width, s.channels, picture, bias, image * s.picture(), dx);
    }
  });
}

namespace {

/// One chunk's sum, in the permuted layout; `sum` holds zeros at first.
template <class S, class T>
void add_weight_gradient(const ConvShape& s, const S* x, const S* dy, const Lane<S, T>& lane, T* sum) {
  const int64_t most = block_pixels(s);
  for (int64_t first = 0; first < s.out_pixels(); first += most) {
    const int64_t pixels = std::min(most, s.out_pixels() - first);
    for (int64_t group = 0; group < s.at.groups; ++group) {
      const int64_t filter = group * s.group_filters();
      unfold(s, x, group, first, pixels, lane.rows);
      gemm<S>(weight_shape(s, pixels), dy + first * s.filters + filter, lane.rows, nullptr,
              sum + filter * s.taps(), T(1), lane.gemm);
    }
  }
}

}  // namespace

template <class S, class D>
void conv2d_backward_weight(const Cpu& on, const ConvShape& s, const S* x, const S* dy, D* dw, float beta) {
  using T = Compute<S>;
  constexpr const char* kOp = "conv2d_backward_weight";
  const WeightChunks chunks(s);
  const int64_t n = s.weights();
  T* partials = scratch_of<T>(on, n * chunks.count, kOp);
  const size_t rows_bytes = bytes_of<S>(block_pixels(s) * s.taps());
  const size_t bytes = rows_bytes + gemm_scratch_bytes<S>(weight_shape(s, block_pixels(s)));
  parallel_lanes(on, chunks.count, bytes, kOp, [&](Pieces& todo, char* memory) {
    const Lane<S, T> lane(memory, rows_bytes, 0);
    for (int64_t chunk; todo.next(chunk);) {
      T* sum = partials + chunk * n;
      std::fill_n(sum, n, T(0));
      for (int64_t image = chunk * chunks.images; image < std::min((chunk + 1) * chunks.images, s.images);
           ++image)
        add_weight_gradient(s, x + image * s.picture(), dy + image * s.out_picture(), lane, sum);
    }
  });
  add_partials(on, partials, chunks.count, n);
  T* plain = scratch_of<T>(on, n, kOp);
  for_weights(s, [&](int64_t to, int64_t permuted) { plain[to] = partials[permuted]; });
  store_gradient(on, plain, n, beta, dw);
}

#define ISKRA_INSTANTIATE(S)                                                                              \
  template void conv2d(const Cpu&, const ConvShape&, const S*, const S*, const ConvThen<S>&, S*);         \
  template void conv2d_backward_data(const Cpu&, const ConvShape&, const S*, const S*, const Compute<S>*, \
                                     S*);                                                                 \
  template void conv2d_backward_weight(const Cpu&, const ConvShape&, const S*, const S*, S*, float);
ISKRA_INSTANTIATE(float)
ISKRA_INSTANTIATE(double)
ISKRA_INSTANTIATE(bf16)
ISKRA_INSTANTIATE(f16)
#undef ISKRA_INSTANTIATE
template void conv2d_backward_weight(const Cpu&, const ConvShape&, const bf16*, const bf16*, float*, float);
template void conv2d_backward_weight(const Cpu&, const ConvShape&, const f16*, const f16*, float*, float);

}  // namespace iskra::kernels::native
