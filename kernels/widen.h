// Rows of 16-bit elements pass through f32, in which kernels compute. For float and double nothing is copied,
// so that a row kernel is written once as a template over the storage type:
//
//   template <class S>
//   void row(const S* x_, int64_t n, Computed<S>* buffer, S* y_) {
//     const auto* x = widen(x_, n, buffer);            // x_ itself, or the buffer filled from it
//     auto* y = out_buffer(y_, further(buffer, n));    // y_ itself, or the buffer
//     … y[i] = f(x[i]) …
//     narrow(y, n, y_);                                // nothing, or rounds the buffer into y_
//   }
//
// For the files that are compiled once per ISA level.
#pragma once

#include <cstdint>

#include <iskra/kernels/half.h>

namespace iskra::kernels {
namespace {

template <class S>
struct ComputedType {
  using Type = float;
};
template <>
struct ComputedType<double> {
  using Type = double;
};
/// What kernels compute in for elements of type S: f64 for f64, else f32.
template <class S>
using Computed = typename ComputedType<S>::Type;

ISKRA_HD inline float load(float x) { return x; }
ISKRA_HD inline double load(double x) { return x; }
ISKRA_HD inline float load(bf16 x) { return to_float(x); }
ISKRA_HD inline float load(f16 x) { return to_float(x); }
ISKRA_HD inline void store(float x, float& y) { y = x; }
ISKRA_HD inline void store(double x, double& y) { y = x; }
ISKRA_HD inline void store(float x, bf16& y) { y = to_bf16(x); }
ISKRA_HD inline void store(float x, f16& y) { y = to_f16(x); }

/// buffer + n; null stays null (nothing is widened, and no buffer was given).
template <class T>
inline T* further(T* buffer, int64_t n) {
  return buffer == nullptr ? nullptr : buffer + n;
}

inline const float* widen(const float* x, int64_t, float*) { return x; }
inline const double* widen(const double* x, int64_t, double*) { return x; }
/// Null stays null.
template <class S>
inline const float* widen(const S* x, int64_t n, float* buffer) {
  if (x == nullptr) return nullptr;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) buffer[i] = load(x[i]);
  return buffer;
}

inline float* out_buffer(float* y, float*) { return y; }
inline double* out_buffer(double* y, double*) { return y; }
template <class S>
inline float* out_buffer(S*, float* buffer) {
  return buffer;
}

inline void narrow(const float*, int64_t, float*) {}
inline void narrow(const double*, int64_t, double*) {}
template <class S>
inline void narrow(const float* x, int64_t n, S* y) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) store(x[i], y[i]);
}

}  // namespace
}  // namespace iskra::kernels
