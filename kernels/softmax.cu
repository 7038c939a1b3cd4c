// Softmax and log softmax on CUDA, along the middle axis of dense (O,L,I): a block for each row where I is 1,
// else a thread for each column, so that neighbours read neighbours.
#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_rows.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kColumnThreads = 128;

/// y = e^(x - largest) / sum, or x - (largest + log sum).
template <class T>
struct RowOf {
  T largest, sum, log_sum;
  DEV T y(T x, bool logarithm) const {
    return logarithm ? x - largest - log_sum : math::exp_below(x - largest) / sum;
  }
};

template <class S>
__global__ void softmax_rows(const S* x, int64_t rows, int64_t length, bool logarithm, S* y) {
  using T = Computed<S>;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const S* from = x + row * length;
    T largest = -static_cast<T>(__builtin_inff());
    for (int64_t c = threadIdx.x; c < length; c += blockDim.x)
      largest = Largest::both(largest, static_cast<T>(load(from[c])));
    largest = over_block<Largest>(largest);
    T sum = 0;
    for (int64_t c = threadIdx.x; c < length; c += blockDim.x)
      sum += math::exp_below(load(from[c]) - largest);
    sum = over_block<Sum>(sum);
    RowOf<T> of{largest, sum, logarithm ? math::log(sum) : T(0)};
    for (int64_t c = threadIdx.x; c < length; c += blockDim.x)
      store(of.y(load(from[c]), logarithm), y[row * length + c]);
  }
}

// With y = softmax(x): dx = y (dy - sum(dy y)). With y = log softmax(x): dx = dy - e^y sum(dy).
template <class T>
DEV T weighted(T y, T dy, bool logarithm) {
  return logarithm ? dy : dy * y;
}
template <class T>
DEV T slope(T y, T dy, T sum, bool logarithm) {
  return logarithm ? dy - math::exp_below(y) * sum : y * (dy - sum);
}

template <class S>
__global__ void softmax_rows_backward(const S* y, const S* dy, int64_t rows, int64_t length, bool logarithm,
                                      S* dx) {
  using T = Computed<S>;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const S *at_y = y + row * length, *at_dy = dy + row * length;
    T sum = 0;
    for (int64_t c = threadIdx.x; c < length; c += blockDim.x)
      sum += weighted<T>(load(at_y[c]), load(at_dy[c]), logarithm);
    sum = over_block<Sum>(sum);
    for (int64_t c = threadIdx.x; c < length; c += blockDim.x) {
      store(slope<T>(load(at_y[c]), load(at_dy[c]), sum, logarithm), dx[row * length + c]);
    }
  }
}

template <class S>
__global__ void __launch_bounds__(kColumnThreads)
    softmax_columns(const S* x, int64_t columns, int64_t length, int64_t inner, bool logarithm, S* y) {
  using T = Computed<S>;
  int64_t threads = int64_t{gridDim.x} * kColumnThreads;
  for (int64_t i = int64_t{blockIdx.x} * kColumnThreads + threadIdx.x; i < columns; i += threads) {
    int64_t first = i / inner * length * inner + i % inner;
    T largest = -static_cast<T>(__builtin_inff()), sum = 0;
    for (int64_t l = 0; l < length; ++l)
      largest = Largest::both(largest, static_cast<T>(load(x[first + l * inner])));
    for (int64_t l = 0; l < length; ++l) sum += math::exp_below(load(x[first + l * inner]) - largest);
    RowOf<T> of{largest, sum, logarithm ? math::log(sum) : T(0)};
    for (int64_t l = 0; l < length; ++l)
      store(of.y(load(x[first + l * inner]), logarithm), y[first + l * inner]);
  }
}

template <class S>
__global__ void __launch_bounds__(kColumnThreads)
    softmax_columns_backward(const S* y, const S* dy, int64_t columns, int64_t length, int64_t inner,
                             bool logarithm, S* dx) {
  using T = Computed<S>;
  int64_t threads = int64_t{gridDim.x} * kColumnThreads;
  for (int64_t i = int64_t{blockIdx.x} * kColumnThreads + threadIdx.x; i < columns; i += threads) {
    int64_t first = i / inner * length * inner + i % inner;
    T sum = 0;
    for (int64_t l = 0; l < length; ++l)
      sum += weighted<T>(load(y[first + l * inner]), load(dy[first + l * inner]), logarithm);
    for (int64_t l = 0; l < length; ++l) {
      int64_t at = first + l * inner;
      store(slope<T>(load(y[at]), load(dy[at]), sum, logarithm), dx[at]);
    }
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

unsigned blocks_of_rows(int64_t rows) { return blocks_for(rows, 1); }

template <class S>
void forward(const Cuda& on, const View& x, bool logarithm, const MutView& y) {
  int64_t length = x.size(1), inner = x.size(2), columns = x.size(0) * inner;
  if (inner == 1) {
    gpu::launch<softmax_rows<S>>({blocks_of_rows(columns), threads_for_row(length)}, on, x.as<S>(), columns,
                                 length, logarithm, y.as<S>());
  } else {
    gpu::launch<softmax_columns<S>>({blocks_for(columns, kColumnThreads), kColumnThreads}, on, x.as<S>(),
                                    columns, length, inner, logarithm, y.as<S>());
  }
}

template <class S>
void backward(const Cuda& on, const View& y, const View& dy, bool logarithm, const MutView& dx) {
  int64_t length = y.size(1), inner = y.size(2), columns = y.size(0) * inner;
  if (inner == 1) {
    gpu::launch<softmax_rows_backward<S>>({blocks_of_rows(columns), threads_for_row(length)}, on, y.as<S>(),
                                          dy.as<S>(), columns, length, logarithm, dx.as<S>());
  } else {
    gpu::launch<softmax_columns_backward<S>>({blocks_for(columns, kColumnThreads), kColumnThreads}, on,
                                             y.as<S>(), dy.as<S>(), columns, length, inner, logarithm,
                                             dx.as<S>());
  }
}

void forward_of_type(const Cuda& on, const View& x, bool logarithm, const MutView& y, const char* op) {
  if (x.numel() == 0) return;
  with_floating(x.dtype, op, [&]<class S>(S) { forward<S>(on, x, logarithm, y); });
}
void backward_of_type(const Cuda& on, const View& y, const View& dy, bool logarithm, const MutView& dx,
                      const char* op) {
  if (y.numel() == 0) return;
  with_floating(y.dtype, op, [&]<class S>(S) { backward<S>(on, y, dy, logarithm, dx); });
}

}  // namespace

void softmax(Cuda on, View x, MutView y) { forward_of_type(on, x, false, y, "softmax"); }
void softmax_backward(Cuda on, View y, View dy, MutView dx) {
  backward_of_type(on, y, dy, false, dx, "softmax_backward");
}
void log_softmax(Cuda on, View x, MutView y) { forward_of_type(on, x, true, y, "log_softmax"); }
void log_softmax_backward(Cuda on, View y, View dy, MutView dx) {
  backward_of_type(on, y, dy, true, dx, "log_softmax_backward");
}

}  // namespace iskra::kernels
