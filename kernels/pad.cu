// Padding with elements of the tensor itself on CUDA: a thread for each element of what is written, or for
// some that lie side by side where innermost axes are not padded. Backward reads: an element of dx adds up
// the elements of dy that were made from it, in the order of their places.
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/pad_places.h>
#include <iskra/kernels/gpu_channels.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;

/// The axes of what is written, by value, innermost first.
struct PadWalk {
  int64_t numel;
  int rank;
  PadMode mode;
  PaddedAxis axis[Shape::kMaxRank];
  int64_t length[Shape::kMaxRank];

  /// Calls f(axis, place) for every axis.
  template <class F>
  DEV void locate(int64_t i, F f) const {
    if (numel <= 0x7fffffff) {  // 32 bits divide faster
      auto rest = static_cast<uint32_t>(i);
      for (int a = 0; a < rank; ++a) {
        auto n = static_cast<uint32_t>(length[a]);
        f(axis[a], static_cast<int64_t>(rest % n));
        rest /= n;
      }
    } else {
      for (int a = 0; a < rank; i /= length[a++]) f(axis[a], i % length[a]);
    }
  }
};

template <class E>
__global__ void __launch_bounds__(kThreads) pad_elements(const E* x, E* y, PadWalk walk) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < walk.numel; i += threads) {
    int64_t from = 0, to = 0;
    walk.locate(i, [&](const PaddedAxis& axis, int64_t place) {
      from += source(axis, walk.mode, place) * axis.x_stride;
      to += place * axis.y_stride;
    });
    y[to] = x[from];
  }
}

template <class T, int kN>
__global__ void __launch_bounds__(kThreads)
    pad_backward_elements(const void* dy, void* dx, DType dtype, PadWalk walk) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < walk.numel; i += threads) {
    int64_t images = 1, to = 0;
    walk.locate(i, [&](const PaddedAxis& axis, int64_t place) {
      images *= Images(axis, walk.mode, place).count();
      to += place * axis.x_stride;
    });
    T sum[kN] = {};
    for (int64_t image = 0; image < images; ++image) {  // numbered with the innermost axis first
      int64_t from = 0, rest = image;
      walk.locate(i, [&](const PaddedAxis& axis, int64_t place) {
        Images along(axis, walk.mode, place);
        bool one = along.count() == 1;
        from += along[one ? 0 : rest % along.count()] * axis.y_stride;
        if (!one) rest /= along.count();
      });
      T v[kN];
      load_channels(dy, dtype, from, v);
#pragma unroll
      for (int k = 0; k < kN; ++k) sum[k] += v[k];
    }
    store_channels(sum, dx, dtype, to);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

PadWalk make_pad_walk(PadMode mode, const View& x, const View& y, const Shape& before, bool by_x) {
  PadWalk walk{};
  walk.mode = mode;
  walk.rank = padded_axes(x, y, before, by_x, walk.axis);
  int kept = 0;
  for (int i = 0; i < walk.rank; ++i) {
    PaddedAxis next = walk.axis[i];
    PaddedAxis* last = kept > 0 ? &walk.axis[kept - 1] : nullptr;
    // Axes without padding that both sides walk as one are one.
    if (last != nullptr && last->plain() && next.plain() && next.x_stride == last->x_stride * last->size &&
        next.y_stride == last->y_stride * last->size)
      last->size = last->padded = last->size * next.size;
    else
      walk.axis[kept++] = next;
  }
  walk.rank = kept;
  walk.numel = 1;
  for (int i = 0; i < kept; ++i) {
    walk.length[i] = by_x ? walk.axis[i].size : walk.axis[i].padded;
    walk.numel *= walk.length[i];
  }
  return walk;
}

/// Whether the innermost axis is a dense run of groups of `n` elements, and all others step over whole ones.
bool in_groups(const PadWalk& walk, int64_t n) {
  const PaddedAxis& run = walk.axis[0];
  if (walk.rank == 0 || !run.plain() || run.x_stride != 1 || run.y_stride != 1 || run.size % n != 0)
    return false;
  for (int i = 1; i < walk.rank; ++i)
    if (walk.axis[i].x_stride % n != 0 || walk.axis[i].y_stride % n != 0) return false;
  return true;
}

/// Groups of n elements in place of elements, `step` apart.
void take_groups(PadWalk& walk, int64_t n, int64_t step) {
  for (int i = 1; i < walk.rank; ++i) {
    walk.axis[i].x_stride = walk.axis[i].x_stride / n * step;
    walk.axis[i].y_stride = walk.axis[i].y_stride / n * step;
  }
  PaddedAxis& run = walk.axis[0];
  run.size = run.padded = walk.length[0] = run.size / n;
  run.x_stride = run.y_stride = step;
  walk.numel /= n;
}

template <class E>
void launch_pad(const Cuda& on, const PadWalk& walk, const View& x, const MutView& y) {
  gpu::launch<pad_elements<E>>({blocks_for(walk.numel, kThreads), kThreads}, on, x.as<E>(), y.as<E>(), walk);
}

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace

void pad(Cuda on, PadMode mode, View x, const Shape& before, MutView y) {
  if (y.numel() == 0) return;
  PadWalk walk = make_pad_walk(mode, x, y, before, false);
  auto bytes = static_cast<int64_t>(size_of(x.dtype));
  if (aligned(x.data) && aligned(y.data) && in_groups(walk, 16 / bytes)) {
    take_groups(walk, 16 / bytes, 1);
    return launch_pad<uint4>(on, walk, x, y);
  }
  if (bytes == 1) return launch_pad<uint8_t>(on, walk, x, y);
  if (bytes == 2) return launch_pad<uint16_t>(on, walk, x, y);
  if (bytes == 4) return launch_pad<uint32_t>(on, walk, x, y);
  launch_pad<uint64_t>(on, walk, x, y);
}

void pad_backward(Cuda on, PadMode mode, View dy, const Shape& before, MutView dx) {
  if (dx.numel() == 0) return;
  PadWalk walk = make_pad_walk(mode, dx, dy, before, true);
  int64_t run = in_groups(walk, kEight) ? kEight : 1;
  with_channels(dx.dtype, run, {dy.data, dx.data}, "pad_backward",
                [&]<class T, int kN>(T, std::integral_constant<int, kN>) {
                  if (kN > 1) take_groups(walk, kN, kN);
                  gpu::launch<pad_backward_elements<T, kN>>({blocks_for(walk.numel, kThreads), kThreads}, on,
                                                            dy.data, dx.data, dx.dtype, walk);
                });
}

}  // namespace iskra::kernels
