// Resizing pictures on CUDA. The taps of each axis are computed into temporary memory first. A result's pixel
// is then put together from its rows and columns at once where these are few; where they are many, the
// picture is resized along its height and then along its width.
//
// The gradient reads the same tables: the places of taps grow with the output pixel, so that the output
// pixels that take an input pixel stand side by side, and their range is looked up by halving.
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/interpolate_taps.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parameters.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/gpu_channels.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kTableThreads = 128;

using Taps = InterpolateAxis::Taps;

/// `in` pixels of x along an axis, and `out` of y.
template <class T>
struct Axis {
  int64_t in, out, most;                     ///< taps of an output pixel; 0: the axis stays as it is
  Taps* taps;                                ///< (out)
  T* weights;                                ///< (out, most)
  int64_t *begin = nullptr, *end = nullptr;  ///< (in): what output pixels take an input pixel

  DEV int64_t inside(int64_t place) const { return place < 0 ? 0 : place < in ? place : in - 1; }
};

/// Output pixels are made from input pixels.
struct Forward {
  template <class A>
  ISKRA_HD static int64_t made(const A& axis) {
    return axis.out;
  }
  template <class A>
  ISKRA_HD static int64_t read(const A& axis) {
    return axis.in;
  }
  /// Calls f(place, weight) for what pixel i is made of.
  template <class T, class F>
  DEV static void each(const Axis<T>& axis, int64_t i, F f) {
    if (axis.most == 0) return f(i, T(1));
    Taps at = axis.taps[i];
    for (int64_t j = 0; j < at.count; ++j) f(axis.inside(at.first + j), axis.weights[i * axis.most + j]);
  }
};

/// The gradients of input pixels from those of output pixels.
struct Backward {
  template <class A>
  ISKRA_HD static int64_t made(const A& axis) {
    return axis.in;
  }
  template <class A>
  ISKRA_HD static int64_t read(const A& axis) {
    return axis.out;
  }
  template <class T, class F>
  DEV static void each(const Axis<T>& axis, int64_t i, F f) {
    if (axis.most == 0) return f(i, T(1));
    for (int64_t o = axis.begin[i]; o < axis.end[i]; ++o) {
      Taps at = axis.taps[o];
      // One tap, but for those that were moved inside.
      int64_t j = max(i == 0 ? int64_t{0} : i - at.first, int64_t{0});
      int64_t last = min(i == axis.in - 1 ? at.count - 1 : i - at.first, at.count - 1);
      for (; j <= last; ++j) f(o, axis.weights[o * axis.most + j]);
    }
  }
};

template <class T>
__global__ void __launch_bounds__(kTableThreads)
    make_taps(InterpolateAxis rows, InterpolateAxis cols, Axis<T> row_table, Axis<T> col_table) {
  const InterpolateAxis& along = blockIdx.y == 0 ? rows : cols;
  const Axis<T>& table = blockIdx.y == 0 ? row_table : col_table;
  int64_t threads = int64_t{gridDim.x} * kTableThreads;
  for (int64_t o = int64_t{blockIdx.x} * kTableThreads + threadIdx.x; o < table.out; o += threads)
    table.taps[o] = along.taps(o, table.weights + o * table.most);
}

/// The first output pixel whose taps reach to place i, or, if `beyond`, begin behind it.
template <class T>
DEV int64_t first_output(const Axis<T>& axis, int64_t i, bool beyond) {
  int64_t low = 0, high = axis.out;
  while (low < high) {
    int64_t middle = (low + high) / 2;
    Taps at = axis.taps[middle];
    bool reached = beyond ? axis.inside(at.first) > i : axis.inside(at.first + at.count - 1) >= i;
    if (reached)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

template <class T>
__global__ void __launch_bounds__(kTableThreads) find_outputs(Axis<T> rows, Axis<T> cols) {
  const Axis<T>& axis = blockIdx.y == 0 ? rows : cols;
  int64_t threads = int64_t{gridDim.x} * kTableThreads;
  for (int64_t i = int64_t{blockIdx.x} * kTableThreads + threadIdx.x; i < axis.in; i += threads) {
    axis.begin[i] = first_output(axis, i, false);
    axis.end[i] = first_output(axis, i, true);
  }
}

/// x and y in the order of `Side`: what is read and what is made.
template <class Side, class T, int kN>
__global__ void __launch_bounds__(kChannelThreads)
    resize(Axis<T> rows, Axis<T> cols, int64_t images, int64_t channels, const void* x, DType x_type, void* y,
           DType y_type) {
  int64_t height = Side::made(rows), width = Side::made(cols);
  for_pixels<kN>(images * height, width, channels, [&](int64_t row, int64_t col, int64_t c) {
    int64_t picture = row / height * Side::read(rows);
    // From -0 on, which leaves every first summand as it is.
    T sum[kN];
#pragma unroll
    for (int k = 0; k < kN; ++k) sum[k] = T(-0.0);
    Side::each(cols, col, [&](int64_t w, T of_col) {
      T line[kN];
#pragma unroll
      for (int k = 0; k < kN; ++k) line[k] = T(-0.0);
      Side::each(rows, row % height, [&](int64_t h, T of_row) {
        T v[kN];
        load_channels(x, x_type, ((picture + h) * Side::read(cols) + w) * channels + c, v);
#pragma unroll
        for (int k = 0; k < kN; ++k) line[k] += of_row * v[k];
      });
#pragma unroll
      for (int k = 0; k < kN; ++k) sum[k] += of_col * line[k];
    });
    store_channels(sum, y, y_type, (row * width + col) * channels + c);
  });
}

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class T>
Axis<T> untouched(int64_t size) {
  return {size, size, 0, nullptr, nullptr};
}

template <class T>
Axis<T> room_for_taps(Scratch& scratch, const InterpolateAxis& along, int64_t in, int64_t out,
                      bool backward) {
  Axis<T> axis{in, out, along.most_taps(), scratch.of<Taps>(out), nullptr};
  axis.weights = scratch.of<T>(out * axis.most);
  if (backward) {
    axis.begin = scratch.of<int64_t>(in);
    axis.end = scratch.of<int64_t>(in);
  }
  return axis;
}

/// x is what is read and y what is made; `in` and `out` are the shapes of the op's input and output.
template <class Side, class T, int kN>
void run(const Cuda& on, const Interpolate2d& at, const Shape& in, const Shape& out, const View& x,
         const MutView& y) {
  constexpr bool kBackward = std::is_same_v<Side, Backward>;
  Scratch& scratch = scratch_of(on, "interpolate");
  const InterpolateAxis along_rows(at, 0, in[2], out[2]), along_cols(at, 1, in[3], out[3]);
  auto rows = room_for_taps<T>(scratch, along_rows, in[2], out[2], kBackward);
  auto cols = room_for_taps<T>(scratch, along_cols, in[3], out[3], kBackward);
  auto grid = [](int64_t n) {
    return gpu::LaunchShape{dim3(blocks_for(n, kTableThreads), 2), kTableThreads};
  };
  gpu::launch<make_taps<T>>(grid(std::max(out[2], out[3])), on, along_rows, along_cols, rows, cols);
  if (kBackward) gpu::launch<find_outputs<T>>(grid(std::max(in[2], in[3])), on, rows, cols);

  int64_t images = in[0], channels = in[1];
  auto launch = [&](const Axis<T>& high, const Axis<T>& wide, const void* from, DType from_type, void* to,
                    DType to_type) {
    auto shape = threads_for_items(images * Side::made(high), Side::made(wide) * (channels / kN));
    gpu::launch<resize<Side, T, kN>>(shape, on, high, wide, images, channels, from, from_type, to, to_type);
  };
  // About so many pixels are read for one, along an axis.
  auto reads = [](const Axis<T>& axis) {
    return kBackward ? axis.most * (axis.out / std::max<int64_t>(axis.in, 1) + 1) : axis.most;
  };
  constexpr int64_t kFew = 16;
  if (reads(rows) * reads(cols) <= kFew) return launch(rows, cols, x.data, x.dtype, y.data, y.dtype);
  T* between = scratch.of<T>(images * Side::made(rows) * Side::read(cols) * channels);
  launch(rows, untouched<T>(Side::read(cols)), x.data, x.dtype, between, dtype_of<T>);
  launch(untouched<T>(Side::made(rows)), cols, between, dtype_of<T>, y.data, y.dtype);
}

template <class Side>
void run_for_type(const Cuda& on, const Interpolate2d& at, const Shape& in, const Shape& out, const View& x,
                  const MutView& y, const char* op) {
  if (y.numel() == 0) return;
  with_channels(
      x.dtype, x.size(1), {x.data, y.data}, op,
      [&]<class T, int kN>(T, std::integral_constant<int, kN>) { run<Side, T, kN>(on, at, in, out, x, y); });
}

}  // namespace

void interpolate(Cuda on, const Interpolate2d& at, View x, MutView y) {
  run_for_type<Forward>(on, at, x.shape, y.shape, x, y, "interpolate");
}

void interpolate_backward(Cuda on, const Interpolate2d& at, View dy, MutView dx) {
  run_for_type<Backward>(on, at, dx.shape, dy.shape, dy, dx, "interpolate_backward");
}

}  // namespace iskra::kernels
