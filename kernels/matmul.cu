// Matrix products on CUDA cores: c = then(a b), batched, any strides, in f32 and f64 and, by way of f32, in
// 16 bits.
//
// A block of 16 x 16 threads computes a tile of 64 x 64 results, 4 x 4 a thread; tiles of 64 x 16 of a and 16
// x 64 of b pass through shared memory, two in turn, so that one is loaded while the other is multiplied.
// Products of one result are added in the order of k, whatever the sizes of m and n: a row has the same bits
// however many rows there are.
#include <algorithm>

#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/matmul_paths.h>
#include <iskra/kernels/pointwise_ops.h>
#include <iskra/kernels/product_batch.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_convert.cuh>

namespace iskra::kernels {
namespace {

constexpr int kTile = 64, kDepth = 16, kSide = 16, kEach = kTile / kSide;
constexpr int kThreads = kSide * kSide;

/// What follows the sums; pointers are to item 0 of the batch, at c's places.
struct Finish {
  const void* bias;
  DType bias_type;
  Activation activation;
  const void* residual;
  void* preactivation;
  float beta;
};

struct Batch {
  int64_t items;
  int rank;
  int64_t size[Shape::kMaxRank], a[Shape::kMaxRank], b[Shape::kMaxRank], c[Shape::kMaxRank];
};

template <class T>
DEV T activated(Activation activation, T v) {
  switch (activation) {
    case Activation::none:
      return v;
    case Activation::relu:
      return ops::relu::f(v);
    case Activation::gelu:
      return ops::gelu::f(v);
    case Activation::gelu_tanh:
      return ops::gelu_tanh::f(v);
  }
  return v;
}

template <class T>
DEV void finish_one(const Finish& then, T v, int64_t col, int64_t at, void* c, DType type) {
  if (then.bias != nullptr) v += load_as<T>(then.bias, then.bias_type, col);
  if (then.preactivation != nullptr) store_as(v, then.preactivation, type, at);
  v = activated(then.activation, v);
  if (then.residual != nullptr) v += load_as<T>(then.residual, type, at);
  if (then.beta != 0) v += load_as<T>(c, type, at);
  store_as(v, c, type, at);
}

/// Elements (row, col) of a matrix of `rows` by `cols`, 0 outside of it.
template <class S, class T>
DEV T element(const S* x, int64_t row, int64_t col, int64_t rows, int64_t cols, int64_t row_stride,
              int64_t col_stride) {
  return row < rows && col < cols ? load(x[row * row_stride + col * col_stride]) : T(0);
}

/// Four elements a thread of a tile of a (64 rows of 16) and of b (16 rows of 64), along whichever axis lies
/// densely.
template <class S, class T>
struct TileLoader {
  T a[4], b[4];
  int a_row, a_col, a_step_row, a_step_col, b_row, b_col, b_step_row, b_step_col;

  DEV TileLoader(const GemmShape& s, int thread) {
    bool a_dense = s.a_col == 1, b_dense = s.b_col == 1;
    a_row = a_dense ? thread / kDepth : thread % kTile, a_col = a_dense ? thread % kDepth : thread / kTile;
    a_step_row = a_dense ? kThreads / kDepth : 0, a_step_col = a_dense ? 0 : kThreads / kTile;
    b_row = b_dense ? thread / kTile : thread % kDepth, b_col = b_dense ? thread % kTile : thread / kDepth;
    b_step_row = b_dense ? kThreads / kTile : 0, b_step_col = b_dense ? 0 : kThreads / kDepth;
  }
  DEV void read(const GemmShape& s, const S* x, const S* y, int64_t row, int64_t col, int64_t k) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      a[i] = element<S, T>(x, row + a_row + i * a_step_row, k + a_col + i * a_step_col, s.m, s.k, s.a_row,
                           s.a_col);
      b[i] = element<S, T>(y, k + b_row + i * b_step_row, col + b_col + i * b_step_col, s.k, s.n, s.b_row,
                           s.b_col);
    }
  }
  DEV void write(T (&to_a)[kDepth][kTile + 1], T (&to_b)[kDepth][kTile + 1]) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      to_a[a_col + i * a_step_col][a_row + i * a_step_row] = a[i];
      to_b[b_row + i * b_step_row][b_col + i * b_step_col] = b[i];
    }
  }
};

/// Two tiles of each operand while products are added up, the sums afterwards.
template <class T>
union Tiles {
  struct {
    T a[2][kDepth][kTile + 1], b[2][kDepth][kTile + 1];
  } of;
  T sums[kTile * kTile];
};

template <class T>
DEV void multiply_add(const T (&a)[kDepth][kTile + 1], const T (&b)[kDepth][kTile + 1], int tx, int ty,
                      T (&acc)[kEach][kEach]) {
#pragma unroll 4
  for (int k = 0; k < kDepth; ++k) {
    T of_a[kEach], of_b[kEach];
#pragma unroll
    for (int i = 0; i < kEach; ++i) of_a[i] = a[k][ty + i * kSide], of_b[i] = b[k][tx + i * kSide];
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) acc[i][j] += of_a[i] * of_b[j];
    }
  }
}

template <class S, class T>
__global__ void __launch_bounds__(kThreads)
    gemm_simt(GemmShape s, Batch batch, const S* a, const S* b, void* c, DType c_type, Finish then) {
  SHARED(tiles, Tiles<T>);
  int thread = static_cast<int>(threadIdx.x), tx = thread % kSide, ty = thread / kSide;
  int64_t row = int64_t{blockIdx.y} * kTile, col = int64_t{blockIdx.x} * kTile;
  for (int64_t item = blockIdx.z; item < batch.items; item += gridDim.z) {
    const S *x = a, *y = b;
    int64_t to = 0, rest = item;
    for (int axis = batch.rank - 1; axis >= 0; --axis) {
      int64_t i = rest % batch.size[axis];
      rest /= batch.size[axis];
      x += i * batch.a[axis], y += i * batch.b[axis], to += i * batch.c[axis];
    }
    T acc[kEach][kEach] = {};
    TileLoader<S, T> next(s, thread);
    next.read(s, x, y, row, col, 0);
    next.write(tiles.of.a[0], tiles.of.b[0]);
    __syncthreads();
    int64_t steps = (s.k + kDepth - 1) / kDepth;
    for (int64_t step = 0; step < steps; ++step) {
      int now = static_cast<int>(step % 2);
      if (step + 1 < steps) next.read(s, x, y, row, col, (step + 1) * kDepth);
      multiply_add(tiles.of.a[now], tiles.of.b[now], tx, ty, acc);
      if (step + 1 < steps) next.write(tiles.of.a[1 - now], tiles.of.b[1 - now]);
      __syncthreads();
    }
    // Through shared memory: neighbours then write neighbours, and what follows the sums is there once, not
    // 16 times.
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) tiles.sums[(ty + i * kSide) * kTile + tx + j * kSide] = acc[i][j];
    }
    __syncthreads();
    for (int place = thread; place < kTile * kTile; place += kThreads) {
      int64_t r = row + place / kTile, k = col + place % kTile;
      if (r < s.m && k < s.n) finish_one(then, tiles.sums[place], k, to + r * s.c_row + k, c, c_type);
    }
    __syncthreads();  // before the next item's first tile
  }
}

unsigned tiles(int64_t n) { return static_cast<unsigned>((n + kTile - 1) / kTile); }

}  // namespace

void native::matmul_simt(Cuda on, View a, View b, const Epilogue& epilogue, MutView c, float beta) {
  ProductBatch p = product_batch(a, b, c);
  Batch batch{};
  batch.items = p.items();
  batch.rank = p.batch.rank();
  for (int axis = 0; axis < batch.rank; ++axis) {
    batch.size[axis] = p.batch[axis];
    batch.a[axis] = p.a_stride[axis];
    batch.b[axis] = p.b_stride[axis];
    batch.c[axis] = p.c_stride[axis];
  }
  Finish then{epilogue.bias.data,     epilogue.bias.dtype,         epilogue.activation,
              epilogue.residual.data, epilogue.preactivation.data, beta};
  ISKRA_CHECK(tiles(p.one.m) <= 65535, "matmul: ", p.one.m, " rows; on CUDA at most ",
              int64_t{65535} * kTile);
  dim3 grid(tiles(p.one.n), tiles(p.one.m), static_cast<unsigned>(std::min<int64_t>(batch.items, 65535)));
  with_floating(a.dtype, "matmul", [&]<class S>(S) {
    gpu::launch<gemm_simt<S, Computed<S>>>({grid, kThreads}, on, p.one, batch, a.as<S>(), b.as<S>(), c.data,
                                           c.dtype, then);
  });
}

}  // namespace iskra::kernels
