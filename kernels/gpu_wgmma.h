// Products of warpgroups (sm_90a; a trap elsewhere: ask for ISKRA_GPU_WGMMA) for kernel files: every function
// is one PTX instruction under nvcc, and a call of the emulator elsewhere (sim/wgmma.h says what it does and
// demands). sim/matrix_descriptor.h says how a matrix lies in shared memory, sim/fragments.h who holds which
// accumulators.
//
//   hold(d); wgmma_fence();
//   wgmma<bf16>(d, a, b, adds); …
//   wgmma_commit(); wgmma_wait<0>(); hold(d);
#pragma once

#include <iskra/kernels/gpu_matrix.h>
#include <iskra/kernels/gpu_tensor_map.h>
#include <iskra/kernels/sim/matrix_descriptor.h>

namespace iskra::gpu {

/// The type of operands of 32 bits of which 19 count.
struct Tf32 {};

/// How operands are taken: 0, or a sum of these. (A kernel may be a template on it, which nvcc does not allow
/// of structs.)
inline constexpr int kWgmmaAMnMajor = 1, kWgmmaBMnMajor = 2, kWgmmaANegated = 4, kWgmmaBNegated = 8;

/// Which of them there are: all N that a tile of a product is made of, MN-major only of 16-bit types.
template <class T, int form, int n>
inline constexpr bool is_wgmma =
    (std::is_same_v<T, bf16> || std::is_same_v<T, f16> ||
     (std::is_same_v<T, Tf32> && (form & (kWgmmaAMnMajor | kWgmmaBMnMajor)) == 0)) &&
    (n == 8 || n == 16 || n == 32 || n == 64 || n == 96 || n == 128 || n == 160 || n == 192 || n == 256);

}  // namespace iskra::gpu

#ifdef __CUDACC__

namespace iskra::gpu {

/// Of the matrix at p: start, distances in bytes, swizzle. Adding bytes / 16 moves its start.
DEV uint64_t matrix_descriptor(const void* p, uint32_t leading, uint32_t stride, Swizzle swizzle,
                               int base_offset = 0) {
  return sim::encoded({shared_address(p), leading, stride, swizzle, base_offset});
}

#if ISKRA_GPU_WGMMA
#define ISKRA_SM90A(...) asm volatile(__VA_ARGS__ : "memory")
#else
#define ISKRA_SM90A(...) __trap()
#endif

DEV void wgmma_fence() { ISKRA_SM90A("wgmma.fence.sync.aligned;" : :); }
DEV void wgmma_commit() { ISKRA_SM90A("wgmma.commit_group.sync.aligned;" : :); }
/// All groups but the last `groups` are done.
template <int groups>
DEV void wgmma_wait() {
  ISKRA_SM90A("wgmma.wait_group.sync.aligned %0;" : : "n"(groups));
}

/// Keeps the compiler from moving accesses of accumulators over this place: before the fence and after the
/// wait.
template <int count>
DEV void hold(float (&d)[count]) {
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+f"(d[i]) : : "memory");
}

/// Of kernels with __launch_bounds__(threads, 1); nvcc ignores it in others.
template <int count>
DEV void setmaxnreg_inc() {
  ISKRA_SM90A("setmaxnreg.inc.sync.aligned.u32 %0;" : : "n"(count));
}
template <int count>
DEV void setmaxnreg_dec() {
  ISKRA_SM90A("setmaxnreg.dec.sync.aligned.u32 %0;" : : "n"(count));
}

#if ISKRA_GPU_WGMMA

// The accumulators as operands %0 to %(N/2 - 1), which are all of the list that depends on N; the others
// follow.
#define ISKRA_WGMMA_NAMES8_0 "%0, %1, %2, %3, %4, %5, %6, %7"
#define ISKRA_WGMMA_NAMES8_1 "%8, %9, %10, %11, %12, %13, %14, %15"
#define ISKRA_WGMMA_NAMES8_2 "%16, %17, %18, %19, %20, %21, %22, %23"
#define ISKRA_WGMMA_NAMES8_3 "%24, %25, %26, %27, %28, %29, %30, %31"
#define ISKRA_WGMMA_NAMES8_4 "%32, %33, %34, %35, %36, %37, %38, %39"
#define ISKRA_WGMMA_NAMES8_5 "%40, %41, %42, %43, %44, %45, %46, %47"
#define ISKRA_WGMMA_NAMES8_6 "%48, %49, %50, %51, %52, %53, %54, %55"
#define ISKRA_WGMMA_NAMES8_7 "%56, %57, %58, %59, %60, %61, %62, %63"
#define ISKRA_WGMMA_NAMES8_8 "%64, %65, %66, %67, %68, %69, %70, %71"
#define ISKRA_WGMMA_NAMES8_9 "%72, %73, %74, %75, %76, %77, %78, %79"
#define ISKRA_WGMMA_NAMES8_10 "%80, %81, %82, %83, %84, %85, %86, %87"
#define ISKRA_WGMMA_NAMES8_11 "%88, %89, %90, %91, %92, %93, %94, %95"
#define ISKRA_WGMMA_NAMES8_12 "%96, %97, %98, %99, %100, %101, %102, %103"
#define ISKRA_WGMMA_NAMES8_13 "%104, %105, %106, %107, %108, %109, %110, %111"
#define ISKRA_WGMMA_NAMES8_14 "%112, %113, %114, %115, %116, %117, %118, %119"
#define ISKRA_WGMMA_NAMES8_15 "%120, %121, %122, %123, %124, %125, %126, %127"
#define ISKRA_WGMMA_NAMES4 "%0, %1, %2, %3"
#define ISKRA_WGMMA_NAMES8 ISKRA_WGMMA_NAMES8_0
#define ISKRA_WGMMA_NAMES16 ISKRA_WGMMA_NAMES8 ", " ISKRA_WGMMA_NAMES8_1
#define ISKRA_WGMMA_NAMES32 ISKRA_WGMMA_NAMES16 ", " ISKRA_WGMMA_NAMES8_2 ", " ISKRA_WGMMA_NAMES8_3
#define ISKRA_WGMMA_NAMES48 ISKRA_WGMMA_NAMES32 ", " ISKRA_WGMMA_NAMES8_4 ", " ISKRA_WGMMA_NAMES8_5
#define ISKRA_WGMMA_NAMES64 ISKRA_WGMMA_NAMES48 ", " ISKRA_WGMMA_NAMES8_6 ", " ISKRA_WGMMA_NAMES8_7
#define ISKRA_WGMMA_NAMES80 ISKRA_WGMMA_NAMES64 ", " ISKRA_WGMMA_NAMES8_8 ", " ISKRA_WGMMA_NAMES8_9
#define ISKRA_WGMMA_NAMES96 ISKRA_WGMMA_NAMES80 ", " ISKRA_WGMMA_NAMES8_10 ", " ISKRA_WGMMA_NAMES8_11
#define ISKRA_WGMMA_NAMES128                                                                           \
  ISKRA_WGMMA_NAMES96 ", " ISKRA_WGMMA_NAMES8_12 ", " ISKRA_WGMMA_NAMES8_13 ", " ISKRA_WGMMA_NAMES8_14 \
                      ", " ISKRA_WGMMA_NAMES8_15
#define ISKRA_WGMMA_SUMS4(i) "+f"(d[i]), "+f"(d[(i) + 1]), "+f"(d[(i) + 2]), "+f"(d[(i) + 3])
#define ISKRA_WGMMA_SUMS8(i) ISKRA_WGMMA_SUMS4(i), ISKRA_WGMMA_SUMS4((i) + 4)
#define ISKRA_WGMMA_SUMS16(i) ISKRA_WGMMA_SUMS8(i), ISKRA_WGMMA_SUMS8((i) + 8)
#define ISKRA_WGMMA_SUMS32(i) ISKRA_WGMMA_SUMS16(i), ISKRA_WGMMA_SUMS16((i) + 16)
#define ISKRA_WGMMA_SUMS64(i) ISKRA_WGMMA_SUMS32(i), ISKRA_WGMMA_SUMS32((i) + 32)

// The instruction after its shape, with the operands after the accumulators by their numbers: A and B, adds,
// signs and, of 16-bit types, orders.
#define ISKRA_WGMMA(text, adds_at, rest, sums, ...)                                                     \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, " adds_at ", 0; wgmma.mma_async.sync.aligned." text rest \
               "; }"                                                                                    \
               : sums                                                                                   \
               : __VA_ARGS__)
#define ISKRA_WGMMA_LIST(...) __VA_ARGS__

// All wgmma of n columns.
template <int n>
struct WgmmaOf;
#define ISKRA_WGMMA_SHAPE(n, names, sums, i0, i1, i2, i3, i4, i5, i6, i7, i8)                              \
  template <>                                                                                              \
  struct WgmmaOf<n> {                                                                                      \
    template <class T, int form>                                                                           \
    static DEV void shared(float (&d)[n / 2], uint64_t a, uint64_t b, int adds) {                          \
      constexpr int na = form & kWgmmaANegated ? -1 : 1, nb = form & kWgmmaBNegated ? -1 : 1;              \
      constexpr int ta = form & kWgmmaAMnMajor ? 1 : 0, tb = form & kWgmmaBMnMajor ? 1 : 0;                \
      if constexpr (std::is_same_v<T, bf16>) {                                                             \
        ISKRA_WGMMA("m64n" #n "k16.f32.bf16.bf16 {" names "}, ", i2,                                       \
                    i0 ", " i1 ", p, " i3 ", " i4 ", " i5 ", " i6, ISKRA_WGMMA_LIST(sums), "l"(a), "l"(b), \
                    "r"(adds), "n"(na), "n"(nb), "n"(ta), "n"(tb));                                        \
      } else if constexpr (std::is_same_v<T, f16>) {                                                       \
        ISKRA_WGMMA("m64n" #n "k16.f32.f16.f16 {" names "}, ", i2,                                         \
                    i0 ", " i1 ", p, " i3 ", " i4 ", " i5 ", " i6, ISKRA_WGMMA_LIST(sums), "l"(a), "l"(b), \
                    "r"(adds), "n"(na), "n"(nb), "n"(ta), "n"(tb));                                        \
      } else {                                                                                             \
        ISKRA_WGMMA("m64n" #n "k8.f32.tf32.tf32 {" names "}, ", i2, i0 ", " i1 ", p, " i3 ", " i4,         \
                    ISKRA_WGMMA_LIST(sums), "l"(a), "l"(b), "r"(adds), "n"(na), "n"(nb));                  \
      }                                                                                                    \
    }                                                                                                      \
    template <class T, int form>                                                                           \
    static DEV void registers(float (&d)[n / 2], const uint32_t (&a)[4], uint64_t b, int adds) {           \
      constexpr int na = form & kWgmmaANegated ? -1 : 1, nb = form & kWgmmaBNegated ? -1 : 1;              \
      constexpr int tb = form & kWgmmaBMnMajor ? 1 : 0;                                                    \
      if constexpr (std::is_same_v<T, bf16>) {                                                             \
        ISKRA_WGMMA("m64n" #n "k16.f32.bf16.bf16 {" names "}, ", i5,                                       \
                    "{" i0 ", " i1 ", " i2 ", " i3 "}, " i4 ", p, " i6 ", " i7 ", " i8,                    \
                    ISKRA_WGMMA_LIST(sums), "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(adds), \
                    "n"(na), "n"(nb), "n"(tb));                                                            \
      } else if constexpr (std::is_same_v<T, f16>) {                                                       \
        ISKRA_WGMMA("m64n" #n "k16.f32.f16.f16 {" names "}, ", i5,                                         \
                    "{" i0 ", " i1 ", " i2 ", " i3 "}, " i4 ", p, " i6 ", " i7 ", " i8,                    \
                    ISKRA_WGMMA_LIST(sums), "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(adds), \
                    "n"(na), "n"(nb), "n"(tb));                                                            \
      } else {                                                                                             \
        ISKRA_WGMMA("m64n" #n "k8.f32.tf32.tf32 {" names "}, ", i5,                                        \
                    "{" i0 ", " i1 ", " i2 ", " i3 "}, " i4 ", p, " i6 ", " i7, ISKRA_WGMMA_LIST(sums),    \
                    "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(adds), "n"(na), "n"(nb));      \
      }                                                                                                    \
    }                                                                                                      \
  };
ISKRA_WGMMA_SHAPE(8, ISKRA_WGMMA_NAMES4, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS4(0)), "%4", "%5", "%6", "%7", "%8",
                  "%9", "%10", "%11", "%12")
ISKRA_WGMMA_SHAPE(16, ISKRA_WGMMA_NAMES8, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS8(0)), "%8", "%9", "%10", "%11",
                  "%12", "%13", "%14", "%15", "%16")
ISKRA_WGMMA_SHAPE(32, ISKRA_WGMMA_NAMES16, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS16(0)), "%16", "%17", "%18",
                  "%19", "%20", "%21", "%22", "%23", "%24")
ISKRA_WGMMA_SHAPE(64, ISKRA_WGMMA_NAMES32, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS32(0)), "%32", "%33", "%34",
                  "%35", "%36", "%37", "%38", "%39", "%40")
ISKRA_WGMMA_SHAPE(96, ISKRA_WGMMA_NAMES48, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS32(0), ISKRA_WGMMA_SUMS16(32)),
                  "%48", "%49", "%50", "%51", "%52", "%53", "%54", "%55", "%56")
ISKRA_WGMMA_SHAPE(128, ISKRA_WGMMA_NAMES64, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS64(0)), "%64", "%65", "%66",
                  "%67", "%68", "%69", "%70", "%71", "%72")
ISKRA_WGMMA_SHAPE(160, ISKRA_WGMMA_NAMES80, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS64(0), ISKRA_WGMMA_SUMS16(64)),
                  "%80", "%81", "%82", "%83", "%84", "%85", "%86", "%87", "%88")
ISKRA_WGMMA_SHAPE(192, ISKRA_WGMMA_NAMES96, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS64(0), ISKRA_WGMMA_SUMS32(64)),
                  "%96", "%97", "%98", "%99", "%100", "%101", "%102", "%103", "%104")
ISKRA_WGMMA_SHAPE(256, ISKRA_WGMMA_NAMES128, ISKRA_WGMMA_LIST(ISKRA_WGMMA_SUMS64(0), ISKRA_WGMMA_SUMS64(64)),
                  "%128", "%129", "%130", "%131", "%132", "%133", "%134", "%135", "%136")

#endif

/// d = a b + (adds ? d : 0) of m64nNk16 (T = bf16, f16) or m64nNk8 (Tf32); N is twice the accumulators of a
/// thread.
template <class T, int form = 0, int half>
DEV void wgmma(float (&d)[half], uint64_t a, uint64_t b, bool adds) {
  static_assert(is_wgmma<T, form, half * 2>);
#if ISKRA_GPU_WGMMA
  WgmmaOf<half * 2>::template shared<T, form>(d, a, b, adds ? 1 : 0);
#else
  __trap();
#endif
}
/// With A in registers.
template <class T, int form = 0, int half>
DEV void wgmma(float (&d)[half], const uint32_t (&a)[4], uint64_t b, bool adds) {
  static_assert(is_wgmma<T, form, half * 2> && (form & kWgmmaAMnMajor) == 0);
#if ISKRA_GPU_WGMMA
  WgmmaOf<half * 2>::template registers<T, form>(d, a, b, adds ? 1 : 0);
#else
  __trap();
#endif
}

}  // namespace iskra::gpu

#else

#include <iskra/kernels/sim/wgmma.h>

namespace iskra::gpu {

inline uint64_t matrix_descriptor(const void* p, uint32_t leading, uint32_t stride, Swizzle swizzle,
                                  int base_offset = 0, ISKRA_SITE) {
  return sim::descriptor_of(p, leading, stride, swizzle, base_offset, at);
}

inline void wgmma_fence(ISKRA_SITE) { sim::wgmma_fence(at); }
inline void wgmma_commit(ISKRA_SITE) { sim::wgmma_commit(at); }
template <int groups>
void wgmma_wait(ISKRA_SITE) {
  sim::wgmma_wait(groups, at);
}
template <int count>
void hold(float (&)[count]) {}

template <int count>
void setmaxnreg_inc(ISKRA_SITE) {
  sim::set_max_registers(true, count, at);
}
template <int count>
void setmaxnreg_dec(ISKRA_SITE) {
  sim::set_max_registers(false, count, at);
}

template <class T, int form>
constexpr sim::WgmmaKind wgmma_kind(int n) {
  constexpr auto kType = std::is_same_v<T, bf16>  ? sim::MatrixType::bf16
                         : std::is_same_v<T, f16> ? sim::MatrixType::f16
                                                  : sim::MatrixType::tf32;
  return {kType,
          n,
          (form & kWgmmaAMnMajor) != 0,
          (form & kWgmmaBMnMajor) != 0,
          (form & kWgmmaANegated) != 0,
          (form & kWgmmaBNegated) != 0};
}
template <class T, int form = 0, int half>
void wgmma(float (&d)[half], uint64_t a, uint64_t b, bool adds, ISKRA_SITE) {
  static_assert(is_wgmma<T, form, half * 2>);
  sim::wgmma(wgmma_kind<T, form>(half * 2), static_cast<float*>(d), nullptr, a, b, adds, at);
}
template <class T, int form = 0, int half>
void wgmma(float (&d)[half], const uint32_t (&a)[4], uint64_t b, bool adds, ISKRA_SITE) {
  static_assert(is_wgmma<T, form, half * 2> && (form & kWgmmaAMnMajor) == 0);
  sim::wgmma(wgmma_kind<T, form>(half * 2), static_cast<float*>(d), static_cast<const uint32_t*>(a), 0, b,
             adds, at);
}

}  // namespace iskra::gpu

#endif
