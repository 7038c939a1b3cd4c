// Norms over channels on CUDA: x (S,R,C) is cut, by its shape alone, into chunks of rows and tiles of
// channels. A block of `across` x `down` threads takes one of each; its threads add up rows and then, by
// halving, each other. What the chunks give is put together in double and in a fixed order: for moments by
// Chan, Golub and LeVeque's formula, each chunk having a mean of its own, as on the CPU.
#include <algorithm>

#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/gpu_channels.cuh>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_rows.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kWarps = kChannelThreads / 32;

struct Cut {
  int64_t samples, rows, channels;
  int across, down;                   ///< threads
  int64_t tiles, chunk_rows, chunks;  ///< chunks of a sample

  Cut(const View& x, int each) : samples(x.size(0)), rows(x.size(1)), channels(x.size(2)), across(1) {
    constexpr int64_t kEnough = 1024;  // blocks
    int64_t parts = channels / each;
    while (across < 32 && across < parts) across *= 2;
    down = kChannelThreads / across;
    tiles = (parts + across - 1) / across;
    int64_t steps = samples * tiles * ((rows + down - 1) / down);
    chunk_rows = down * std::clamp<int64_t>(steps / kEnough, 4, 64);
    chunks = (rows + chunk_rows - 1) / chunk_rows;
  }
  int64_t jobs() const { return samples * chunks; }
  gpu::LaunchShape shape() const {
    return {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(std::min<int64_t>(jobs(), 65535))),
            dim3(static_cast<unsigned>(across), static_cast<unsigned>(down))};
  }
};

/// Calls f(sample, chunk, channel, inside, begin, end) for this block's chunks, with the first of kN channels
/// and the rows of this thread: begin, begin + down, … below end, none if it is not `inside`.
template <int kN, class F>
DEV void for_chunks(const Cut& s, F f) {
  int64_t channel = (int64_t{blockIdx.x} * s.across + threadIdx.x) * kN;
  bool inside = channel < s.channels;
  for (int64_t job = blockIdx.y; job < s.samples * s.chunks; job += gridDim.y) {
    int64_t sample = job / s.chunks, chunk = job % s.chunks;
    int64_t begin = chunk * s.chunk_rows, end = min(begin + s.chunk_rows, s.rows);
    f(sample, chunk, channel, inside, begin + threadIdx.y, inside ? end : 0);
  }
}

/// Sums over the block's rows of threads, for each of them; all call. `memory` holds kN numbers a thread.
template <class T, int kN>
DEV void add_down(const Cut& s, T (&value)[kN], T* memory) {
  int thread = static_cast<int>(threadIdx.y) * s.across + static_cast<int>(threadIdx.x);
  __syncthreads();  // whoever still reads the sums before
#pragma unroll
  for (int k = 0; k < kN; ++k) memory[k * kChannelThreads + thread] = value[k];
  __syncthreads();
  for (int half = s.down / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.y) < half) {
#pragma unroll
      for (int k = 0; k < kN; ++k)
        memory[k * kChannelThreads + thread] += memory[k * kChannelThreads + thread + half * s.across];
    }
    __syncthreads();
  }
#pragma unroll
  for (int k = 0; k < kN; ++k) value[k] = memory[k * kChannelThreads + threadIdx.x];
}

/// Where a chunk's number for a channel lies: (S,C,chunks), so that those of a group lie side by side.
DEV int64_t partial_place(const Cut& s, int64_t sample, int64_t channel, int64_t chunk) {
  return (sample * s.channels + channel) * s.chunks + chunk;
}

/// The mean of each chunk and channel, and the sum of the squares around it.
template <class T, int kN>
__global__ void __launch_bounds__(kChannelThreads)
    channel_moments(Cut s, const void* x, DType dtype, T* mean, T* squares) {
  SHARED(memory, T[kChannelThreads * kN]);
  for_chunks<kN>(s, [&](int64_t sample, int64_t chunk, int64_t c, bool inside, int64_t begin, int64_t end) {
    const T count = static_cast<T>(min(s.chunk_rows, s.rows - chunk * s.chunk_rows));
    T centre[kN] = {}, square[kN] = {};
#pragma unroll 4
    for (int64_t r = begin; r < end; r += s.down) {
      T v[kN];
      load_channels(x, dtype, (sample * s.rows + r) * s.channels + c, v);
#pragma unroll
      for (int k = 0; k < kN; ++k) centre[k] += v[k];
    }
    add_down(s, centre, memory);
#pragma unroll
    for (int k = 0; k < kN; ++k) centre[k] /= count;
#pragma unroll 4
    for (int64_t r = begin; r < end; r += s.down) {  // which the first cache still has
      T v[kN];
      load_channels(x, dtype, (sample * s.rows + r) * s.channels + c, v);
#pragma unroll
      for (int k = 0; k < kN; ++k) square[k] += (v[k] - centre[k]) * (v[k] - centre[k]);
    }
    add_down(s, square, memory);
    if (!inside || threadIdx.y != 0) return;
#pragma unroll
    for (int k = 0; k < kN; ++k) {
      mean[partial_place(s, sample, c + k, chunk)] = centre[k];
      squares[partial_place(s, sample, c + k, chunk)] = square[k];
    }
  });
}

/// The moments of the chunks and channels of a group put together, a block for each group of each sample. All
/// numbers are of `type`.
__global__ void __launch_bounds__(kChannelThreads)
    join_moments(Cut s, int64_t groups, const void* means, const void* squares, DType type, void* mean,
                 void* var) {
  int64_t members = s.channels / groups, run = members * s.chunks;
  double count = static_cast<double>(s.rows * members);
  auto rows_of = [&](int64_t i) {
    return static_cast<double>(min(s.chunk_rows, s.rows - i % s.chunks * s.chunk_rows));
  };
  for (int64_t group = blockIdx.x; group < s.samples * groups; group += gridDim.x) {
    double sum = 0, around = 0;
    for (int64_t i = threadIdx.x; i < run; i += blockDim.x)
      sum += rows_of(i) * load_as<double>(means, type, group * run + i);
    double centre = over_block<Sum>(sum) / count;
    for (int64_t i = threadIdx.x; i < run; i += blockDim.x) {
      double apart = load_as<double>(means, type, group * run + i) - centre;
      around += load_as<double>(squares, type, group * run + i) + rows_of(i) * apart * apart;
    }
    around = over_block<Sum>(around);
    if (threadIdx.x == 0) {
      store_as(centre, mean, type, group);
      store_as(around / count, var, type, group);
    }
  }
}

template <class T>
struct Statistics {
  const T *mean, *var;
  int64_t groups, members;
  T eps;
  Statistics(const View& mean_, const View& var_, int64_t channels, double eps_)
      : mean(mean_.as<T>()),
        var(var_.as<T>()),
        groups(mean_.size(1)),
        members(channels / groups),
        eps(static_cast<T>(eps_)) {}
  DEV int64_t place(int64_t sample, int64_t c) const { return sample * groups + c / members; }
  DEV T rstd(int64_t place) const { return T(1) / math::sqrt(var[place] + eps); }
};

/// y = (x - mean) * rstd * weight + bias; or, not `centred`, x * rstd * weight + bias.
template <class T, int kN>
__global__ void __launch_bounds__(kChannelThreads)
    apply_channels(Cut s, Statistics<T> of, bool centred, Parameter weight, Parameter bias, const void* x,
                   DType dtype, void* y) {
  for_chunks<kN>(s, [&](int64_t sample, int64_t, int64_t c, bool inside, int64_t begin, int64_t end) {
    if (!inside) return;
    T mean[kN], scale[kN], shift[kN];
#pragma unroll
    for (int k = 0; k < kN; ++k) {
      int64_t place = of.place(sample, c + k);
      mean[k] = centred ? of.mean[place] : T(0);
      scale[k] = of.rstd(place) * weight.at<T>(c + k, T(1));
      shift[k] = bias.at<T>(c + k, T(0));
    }
#pragma unroll 4
    for (int64_t r = begin; r < end; r += s.down) {
      T v[kN];
      int64_t i = (sample * s.rows + r) * s.channels + c;
      load_channels(x, dtype, i, v);
#pragma unroll
      for (int k = 0; k < kN; ++k) v[k] = (v[k] - mean[k]) * scale[k] + shift[k];
      store_channels(v, y, dtype, i);
    }
  });
}

/// The sums of dy and of dy * h, h = (x - mean) * rstd, of each chunk and channel.
template <class T, int kN>
__global__ void __launch_bounds__(kChannelThreads)
    gradient_sums(Cut s, Statistics<T> of, const void* x, const void* dy, DType dtype, T* sums, T* products) {
  SHARED(memory, T[kChannelThreads * kN]);
  for_chunks<kN>(s, [&](int64_t sample, int64_t chunk, int64_t c, bool inside, int64_t begin, int64_t end) {
    T mean[kN] = {}, rstd[kN] = {}, sum[kN] = {}, product[kN] = {};
#pragma unroll
    for (int k = 0; k < kN; ++k) {
      if (!inside) break;
      int64_t place = of.place(sample, c + k);
      mean[k] = of.mean[place];
      rstd[k] = of.rstd(place);
    }
#pragma unroll 2
    for (int64_t r = begin; r < end; r += s.down) {
      T v[kN], g[kN];
      int64_t i = (sample * s.rows + r) * s.channels + c;
      load_channels(x, dtype, i, v);
      load_channels(dy, dtype, i, g);
#pragma unroll
      for (int k = 0; k < kN; ++k) {
        sum[k] += g[k];
        product[k] += g[k] * (v[k] - mean[k]) * rstd[k];
      }
    }
    add_down(s, sum, memory);
    add_down(s, product, memory);
    if (!inside || threadIdx.y != 0) return;
#pragma unroll
    for (int k = 0; k < kN; ++k) {
      sums[partial_place(s, sample, c + k, chunk)] = sum[k];
      products[partial_place(s, sample, c + k, chunk)] = product[k];
    }
  });
}

/// What chunks gave, times the channel's weight, summed over groups of `members` channels: a warp for each of
/// (S, groups).
__global__ void __launch_bounds__(kChannelThreads)
    add_chunks(Cut s, int64_t members, Parameter weight, const void* partial, DType type, double* sums) {
  int64_t groups = s.channels / members, run = members * s.chunks;
  int64_t warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int64_t at = int64_t{blockIdx.x} * kWarps + warp; at < s.samples * groups;
       at += int64_t{gridDim.x} * kWarps) {
    double sum = 0;
    for (int64_t i = lane; i < run; i += 32) {
      double of_channel = weight.at<double>(at % groups * members + i / s.chunks, 1.0);
      sum += of_channel * load_as<double>(partial, type, at * run + i);
    }
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, distance);
    if (lane == 0) sums[at] = sum;
  }
}

/// gradient = beta * gradient + the sums (S,C) over the samples, in their order.
__global__ void __launch_bounds__(kChannelThreads)
    parameter_gradient(int64_t samples, int64_t channels, const double* sums, void* gradient, DType dtype,
                       double beta) {
  int64_t threads = int64_t{gridDim.x} * kChannelThreads;
  for (int64_t c = int64_t{blockIdx.x} * kChannelThreads + threadIdx.x; c < channels; c += threads) {
    double total = 0;
    for (int64_t sample = 0; sample < samples; ++sample) total += sums[sample * channels + c];
    store_as(beta != 0 ? beta * load_as<double>(gradient, dtype, c) + total : total, gradient, dtype, c);
  }
}

/// With g = dy * weight: dx = rstd * (g - mean(g) - h * mean(g * h)), the means over a group, whose sums are
/// given.
template <class T, int kN>
__global__ void __launch_bounds__(kChannelThreads)
    input_gradient(Cut s, Statistics<T> of, Parameter weight, const double* sum_g, const double* sum_gh,
                   const void* x, const void* dy, DType dtype, void* dx) {
  T inverse = T(1) / static_cast<T>(s.rows * of.members);
  for_chunks<kN>(s, [&](int64_t sample, int64_t, int64_t c, bool inside, int64_t begin, int64_t end) {
    if (!inside) return;
    T mean[kN], scale[kN], shift[kN], slope[kN];
#pragma unroll
    for (int k = 0; k < kN; ++k) {
      int64_t place = of.place(sample, c + k);
      T rstd = of.rstd(place);
      mean[k] = of.mean[place];
      scale[k] = rstd * weight.at<T>(c + k, T(1));
      shift[k] = -rstd * (static_cast<T>(sum_g[place]) * inverse);
      slope[k] = -rstd * rstd * (static_cast<T>(sum_gh[place]) * inverse);
    }
#pragma unroll 2
    for (int64_t r = begin; r < end; r += s.down) {
      T v[kN], g[kN];
      int64_t i = (sample * s.rows + r) * s.channels + c;
      load_channels(x, dtype, i, v);
      load_channels(dy, dtype, i, g);
#pragma unroll
      for (int k = 0; k < kN; ++k) g[k] = g[k] * scale[k] + (v[k] - mean[k]) * slope[k] + shift[k];
      store_channels(g, dx, dtype, i);
    }
  });
}

__global__ void __launch_bounds__(kChannelThreads)
    blend(const void* batch, DType dtype, double momentum, double factor, void* running, int64_t n) {
  int64_t threads = int64_t{gridDim.x} * kChannelThreads;
  for (int64_t i = int64_t{blockIdx.x} * kChannelThreads + threadIdx.x; i < n; i += threads) {
    double now = factor * load_as<double>(batch, dtype, i);
    store_as((1 - momentum) * load_as<double>(running, dtype, i) + momentum * now, running, dtype, i);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

/// The sums (S, C / members) of what chunks gave.
double* sum_chunks(const Cuda& on, Scratch& scratch, const Cut& s, int64_t members, const View& weight,
                   const void* partial, DType type) {
  int64_t count = s.samples * (s.channels / members);
  auto* sums = scratch.of<double>(count);
  if (count > 0)
    gpu::launch<add_chunks>({blocks_for(count, kWarps), kChannelThreads}, on, s, members, Parameter(weight),
                            partial, type, sums);
  return sums;
}

/// Everything that channel_norm_backward is given.
struct Gradients {
  View x, mean, var, weight, dy;
  double eps;
  MutView dx, dweight, dbias;
  float weight_beta, bias_beta;
};

template <class T, int kN>
void backward(const Cuda& on, const Gradients& at, bool fixed) {
  const Cut s(at.dy, kN);
  const Statistics<T> of(at.mean, at.var, s.channels, at.eps);
  const bool moves = at.dx.defined() && at.dx.numel() > 0;
  if (fixed && moves)
    gpu::launch<apply_channels<T, kN>>(s.shape(), on, s, of, false, Parameter(at.weight), Parameter({}),
                                       at.dy.data, at.dy.dtype, at.dx.data);
  const bool through = moves && !fixed;  // the statistics, to x
  if (!through && !at.dweight.defined() && !at.dbias.defined()) return;

  Scratch& scratch = scratch_of(on, "channel_norm_backward");
  const DType type = dtype_of<T>;
  T *sums = scratch.of<T>(s.jobs() * s.channels), *products = scratch.of<T>(s.jobs() * s.channels);
  if (s.jobs() > 0)
    gpu::launch<gradient_sums<T, kN>>(s.shape(), on, s, of, at.x.data, at.dy.data, at.dy.dtype, sums,
                                      products);
  auto into = [&](const T* partial, const MutView& gradient, float beta) {
    if (!gradient.defined()) return;
    double* of_channels = sum_chunks(on, scratch, s, 1, {}, partial, type);
    gpu::launch<parameter_gradient>({blocks_for(s.channels, kChannelThreads), kChannelThreads}, on, s.samples,
                                    s.channels, of_channels, gradient.data, gradient.dtype,
                                    static_cast<double>(beta));
  };
  into(products, at.dweight, at.weight_beta);
  into(sums, at.dbias, at.bias_beta);
  if (!through) return;
  double* sum_g = sum_chunks(on, scratch, s, of.members, at.weight, sums, type);
  double* sum_gh = sum_chunks(on, scratch, s, of.members, at.weight, products, type);
  gpu::launch<input_gradient<T, kN>>(s.shape(), on, s, of, Parameter(at.weight), sum_g, sum_gh, at.x.data,
                                     at.dy.data, at.dy.dtype, at.dx.data);
}

}  // namespace

void channel_statistics(Cuda on, View x, MutView mean, MutView var) {
  if (mean.numel() == 0) return;
  constexpr const char* kName = "channel_statistics";
  with_channels(
      x.dtype, x.size(2), {x.data}, kName, [&]<class T, int kN>(T, std::integral_constant<int, kN>) {
        const Cut s(x, kN);
        Scratch& scratch = scratch_of(on, kName);
        T *means = scratch.of<T>(s.jobs() * s.channels), *squares = scratch.of<T>(s.jobs() * s.channels);
        if (s.jobs() > 0)
          gpu::launch<channel_moments<T, kN>>(s.shape(), on, s, x.data, x.dtype, means, squares);
        int64_t groups = mean.size(1);
        gpu::launch<join_moments>(
            {blocks_for(s.samples * groups, 1), threads_for_row(s.channels / groups * s.chunks)}, on, s,
            groups, means, squares, dtype_of<T>, mean.data, var.data);
      });
}

void channel_norm(Cuda on, View x, View mean, View var, View weight, View bias, double eps, MutView y) {
  if (x.numel() == 0) return;
  with_channels(x.dtype, x.size(2), {x.data, y.data}, "channel_norm",
                [&]<class T, int kN>(T, std::integral_constant<int, kN>) {
                  const Cut s(x, kN);
                  gpu::launch<apply_channels<T, kN>>(
                      s.shape(), on, s, Statistics<T>(mean, var, s.channels, eps), true, Parameter(weight),
                      Parameter(bias), x.data, x.dtype, y.data);
                });
}

void channel_norm_backward(Cuda on, View x, View mean, View var, bool fixed, View weight, View dy, double eps,
                           MutView dx, MutView dweight, MutView dbias, float weight_beta, float bias_beta) {
  if (dy.size(2) == 0) return;
  const Gradients at{x, mean, var, weight, dy, eps, dx, dweight, dbias, weight_beta, bias_beta};
  with_channels(dy.dtype, dy.size(2), {x.data, dy.data, dx.data}, "channel_norm_backward",
                [&]<class T, int kN>(T, std::integral_constant<int, kN>) { backward<T, kN>(on, at, fixed); });
}

void blend_statistics(Cuda on, View batch, double momentum, double factor, MutView running) {
  int64_t n = running.numel();
  if (n == 0) return;
  gpu::launch<blend>({blocks_for(n, kChannelThreads), kChannelThreads}, on, batch.data, batch.dtype, momentum,
                     factor, running.data, n);
}

}  // namespace iskra::kernels
