// Elements chosen by index along one axis on CUDA. A kernel cannot throw: an index outside of its axis
// gathers zero and scatters nothing. Where several elements meet in one place, one thread takes them in their
// order, so that sums and the last one to win are always the same.
#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;

DEV bool inside(int64_t i, int64_t size) { return i >= 0 && i < size; }

/// Operands of the walk: 0 what is indexed, without its axis, 1 the index, 2 the other.
template <class E>
__global__ void __launch_bounds__(kThreads)
    gather_elements(const E* x, int64_t x_along, int64_t size, const int64_t* index, E* y, Walk<3> walk) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < walk.numel; i += threads) {
    int64_t at[3];
    walk.locate(i, at);
    int64_t from = index[at[1]];
    y[at[2]] = inside(from, size) ? x[at[0] + from * x_along] : E{};
  }
}

/// Strides along the axis of what is indexed, of the index and of the other; how long a line is, and the
/// axis.
struct Along {
  int64_t target, index, other, length, size;
};

struct Put {
  template <class E>
  DEV static void both(E& to, E from) {
    to = from;
  }
};
struct Add {
  template <class E>
  DEV static void both(E& to, E from) {
    to = static_cast<E>(to + from);
  }
};

/// A thread for each line: elements of a line meet in the order of the axis.
template <class How, class E>
__global__ void __launch_bounds__(kThreads)
    scatter_lines(const E* x, const int64_t* index, E* y, Along along, Walk<3> lines) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < lines.numel; i += threads) {
    int64_t at[3];
    lines.locate(i, at);
    for (int64_t k = 0; k < along.length; ++k) {
      int64_t to = index[at[1] + k * along.index];
      if (inside(to, along.size)) How::both(y[at[0] + to * along.target], x[at[2] + k * along.other]);
    }
  }
}

/// The same for 16 bits, whose sums are kept in f32 until the line is done: `sums` has the target's order,
/// dense.
template <class S>
__global__ void __launch_bounds__(kThreads)
    scatter_add_halves(const S* x, const int64_t* index, S* y, float* sums, Along along, Walk<3> lines) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < lines.numel; i += threads) {
    int64_t at[3];
    lines.locate(i, at);
    float* sum = sums + i * along.size;
    for (int64_t v = 0; v < along.size; ++v) sum[v] = load(y[at[0] + v * along.target]);
    for (int64_t k = 0; k < along.length; ++k) {
      int64_t to = index[at[1] + k * along.index];
      if (inside(to, along.size)) sum[to] += load(x[at[2] + k * along.other]);
    }
    for (int64_t v = 0; v < along.size; ++v) store(sum[v], y[at[0] + v * along.target]);
  }
}

/// Dense x (O,R,C) and y (O,V,C), index (R) of any stride: a thread for each (o, v, c) looks through the
/// index for its rows.
template <class S>
__global__ void __launch_bounds__(kThreads)
    index_add_rows(const S* x, const int64_t* index, int64_t stride, int64_t skip, int64_t outer,
                   int64_t rows, int64_t values, int64_t cols, S* y, float beta) {
  using T = Computed<S>;
  int64_t n = outer * values * cols, threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += threads) {
    int64_t c = i % cols, v = i / cols % values, o = i / cols / values;
    T sum = beta != 0 ? load(y[i]) * static_cast<T>(beta) : T(0);
    if (v != skip) {
      for (int64_t r = 0; r < rows; ++r) {
        if (index[r * stride] == v) sum += load(x[(o * rows + r) * cols + c]);
      }
    }
    store(sum, y[i]);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

void check_index(const View& index, const char* op) {
  ISKRA_CHECK(index.dtype == DType::i64, op, ": indices are ", name_of(index.dtype), "; they must be i64");
}

Shape without(const Shape& shape, int axis) {
  Shape rest = shape;
  rest[axis] = 1;
  return rest;
}

template <class F>
void with_bits(DType dtype, F f) {
  size_t bytes = size_of(dtype);
  if (bytes == 1) return f(uint8_t{});
  if (bytes == 2) return f(uint16_t{});
  if (bytes == 4) return f(uint32_t{});
  f(uint64_t{});
}

/// Lines of a scatter of x into y, as kernels take them.
struct Lines {
  Walk<3> walk;
  Along along;
};
Lines lines_of(const View& x, const View& index, int axis, const MutView& y) {
  StridedLoop loop(without(index.shape, axis), {&y.stride, &index.stride, &x.stride});
  return {make_walk<3>(loop),
          {y.stride[axis], index.stride[axis], x.stride[axis], index.shape[axis], y.shape[axis]}};
}

gpu::LaunchShape shape_for(int64_t n) { return {blocks_for(n, kThreads), kThreads}; }

template <class E>
void add_lines(const Cuda& on, const View& x, const View& index, const MutView& y, const Lines& lines) {
  gpu::launch<scatter_lines<Add, E>>(shape_for(lines.walk.numel), on, x.as<E>(), index.as<int64_t>(),
                                     y.as<E>(), lines.along, lines.walk);
}

template <class S>
void add_half_lines(const Cuda& on, const View& x, const View& index, const MutView& y, const Lines& lines) {
  float* sums = scratch_of(on, "scatter_add").of<float>(lines.walk.numel * lines.along.size);
  gpu::launch<scatter_add_halves<S>>(shape_for(lines.walk.numel), on, x.as<S>(), index.as<int64_t>(),
                                     y.as<S>(), sums, lines.along, lines.walk);
}

}  // namespace

void gather(Cuda on, View x, View index, int axis, MutView y) {
  check_index(index, "gather");
  if (y.numel() == 0) return;
  Shape x_stride = x.stride;
  x_stride[axis] = 0;
  StridedLoop loop(y.shape, {&x_stride, &index.stride, &y.stride});
  with_bits(y.dtype, [&](auto bits) {
    using E = decltype(bits);
    gpu::launch<gather_elements<E>>(shape_for(loop.numel), on, x.as<E>(), x.stride[axis], x.shape[axis],
                                    index.as<int64_t>(), y.as<E>(), make_walk<3>(loop));
  });
}

void scatter(Cuda on, View x, View index, int axis, MutView y) {
  check_index(index, "scatter");
  if (index.numel() == 0) return;
  Lines lines = lines_of(x, index, axis, y);
  with_bits(y.dtype, [&](auto bits) {
    using E = decltype(bits);
    gpu::launch<scatter_lines<Put, E>>(shape_for(lines.walk.numel), on, x.as<E>(), index.as<int64_t>(),
                                       y.as<E>(), lines.along, lines.walk);
  });
}

void scatter_add(Cuda on, View x, View index, int axis, MutView y) {
  check_index(index, "scatter_add");
  ISKRA_CHECK(y.dtype != DType::boolean,
              "scatter_add: bool elements do not add; convert to an integer dtype first");
  if (index.numel() == 0) return;
  Lines lines = lines_of(x, index, axis, y);
  switch (y.dtype) {
    case DType::f32:
      return add_lines<float>(on, x, index, y, lines);
    case DType::f64:
      return add_lines<double>(on, x, index, y, lines);
    case DType::i64:
      return add_lines<int64_t>(on, x, index, y, lines);
    case DType::i32:
      return add_lines<int32_t>(on, x, index, y, lines);
    case DType::bf16:
      return add_half_lines<bf16>(on, x, index, y, lines);
    case DType::f16:
      return add_half_lines<f16>(on, x, index, y, lines);
    default:
      return add_lines<uint8_t>(on, x, index, y, lines);
  }
}

void index_add(Cuda on, View x, View index, int64_t skip, MutView y, float beta) {
  check_index(index, "index_add");
  if (y.numel() == 0) return;
  with_floating(y.dtype, "index_add", [&]<class S>(S) {
    gpu::launch<index_add_rows<S>>(shape_for(y.numel()), on, x.as<S>(), index.as<int64_t>(), index.stride[0],
                                   skip, y.size(0), index.numel(), y.size(1), y.size(2), y.as<S>(), beta);
  });
}

}  // namespace iskra::kernels
