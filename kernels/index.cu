// Elements chosen by index along one axis on CUDA. A kernel cannot throw: an index outside of its axis
// gathers zero and scatters nothing. Where several elements meet in one place, one thread takes them in their
// order, so that sums and the last one to win are always the same.
#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/sort.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_keys.cuh>
#include <iskra/kernels/gpu_walk.cuh>
#include <iskra/kernels/index_runs.cuh>

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
  /// Overflow wraps around.
  DEV static void both(int64_t& to, int64_t from) {
    to = static_cast<int64_t>(static_cast<uint64_t>(to) + static_cast<uint64_t>(from));
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

/// The same for 16 bits, whose sums are kept in f32 until the line is done; those of all lines lie side by
/// side.
template <class S>
__global__ void __launch_bounds__(kThreads)
    scatter_add_halves(const S* x, const int64_t* index, S* y, float* sums, Along along, Walk<3> lines) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < lines.numel; i += threads) {
    int64_t at[3];
    lines.locate(i, at);
    float* sum = sums + i;
    for (int64_t v = 0; v < along.size; ++v) sum[v * lines.numel] = load(y[at[0] + v * along.target]);
    for (int64_t k = 0; k < along.length; ++k) {
      int64_t to = index[at[1] + k * along.index];
      if (inside(to, along.size)) sum[to * lines.numel] += load(x[at[2] + k * along.other]);
    }
    for (int64_t v = 0; v < along.size; ++v) store(sum[v * lines.numel], y[at[0] + v * along.target]);
  }
}

/// The index of every line, as pairs.
__global__ void __launch_bounds__(kThreads)
    pair_lines(const int64_t* index, Along along, Walk<3> lines, PairBits in, NarrowPair* pairs) {
  int64_t n = lines.numel * along.length, threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += threads) {
    int64_t line = i / along.length, k = i % along.length, at[3];
    lines.locate(line, at);
    int64_t to = index[at[1] + k * along.index];
    pairs[i] = in.pack(inside(to, along.size) ? line * along.size + to : in.targets, k);
  }
}

/// Few long lines: a thread at each place of the sorted pairs; those where runs begin add what is in their
/// run.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_runs(const void* x, void* y, DType dtype, Runs runs, Along along, Walk<3> lines) {
  constexpr int kAhead = 8;
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t p = int64_t{blockIdx.x} * kThreads + threadIdx.x; p < runs.n; p += threads) {
    int64_t target = runs.target(p), at[3];
    if (target == runs.in.targets || !runs.begins_with(p)) continue;
    lines.locate(target / along.size, at);
    int64_t to = at[0] + target % along.size * along.target;
    T sum = load_as<T>(y, dtype, to), next[kAhead] = {};
    runs.for_run<kAhead>(
        p, [&](int64_t place, int k) { next[k] = load_as<T>(x, dtype, at[2] + place * along.other); },
        [&](int k) { Add::both(sum, next[k]); });
    store_as(sum, y, dtype, to);
  }
}

/// The same, where the last of a run wins.
__global__ void __launch_bounds__(kThreads)
    put_runs(const void* x, void* y, int bytes, Runs runs, Along along, Walk<3> lines) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t p = int64_t{blockIdx.x} * kThreads + threadIdx.x; p < runs.n; p += threads) {
    int64_t target = runs.target(p), at[3];
    if (target == runs.in.targets || !runs.ends_with(p)) continue;
    lines.locate(target / along.size, at);
    copy_element(x, at[2] + runs.in.place(runs.pairs[p]) * along.other, y,
                 at[0] + target % along.size * along.target, bytes);
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
  /// Whether they are too few and too long for a thread each; sorting costs more where there are many.
  bool few() const { return walk.numel <= 4096 && along.length >= 256; }
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

Runs sorted_lines(const Cuda& on, const View& index, const Lines& lines, const char* op) {
  int64_t n = index.numel();
  PairBits in = pair_bits(lines.walk.numel * lines.along.size, lines.along.length, op);
  NarrowPair* pairs = scratch_of(on, op).of<NarrowPair>(n);
  gpu::launch<pair_lines>(shape_for(n), on, index.as<int64_t>(), lines.along, lines.walk, in, pairs);
  return {sort_pairs(on, pairs, n, op), n, in};
}

template <class T>
void add_few_lines(const Cuda& on, const View& x, const View& index, const MutView& y, const Lines& lines) {
  gpu::launch<add_runs<T>>(shape_for(index.numel()), on, x.data, y.data, y.dtype,
                           sorted_lines(on, index, lines, "scatter_add"), lines.along, lines.walk);
}

template <class E>
void launch_gather(const Cuda& on, const View& x, int64_t x_along, int64_t size, const View& index,
                   const MutView& y, const Walk<3>& walk) {
  gpu::launch<gather_elements<E>>(shape_for(walk.numel), on, x.as<E>(), x_along, size, index.as<int64_t>(),
                                  y.as<E>(), walk);
}

/// Rows that share their indices, 16 bytes at a time. False where something does not lie at a multiple of 16.
bool gather_wide(const Cuda& on, const View& x, const View& index, int axis, const MutView& y,
                 const StridedLoop& loop) {
  auto each = static_cast<int64_t>(16 / size_of(y.dtype));
  auto misaligned = [](const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 != 0; };
  if (loop.stride[0][0] != 1 || loop.stride[1][0] != 0 || loop.stride[2][0] != 1 ||
      loop.size[0] % each != 0 || x.stride[axis] % each != 0 || misaligned(x.data) || misaligned(y.data))
    return false;
  Walk<3> walk = make_walk<3>(loop);
  walk.numel /= each;
  walk.size[0] /= each;
  for (int i = 1; i < walk.rank; ++i) {
    for (int operand : {0, 2}) {
      if (walk.stride[operand][i] % each != 0) return false;
      walk.stride[operand][i] /= each;
    }
  }
  launch_gather<uint4>(on, x, x.stride[axis] / each, x.shape[axis], index, y, walk);
  return true;
}

}  // namespace

void gather(Cuda on, View x, View index, int axis, MutView y) {
  check_index(index, "gather");
  if (y.numel() == 0) return;
  Shape x_stride = x.stride;
  x_stride[axis] = 0;
  StridedLoop loop(y.shape, {&x_stride, &index.stride, &y.stride});
  if (gather_wide(on, x, index, axis, y, loop)) return;
  with_bits(y.dtype, [&](auto bits) {
    using E = decltype(bits);
    launch_gather<E>(on, x, x.stride[axis], x.shape[axis], index, y, make_walk<3>(loop));
  });
}

void scatter(Cuda on, View x, View index, int axis, MutView y) {
  check_index(index, "scatter");
  if (index.numel() == 0) return;
  Lines lines = lines_of(x, index, axis, y);
  if (lines.few()) {
    gpu::launch<put_runs>(shape_for(index.numel()), on, x.data, y.data, static_cast<int>(size_of(y.dtype)),
                          sorted_lines(on, index, lines, "scatter"), lines.along, lines.walk);
    return;
  }
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
  if (lines.few()) {
    if (y.dtype == DType::f64) return add_few_lines<double>(on, x, index, y, lines);
    if (is_floating(y.dtype)) return add_few_lines<float>(on, x, index, y, lines);
    return add_few_lines<int64_t>(on, x, index, y, lines);
  }
  switch (y.dtype) {
    case DType::f32:
      return add_lines<float>(on, x, index, y, lines);
    case DType::f64:
      return add_lines<double>(on, x, index, y, lines);
    case DType::i64:
      return add_lines<int64_t>(on, x, index, y, lines);
    case DType::i32:
      return add_lines<uint32_t>(on, x, index, y, lines);
    case DType::bf16:
      return add_half_lines<bf16>(on, x, index, y, lines);
    case DType::f16:
      return add_half_lines<f16>(on, x, index, y, lines);
    default:
      return add_lines<uint8_t>(on, x, index, y, lines);
  }
}

}  // namespace iskra::kernels
