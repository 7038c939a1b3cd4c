// Copies, conversions, accumulation and fills on CUDA. Elements that only move are moved as words of their
// size.
//
//   copy_vectors      both sides dense: 16 bytes a thread and turn
//   copy_transposed   each side is dense along another axis: tiles pass through shared memory
//   copy_general      any strides
//   convert_general, add_general, fill_general, normalize
#include <algorithm>
#include <cstring>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;

DEV int64_t first_element() { return int64_t{blockIdx.x} * kThreads + threadIdx.x; }
DEV int64_t all_threads() { return int64_t{gridDim.x} * kThreads; }

__global__ void __launch_bounds__(kThreads)
    copy_vectors(const uint4* x, uint4* y, int64_t n, const uint8_t* x_rest, uint8_t* y_rest, int rest) {
  for (int64_t i = first_element(); i < n; i += all_threads()) y[i] = x[i];
  if (first_element() < rest) y_rest[first_element()] = x_rest[first_element()];
}

template <class E>
__global__ void __launch_bounds__(kThreads) copy_general(const E* x, E* y, Walk<2> walk) {
  for (int64_t i = first_element(); i < walk.numel; i += all_threads()) {
    int64_t at[2];
    walk.locate(i, at);
    y[at[1]] = x[at[0]];
  }
}

constexpr int kTile = 32, kTileRows = 8;

/// Matrices (rows, cols): x dense along rows, y along cols. `walk` goes over the matrices.
template <class E>
__global__ void __launch_bounds__(kTile* kTileRows)
    copy_transposed(const E* x, int64_t x_col, E* y, int64_t y_row, int64_t rows, int64_t cols,
                    Walk<2> walk) {
  SHARED(tile, E[kTile][kTile + 1]);  // one column more, so that a column's elements lie in different banks
  int64_t row_tiles = (rows + kTile - 1) / kTile, col_tiles = (cols + kTile - 1) / kTile;
  int64_t tiles = row_tiles * col_tiles * walk.numel;
  for (int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
    int64_t at[2];
    walk.locate(t / (row_tiles * col_tiles), at);
    int64_t row = t % row_tiles * kTile, col = t / row_tiles % col_tiles * kTile;
    for (int j = static_cast<int>(threadIdx.y); j < kTile; j += kTileRows) {
      if (row + threadIdx.x < rows && col + j < cols)
        tile[j][threadIdx.x] = x[at[0] + row + threadIdx.x + (col + j) * x_col];
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.y); i < kTile; i += kTileRows) {
      if (row + i < rows && col + threadIdx.x < cols)
        y[at[1] + (row + i) * y_row + col + threadIdx.x] = tile[threadIdx.x][i];
    }
    __syncthreads();
  }
}

/// By way of T, which holds every value of x's type.
template <class T>
__global__ void __launch_bounds__(kThreads)
    convert_general(const void* x, DType x_type, void* y, DType y_type, Walk<2> walk) {
  for (int64_t i = first_element(); i < walk.numel; i += all_threads()) {
    int64_t at[2];
    walk.locate(i, at);
    store_as(load_as<T>(x, x_type, at[0]), y, y_type, at[1]);
  }
}

template <class S>
__global__ void __launch_bounds__(kThreads) add_general(const S* x, S* y, Walk<2> walk) {
  for (int64_t i = first_element(); i < walk.numel; i += all_threads()) {
    int64_t at[2];
    walk.locate(i, at);
    store(load(y[at[1]]) + load(x[at[0]]), y[at[1]]);
  }
}

template <class E>
__global__ void __launch_bounds__(kThreads) fill_general(E value, E* y, Walk<1> walk) {
  for (int64_t i = first_element(); i < walk.numel; i += all_threads()) {
    int64_t at[1];
    walk.locate(i, at);
    y[at[0]] = value;
  }
}

constexpr int kMaxChannels = 16;
struct Channels {
  float mean[kMaxChannels], std[kMaxChannels];
};

template <class S>
__global__ void __launch_bounds__(kThreads)
    normalize(const uint8_t* x, Channels of, int channels, S* y, int64_t n) {
  using T = Computed<S>;
  for (int64_t i = first_element(); i < n; i += all_threads()) {
    int c = static_cast<int>(i % channels);
    store((static_cast<T>(x[i]) / T(255) - static_cast<T>(of.mean[c])) / static_cast<T>(of.std[c]), y[i]);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

void copy_dense(const Cuda& on, const void* x, void* y, int64_t bytes) {
  const auto* from = static_cast<const uint8_t*>(x);
  auto* to = static_cast<uint8_t*>(y);
  int64_t n = bytes / 16;
  gpu::launch<copy_vectors>({blocks_for(n, kThreads), kThreads}, on, reinterpret_cast<const uint4*>(from),
                            reinterpret_cast<uint4*>(to), n, from + n * 16, to + n * 16,
                            static_cast<int>(bytes % 16));
}

// The axis along which x is dense while y is along axis 0, both long enough for tiles; -1 if there is none.
int tiled_axis(const StridedLoop& loop) {
  constexpr int64_t kLong = 8;
  if (loop.stride[1][0] != 1 || loop.size[0] < kLong) return -1;
  for (int axis = 1; axis < loop.rank; ++axis) {
    if (loop.stride[0][axis] == 1 && loop.size[axis] >= kLong) return axis;
  }
  return -1;
}

template <class E>
void copy_tiles(const Cuda& on, const StridedLoop& loop, int axis, const View& x, const MutView& y) {
  int64_t cols = loop.size[0], rows = loop.size[axis];
  Walk<2> walk{};
  walk.numel = loop.numel / (rows * cols);
  for (int i = 1; i < loop.rank; ++i) {
    if (i == axis) continue;
    walk.size[walk.rank] = loop.size[i];
    walk.stride[0][walk.rank] = loop.stride[0][i];
    walk.stride[1][walk.rank++] = loop.stride[1][i];
  }
  int64_t tiles = (rows + kTile - 1) / kTile * ((cols + kTile - 1) / kTile) * walk.numel;
  gpu::launch<copy_transposed<E>>({blocks_for(tiles, 1), {kTile, kTileRows}}, on, x.as<E>(),
                                  loop.stride[0][0], y.as<E>(), loop.stride[1][axis], rows, cols, walk);
}

template <class E>
void copy_elements(const Cuda& on, const StridedLoop& loop, const View& x, const MutView& y) {
  if (int axis = tiled_axis(loop); axis > 0) return copy_tiles<E>(on, loop, axis, x, y);
  gpu::launch<copy_general<E>>({blocks_for(loop.numel, kThreads), kThreads}, on, x.as<E>(), y.as<E>(),
                               make_walk<2>(loop));
}

template <class T>
void launch_convert(const Cuda& on, const StridedLoop& loop, const View& x, const MutView& y) {
  gpu::launch<convert_general<T>>({blocks_for(loop.numel, kThreads), kThreads}, on, x.data, x.dtype, y.data,
                                  y.dtype, make_walk<2>(loop));
}

template <class S>
void launch_add(const Cuda& on, const StridedLoop& loop, const View& x, const MutView& y) {
  gpu::launch<add_general<S>>({blocks_for(loop.numel, kThreads), kThreads}, on, x.as<S>(), y.as<S>(),
                              make_walk<2>(loop));
}

template <class E>
void launch_fill(const Cuda& on, const StridedLoop& loop, const void* element, const MutView& y) {
  E value;
  std::memcpy(&value, element, sizeof value);
  gpu::launch<fill_general<E>>({blocks_for(loop.numel, kThreads), kThreads}, on, value, y.as<E>(),
                               make_walk<1>(loop));
}

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace

void copy(Cuda on, View x, MutView y) {
  StridedLoop loop(y.shape, {&x.stride, &y.stride});
  if (loop.numel == 0) return;
  if (x.dtype != y.dtype) {
    if (x.dtype == DType::f64) return launch_convert<double>(on, loop, x, y);
    if (is_floating(x.dtype)) return launch_convert<float>(on, loop, x, y);
    return launch_convert<int64_t>(on, loop, x, y);
  }
  auto bytes = static_cast<int64_t>(size_of(x.dtype));
  if (walks_densely(loop, 0) && walks_densely(loop, 1) && aligned(x.data) && aligned(y.data)) {
    return copy_dense(on, x.data, y.data, loop.numel * bytes);
  }
  if (bytes == 1) return copy_elements<uint8_t>(on, loop, x, y);
  if (bytes == 2) return copy_elements<uint16_t>(on, loop, x, y);
  if (bytes == 4) return copy_elements<uint32_t>(on, loop, x, y);
  copy_elements<uint64_t>(on, loop, x, y);
}

void add_into(Cuda on, View x, MutView y, float beta) {
  ISKRA_CHECK(beta == 0.0F || beta == 1.0F, "add_into: beta is ", beta,
              "; only 0 (overwrite) and 1 (add) exist");
  if (beta == 0.0F) return copy(on, x, y);
  ISKRA_CHECK(x.dtype == y.dtype && is_floating(y.dtype), "add_into: adds ", name_of(x.dtype), " into ",
              name_of(y.dtype), "; both must be of the same floating type");
  StridedLoop loop(y.shape, {&x.stride, &y.stride});
  if (loop.numel == 0) return;
  if (y.dtype == DType::f32) return launch_add<float>(on, loop, x, y);
  if (y.dtype == DType::f64) return launch_add<double>(on, loop, x, y);
  if (y.dtype == DType::bf16) return launch_add<bf16>(on, loop, x, y);
  launch_add<f16>(on, loop, x, y);
}

void fill(Cuda on, MutView y, double value) {
  alignas(8) unsigned char element[8];
  const Shape one = Shape::filled(y.rank(), 1), zero = Shape::filled(y.rank(), 0);
  copy(Cpu{}, View{&value, DType::f64, one, zero}, MutView{element, y.dtype, one, zero});
  StridedLoop loop(y.shape, {&y.stride});
  if (loop.numel == 0) return;
  auto bytes = size_of(y.dtype);
  if (bytes == 1) return launch_fill<uint8_t>(on, loop, element, y);
  if (bytes == 2) return launch_fill<uint16_t>(on, loop, element, y);
  if (bytes == 4) return launch_fill<uint32_t>(on, loop, element, y);
  launch_fill<uint64_t>(on, loop, element, y);
}

void normalize_images(Cuda on, View x, const float* mean, const float* std, MutView y) {
  ISKRA_CHECK(x.dtype == DType::u8 && is_floating(y.dtype), "normalize_images: ", name_of(x.dtype), " to ",
              name_of(y.dtype), "; takes u8 and gives a floating type");
  int64_t channels = x.shape[3], n = x.numel();
  ISKRA_CHECK(channels <= kMaxChannels, "normalize_images: ", channels, " channels; on CUDA at most ",
              kMaxChannels);
  if (n == 0) return;
  Channels of{};
  std::copy_n(mean, channels, of.mean);
  std::copy_n(std, channels, of.std);
  gpu::LaunchShape shape{blocks_for(n, kThreads), kThreads};
  int c = static_cast<int>(channels);
  if (y.dtype == DType::f32)
    return gpu::launch<normalize<float>>(shape, on, x.as<uint8_t>(), of, c, y.as<float>(), n);
  if (y.dtype == DType::f64)
    return gpu::launch<normalize<double>>(shape, on, x.as<uint8_t>(), of, c, y.as<double>(), n);
  if (y.dtype == DType::bf16)
    return gpu::launch<normalize<bf16>>(shape, on, x.as<uint8_t>(), of, c, y.as<bf16>(), n);
  gpu::launch<normalize<f16>>(shape, on, x.as<uint8_t>(), of, c, y.as<f16>(), n);
}

}  // namespace iskra::kernels
