// What CUDA C++ gives to device code, by the same names, for kernels compiled as plain C++: the place of a
// thread, barriers, shuffles, votes, atomics, arithmetic. Every call carries its place in the source.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <bit>
#include <cstring>
#include <type_traits>

#include <iskra/kernels/sim/atomics.h>
#include <iskra/kernels/sim/barrier.h>
#include <iskra/kernels/sim/fault.h>
#include <iskra/kernels/sim/vector_types.h>
#include <iskra/kernels/sim/warp.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict

extern constinit thread_local uint3 threadIdx;
extern constinit thread_local uint3 blockIdx;
extern constinit thread_local dim3 blockDim;
extern constinit thread_local dim3 gridDim;
inline constexpr int warpSize = 32;

// --- barriers and fences
// ------------------------------------------------------------------------------------------

#define ISKRA_SITE const iskra::sim::Site& at = iskra::sim::Site::current()

inline void __syncthreads(ISKRA_SITE) { iskra::sim::block_barrier(0, "__syncthreads", at); }
inline int __syncthreads_count(int p, ISKRA_SITE) {
  return iskra::sim::block_barrier(p, "__syncthreads_count", at).count;
}
inline int __syncthreads_and(int p, ISKRA_SITE) {
  return iskra::sim::block_barrier(p, "__syncthreads_and", at).all;
}
inline int __syncthreads_or(int p, ISKRA_SITE) {
  return iskra::sim::block_barrier(p, "__syncthreads_or", at).any;
}
inline void __syncwarp(unsigned mask = 0xffffffffU, ISKRA_SITE) { iskra::sim::warp_barrier(mask, at); }
inline void __threadfence(ISKRA_SITE) { iskra::sim::memory_fence(at); }
inline void __threadfence_block(ISKRA_SITE) { iskra::sim::memory_fence(at); }
[[noreturn]] inline void __trap(ISKRA_SITE) { iskra::sim::trap(at); }

// --- warps
// --------------------------------------------------------------------------------------------------------

namespace iskra::sim {
template <class T>
T shuffle_as(Shuffle kind, unsigned mask, T value, int argument, int width, const Site& at) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8, "shuffles move up to 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = shuffle(kind, mask, bits, argument, width, at);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
}  // namespace iskra::sim

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, ISKRA_SITE) {
  return iskra::sim::shuffle_as(iskra::sim::Shuffle::index, mask, value, lane, width, at);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, ISKRA_SITE) {
  return iskra::sim::shuffle_as(iskra::sim::Shuffle::up, mask, value, static_cast<int>(delta), width, at);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, ISKRA_SITE) {
  return iskra::sim::shuffle_as(iskra::sim::Shuffle::down, mask, value, static_cast<int>(delta), width, at);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, ISKRA_SITE) {
  return iskra::sim::shuffle_as(iskra::sim::Shuffle::exclusive_or, mask, value, lanes, width, at);
}
inline unsigned __ballot_sync(unsigned mask, int p, ISKRA_SITE) {
  return iskra::sim::vote(iskra::sim::Vote::ballot, mask, p != 0, at);
}
inline int __all_sync(unsigned mask, int p, ISKRA_SITE) {
  return static_cast<int>(iskra::sim::vote(iskra::sim::Vote::all, mask, p != 0, at));
}
inline int __any_sync(unsigned mask, int p, ISKRA_SITE) {
  return static_cast<int>(iskra::sim::vote(iskra::sim::Vote::any, mask, p != 0, at));
}
inline unsigned __activemask() { return iskra::sim::active_mask(); }
template <class T>
unsigned __match_any_sync(unsigned mask, T value, ISKRA_SITE) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return iskra::sim::match_any(mask, bits, at);
}
#define ISKRA_SIM_REDUCE(name, kind)                                                                       \
  template <class T>                                                                                       \
  T __reduce_##name##_sync(unsigned mask, T value, ISKRA_SITE) {                                           \
    static_assert(std::is_same_v<T, unsigned> || std::is_same_v<T, int>,                                   \
                  "redux.sync takes int and unsigned");                                                    \
    return static_cast<T>(iskra::sim::warp_reduce(iskra::sim::WarpReduce::kind, std::is_signed_v<T>, mask, \
                                                  static_cast<uint32_t>(value), at));                      \
  }
ISKRA_SIM_REDUCE(add, add)
ISKRA_SIM_REDUCE(min, min)
ISKRA_SIM_REDUCE(max, max)
ISKRA_SIM_REDUCE(and, bit_and)
ISKRA_SIM_REDUCE(or, bit_or)
ISKRA_SIM_REDUCE(xor, bit_xor)
#undef ISKRA_SIM_REDUCE

// --- atomics
// ------------------------------------------------------------------------------------------------------

#define ISKRA_SIM_ATOMIC(name, op, T)                                                               \
  inline T name(T* address, T value, ISKRA_SITE) {                                                  \
    return iskra::sim::atomic_value<T>(iskra::sim::atomic(iskra::sim::AtomicOp::op,                 \
                                                          iskra::sim::atomic_type_of<T>(), address, \
                                                          iskra::sim::atomic_bits(value), 0, at));  \
  }
#define ISKRA_SIM_ATOMIC_INTEGERS(name, op) \
  ISKRA_SIM_ATOMIC(name, op, int)           \
  ISKRA_SIM_ATOMIC(name, op, unsigned)      \
  ISKRA_SIM_ATOMIC(name, op, unsigned long long)
ISKRA_SIM_ATOMIC_INTEGERS(atomicAdd, add)
ISKRA_SIM_ATOMIC(atomicAdd, add, float)
ISKRA_SIM_ATOMIC(atomicAdd, add, double)
ISKRA_SIM_ATOMIC_INTEGERS(atomicExch, exchange)
ISKRA_SIM_ATOMIC(atomicExch, exchange, float)
ISKRA_SIM_ATOMIC_INTEGERS(atomicMin, min)
ISKRA_SIM_ATOMIC(atomicMin, min, long long)
ISKRA_SIM_ATOMIC_INTEGERS(atomicMax, max)
ISKRA_SIM_ATOMIC(atomicMax, max, long long)
ISKRA_SIM_ATOMIC_INTEGERS(atomicAnd, bit_and)
ISKRA_SIM_ATOMIC_INTEGERS(atomicOr, bit_or)
ISKRA_SIM_ATOMIC_INTEGERS(atomicXor, bit_xor)
ISKRA_SIM_ATOMIC(atomicInc, increment, unsigned)
ISKRA_SIM_ATOMIC(atomicDec, decrement, unsigned)
#undef ISKRA_SIM_ATOMIC_INTEGERS
#undef ISKRA_SIM_ATOMIC
template <class T>
T atomicCAS(T* address, T compare, T value, ISKRA_SITE) {
  return iskra::sim::atomic_value<T>(
      iskra::sim::atomic(iskra::sim::AtomicOp::compare_exchange, iskra::sim::atomic_type_of<T>(), address,
                         iskra::sim::atomic_bits(value), iskra::sim::atomic_bits(compare), at));
}

// --- arithmetic
// ---------------------------------------------------------------------------------------------------

inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<unsigned long long>((static_cast<Wide>(a) * b) >> 64);
}
inline unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int i = 0; i < 32; ++i) y |= (x >> i & 1U) << (31 - i);
  return y;
}
template <class T>
T __ldg(const T* p) {
  return *p;
}
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0F / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return 1.0F / sqrtf(x); }
inline float rsqrtf(float x) { return 1.0F / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0F) : 0.0F; }  // NaN gives 0, as on the GPU

// min and max of mixed integers are legal in CUDA; they convert as a ? b : c does.
template <class A, class B, class = std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B>>>
constexpr std::common_type_t<A, B> min(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>)
    return static_cast<T>(fmin(static_cast<T>(a), static_cast<T>(b)));
  else
    return static_cast<T>(b) < static_cast<T>(a) ? static_cast<T>(b) : static_cast<T>(a);
}
template <class A, class B, class = std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B>>>
constexpr std::common_type_t<A, B> max(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>)
    return static_cast<T>(fmax(static_cast<T>(a), static_cast<T>(b)));
  else
    return static_cast<T>(a) < static_cast<T>(b) ? static_cast<T>(b) : static_cast<T>(a);
}
