// Row loops of attention, compiled once per ISA level: raw pointers only.
#include <iskra/kernels/attention.isa.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class T>
constexpr T kLeast = -static_cast<T>(__builtin_inf());

template <class T>
void mask_scores(int64_t rows, int64_t cols, T scale, const T* mask, int64_t mask_row, int64_t visible,
                 T* s) {
  for (int64_t i = 0; i < rows; ++i, s += cols) {
    int64_t seen = visible < 0 || visible + i > cols ? cols : visible + i;
    if (mask != nullptr) {
      const T* add = mask + i * mask_row;
#pragma omp simd
      for (int64_t j = 0; j < seen; ++j) s[j] = scale * s[j] + add[j];
    } else {
#pragma omp simd
      for (int64_t j = 0; j < seen; ++j) s[j] *= scale;
    }
    for (int64_t j = seen; j < cols; ++j) s[j] = kLeast<T>;
  }
}

/// s becomes softmax(scale * s); returns the sum of exp(scale * s - largest).
template <class T>
inline T softmax_row(int64_t cols, T scale, T* s, T& largest_out) {
  // A negative scale turns the order around, so the largest is taken after scaling.
  T largest = kLeast<T>;
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < cols; ++j) largest = scale * s[j] > largest ? scale * s[j] : largest;
  const T shift = largest == kLeast<T> ? T(0) : largest;  // nothing to see: all become zero
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < cols; ++j) {
    const T e = math::exp_below(scale * s[j] - shift);
    s[j] = e;
    sum += e;
  }
  const T inverse = sum == T(0) ? T(0) : T(1) / sum;
#pragma omp simd
  for (int64_t j = 0; j < cols; ++j) s[j] *= inverse;
  largest_out = largest;
  return sum;
}

template <class T>
void softmax(int64_t rows, int64_t cols, T scale, T* s, T* lse) {
  constexpr int64_t kRows =
      16;  // their logarithms are taken as one vector: a short row costs hardly more than one
  T sums[kRows] = {}, largest[kRows] = {};
  for (int64_t first = 0; first < rows; first += kRows, lse += kRows) {
    const int64_t count = rows - first < kRows ? rows - first : kRows;
    for (int64_t i = 0; i < count; ++i, s += cols) sums[i] = softmax_row(cols, scale, s, largest[i]);
    for (int64_t i = 0; i < kRows; ++i) sums[i] = largest[i] + math::log(sums[i]);
    for (int64_t i = 0; i < count; ++i) lse[i] = sums[i];
  }
}

template <class T>
void probabilities(int64_t rows, int64_t cols, T scale, const T* lse, T* s) {
  for (int64_t i = 0; i < rows; ++i, s += cols) {
    const T shift = lse[i] == kLeast<T> ? T(0) : lse[i];
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) s[j] = math::exp_below(scale * s[j] - shift);
  }
}

template <class T>
void row_dots(int64_t rows, int64_t head, const T* d_o, int64_t d_o_row, const T* o, int64_t o_row,
              T* delta) {
  for (int64_t i = 0; i < rows; ++i, d_o += d_o_row, o += o_row) {
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t d = 0; d < head; ++d) sum += d_o[d] * o[d];
    delta[i] = sum;
  }
}

template <class T>
void score_gradient(int64_t rows, int64_t cols, T scale, const T* p, const T* delta, T* ds) {
  for (int64_t i = 0; i < rows; ++i, p += cols, ds += cols) {
    const T shift = delta[i];
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) ds[j] = scale * (p[j] * (ds[j] - shift));
  }
}

}  // namespace

extern const AttentionTables attention_tables = {
    {mask_scores<float>, softmax<float>, probabilities<float>, row_dots<float>, score_gradient<float>},
    {mask_scores<double>, softmax<double>, probabilities<double>, row_dots<double>, score_gradient<double>}};

}  // namespace iskra::kernels::ISKRA_ISA
