// Loops of layer norm. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/norm.isa.h>
#include <iskra/kernels/row_loops.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class T>
void forward(const void* x_, const void* weight_, const void* bias_, int64_t rows, int64_t cols, double eps,
             void* y_, void* mean_, void* rstd_) {
  const T *x = static_cast<const T*>(x_), *weight = static_cast<const T*>(weight_);
  const T* bias = static_cast<const T*>(bias_);
  T* y = static_cast<T*>(y_);
  const T inverse = T(1) / static_cast<T>(cols);
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    T mean = inverse * row_sum<T>(cols, [=](int64_t c) { return x[c]; });
    T variance = inverse * row_sum<T>(cols, [=](int64_t c) { return (x[c] - mean) * (x[c] - mean); });
    T rstd = T(1) / math::sqrt(variance + static_cast<T>(eps));
    if (weight != nullptr && bias != nullptr) {
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) y[c] = (x[c] - mean) * rstd * weight[c] + bias[c];
    } else {
      for (int64_t c = 0; c < cols; ++c)
        y[c] = (x[c] - mean) * rstd * (weight ? weight[c] : T(1)) + (bias ? bias[c] : T(0));
    }
    static_cast<T*>(mean_)[r] = mean;
    static_cast<T*>(rstd_)[r] = rstd;
  }
}

// With g = dy * weight and h = (x - mean) * rstd: dx = rstd * (g - mean(g) - h * mean(g * h)).
template <class T, class G>
inline void backward_row(const T* x, T mean, T rstd, int64_t cols, G g, T* dx) {
  const T inverse = T(1) / static_cast<T>(cols);
  T mean_g = inverse * row_sum<T>(cols, g);
  T mean_gh = inverse * row_sum<T>(cols, [=](int64_t c) { return g(c) * ((x[c] - mean) * rstd); });
#pragma omp simd
  for (int64_t c = 0; c < cols; ++c) dx[c] = rstd * (g(c) - mean_g - (x[c] - mean) * rstd * mean_gh);
}

template <class T>
void backward(const void* x_, const void* weight_, const void* mean, const void* rstd, const void* dy_,
              int64_t rows, int64_t cols, void* dx_) {
  const T *x = static_cast<const T*>(x_), *weight = static_cast<const T*>(weight_);
  const T* dy = static_cast<const T*>(dy_);
  T* dx = static_cast<T*>(dx_);
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    T mean_r = static_cast<const T*>(mean)[r], rstd_r = static_cast<const T*>(rstd)[r];
    if (weight != nullptr)
      backward_row(x, mean_r, rstd_r, cols, [=](int64_t c) { return dy[c] * weight[c]; }, dx);
    else
      backward_row(x, mean_r, rstd_r, cols, [=](int64_t c) { return dy[c]; }, dx);
  }
}

template <class T>
void add_params(const void* x_, const void* mean, const void* rstd, const void* dy_, int64_t rows,
                int64_t cols, void* dweight_, void* dbias_) {
  const T *x = static_cast<const T*>(x_), *dy = static_cast<const T*>(dy_);
  T *dweight = static_cast<T*>(dweight_), *dbias = static_cast<T*>(dbias_);
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols) {
    if (dweight != nullptr) {
      T mean_r = static_cast<const T*>(mean)[r], rstd_r = static_cast<const T*>(rstd)[r];
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) dweight[c] += dy[c] * ((x[c] - mean_r) * rstd_r);
    }
    if (dbias != nullptr) {
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) dbias[c] += dy[c];
    }
  }
}

}  // namespace

extern const NormTable norm_table = {{forward<float>, forward<double>},
                                     {backward<float>, backward<double>},
                                     {add_params<float>, add_params<double>}};

}  // namespace iskra::kernels::ISKRA_ISA
