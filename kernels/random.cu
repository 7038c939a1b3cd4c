// Random numbers on CUDA. Where an element's index counts on by one along memory, a thread draws a block of
// Philox, which is four elements; elsewhere each element draws its own.
#include <cmath>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/random_numbers.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;

/// A key as kernels take it: the step lies on the device and is read there.
struct Stream {
  uint64_t key;
  const int64_t* step;
  int64_t first;
  DEV uint64_t now() const { return step != nullptr ? static_cast<uint64_t>(*step) : 0; }
};

/// f(place in memory, index, its Philox block) for every element of the walk (0: logical index, 1: memory).
template <class F>
DEV void for_each_element(const Stream& stream, const Walk<2>& walk, bool flat, F f) {
  int64_t thread = int64_t{blockIdx.x} * kThreads + threadIdx.x, threads = int64_t{gridDim.x} * kThreads;
  uint64_t step = stream.now();
  if (flat) {
    int64_t skip = stream.first % 4, blocks = (skip + walk.numel + 3) / 4;
    for (int64_t b = thread; b < blocks; b += threads) {
      PhiloxBlock block = philox(static_cast<uint64_t>(stream.first / 4 + b), step, stream.key);
      for (int i = 0; i < 4; ++i) {
        int64_t place = b * 4 - skip + i;
        if (place >= 0 && place < walk.numel) f(place, static_cast<uint64_t>(stream.first + place), block);
      }
    }
    return;
  }
  for (int64_t i = thread; i < walk.numel; i += threads) {
    int64_t at[2];
    walk.locate(i, at);
    auto index = static_cast<uint64_t>(stream.first + at[0]);
    f(at[1], index, philox(index / 4, step, stream.key));
  }
}

template <class S>
__global__ void __launch_bounds__(kThreads)
    draw_uniform(Stream stream, Walk<2> walk, bool flat, double low_, double high_, S* y) {
  using T = Computed<S>;
  T low = static_cast<T>(low_), high = static_cast<T>(high_);
  for_each_element(stream, walk, flat, [=](int64_t place, uint64_t index, const PhiloxBlock& block) {
    float unit = uniform_of(word_of(block, index));
    if constexpr (sizeof(S) == 2) {
      store(low + (high - low) * short_unit<S>(unit), y[place]);
      if (load(y[place]) >= high) store(low, y[place]);
    } else {
      y[place] = uniform_between(unit, low, high);
    }
  });
}

template <class S>
__global__ void __launch_bounds__(kThreads)
    draw_normal(Stream stream, Walk<2> walk, bool flat, double mean_, double std_, float cut, S* y) {
  using T = Computed<S>;
  T mean = static_cast<T>(mean_), std = static_cast<T>(std_);
  uint64_t step = stream.now();
  for_each_element(stream, walk, flat, [=](int64_t place, uint64_t index, const PhiloxBlock& block) {
    float z = normal_in(block, index);
    if (cut > 0 && math::abs(z) > cut) z = redraw(stream.key, step, index, cut);
    store(mean + std * static_cast<T>(z), y[place]);
  });
}

template <class S>
__global__ void __launch_bounds__(kThreads)
    drop(Stream stream, Walk<2> walk, bool flat, uint32_t threshold, double scale_, const S* x, S* y) {
  using T = Computed<S>;
  T scale = static_cast<T>(scale_);
  for_each_element(stream, walk, flat, [=](int64_t place, uint64_t index, const PhiloxBlock& block) {
    store((word_of(block, index) >> 8) >= threshold ? load(x[place]) * scale : T(0), y[place]);
  });
}

__global__ void __launch_bounds__(kThreads)
    draw_bernoulli(Stream stream, Walk<2> walk, bool flat, const float* chance, void* y, DType dtype) {
  for_each_element(stream, walk, flat, [=](int64_t place, uint64_t index, const PhiloxBlock& block) {
    store_as(uniform_of(word_of(block, index)) < chance[place] ? 1.0F : 0.0F, y, dtype, place);
  });
}

__global__ void __launch_bounds__(kThreads)
    draw_integers(Stream stream, int64_t n, int64_t low, uint64_t range, int64_t* y) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  uint64_t step = stream.now();
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += threads) {
    auto index = static_cast<uint64_t>(stream.first + i);
    uint64_t bits = bits_of_pair(philox(index / 2, step, stream.key), index);
    y[i] = static_cast<int64_t>(static_cast<uint64_t>(low) + high_product(bits, range));
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

/// The walk over y's elements, and whether their indices count on by one along memory.
struct Elements {
  Walk<2> walk;
  bool flat;
};

Elements elements_of(const MutView& y, const char* op) {
  const Shape logical = contiguous_strides(y.shape);
  StridedLoop loop(y.shape, {&logical, &y.stride});
  ISKRA_CHECK(loop.numel <= 1 || loop.inner_stride(1) == 1, op, ": a tensor of shape ", y.shape,
              " with strides ", y.stride, " is not dense; make it contiguous first");
  return {make_walk<2>(loop), loop.numel <= 1 || (walks_densely(loop, 0) && walks_densely(loop, 1))};
}

Stream stream_of(const RngKey& key) { return {philox_key(key.seed, key.place), key.step, key.first}; }

gpu::LaunchShape shape_of(const Elements& elements) {
  return {blocks_for(elements.walk.numel, kThreads, elements.flat ? 4 : 1), kThreads};
}

}  // namespace

void random_uniform(Cuda on, MutView y, double low, double high, RngKey key) {
  if (y.numel() == 0) return;
  Elements all = elements_of(y, "random_uniform");
  with_floating(y.dtype, "random_uniform", [&]<class S>(S) {
    gpu::launch<draw_uniform<S>>(shape_of(all), on, stream_of(key), all.walk, all.flat, low, high, y.as<S>());
  });
}

void random_normal(Cuda on, MutView y, double mean, double std, double cut, RngKey key) {
  if (y.numel() == 0) return;
  Elements all = elements_of(y, "random_normal");
  with_floating(y.dtype, "random_normal", [&]<class S>(S) {
    gpu::launch<draw_normal<S>>(shape_of(all), on, stream_of(key), all.walk, all.flat, mean, std,
                                static_cast<float>(cut), y.as<S>());
  });
}

void random_bernoulli(Cuda on, View p, RngKey key, MutView y) {
  if (y.numel() == 0) return;
  Elements all = elements_of(y, "random_bernoulli");
  gpu::launch<draw_bernoulli>(shape_of(all), on, stream_of(key), all.walk, all.flat, p.as<float>(), y.data,
                              y.dtype);
}

void random_integers(Cuda on, MutView y, int64_t low, uint64_t range, RngKey key) {
  if (y.numel() == 0) return;
  gpu::launch<draw_integers>({blocks_for(y.numel(), kThreads), kThreads}, on, stream_of(key), y.numel(), low,
                             range, y.as<int64_t>());
}

void dropout(Cuda on, View x, float p, RngKey key, MutView y) {
  ISKRA_CHECK(p >= 0.0F && p <= 1.0F, "dropout: the probability is ", p, "; it must lie in [0, 1]");
  if (y.numel() == 0) return;
  Elements all = elements_of(y, "dropout");
  // uniform >= p, compared as integers: uniform is a multiple of 2^-24, and p * 2^24 is exact.
  auto threshold = static_cast<uint32_t>(std::ceil(static_cast<double>(p) * 0x1p24));
  double scale = p < 1.0F ? 1.0 / (1.0 - static_cast<double>(p)) : 0.0;
  with_floating(x.dtype, "dropout", [&]<class S>(S) {
    gpu::launch<drop<S>>(shape_of(all), on, stream_of(key), all.walk, all.flat, threshold, scale, x.as<S>(),
                         y.as<S>());
  });
}

}  // namespace iskra::kernels
