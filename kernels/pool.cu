// Maxima and means over windows on CUDA, channels-last: a thread for some channels of a pixel. Gradients are
// gathered, as on the CPU: each input pixel sums over the windows that hold it, in their order.
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/pool_windows.h>
#include <iskra/kernels/gpu_channels.cuh>

namespace iskra::kernels {
namespace {

struct Pool {
  int64_t images, channels;
  PoolAxis rows, cols;
  Pool(const Pool2d& at, const View& x, const View& y)
      : images(x.size(0)),
        channels(x.size(1)),
        rows(at, 0, x.size(2), y.size(2)),
        cols(at, 1, x.size(3), y.size(3)) {}

  /// Calls f(pixel) for the pixels of a window, in their order.
  template <class F>
  DEV void for_places(const PoolAxis::Window& high, const PoolAxis::Window& wide, F f) const {
    for (int64_t h = high.begin; h < high.end; h += rows.step)
      for (int64_t w = wide.begin; w < wide.end; w += cols.step) f(h * cols.in + w);
  }
  /// Calls f(oh, ow) for the windows that hold a pixel, in their order.
  template <class F>
  DEV void for_windows(int64_t h, int64_t w, F f) const {
    PoolAxis::Windows high = rows.over(h), wide = cols.over(w);
    for (int64_t oh = high.begin; oh < high.end; ++oh) {
      if (!rows.holds(oh, h)) continue;
      for (int64_t ow = wide.begin; ow < wide.end; ++ow)
        if (cols.holds(ow, w)) f(oh, ow);
    }
  }
};

/// What averages of a window are multiplied by; a window of nothing gives nothing.
template <class T>
DEV T share(const PoolAxis::Window& high, const PoolAxis::Window& wide) {
  int64_t count = high.counted * wide.counted;
  return count > 0 ? T(1) / static_cast<T>(count) : T(0);
}

template <class T, int kN>
__global__ void __launch_bounds__(kChannelThreads)
    max_pool(Pool s, const void* x, DType dtype, void* y, int32_t* place) {
  for_pixels<kN>(s.images * s.rows.out, s.cols.out, s.channels, [&](int64_t row, int64_t ow, int64_t c) {
    int64_t picture = row / s.rows.out * s.rows.in * s.cols.in;
    T best[kN];
    int32_t at[kN];
#pragma unroll
    for (int k = 0; k < kN; ++k) best[k] = -static_cast<T>(__builtin_inff()), at[k] = -1;
    s.for_places(s.rows.window(row % s.rows.out), s.cols.window(ow), [&](int64_t pixel) {
      T v[kN];
      load_channels(x, dtype, (picture + pixel) * s.channels + c, v);
#pragma unroll
      for (int k = 0; k < kN; ++k) {
        bool take = at[k] < 0 || v[k] > best[k] || v[k] != v[k];
        best[k] = take ? v[k] : best[k];
        at[k] = take ? static_cast<int32_t>(pixel) : at[k];
      }
    });
    int64_t out = (row * s.cols.out + ow) * s.channels + c;
    store_channels(best, y, dtype, out);
    if (place != nullptr) store_channels(at, place, out);
  });
}

template <class T, int kN>
__global__ void __launch_bounds__(kChannelThreads)
    max_pool_backward(Pool s, const int32_t* place, const void* dy, DType dtype, void* dx) {
  for_pixels<kN>(s.images * s.rows.in, s.cols.in, s.channels, [&](int64_t row, int64_t w, int64_t c) {
    int64_t h = row % s.rows.in, first = row / s.rows.in * s.rows.out;
    T sum[kN] = {};
    s.for_windows(h, w, [&](int64_t oh, int64_t ow) {
      int64_t out = ((first + oh) * s.cols.out + ow) * s.channels + c;
      int32_t at[kN];
      T v[kN];
      load_channels(place, out, at);
      load_channels(dy, dtype, out, v);
#pragma unroll
      for (int k = 0; k < kN; ++k) sum[k] += at[k] == h * s.cols.in + w ? v[k] : T(0);
    });
    store_channels(sum, dx, dtype, (row * s.cols.in + w) * s.channels + c);
  });
}

template <class T, int kN>
__global__ void __launch_bounds__(kChannelThreads) avg_pool(Pool s, const void* x, DType dtype, void* y) {
  for_pixels<kN>(s.images * s.rows.out, s.cols.out, s.channels, [&](int64_t row, int64_t ow, int64_t c) {
    int64_t picture = row / s.rows.out * s.rows.in * s.cols.in;
    PoolAxis::Window high = s.rows.window(row % s.rows.out), wide = s.cols.window(ow);
    T sum[kN] = {};
    s.for_places(high, wide, [&](int64_t pixel) {
      T v[kN];
      load_channels(x, dtype, (picture + pixel) * s.channels + c, v);
#pragma unroll
      for (int k = 0; k < kN; ++k) sum[k] += v[k];
    });
#pragma unroll
    for (int k = 0; k < kN; ++k) sum[k] *= share<T>(high, wide);
    store_channels(sum, y, dtype, (row * s.cols.out + ow) * s.channels + c);
  });
}

template <class T, int kN>
__global__ void __launch_bounds__(kChannelThreads)
    avg_pool_backward(Pool s, const void* dy, DType dtype, void* dx) {
  for_pixels<kN>(s.images * s.rows.in, s.cols.in, s.channels, [&](int64_t row, int64_t w, int64_t c) {
    int64_t first = row / s.rows.in * s.rows.out;
    T sum[kN] = {};
    s.for_windows(row % s.rows.in, w, [&](int64_t oh, int64_t ow) {
      T v[kN], part = share<T>(s.rows.window(oh), s.cols.window(ow));
      load_channels(dy, dtype, ((first + oh) * s.cols.out + ow) * s.channels + c, v);
#pragma unroll
      for (int k = 0; k < kN; ++k) sum[k] += part * v[k];
    });
    store_channels(sum, dx, dtype, (row * s.cols.in + w) * s.channels + c);
  });
}

// --- on the host
// --------------------------------------------------------------------------------------------------

/// Threads for all pixels of `pictures`, kN channels each.
gpu::LaunchShape threads_for(const View& pictures, int each) {
  return threads_for_items(pictures.size(0) * pictures.size(2), pictures.size(3) * (pictures.size(1) / each));
}

}  // namespace

void max_pool2d(Cuda on, const Pool2d& at, View x, MutView y, MutView place) {
  constexpr const char* kName = "max_pool2d";
  check_pool(at, x, y, kName);
  if (place.defined()) check_pool_places(x, y, place, kName);
  if (y.numel() == 0) return;
  const Pool s(at, x, y);
  with_channels(x.dtype, s.channels, {x.data, y.data, place.data}, kName,
                [&]<class T, int kN>(T, std::integral_constant<int, kN>) {
                  gpu::launch<max_pool<T, kN>>(threads_for(y, kN), on, s, x.data, x.dtype, y.data,
                                               place.as<int32_t>());
                });
}

void max_pool2d_backward(Cuda on, const Pool2d& at, View place, View dy, MutView dx) {
  constexpr const char* kName = "max_pool2d_backward";
  check_pool(at, dx, dy, kName);
  check_pool_places(dx, dy, place, kName);
  if (dx.numel() == 0) return;
  const Pool s(at, dx, dy);
  with_channels(dy.dtype, s.channels, {place.data, dy.data, dx.data}, kName,
                [&]<class T, int kN>(T, std::integral_constant<int, kN>) {
                  gpu::launch<max_pool_backward<T, kN>>(threads_for(dx, kN), on, s, place.as<int32_t>(),
                                                        dy.data, dy.dtype, dx.data);
                });
}

void avg_pool2d(Cuda on, const Pool2d& at, View x, MutView y) {
  constexpr const char* kName = "avg_pool2d";
  check_pool(at, x, y, kName);
  if (y.numel() == 0) return;
  const Pool s(at, x, y);
  with_channels(x.dtype, s.channels, {x.data, y.data}, kName,
                [&]<class T, int kN>(T, std::integral_constant<int, kN>) {
                  gpu::launch<avg_pool<T, kN>>(threads_for(y, kN), on, s, x.data, x.dtype, y.data);
                });
}

void avg_pool2d_backward(Cuda on, const Pool2d& at, View dy, MutView dx) {
  constexpr const char* kName = "avg_pool2d_backward";
  check_pool(at, dx, dy, kName);
  if (dx.numel() == 0) return;
  const Pool s(at, dx, dy);
  with_channels(dy.dtype, s.channels, {dy.data, dx.data}, kName,
                [&]<class T, int kN>(T, std::integral_constant<int, kN>) {
                  gpu::launch<avg_pool_backward<T, kN>>(threads_for(dx, kN), on, s, dy.data, dy.dtype,
                                                        dx.data);
                });
}

}  // namespace iskra::kernels
