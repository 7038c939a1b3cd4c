// Loops of norms over channels. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/channel_norm.isa.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class T>
inline void clear(T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = T(0);
}

// sum[c] += f(r, c) over the rows, four at a time: fewer trips of the sums through the cache.
template <class T, class F>
inline void add_columns(int64_t rows, int64_t cols, T* sum, F f) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) sum[c] += (f(r, c) + f(r + 1, c)) + (f(r + 2, c) + f(r + 3, c));
  }
  for (; r < rows; ++r) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) sum[c] += f(r, c);
  }
}

template <class S>
void moments(const ChannelRows& at) {
  using T = Computed<S>;
  const S* x = static_cast<const S*>(at.x);
  T *mean = static_cast<T*>(at.first), *squares = static_cast<T*>(at.second);
  const int64_t cols = at.cols;
  const T inverse = T(1) / static_cast<T>(at.rows);
  clear(mean, cols);
  add_columns(at.rows, cols, mean, [=](int64_t r, int64_t c) { return load(x[r * cols + c]); });
  for (int64_t c = 0; c < cols; ++c) mean[c] *= inverse;
  clear(squares, cols);
  add_columns(at.rows, cols, squares, [=](int64_t r, int64_t c) {
    T d = load(x[r * cols + c]) - mean[c];
    return d * d;
  });
}

template <class S>
void apply(const ChannelRows& at) {
  using T = Computed<S>;
  const T *mean = static_cast<const T*>(at.mean), *scale = static_cast<const T*>(at.scale);
  const T* shift = static_cast<const T*>(at.shift);
  for (int64_t r = 0; r < at.rows; ++r) {
    const S* x = static_cast<const S*>(at.x) + r * at.cols;
    S* y = static_cast<S*>(at.y) + r * at.cols;
#pragma omp simd
    for (int64_t c = 0; c < at.cols; ++c) store((load(x[c]) - mean[c]) * scale[c] + shift[c], y[c]);
  }
}

template <class S>
void sums(const ChannelRows& at) {
  using T = Computed<S>;
  const S *x = static_cast<const S*>(at.x), *dy = static_cast<const S*>(at.dy);
  const T *mean = static_cast<const T*>(at.mean), *scale = static_cast<const T*>(at.scale);
  T *first = static_cast<T*>(at.first), *second = static_cast<T*>(at.second);
  const int64_t cols = at.cols;
  clear(first, cols);
  add_columns(at.rows, cols, first, [=](int64_t r, int64_t c) { return load(dy[r * cols + c]); });
  clear(second, cols);
  add_columns(at.rows, cols, second, [=](int64_t r, int64_t c) {
    return load(dy[r * cols + c]) * (load(x[r * cols + c]) - mean[c]) * scale[c];
  });
}

template <class S>
void backward(const ChannelRows& at) {
  using T = Computed<S>;
  const T *mean = static_cast<const T*>(at.mean), *scale = static_cast<const T*>(at.scale);
  const T *shift = static_cast<const T*>(at.shift), *slope = static_cast<const T*>(at.slope);
  for (int64_t r = 0; r < at.rows; ++r) {
    const S* x = static_cast<const S*>(at.x) + r * at.cols;
    const S* dy = static_cast<const S*>(at.dy) + r * at.cols;
    S* dx = static_cast<S*>(at.y) + r * at.cols;
#pragma omp simd
    for (int64_t c = 0; c < at.cols; ++c)
      store(load(dy[c]) * scale[c] + (load(x[c]) - mean[c]) * slope[c] + shift[c], dx[c]);
  }
}

}  // namespace

extern const ChannelNormTable channel_norm_table = {
    {moments<float>, moments<double>, moments<bf16>, moments<f16>},
    {apply<float>, apply<double>, apply<bf16>, apply<f16>},
    {sums<float>, sums<double>, sums<bf16>, sums<f16>},
    {backward<float>, backward<double>, backward<bf16>, backward<f16>}};

}  // namespace iskra::kernels::ISKRA_ISA
