// Loops of reductions and of what works row by row with them. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/reduce.isa.h>
#include <iskra/kernels/row_loops.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class T>
void add_run(const void* x_, int64_t stride, int64_t n, void* sum) {
  const T* x = static_cast<const T*>(x_);
  T total = stride == 1 ? row_sum<T>(n, [=](int64_t i) { return x[i]; })
                        : row_sum<T>(n, [=](int64_t i) { return x[i * stride]; });
  *static_cast<T*>(sum) += total;
}

template <class T, bool kDense>
inline void add_rows_fixed(const T* x, int64_t row_stride, int64_t rows, int64_t col_stride, int64_t cols,
                           T* sum) {
  int64_t step = kDense ? 1 : col_stride;
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * row_stride) {
    const T *x0 = x, *x1 = x + row_stride, *x2 = x1 + row_stride, *x3 = x2 + row_stride;
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c)
      sum[c] += (x0[c * step] + x1[c * step]) + (x2[c * step] + x3[c * step]);
  }
  for (; r < rows; ++r, x += row_stride) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) sum[c] += x[c * step];
  }
}

template <class T>
void add_rows(const void* x, int64_t row_stride, int64_t rows, int64_t col_stride, int64_t cols, void* sum) {
  auto body = col_stride == 1 ? add_rows_fixed<T, true> : add_rows_fixed<T, false>;
  body(static_cast<const T*>(x), row_stride, rows, col_stride, cols, static_cast<T*>(sum));
}

template <class T>
void softmax(const void* x_, int64_t rows, int64_t cols, void* y_) {
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    T largest = row_max(x, cols);
    T sum = row_sum<T>(cols, [=](int64_t c) { return y[c] = math::exp(x[c] - largest); });
    T scale = T(1) / sum;
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) y[c] *= scale;
  }
}

template <class T>
void softmax_backward(const void* y_, const void* dy_, int64_t rows, int64_t cols, void* dx_) {
  const T *y = static_cast<const T*>(y_), *dy = static_cast<const T*>(dy_);
  T* dx = static_cast<T*>(dx_);
  for (int64_t r = 0; r < rows; ++r, y += cols, dy += cols, dx += cols) {
    T dot = row_sum<T>(cols, [=](int64_t c) { return dy[c] * y[c]; });
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) dx[c] = y[c] * (dy[c] - dot);
  }
}

template <class T>
void row_lse(const void* x_, int64_t rows, int64_t cols, void* lse, void* sum) {
  const T* x = static_cast<const T*>(x_);
  for (int64_t r = 0; r < rows; ++r, x += cols) {
    T largest = row_max(x, cols);
    T exps = row_sum<T>(cols, [=](int64_t c) { return math::exp(x[c] - largest); });
    static_cast<T*>(lse)[r] = largest + math::log(exps);
    static_cast<T*>(sum)[r] = row_sum<T>(cols, [=](int64_t c) { return x[c]; });
  }
}

template <class T>
void softmax_minus(const void* x_, const void* lse, int64_t rows, int64_t cols, double scale_, double off_,
                   void* dx_) {
  const T* x = static_cast<const T*>(x_);
  T* dx = static_cast<T*>(dx_);
  T scale = static_cast<T>(scale_), off = static_cast<T>(off_);
  for (int64_t r = 0; r < rows; ++r, x += cols, dx += cols) {
    T at = static_cast<const T*>(lse)[r];
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) dx[c] = scale * (math::exp(x[c] - at) - off);
  }
}

}  // namespace

extern const ReduceTable reduce_table = {{add_run<float>, add_run<double>},
                                         {add_rows<float>, add_rows<double>},
                                         {softmax<float>, softmax<double>},
                                         {softmax_backward<float>, softmax_backward<double>},
                                         {row_lse<float>, row_lse<double>},
                                         {softmax_minus<float>, softmax_minus<double>}};

}  // namespace iskra::kernels::ISKRA_ISA
