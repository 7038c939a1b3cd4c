// Matrix instructions of a warp for kernel files (mma and ldmatrix from sm_80 on, stmatrix from sm_90 on and
// a trap before): every function is one PTX instruction under nvcc, and a call of the emulator elsewhere
// (sim/matrix.h says what it does and demands). All lanes of the warp take part. sim/fragments.h says which
// elements a lane holds. Products of warpgroups are in gpu_wgmma.h.
#pragma once

#include <type_traits>

#include <iskra/kernels/gpu_async.h>
#include <iskra/kernels/sim/fragments.h>

namespace iskra::gpu {

using sim::Element;

}  // namespace iskra::gpu

#ifdef __CUDACC__

namespace iskra::gpu {

/// One register of each of `count` (1, 2, 4) matrices of 8 x 8 16-bit elements; lane 8 m + r names row r of
/// matrix m.
template <int count, bool transposed = false>
DEV void ldmatrix(uint32_t (&r)[count], const void* row) {
  static_assert(count == 1 || count == 2 || count == 4);
  uint32_t at = shared_address(row);
#define ISKRA_LDMATRIX(form, names, address, ...)                                           \
  asm volatile("ldmatrix.sync.aligned.m8n8." form ".shared.b16 {" names "}, [" address "];" \
               : __VA_ARGS__                                                                \
               : "r"(at)                                                                    \
               : "memory")
#define ISKRA_OUT1 "=r"(r[0])
#define ISKRA_OUT2 "=r"(r[0]), "=r"(r[1])
#define ISKRA_OUT4 "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
  if constexpr (count == 1 && !transposed) ISKRA_LDMATRIX("x1", "%0", "%1", ISKRA_OUT1);
  if constexpr (count == 1 && transposed) ISKRA_LDMATRIX("x1.trans", "%0", "%1", ISKRA_OUT1);
  if constexpr (count == 2 && !transposed) ISKRA_LDMATRIX("x2", "%0, %1", "%2", ISKRA_OUT2);
  if constexpr (count == 2 && transposed) ISKRA_LDMATRIX("x2.trans", "%0, %1", "%2", ISKRA_OUT2);
  if constexpr (count == 4 && !transposed) ISKRA_LDMATRIX("x4", "%0, %1, %2, %3", "%4", ISKRA_OUT4);
  if constexpr (count == 4 && transposed) ISKRA_LDMATRIX("x4.trans", "%0, %1, %2, %3", "%4", ISKRA_OUT4);
#undef ISKRA_OUT4
#undef ISKRA_OUT2
#undef ISKRA_OUT1
#undef ISKRA_LDMATRIX
}

/// The way back.
template <int count, bool transposed = false>
DEV void stmatrix(void* row, const uint32_t (&r)[count]) {
  static_assert(count == 1 || count == 2 || count == 4);
#if ISKRA_GPU_ARCH >= 900
  uint32_t at = shared_address(row);
#define ISKRA_STMATRIX(form, names, ...)                                           \
  asm volatile("stmatrix.sync.aligned.m8n8." form ".shared.b16 [%0], {" names "};" \
               :                                                                   \
               : "r"(at), __VA_ARGS__                                              \
               : "memory")
#define ISKRA_IN2 "r"(r[0]), "r"(r[1])
#define ISKRA_IN4 "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
  if constexpr (count == 1 && !transposed) ISKRA_STMATRIX("x1", "%1", "r"(r[0]));
  if constexpr (count == 1 && transposed) ISKRA_STMATRIX("x1.trans", "%1", "r"(r[0]));
  if constexpr (count == 2 && !transposed) ISKRA_STMATRIX("x2", "%1, %2", ISKRA_IN2);
  if constexpr (count == 2 && transposed) ISKRA_STMATRIX("x2.trans", "%1, %2", ISKRA_IN2);
  if constexpr (count == 4 && !transposed) ISKRA_STMATRIX("x4", "%1, %2, %3, %4", ISKRA_IN4);
  if constexpr (count == 4 && transposed) ISKRA_STMATRIX("x4.trans", "%1, %2, %3, %4", ISKRA_IN4);
#undef ISKRA_IN4
#undef ISKRA_IN2
#undef ISKRA_STMATRIX
#else
  __trap();
#endif
}

/// d = a b + c, m16n8k16, of T = bf16 or f16, in f32. d and c may be one.
template <class T>
DEV void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4]) {
  static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>);
#define ISKRA_MMA(shape)                                                                                 \
  asm volatile("mma.sync.aligned." shape                                                                 \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"                    \
               : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])                                          \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), \
                 "f"(c[2]), "f"(c[3]))
  if constexpr (std::is_same_v<T, bf16>) {
    ISKRA_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
  } else {
    ISKRA_MMA("m16n8k16.row.col.f32.f16.f16.f32");
  }
}
/// m16n8k8 of tf32, in f32.
DEV void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4]) {
  ISKRA_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
}
#undef ISKRA_MMA

/// m8n8k4 of f64.
DEV void mma_f64(double (&d)[2], double a, double b, const double (&c)[2]) {
  asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%4, %5};"
               : "=d"(d[0]), "=d"(d[1])
               : "d"(a), "d"(b), "d"(c[0]), "d"(c[1]));
}

/// Rounds to tf32, ties away from zero; products of what was not rounded drop its low bits.
DEV uint32_t to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

}  // namespace iskra::gpu

#else

#include <iskra/kernels/sim/matrix.h>

namespace iskra::gpu {

template <int count, bool transposed = false>
void ldmatrix(uint32_t (&r)[count], const void* row, ISKRA_SITE) {
  static_assert(count == 1 || count == 2 || count == 4);
  sim::ldmatrix(count, transposed, row, static_cast<uint32_t*>(r), at);
}
template <int count, bool transposed = false>
void stmatrix(void* row, const uint32_t (&r)[count], ISKRA_SITE) {
  static_assert(count == 1 || count == 2 || count == 4);
  sim::stmatrix(count, transposed, row, static_cast<const uint32_t*>(r), at);
}

template <class T>
void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4], ISKRA_SITE) {
  static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>);
  constexpr auto kType = std::is_same_v<T, bf16> ? sim::MatrixType::bf16 : sim::MatrixType::f16;
  sim::mma(kType, static_cast<float*>(d), static_cast<const uint32_t*>(a), static_cast<const uint32_t*>(b),
           static_cast<const float*>(c), at);
}
inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4],
                     ISKRA_SITE) {
  sim::mma(sim::MatrixType::tf32, static_cast<float*>(d), static_cast<const uint32_t*>(a),
           static_cast<const uint32_t*>(b), static_cast<const float*>(c), at);
}
inline void mma_f64(double (&d)[2], double a, double b, const double (&c)[2], ISKRA_SITE) {
  sim::mma_f64(static_cast<double*>(d), a, b, static_cast<const double*>(c), at);
}

using sim::to_tf32;

}  // namespace iskra::gpu

#endif
