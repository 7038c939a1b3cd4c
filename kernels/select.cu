// Elements chosen by a condition or by their place, on CUDA: where, triangles, progressions, the places of
// what is not zero, and how often numbers occur.
#include <algorithm>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_rows.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;

template <class E>
__global__ void __launch_bounds__(kThreads)
    choose(const uint8_t* mask, const E* a, const E* b, E* y, Walk<4> walk) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < walk.numel; i += threads) {
    int64_t at[4];
    walk.locate(i, at);
    y[at[3]] = mask[at[0]] != 0 ? a[at[1]] : b[at[2]];
  }
}

/// Walk operands: 0 x, 1 y, 2 the column minus the row, by "strides" of 1 and -1.
template <class E>
__global__ void __launch_bounds__(kThreads)
    keep_triangle(const E* x, E* y, bool upper, int64_t k, Walk<3> walk) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < walk.numel; i += threads) {
    int64_t at[3];
    walk.locate(i, at);
    y[at[1]] = (upper ? at[2] >= k : at[2] <= k) ? x[at[0]] : E{};
  }
}

/// y[i] = start + (i - origin) step for begin <= i < end.
__global__ void __launch_bounds__(kThreads)
    progression(double start, double step, int64_t origin, int64_t begin, int64_t end, void* y, DType dtype) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = begin + int64_t{blockIdx.x} * kThreads + threadIdx.x; i < end; i += threads) {
    store_as(start + static_cast<double>(i - origin) * step, y, dtype, i);
  }
}

/// A block for each kNonzeroBlock elements.
__global__ void __launch_bounds__(kThreads) count_true(const uint8_t* mask, int64_t n, int64_t* counts) {
  int64_t begin = int64_t{blockIdx.x} * kNonzeroBlock, end = min(begin + kNonzeroBlock, n);
  int count = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) count += mask[i] != 0 ? 1 : 0;
  count = over_block<Sum>(count);
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

/// Sizes of a shape, by value.
struct Sizes {
  int rank;
  int64_t size[Shape::kMaxRank];
};

/// The same blocks: 256 elements at a time, each true one behind the true ones before it.
__global__ void __launch_bounds__(kThreads)
    place_true(const uint8_t* mask, int64_t n, Sizes shape, const int64_t* starts, int64_t* places) {
  SHARED(of_warp, int[kThreads / 32]);
  int64_t begin = int64_t{blockIdx.x} * kNonzeroBlock, end = min(begin + kNonzeroBlock, n),
          next = starts[blockIdx.x];
  int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32), rank = shape.rank;
  for (int64_t first = begin; first < end; first += kThreads) {
    int64_t i = first + threadIdx.x;
    bool kept = i < end && mask[i] != 0;
    unsigned ballot = __ballot_sync(0xffffffffU, kept);
    if (lane == 0) of_warp[warp] = __popc(ballot);
    __syncthreads();
    int before = __popc(ballot & ((1U << lane) - 1)), all = 0;
    for (int w = 0; w < kThreads / 32; ++w) {
      if (w < warp) before += of_warp[w];
      all += of_warp[w];
    }
    if (kept) {
      int64_t* to = places + (next + before) * rank;
      int64_t rest = i;
      for (int axis = rank - 1; axis >= 0; --axis) {
        to[axis] = rest % shape.size[axis];
        rest /= shape.size[axis];
      }
    }
    next += all;
    __syncthreads();
  }
}

struct Smallest {
  template <class T>
  DEV static T both(T a, T b) {
    return b < a ? b : a;
  }
};

__global__ void __launch_bounds__(kThreads) find_range(const int64_t* x, int64_t n, int64_t* y) {
  int64_t least = x[0], most = x[0];
  for (int64_t i = threadIdx.x; i < n; i += kThreads) least = min(least, x[i]), most = max(most, x[i]);
  least = over_block<Smallest>(least);
  most = over_block<Largest>(most);
  if (threadIdx.x == 0) y[0] = least, y[1] = most;
}

/// Counts do not depend on the order of additions. Numbers outside of [0, size) count nowhere.
__global__ void __launch_bounds__(kThreads)
    count_numbers(const int64_t* x, int64_t n, unsigned long long* counts, int64_t size) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += threads) {
    if (x[i] >= 0 && x[i] < size) atomicAdd(&counts[x[i]], 1ULL);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class F>
void with_bits(DType dtype, F f) {
  size_t bytes = size_of(dtype);
  if (bytes == 1) return f(uint8_t{});
  if (bytes == 2) return f(uint16_t{});
  if (bytes == 4) return f(uint32_t{});
  f(uint64_t{});
}

unsigned nonzero_blocks(int64_t n) { return static_cast<unsigned>((n + kNonzeroBlock - 1) / kNonzeroBlock); }

void launch_progression(const Cuda& on, double start, double step, int64_t origin, int64_t begin, int64_t end,
                        const MutView& y) {
  if (end <= begin) return;
  gpu::launch<progression>({blocks_for(end - begin, kThreads), kThreads}, on, start, step, origin, begin, end,
                           y.data, y.dtype);
}

}  // namespace

void where(Cuda on, View mask, View a, View b, MutView y) {
  ISKRA_CHECK(size_of(mask.dtype) == 1 && a.dtype == y.dtype && b.dtype == y.dtype, "where: a ",
              name_of(mask.dtype), " mask chooses from ", name_of(a.dtype), " and ", name_of(b.dtype),
              " for ", name_of(y.dtype), "; it takes a bool mask and three equal types");
  StridedLoop loop(y.shape, {&mask.stride, &a.stride, &b.stride, &y.stride});
  if (loop.numel == 0) return;
  with_bits(y.dtype, [&](auto bits) {
    using E = decltype(bits);
    gpu::launch<choose<E>>({blocks_for(loop.numel, kThreads), kThreads}, on, mask.as<uint8_t>(), a.as<E>(),
                           b.as<E>(), y.as<E>(), make_walk<4>(loop));
  });
}

void triangle(Cuda on, View x, bool upper, int64_t k, MutView y) {
  if (x.numel() == 0) return;
  Shape diagonal = Shape::filled(x.rank(), 0);
  diagonal[x.rank() - 1] = 1;
  diagonal[x.rank() - 2] = -1;
  // Sorted by y's strides, which come last.
  StridedLoop loop(x.shape, {&x.stride, &diagonal, &y.stride});
  Walk<3> sorted = make_walk<3>(loop), walk = sorted;
  for (int axis = 0; axis < walk.rank; ++axis) {
    walk.stride[1][axis] = sorted.stride[2][axis];
    walk.stride[2][axis] = sorted.stride[1][axis];
  }
  with_bits(x.dtype, [&](auto bits) {
    using E = decltype(bits);
    gpu::launch<keep_triangle<E>>({blocks_for(loop.numel, kThreads), kThreads}, on, x.as<E>(), y.as<E>(),
                                  upper, k, walk);
  });
}

void arange(Cuda on, double start, double step, MutView y) {
  launch_progression(on, start, step, 0, 0, y.numel(), y);
}

void linspace(Cuda on, double start, double end, MutView y) {
  // Both halves count from their own end: both ends are exact, and the numbers lie symmetrically.
  int64_t n = y.numel(), half = (n + 1) / 2;
  double step = n > 1 ? (end - start) / static_cast<double>(n - 1) : 0;
  launch_progression(on, start, step, 0, 0, half, y);
  launch_progression(on, end, step, n - 1, half, n, y);
}

void count_nonzero_blocks(Cuda on, View mask, MutView counts) {
  int64_t n = mask.numel();
  if (n == 0) return;
  gpu::launch<count_true>({nonzero_blocks(n), kThreads}, on, mask.as<uint8_t>(), n, counts.as<int64_t>());
}

void nonzero_places(Cuda on, View mask, const Shape& shape, View starts, MutView places) {
  int64_t n = mask.numel();
  if (n == 0) return;
  Sizes sizes{shape.rank(), {}};
  std::copy(shape.begin(), shape.end(), sizes.size);
  gpu::launch<place_true>({nonzero_blocks(n), kThreads}, on, mask.as<uint8_t>(), n, sizes,
                          starts.as<int64_t>(), places.as<int64_t>());
}

void value_range(Cuda on, View x, MutView y) {
  gpu::launch<find_range>({1, kThreads}, on, x.as<int64_t>(), x.numel(), y.as<int64_t>());
}

void count_values(Cuda on, View x, MutView y) {
  fill(on, y, 0);
  if (x.numel() == 0) return;
  gpu::launch<count_numbers>({blocks_for(x.numel(), kThreads), kThreads}, on, x.as<int64_t>(), x.numel(),
                             static_cast<unsigned long long*>(y.data), y.numel());
}

}  // namespace iskra::kernels
