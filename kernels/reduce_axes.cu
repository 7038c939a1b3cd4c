// Reductions over any axes on CUDA. Threads stand in tiles of `across` results by 256 / `across` parts: where
// x is dense along kept axes, 32 results lie beside each other and are read together; where it is dense along
// reduced axes, one result has all threads. What is reduced is cut into chunks by shape alone, so that no
// thread adds more than 64 elements one after the other; the chunks' results, if there are several, are
// reduced in the same way again.
#include <algorithm>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/reduce_together.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/vector_pow.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kEach = 64;  // elements of a thread, at most

/// What is taken of an element x, a shift s and a power p.
template <class T>
DEV T taken(ReduceOp op, T x, T s, T p) {
  if constexpr (!std::is_same_v<T, int64_t>) {
    switch (op) {
      case ReduceOp::abs_sum:
      case ReduceOp::abs_maximum:
      case ReduceOp::abs_minimum:
        return math::abs(x);
      case ReduceOp::square_sum:
        return (x - s) * (x - s);
      case ReduceOp::power_sum:
        return math::pow(math::abs(x), p);
      case ReduceOp::exp_sum:
        return math::exp(x - (math::abs(s) <= T(3.4028234e38F) ? s : s != s ? s : T(0)));
      case ReduceOp::nonzero_product:
        return x == T(0) ? T(1) : x;
      default:
        return x;
    }
  }
  return x;
}

/// One stage: `results` results, each of `length` elements in `chunks` chunks of `chunk`.
template <class T>
struct Stage {
  const void* x;
  DType dtype;
  bool count;       ///< take 1 for what is not 0
  bool first;       ///< elements are x's, not results of a stage before
  Walk<3> kept;     ///< of y, the shift and x
  Walk<1> reduced;  ///< of x
  int64_t chunk, chunks;
  const T* shift;  ///< or null
  T start, power, scale;
  T* partial;  ///< (chunks, results), or null in the last stage …
  void* y;     ///< … which writes here
  DType y_dtype;
};

template <class T>
DEV T element(const Stage<T>& at, ReduceOp op, int64_t place, T shift) {
  if (at.count) return value(load_as<Bool>(at.x, at.dtype, place)) != 0 ? T(1) : T(0);
  T x = load_as<T>(at.x, at.dtype, place);
  return at.first ? taken(op, x, shift, at.power) : x;
}

template <class T>
__global__ void __launch_bounds__(kThreads) reduce_stage(ReduceOp op, Together how, Stage<T> at) {
  SHARED(parts, T[kThreads]);
  int across = static_cast<int>(blockDim.x), rows = static_cast<int>(blockDim.y);
  int64_t results = at.kept.numel, groups = (results + across - 1) / across;
  for (int64_t job = blockIdx.x; job < groups * at.chunks; job += gridDim.x) {
    int64_t result = job % groups * across + threadIdx.x, chunk = job / groups;
    T total = at.start;
    int64_t of[3] = {0, 0, 0};
    if (result < results) {
      at.kept.locate(result, of);
      T shift = at.shift != nullptr ? at.shift[of[1]] : T(0);
      int64_t end = min((chunk + 1) * at.chunk, at.reduced.numel);
      for (int64_t i = chunk * at.chunk + threadIdx.y; i < end; i += rows) {
        int64_t place[1];
        at.reduced.locate(i, place);
        total = joined(how, total, element(at, op, of[2] + place[0], shift));
      }
    }
    T* column = &parts[threadIdx.x];
    column[threadIdx.y * across] = total;
    __syncthreads();
    for (int half = rows / 2; half > 0; half /= 2) {
      if (static_cast<int>(threadIdx.y) < half) {
        column[threadIdx.y * across] =
            joined(how, column[threadIdx.y * across], column[(threadIdx.y + half) * across]);
      }
      __syncthreads();
    }
    if (threadIdx.y == 0 && result < results) {
      if (at.partial != nullptr)
        at.partial[chunk * results + result] = column[0];
      else
        store_as(at.scale * column[0], at.y, at.y_dtype, of[0]);
    }
    __syncthreads();
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class T>
void launch_stage(const Cuda& on, ReduceOp op, Together how, const Stage<T>& at, unsigned across) {
  int64_t groups = (at.kept.numel + across - 1) / across;
  gpu::launch<reduce_stage<T>>({blocks_for(groups * at.chunks, 1), {across, kThreads / across}}, on, op, how,
                               at);
}

template <class T>
void run(const Cuda& on, ReduceOp op, const View& x, const View& shift, const MutView& y, double scale,
         double power, const StridedLoop& kept, const StridedLoop& reduced) {
  Together how = together(op);
  int64_t results = kept.numel, length = reduced.numel;
  bool along =
      results == 1 || (reduced.size[0] >= 32 &&
                       std::abs(reduced.stride[0][0]) < std::max<int64_t>(std::abs(kept.stride[2][0]), 1));
  auto chunk_of = [](unsigned across) { return int64_t{kThreads} / across * kEach; };
  unsigned across = along ? 1 : 32;
  Stage<T> at{};
  at.x = x.data;
  at.dtype = x.dtype;
  at.count = op == ReduceOp::count;
  at.first = true;
  at.kept = make_walk<3>(kept);
  at.reduced = make_walk<1>(reduced);
  at.shift = shift.as<T>();
  at.start = start_of<T>(how);
  at.power = static_cast<T>(power);
  at.scale = static_cast<T>(scale);
  at.y = y.data;
  at.y_dtype = y.dtype;
  at.chunk = chunk_of(across);
  at.chunks = std::max<int64_t>(1, (length + at.chunk - 1) / at.chunk);
  while (at.chunks > 1) {
    at.partial = scratch_of(on, "reduce").of<T>(at.chunks * results);
    launch_stage(on, op, how, at, across);
    // The next stage reads what this one has written: (chunks, results), dense.
    Walk<3> walk = at.kept;
    int64_t step = 1;
    for (int axis = 0; axis < walk.rank; step *= walk.size[axis++]) walk.stride[2][axis] = step;
    Walk<1> chunks{};
    chunks.numel = chunks.size[0] = at.chunks;
    chunks.rank = 1;
    chunks.stride[0][0] = results;
    across = results == 1 ? 1 : 32;
    at.x = at.partial;
    at.dtype = dtype_of<T>;
    at.count = at.first = false;
    at.kept = walk;
    at.reduced = chunks;
    at.partial = nullptr;
    at.chunk = chunk_of(across);
    at.chunks = (chunks.numel + at.chunk - 1) / at.chunk;
  }
  launch_stage(on, op, how, at, across);
}

bool of_integers(ReduceOp op) {
  return op == ReduceOp::sum || op == ReduceOp::product || op == ReduceOp::maximum ||
         op == ReduceOp::minimum || op == ReduceOp::count;
}

}  // namespace

void reduce(Cuda on, ReduceOp op, View x, View shift, MutView y, double scale, double power) {
  if (y.numel() == 0) return;
  bool whole = !is_floating(x.dtype) || op == ReduceOp::count;
  DType compute = whole ? DType::i64 : x.dtype == DType::f64 ? DType::f64 : DType::f32;
  ISKRA_CHECK(!shift.defined() || shift.dtype == compute, name_of(op), ": the shift is of ",
              name_of(shift.dtype), "; it must be of ", name_of(compute));
  ISKRA_CHECK(!whole || of_integers(op), name_of(op), ": elements are ", name_of(x.dtype),
              "; it takes floating types, convert first");
  Shape kept_shape = x.shape, reduced_shape = x.shape;
  for (int i = 0; i < x.rank(); ++i) (y.shape[i] == x.shape[i] ? reduced_shape : kept_shape)[i] = 1;
  const Shape& shift_stride = shift.defined() ? shift.stride : y.stride;
  StridedLoop kept(kept_shape, {&y.stride, &shift_stride, &x.stride}), reduced(reduced_shape, {&x.stride});
  if (compute == DType::i64) return run<int64_t>(on, op, x, shift, y, scale, power, kept, reduced);
  if (compute == DType::f64) return run<double>(on, op, x, shift, y, scale, power, kept, reduced);
  run<float>(on, op, x, shift, y, scale, power, kept, reduced);
}

}  // namespace iskra::kernels
