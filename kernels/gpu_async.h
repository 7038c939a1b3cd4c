// Barriers, asynchronous copies and clusters for kernel files: what C++ has no words for. Every function is
// one PTX instruction under nvcc, and a call of the emulator elsewhere, whose headers (sim/barrier.h,
// async_copy.h, mbarrier.h, cluster.h) say what it does and demands. Pointers are generic. Before sm_90, what
// sm_90 brought is a trap. Bulk copies are in gpu_tma.h.
#pragma once

#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_arch.h>

#ifdef __CUDACC__

namespace iskra::gpu {

DEV uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

/// Of another block of the cluster, too.
DEV uint32_t cluster_address(const void* p) {
#if ISKRA_GPU_ARCH >= 900
  uint64_t address;
  asm("cvta.to.shared::cluster.u64 %0, %1;" : "=l"(address) : "l"(p));
  return static_cast<uint32_t>(address);
#else
  return shared_address(p);
#endif
}

// --- barriers
// -----------------------------------------------------------------------------------------------------------

/// Barrier `id` (0 is that of __syncthreads) of `threads` threads, a multiple of 32.
DEV void bar_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" : : "r"(id), "r"(threads) : "memory");
}
DEV void bar_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" : : "r"(id), "r"(threads) : "memory");
}

DEV void cluster_arrive() {
#if ISKRA_GPU_ARCH >= 900
  asm volatile("barrier.cluster.arrive.release;" : : : "memory");
#else
  __trap();
#endif
}

DEV void cluster_wait() {
#if ISKRA_GPU_ARCH >= 900
  asm volatile("barrier.cluster.wait.acquire;" : : : "memory");
#else
  __trap();
#endif
}

DEV int cluster_rank() {
  int rank = 0;
#if ISKRA_GPU_ARCH >= 900
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
#endif
  return rank;
}

/// Where block `rank` of the cluster has what this block has at `shared`.
template <class T>
DEV T* map_shared(T* shared, int rank) {
#if ISKRA_GPU_ARCH >= 900
  uint64_t there;
  asm volatile("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(shared), "r"(rank));
  return reinterpret_cast<T*>(there);
#else
  __trap();
  return shared;
#endif
}

// --- cp.async
// -----------------------------------------------------------------------------------------------------------

/// 4, 8 or 16 bytes, of which the first `valid` come from global memory and the others are zero.
template <int bytes>
DEV void cp_async(void* shared, const void* global, int valid = bytes) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  if constexpr (bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(shared_address(shared)), "l"(__cvta_generic_to_global(global)), "r"(valid)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 :
                 : "r"(shared_address(shared)), "l"(__cvta_generic_to_global(global)), "n"(bytes), "r"(valid)
                 : "memory");
  }
}
DEV void cp_async_commit() { asm volatile("cp.async.commit_group;" : : : "memory"); }
template <int groups>
DEV void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(groups) : "memory");
}
DEV void cp_async_wait_all() { asm volatile("cp.async.wait_all;" : : : "memory"); }
DEV void cp_async_mbarrier_arrive(uint64_t* bar) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" : : "r"(shared_address(bar)) : "memory");
}

// --- mbarriers
// -----------------------------------------------------------------------------------------------------------

DEV void mbarrier_init(uint64_t* bar, int count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" : : "r"(shared_address(bar)), "r"(count) : "memory");
}
DEV void mbarrier_inval(uint64_t* bar) {
  asm volatile("mbarrier.inval.shared.b64 [%0];" : : "r"(shared_address(bar)) : "memory");
}
DEV void mbarrier_arrive(uint64_t* bar) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" : : "r"(shared_address(bar)) : "memory");
}

DEV void mbarrier_expect(uint64_t* bar, uint32_t bytes) {
#if ISKRA_GPU_ARCH >= 900
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;"
               :
               : "r"(shared_address(bar)), "r"(bytes)
               : "memory");
#else
  __trap();
#endif
}

DEV void mbarrier_arrive_expect(uint64_t* bar, uint32_t bytes) {
#if ISKRA_GPU_ARCH >= 900
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;"
               :
               : "r"(shared_address(bar)), "r"(bytes)
               : "memory");
#else
  __trap();
#endif
}

/// At the mbarrier that block `rank` of the cluster has at the same place.
DEV void mbarrier_arrive_remote(uint64_t* bar, int rank) {
#if ISKRA_GPU_ARCH >= 900
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];"
               :
               : "r"(cluster_address(map_shared(bar, rank)))
               : "memory");
#else
  __trap();
#endif
}

/// Whether the phase of this parity has ended.
DEV bool mbarrier_test(uint64_t* bar, uint32_t parity) {
  uint32_t ended;
  asm volatile("{ .reg .pred p; mbarrier.test_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
               : "=r"(ended)
               : "r"(shared_address(bar)), "r"(parity)
               : "memory");
  return ended != 0;
}

/// Until it has.
DEV void mbarrier_wait(uint64_t* bar, uint32_t parity) {
#if ISKRA_GPU_ARCH >= 900
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                 : "=r"(ended)
                 : "r"(shared_address(bar)), "r"(parity)
                 : "memory");
  } while (ended == 0);
#else
  while (!mbarrier_test(bar, parity)) {
  }
#endif
}

// --- fences
// -----------------------------------------------------------------------------------------------------------

/// What this thread wrote to shared memory is seen by asynchronous units.
DEV void fence_proxy_async() {
#if ISKRA_GPU_ARCH >= 900
  asm volatile("fence.proxy.async;" : : : "memory");
#else
  __trap();
#endif
}

/// The mbarriers that this thread initialised are seen by them and by the cluster.
DEV void fence_mbarrier_init() {
#if ISKRA_GPU_ARCH >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" : : : "memory");
#else
  __trap();
#endif
}

/// Of 4 or 8 bytes, for the whole GPU.
template <class T>
DEV T load_acquire(const T* p) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  if constexpr (sizeof(T) == 4) {
    uint32_t bits;
    asm volatile("ld.acquire.gpu.b32 %0, [%1];" : "=r"(bits) : "l"(p) : "memory");
    return __builtin_bit_cast(T, bits);
  } else {
    uint64_t bits;
    asm volatile("ld.acquire.gpu.b64 %0, [%1];" : "=l"(bits) : "l"(p) : "memory");
    return __builtin_bit_cast(T, bits);
  }
}
template <class T>
DEV void store_release(T* p, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  if constexpr (sizeof(T) == 4) {
    asm volatile("st.release.gpu.b32 [%0], %1;"
                 :
                 : "l"(p), "r"(__builtin_bit_cast(uint32_t, value))
                 : "memory");
  } else {
    asm volatile("st.release.gpu.b64 [%0], %1;"
                 :
                 : "l"(p), "l"(__builtin_bit_cast(uint64_t, value))
                 : "memory");
  }
}

}  // namespace iskra::gpu

#else

#include <iskra/kernels/sim/async_copy.h>
#include <iskra/kernels/sim/cluster.h>
#include <iskra/kernels/sim/mbarrier.h>

namespace iskra::gpu {

inline void bar_sync(int id, int threads, ISKRA_SITE) { sim::named_barrier(id, threads, at); }
inline void bar_arrive(int id, int threads, ISKRA_SITE) { sim::named_barrier_arrive(id, threads, at); }
inline void cluster_arrive(ISKRA_SITE) { sim::cluster_arrive(at); }
inline void cluster_wait(ISKRA_SITE) { sim::cluster_wait(at); }
inline int cluster_rank() { return sim::cluster_rank(); }
template <class T>
T* map_shared(T* shared, int rank, ISKRA_SITE) {
  return static_cast<T*>(sim::map_shared(shared, rank, at));
}

template <int bytes>
void cp_async(void* shared, const void* global, int valid = bytes, ISKRA_SITE) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  sim::cp_async(shared, global, bytes, valid, at);
}
inline void cp_async_commit(ISKRA_SITE) { sim::cp_async_commit(at); }
template <int groups>
void cp_async_wait(ISKRA_SITE) {
  sim::cp_async_wait(groups, at);
}
inline void cp_async_wait_all(ISKRA_SITE) { sim::cp_async_wait_all(at); }
inline void cp_async_mbarrier_arrive(uint64_t* bar, ISKRA_SITE) { sim::cp_async_mbarrier_arrive(bar, at); }

inline void mbarrier_init(uint64_t* bar, int count, ISKRA_SITE) { sim::mbarrier_init(bar, count, at); }
inline void mbarrier_inval(uint64_t* bar, ISKRA_SITE) { sim::mbarrier_inval(bar, at); }
inline void mbarrier_arrive(uint64_t* bar, ISKRA_SITE) { sim::mbarrier_arrive(bar, at); }
inline void mbarrier_expect(uint64_t* bar, uint32_t bytes, ISKRA_SITE) {
  sim::mbarrier_expect(bar, bytes, at);
}
inline void mbarrier_arrive_expect(uint64_t* bar, uint32_t bytes, ISKRA_SITE) {
  sim::mbarrier_arrive_expect(bar, bytes, at);
}
inline void mbarrier_arrive_remote(uint64_t* bar, int rank, ISKRA_SITE) {
  sim::mbarrier_arrive_remote(bar, rank, at);
}
inline bool mbarrier_test(uint64_t* bar, uint32_t parity, ISKRA_SITE) {
  return sim::mbarrier_test(bar, parity, at);
}
inline void mbarrier_wait(uint64_t* bar, uint32_t parity, ISKRA_SITE) { sim::mbarrier_wait(bar, parity, at); }

inline void fence_proxy_async(ISKRA_SITE) { sim::fence_proxy_async(at); }
inline void fence_mbarrier_init(ISKRA_SITE) { sim::fence_mbarrier_init(at); }

template <class T>
T load_acquire(const T* p, ISKRA_SITE) {
  return sim::atomic_value<T>(sim::acquire_load(sim::atomic_type_of<T>(), p, at));
}
template <class T>
void store_release(T* p, T value, ISKRA_SITE) {
  sim::release_store(sim::atomic_type_of<T>(), p, sim::atomic_bits(value), at);
}

}  // namespace iskra::gpu

#endif
