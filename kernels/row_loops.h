// Sums and maxima over a row, for the files that are compiled once per ISA level.
#pragma once

#include <cstdint>

namespace iskra::kernels {
namespace {

/// Sum of f(i) over 0 <= i < n, f called once for each i. Four running sums inside blocks, then block after
/// block, so that the rounding error grows with n / 256 and not with n, also where the compiler finds no
/// vectors.
template <class T, class F>
inline T row_sum(int64_t n, F f) {
  constexpr int64_t kQuarter = 64, kBlock = 4 * kQuarter;
  T total = 0;
  int64_t begin = 0;
  for (; begin + kBlock <= n; begin += kBlock) {
    T part0 = 0, part1 = 0, part2 = 0, part3 = 0;
#pragma omp simd reduction(+ : part0, part1, part2, part3)
    for (int64_t i = begin; i < begin + kQuarter; ++i) {
      part0 += f(i);
      part1 += f(i + kQuarter);
      part2 += f(i + 2 * kQuarter);
      part3 += f(i + 3 * kQuarter);
    }
    total += (part0 + part1) + (part2 + part3);
  }
  T rest = 0;
#pragma omp simd reduction(+ : rest)
  for (int64_t i = begin; i < n; ++i) rest += f(i);
  return total + rest;
}

/// The largest x[i]; NaN is passed over. Minus infinity for n = 0.
template <class T>
inline T row_max(const T* x, int64_t n) {
  constexpr T kLowest =
      static_cast<T>(sizeof(T) == sizeof(float) ? -static_cast<double>(__FLT_MAX__) : -__DBL_MAX__);
  T largest = -static_cast<T>(__builtin_inff());
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  if (largest > kLowest) return largest;
  // clang's reduction starts at the lowest finite number; a row of minus infinity shows it.
  largest = -static_cast<T>(__builtin_inff());
  for (int64_t i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

}  // namespace
}  // namespace iskra::kernels
