// Loops of softmax and log softmax. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/row_loops.h>
#include <iskra/kernels/softmax.isa.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class T>
constexpr T kLowest = -static_cast<T>(__builtin_inff());

// The row in the computing type, followed by `fill` up to its padded length.
template <class S, class T>
inline T* padded(const S* x, int64_t n, T fill, T* buffer) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) buffer[i] = load(x[i]);
  for (int64_t i = n; i < padded_row(n); ++i) buffer[i] = fill;
  return buffer;
}

template <class S>
void rows(const void* x_, int64_t count, int64_t cols, bool logarithm, void* buffer, void* y_) {
  using T = Computed<S>;
  const int64_t padded_cols = padded_row(cols);
  for (int64_t r = 0; r < count; ++r) {
    T* x = padded(static_cast<const S*>(x_) + r * cols, cols, kLowest<T>, static_cast<T*>(buffer));
    S* y = static_cast<S*>(y_) + r * cols;
    const T largest = row_max(x, padded_cols);
    if (logarithm) {
      const T sum = row_sum<T>(padded_cols, [=](int64_t c) { return math::exp_below(x[c] - largest); });
      const T log_sum = math::log(sum);
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) store((x[c] - largest) - log_sum, y[c]);
    } else {
      const T sum =
          row_sum<T>(padded_cols, [=](int64_t c) { return x[c] = math::exp_below(x[c] - largest); });
      const T scale = T(1) / sum;
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) store(x[c] * scale, y[c]);
    }
  }
}

// dx = y * (dy - sum(dy * y)), or dy - exp(y) * sum(dy).
template <class S>
void rows_backward(const void* y_, const void* dy_, int64_t count, int64_t cols, bool logarithm, void* buffer,
                   void* dx_) {
  using T = Computed<S>;
  const int64_t padded_cols = padded_row(cols);
  for (int64_t r = 0; r < count; ++r) {
    const T* y = padded(static_cast<const S*>(y_) + r * cols, cols, T(0), static_cast<T*>(buffer));
    const T* dy =
        padded(static_cast<const S*>(dy_) + r * cols, cols, T(0), static_cast<T*>(buffer) + padded_cols);
    S* dx = static_cast<S*>(dx_) + r * cols;
    if (logarithm) {
      const T sum = row_sum<T>(padded_cols, [=](int64_t c) { return dy[c]; });
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) store(dy[c] - math::exp_below(y[c]) * sum, dx[c]);
    } else {
      const T sum = row_sum<T>(padded_cols, [=](int64_t c) { return dy[c] * y[c]; });
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) store(y[c] * (dy[c] - sum), dx[c]);
    }
  }
}

// Of each column its largest element and the sum of exp(x - largest).
template <class S, class T>
inline void column_sums(const S* x, int64_t length, int64_t stride, int64_t width, T* largest, T* sum) {
  for (int64_t c = 0; c < width; ++c) largest[c] = kLowest<T>;
  for (int64_t i = 0; i < length; ++i) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const T v = load(x[i * stride + c]);
      largest[c] = v > largest[c] ? v : largest[c];
    }
  }
  for (int64_t c = 0; c < width; ++c) sum[c] = T(0);
  for (int64_t i = 0; i < length; ++i) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) sum[c] += math::exp_below(load(x[i * stride + c]) - largest[c]);
  }
}

template <class S>
void columns(const void* x_, int64_t length, int64_t stride, int64_t width, bool logarithm, void* buffer,
             void* y_) {
  using T = Computed<S>;
  const S* x = static_cast<const S*>(x_);
  S* y = static_cast<S*>(y_);
  T *largest = static_cast<T*>(buffer), *sum = largest + width;
  column_sums(x, length, stride, width, largest, sum);
  if (logarithm) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) sum[c] = math::log(sum[c]);
    for (int64_t i = 0; i < length; ++i) {
#pragma omp simd
      for (int64_t c = 0; c < width; ++c)
        store((load(x[i * stride + c]) - largest[c]) - sum[c], y[i * stride + c]);
    }
    return;
  }
  for (int64_t c = 0; c < width; ++c) sum[c] = T(1) / sum[c];
  for (int64_t i = 0; i < length; ++i) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c)
      store(math::exp_below(load(x[i * stride + c]) - largest[c]) * sum[c], y[i * stride + c]);
  }
}

template <class S>
void columns_backward(const void* y_, const void* dy_, int64_t length, int64_t stride, int64_t width,
                      bool logarithm, void* buffer, void* dx_) {
  using T = Computed<S>;
  const S *y = static_cast<const S*>(y_), *dy = static_cast<const S*>(dy_);
  S* dx = static_cast<S*>(dx_);
  T* sum = static_cast<T*>(buffer);
  for (int64_t c = 0; c < width; ++c) sum[c] = T(0);
  for (int64_t i = 0; i < length; ++i) {
    const S *y_row = y + i * stride, *dy_row = dy + i * stride;
    if (logarithm) {
#pragma omp simd
      for (int64_t c = 0; c < width; ++c) sum[c] += load(dy_row[c]);
    } else {
#pragma omp simd
      for (int64_t c = 0; c < width; ++c) sum[c] += load(dy_row[c]) * load(y_row[c]);
    }
  }
  for (int64_t i = 0; i < length; ++i) {
    const S *y_row = y + i * stride, *dy_row = dy + i * stride;
    S* dx_row = dx + i * stride;
    if (logarithm) {
#pragma omp simd
      for (int64_t c = 0; c < width; ++c)
        store(load(dy_row[c]) - math::exp_below(load(y_row[c])) * sum[c], dx_row[c]);
    } else {
#pragma omp simd
      for (int64_t c = 0; c < width; ++c) store(load(y_row[c]) * (load(dy_row[c]) - sum[c]), dx_row[c]);
    }
  }
}

}  // namespace

extern const SoftmaxTable softmax_table = {
    {rows<float>, rows<double>, rows<bf16>, rows<f16>},
    {rows_backward<float>, rows_backward<double>, rows_backward<bf16>, rows_backward<f16>},
    {columns<float>, columns<double>, columns<bf16>, columns<f16>},
    {columns_backward<float>, columns_backward<double>, columns_backward<bf16>, columns_backward<f16>}};

}  // namespace iskra::kernels::ISKRA_ISA
