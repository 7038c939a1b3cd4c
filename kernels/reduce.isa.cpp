// Loops of reductions and of what works row by row with them. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/reduce.isa.h>
#include <iskra/kernels/row_loops.h>

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

}  // namespace

extern const ReduceTable reduce_table = {{add_run<float>, add_run<double>},
                                         {add_rows<float>, add_rows<double>}};

}  // namespace iskra::kernels::ISKRA_ISA
