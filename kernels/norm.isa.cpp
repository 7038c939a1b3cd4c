// Loops of layer norm and RMS norm. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/norm.isa.h>
#include <iskra/kernels/row_loops.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class T>
inline void scale_row(const T* x, T mean, T rstd, const T* weight, const T* bias, int64_t cols, T* y) {
  if (weight != nullptr && bias != nullptr) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) y[c] = (x[c] - mean) * rstd * weight[c] + bias[c];
  } else if (weight != nullptr) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) y[c] = (x[c] - mean) * rstd * weight[c];
  } else {
    for (int64_t c = 0; c < cols; ++c) y[c] = (x[c] - mean) * rstd + (bias != nullptr ? bias[c] : T(0));
  }
}

template <class S>
void forward(const NormRows& at) {
  using T = Computed<S>;
  const int64_t cols = at.cols;
  const T *weight = static_cast<const T*>(at.weight), *bias = static_cast<const T*>(at.bias);
  T *means = static_cast<T*>(at.mean), *buffer = static_cast<T*>(at.buffer);
  const T inverse = T(1) / static_cast<T>(cols);
  for (int64_t r = 0; r < at.rows; ++r) {
    const T* x = widen(static_cast<const S*>(at.x) + r * cols, cols, buffer);
    T mean = 0;
    if (means != nullptr) {
      mean = inverse * row_sum<T>(cols, [=](int64_t c) { return x[c]; });
      means[r] = mean;
    }
    T variance = inverse * row_sum<T>(cols, [=](int64_t c) { return (x[c] - mean) * (x[c] - mean); });
    T rstd = T(1) / math::sqrt(variance + static_cast<T>(at.eps));
    static_cast<T*>(at.rstd)[r] = rstd;
    S* to = static_cast<S*>(at.y) + r * cols;
    T* y = out_buffer(to, further(buffer, cols));
    scale_row(x, mean, rstd, weight, bias, cols, y);
    narrow(y, cols, to);
  }
}

// With g = dy * weight and h = (x - mean) * rstd: dx = rstd * (g - mean(g) - h * mean(g * h)), where an
// uncentred norm leaves out mean(g).
template <class T, class G>
inline void backward_row(const T* x, bool centred, T mean, T rstd, int64_t cols, G g, T* dx) {
  const T inverse = T(1) / static_cast<T>(cols);
  T mean_g = centred ? inverse * row_sum<T>(cols, g) : T(0);
  T mean_gh = inverse * row_sum<T>(cols, [=](int64_t c) { return g(c) * ((x[c] - mean) * rstd); });
#pragma omp simd
  for (int64_t c = 0; c < cols; ++c) dx[c] = rstd * (g(c) - mean_g - (x[c] - mean) * rstd * mean_gh);
}

template <class T>
inline void add_params(const T* x, const T* dy, T mean, T rstd, int64_t cols, T* dweight, T* dbias) {
  if (dweight != nullptr) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) dweight[c] += dy[c] * ((x[c] - mean) * rstd);
  }
  if (dbias != nullptr) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) dbias[c] += dy[c];
  }
}

template <class S>
void backward(const NormRows& at) {
  using T = Computed<S>;
  const int64_t cols = at.cols;
  const T* weight = static_cast<const T*>(at.weight);
  const T* means = static_cast<const T*>(at.mean);
  T* buffer = static_cast<T*>(at.buffer);
  for (int64_t r = 0; r < at.rows; ++r) {
    const T* x = widen(static_cast<const S*>(at.x) + r * cols, cols, buffer);
    const T* dy = widen(static_cast<const S*>(at.dy) + r * cols, cols, further(buffer, cols));
    const bool centred = means != nullptr;
    const T mean = centred ? means[r] : T(0), rstd = static_cast<const T*>(at.rstd)[r];
    if (at.dx != nullptr) {
      S* to = static_cast<S*>(at.dx) + r * cols;
      T* dx = out_buffer(to, further(buffer, 2 * cols));
      if (weight != nullptr)
        backward_row(x, centred, mean, rstd, cols, [=](int64_t c) { return dy[c] * weight[c]; }, dx);
      else
        backward_row(x, centred, mean, rstd, cols, [=](int64_t c) { return dy[c]; }, dx);
      narrow(dx, cols, to);
    }
    add_params(x, dy, mean, rstd, cols, static_cast<T*>(at.dweight), static_cast<T*>(at.dbias));
  }
}

}  // namespace

extern const NormTable norm_table = {{forward<float>, forward<double>, forward<bf16>, forward<f16>},
                                     {backward<float>, backward<double>, backward<bf16>, backward<f16>}};

}  // namespace iskra::kernels::ISKRA_ISA
