// Layer norm and RMS norm on CUDA: a block for each row; the gradients of weight and bias by columns, in
// chunks of rows that are summed one after the other, and then the chunks in order.
#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_rows.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

template <class S, class T>
__global__ void layer_norm_rows(const S* x, Parameter weight, Parameter bias, T eps, int64_t rows,
                                int64_t cols, S* y, T* mean, T* rstd) {
  T n = static_cast<T>(cols);
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const S* from = x + row * cols;
    T centre = 0;
    if (mean != nullptr) {
      for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) centre += load(from[c]);
      centre = over_block<Sum>(centre) / n;
    }
    T square = 0;
    for (int64_t c = threadIdx.x; c < cols; c += blockDim.x)
      square += (load(from[c]) - centre) * (load(from[c]) - centre);
    T scale = T(1) / math::sqrt(over_block<Sum>(square) / n + eps);
    for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) {
      store((load(from[c]) - centre) * scale * weight.at<T>(c, T(1)) + bias.at<T>(c, T(0)),
            y[row * cols + c]);
    }
    if (threadIdx.x == 0) {
      if (mean != nullptr) mean[row] = centre;
      rstd[row] = scale;
    }
  }
}

// With g = dy weight and h = (x - mean) rstd: dx = rstd (g - mean(g) - h mean(g h)); RMS norm leaves out
// mean(g).
template <class S, class T>
__global__ void layer_norm_backward_rows(const S* x, Parameter weight, const T* mean, const T* rstd,
                                         const S* dy, int64_t rows, int64_t cols, S* dx) {
  T n = static_cast<T>(cols);
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const S *from = x + row * cols, *at_dy = dy + row * cols;
    T centre = mean != nullptr ? mean[row] : T(0), scale = rstd[row];
    T sum_g = 0, sum_gh = 0;
    for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) {
      T g = load(at_dy[c]) * weight.at<T>(c, T(1));
      sum_g += g;
      sum_gh += g * ((load(from[c]) - centre) * scale);
    }
    sum_g = mean != nullptr ? over_block<Sum>(sum_g) / n : T(0);
    sum_gh = over_block<Sum>(sum_gh) / n;
    for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) {
      T g = load(at_dy[c]) * weight.at<T>(c, T(1));
      store(scale * (g - sum_g - (load(from[c]) - centre) * scale * sum_gh), dx[row * cols + c]);
    }
  }
}

constexpr int kColumns = 128;  // threads, a column each
constexpr int kChunkRows = 64;

/// Sums of dy h and of dy over the rows of chunk blockIdx.y; a null result is skipped. Results are (chunks,
/// cols).
template <class S, class T>
__global__ void __launch_bounds__(kColumns)
    layer_norm_columns(const S* x, const T* mean, const T* rstd, const S* dy, int64_t rows, int64_t cols,
                       int64_t chunks, T* dweight, T* dbias) {
  int64_t c = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  if (c >= cols) return;
  for (int64_t chunk = blockIdx.y; chunk < chunks; chunk += gridDim.y) {
    T of_weight = 0, of_bias = 0;
    int64_t end = min((chunk + 1) * kChunkRows, rows);
    for (int64_t row = chunk * kChunkRows; row < end; ++row) {
      T g = load(dy[row * cols + c]);
      if (dweight != nullptr)
        of_weight += g * ((load(x[row * cols + c]) - (mean != nullptr ? mean[row] : T(0))) * rstd[row]);
      of_bias += g;
    }
    if (dweight != nullptr) dweight[chunk * cols + c] = of_weight;
    if (dbias != nullptr) dbias[chunk * cols + c] = of_bias;
  }
}

/// gradient = beta * gradient + the sum over the chunks, by halving so that errors do not grow with their
/// number.
template <class T>
__global__ void __launch_bounds__(kColumns)
    add_chunks(T* partial, int64_t chunks, int64_t cols, void* gradient, DType dtype, T beta) {
  int64_t c = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  if (c >= cols) return;
  for (int64_t count = chunks; count > 1; count = (count + 1) / 2) {
    int64_t half = (count + 1) / 2;
    for (int64_t i = 0; i + half < count; ++i) partial[i * cols + c] += partial[(i + half) * cols + c];
  }
  T sum = chunks > 0 ? partial[c] : T(0);
  store_as(beta != T(0) ? beta * load_as<T>(gradient, dtype, c) + sum : sum, gradient, dtype, c);
}

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class T>
void store_sums(const Cuda& on, T* partial, int64_t chunks, int64_t cols, const MutView& gradient,
                float beta) {
  gpu::launch<add_chunks<T>>({static_cast<unsigned>((cols + kColumns - 1) / kColumns), kColumns}, on, partial,
                             chunks, cols, gradient.data, gradient.dtype, static_cast<T>(beta));
}

template <class S>
void backward(const Cuda& on, const View& x, const View& weight, const View& mean, const View& rstd,
              const View& dy, const MutView& dx, const MutView& dweight, const MutView& dbias,
              float weight_beta, float bias_beta) {
  using T = Computed<S>;
  int64_t cols = x.shape.back(), rows = cols == 0 ? 0 : x.numel() / cols;
  if (cols == 0) return;
  if (dx.defined() && rows > 0) {
    gpu::launch<layer_norm_backward_rows<S, T>>({blocks_for(rows, 1), threads_for_row(cols)}, on, x.as<S>(),
                                                Parameter(weight), mean.as<T>(), rstd.as<T>(), dy.as<S>(),
                                                rows, cols, dx.as<S>());
  }
  if (!dweight.defined() && !dbias.defined()) return;
  int64_t chunks = (rows + kChunkRows - 1) / kChunkRows;
  Scratch& scratch = scratch_of(on, "layer_norm_backward");
  T* of_weight = dweight.defined() ? scratch.of<T>(chunks * cols) : nullptr;
  T* of_bias = dbias.defined() ? scratch.of<T>(chunks * cols) : nullptr;
  if (chunks > 0) {
    dim3 grid(static_cast<unsigned>((cols + kColumns - 1) / kColumns),
              static_cast<unsigned>(std::min<int64_t>(chunks, 1024)));
    gpu::launch<layer_norm_columns<S, T>>({grid, kColumns}, on, x.as<S>(), mean.as<T>(), rstd.as<T>(),
                                          dy.as<S>(), rows, cols, chunks, of_weight, of_bias);
  }
  if (dweight.defined()) store_sums(on, of_weight, chunks, cols, dweight, weight_beta);
  if (dbias.defined()) store_sums(on, of_bias, chunks, cols, dbias, bias_beta);
}

}  // namespace

void layer_norm(Cuda on, View x, View weight, View bias, double eps, MutView y, MutView mean, MutView rstd) {
  if (x.numel() == 0) return;
  int64_t cols = x.shape.back(), rows = x.numel() / cols;
  with_floating(x.dtype, "layer_norm", [&]<class S>(S) {
    using T = Computed<S>;
    gpu::launch<layer_norm_rows<S, T>>({blocks_for(rows, 1), threads_for_row(cols)}, on, x.as<S>(),
                                       Parameter(weight), Parameter(bias), static_cast<T>(eps), rows, cols,
                                       y.as<S>(), mean.as<T>(), rstd.as<T>());
  });
}

void layer_norm_backward(Cuda on, View x, View weight, View mean, View rstd, View dy, MutView dx,
                         MutView dweight, MutView dbias, float weight_beta, float bias_beta) {
  with_floating(x.dtype, "layer_norm_backward", [&]<class S>(S) {
    backward<S>(on, x, weight, mean, rstd, dy, dx, dweight, dbias, weight_beta, bias_beta);
  });
}

}  // namespace iskra::kernels
