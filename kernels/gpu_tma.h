// Bulk copies and the tensor memory accelerator (sm_90; a trap before) for kernel files: every function is
// one PTX instruction under nvcc, and a call of the emulator elsewhere (sim/bulk_copy.h and sim/tma.h say
// what it does and demands). Coordinates are listed from the innermost dimension.
#pragma once

#include <iskra/kernels/gpu_async.h>
#include <iskra/kernels/gpu_tensor_map.h>

#ifdef __CUDACC__

namespace iskra::gpu {

/// Runs the instruction where there is one.
#if ISKRA_GPU_ARCH >= 900
#define ISKRA_SM90(...) asm volatile(__VA_ARGS__ : "memory")
#else
#define ISKRA_SM90(...) __trap()
#endif

// --- stretches
// -----------------------------------------------------------------------------------------------------------

/// Global to shared memory; the mbarrier is told of the bytes.
DEV void bulk_load(void* shared, const void* global, uint32_t bytes, uint64_t* bar) {
  ISKRA_SM90(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" : : "r"(
          shared_address(shared)),
      "l"(__cvta_generic_to_global(global)), "r"(bytes), "r"(shared_address(bar)));
}
/// Shared to global memory, in the next bulk group.
DEV void bulk_store(void* global, const void* shared, uint32_t bytes) {
  ISKRA_SM90(
      "cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" : : "l"(__cvta_generic_to_global(global)),
      "r"(shared_address(shared)), "r"(bytes));
}
/// To the shared memory of another block of the cluster, whose mbarrier is told of the bytes.
DEV void bulk_copy_to_block(void* there, const void* shared, uint32_t bytes, uint64_t* bar_there) {
  ISKRA_SM90(
      "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" : : "r"(
          cluster_address(there)),
      "r"(shared_address(shared)), "r"(bytes), "r"(cluster_address(bar_there)));
}

DEV void bulk_commit() { ISKRA_SM90("cp.async.bulk.commit_group;" : :); }
/// All groups but the last `groups` are stored.
template <int groups>
DEV void bulk_wait() {
  ISKRA_SM90("cp.async.bulk.wait_group %0;" : : "n"(groups));
}
/// They have read shared memory.
template <int groups>
DEV void bulk_wait_read() {
  ISKRA_SM90("cp.async.bulk.wait_group.read %0;" : : "n"(groups));
}

// --- boxes of tensors
// -----------------------------------------------------------------------------------------------------------

DEV void tma_prefetch(const TensorMap* map) { ISKRA_SM90("prefetch.tensormap [%0];" : : "l"(map)); }

DEV void tma_load_1d(void* shared, const TensorMap* map, int c0, uint64_t* bar) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2}], [%3];" : : "r"(shared_address(shared)),
      "l"(map), "r"(c0), "r"(shared_address(bar)));
}
DEV void tma_load_2d(void* shared, const TensorMap* map, int c0, int c1, uint64_t* bar) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3}], [%4];" : : "r"(shared_address(shared)),
      "l"(map), "r"(c0), "r"(c1), "r"(shared_address(bar)));
}
DEV void tma_load_3d(void* shared, const TensorMap* map, int c0, int c1, int c2, uint64_t* bar) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4}], [%5];" : : "r"(shared_address(shared)),
      "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(shared_address(bar)));
}
DEV void tma_load_4d(void* shared, const TensorMap* map, int c0, int c1, int c2, int c3, uint64_t* bar) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5}], [%6];" : : "r"(shared_address(shared)),
      "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(shared_address(bar)));
}
DEV void tma_load_5d(void* shared, const TensorMap* map, int c0, int c1, int c2, int c3, int c4,
                     uint64_t* bar) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5, %6}], [%7];" : : "r"(shared_address(shared)),
      "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4), "r"(shared_address(bar)));
}

/// To the same place in every block of the cluster that `blocks` names by a bit.
DEV void tma_load_2d_multicast(void* shared, const TensorMap* map, int c0, int c1, uint64_t* bar,
                               uint16_t blocks) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%2, %3}], [%4], %5;" : : "r"(shared_address(shared)),
      "l"(map), "r"(c0), "r"(c1), "r"(shared_address(bar)), "h"(blocks));
}
DEV void tma_load_3d_multicast(void* shared, const TensorMap* map, int c0, int c1, int c2, uint64_t* bar,
                               uint16_t blocks) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%2, %3, %4}], [%5], %6;" : : "r"(shared_address(shared)),
      "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(shared_address(bar)), "h"(blocks));
}
DEV void tma_load_4d_multicast(void* shared, const TensorMap* map, int c0, int c1, int c2, int c3,
                               uint64_t* bar, uint16_t blocks) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%2, %3, %4, %5}], [%6], %7;" : : "r"(shared_address(shared)),
      "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(shared_address(bar)), "h"(blocks));
}

/// Pixels from (c, w, h, n) on, at the tap (tap_w, tap_h) of the filter.
DEV void tma_load_im2col_4d(void* shared, const TensorMap* map, int c, int w, int h, int n, uint16_t tap_w,
                            uint16_t tap_h, uint64_t* bar) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5}], [%6], {%7, %8};" : : "r"(shared_address(shared)),
      "l"(map), "r"(c), "r"(w), "r"(h), "r"(n), "r"(shared_address(bar)), "h"(tap_w), "h"(tap_h));
}

/// In the next bulk group.
DEV void tma_store_1d(const TensorMap* map, const void* shared, int c0) {
  ISKRA_SM90("cp.async.bulk.tensor.1d.global.shared::cta.tile.bulk_group [%0, {%1}], [%2];" : : "l"(map),
             "r"(c0), "r"(shared_address(shared)));
}
DEV void tma_store_2d(const TensorMap* map, const void* shared, int c0, int c1) {
  ISKRA_SM90("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];" : : "l"(map),
             "r"(c0), "r"(c1), "r"(shared_address(shared)));
}
DEV void tma_store_3d(const TensorMap* map, const void* shared, int c0, int c1, int c2) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3}], [%4];" : : "l"(map),
      "r"(c0), "r"(c1), "r"(c2), "r"(shared_address(shared)));
}
DEV void tma_store_4d(const TensorMap* map, const void* shared, int c0, int c1, int c2, int c3) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3, %4}], [%5];" : : "l"(map),
      "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(shared_address(shared)));
}
DEV void tma_store_5d(const TensorMap* map, const void* shared, int c0, int c1, int c2, int c3, int c4) {
  ISKRA_SM90(
      "cp.async.bulk.tensor.5d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3, %4, %5}], [%6];" : : "l"(
          map),
      "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4), "r"(shared_address(shared)));
}

DEV void tma_reduce_add_1d(const TensorMap* map, const void* shared, int c0) {
  ISKRA_SM90(
      "cp.reduce.async.bulk.tensor.1d.global.shared::cta.add.tile.bulk_group [%0, {%1}], [%2];" : : "l"(map),
      "r"(c0), "r"(shared_address(shared)));
}
DEV void tma_reduce_add_2d(const TensorMap* map, const void* shared, int c0, int c1) {
  ISKRA_SM90(
      "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%0, {%1, %2}], [%3];" : : "l"(
          map),
      "r"(c0), "r"(c1), "r"(shared_address(shared)));
}
DEV void tma_reduce_add_3d(const TensorMap* map, const void* shared, int c0, int c1, int c2) {
  ISKRA_SM90("cp.reduce.async.bulk.tensor.3d.global.shared::cta.add.tile.bulk_group [%0, {%1, %2, %3}], [%4];"
             :
             : "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(shared_address(shared)));
}
DEV void tma_reduce_add_4d(const TensorMap* map, const void* shared, int c0, int c1, int c2, int c3) {
  ISKRA_SM90(
      "cp.reduce.async.bulk.tensor.4d.global.shared::cta.add.tile.bulk_group [%0, {%1, %2, %3, %4}], "
      "[%5];" : : "l"(map),
      "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(shared_address(shared)));
}
DEV void tma_reduce_add_5d(const TensorMap* map, const void* shared, int c0, int c1, int c2, int c3, int c4) {
  ISKRA_SM90(
      "cp.reduce.async.bulk.tensor.5d.global.shared::cta.add.tile.bulk_group [%0, {%1, %2, %3, %4, %5}], "
      "[%6];" : : "l"(map),
      "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4), "r"(shared_address(shared)));
}

#undef ISKRA_SM90

}  // namespace iskra::gpu

#else

#include <iskra/kernels/sim/bulk_copy.h>
#include <iskra/kernels/sim/tma.h>

namespace iskra::gpu {

inline void bulk_load(void* shared, const void* global, uint32_t bytes, uint64_t* bar, ISKRA_SITE) {
  sim::bulk_load(shared, global, bytes, bar, at);
}
inline void bulk_store(void* global, const void* shared, uint32_t bytes, ISKRA_SITE) {
  sim::bulk_store(global, shared, bytes, at);
}
inline void bulk_copy_to_block(void* there, const void* shared, uint32_t bytes, uint64_t* bar_there,
                               ISKRA_SITE) {
  sim::bulk_copy_to_block(there, shared, bytes, bar_there, at);
}
inline void bulk_commit(ISKRA_SITE) { sim::bulk_commit(at); }
template <int groups>
void bulk_wait(ISKRA_SITE) {
  sim::bulk_wait(groups, at);
}
template <int groups>
void bulk_wait_read(ISKRA_SITE) {
  sim::bulk_wait_read(groups, at);
}

inline void tma_prefetch(const TensorMap* map, ISKRA_SITE) { sim::tma_prefetch(map, at); }

inline void tma_load_1d(void* shared, const TensorMap* map, int c0, uint64_t* bar, ISKRA_SITE) {
  const int c[] = {c0};
  sim::tma_load(1, shared, map, static_cast<const int*>(c), bar, at);
}
inline void tma_load_2d(void* shared, const TensorMap* map, int c0, int c1, uint64_t* bar, ISKRA_SITE) {
  const int c[] = {c0, c1};
  sim::tma_load(2, shared, map, static_cast<const int*>(c), bar, at);
}
inline void tma_load_3d(void* shared, const TensorMap* map, int c0, int c1, int c2, uint64_t* bar,
                        ISKRA_SITE) {
  const int c[] = {c0, c1, c2};
  sim::tma_load(3, shared, map, static_cast<const int*>(c), bar, at);
}
inline void tma_load_4d(void* shared, const TensorMap* map, int c0, int c1, int c2, int c3, uint64_t* bar,
                        ISKRA_SITE) {
  const int c[] = {c0, c1, c2, c3};
  sim::tma_load(4, shared, map, static_cast<const int*>(c), bar, at);
}
inline void tma_load_5d(void* shared, const TensorMap* map, int c0, int c1, int c2, int c3, int c4,
                        uint64_t* bar, ISKRA_SITE) {
  const int c[] = {c0, c1, c2, c3, c4};
  sim::tma_load(5, shared, map, static_cast<const int*>(c), bar, at);
}
inline void tma_load_2d_multicast(void* shared, const TensorMap* map, int c0, int c1, uint64_t* bar,
                                  uint16_t blocks, ISKRA_SITE) {
  const int c[] = {c0, c1};
  sim::tma_load_multicast(2, shared, map, static_cast<const int*>(c), bar, blocks, at);
}
inline void tma_load_3d_multicast(void* shared, const TensorMap* map, int c0, int c1, int c2, uint64_t* bar,
                                  uint16_t blocks, ISKRA_SITE) {
  const int c[] = {c0, c1, c2};
  sim::tma_load_multicast(3, shared, map, static_cast<const int*>(c), bar, blocks, at);
}
inline void tma_load_4d_multicast(void* shared, const TensorMap* map, int c0, int c1, int c2, int c3,
                                  uint64_t* bar, uint16_t blocks, ISKRA_SITE) {
  const int c[] = {c0, c1, c2, c3};
  sim::tma_load_multicast(4, shared, map, static_cast<const int*>(c), bar, blocks, at);
}
inline void tma_load_im2col_4d(void* shared, const TensorMap* map, int c, int w, int h, int n, uint16_t tap_w,
                               uint16_t tap_h, uint64_t* bar, ISKRA_SITE) {
  const int place[] = {c, w, h, n};
  const uint16_t tap[] = {tap_w, tap_h};
  sim::tma_load_im2col(shared, map, static_cast<const int*>(place), static_cast<const uint16_t*>(tap), bar,
                       at);
}
inline void tma_store_1d(const TensorMap* map, const void* shared, int c0, ISKRA_SITE) {
  const int c[] = {c0};
  sim::tma_store(1, map, shared, static_cast<const int*>(c), at);
}
inline void tma_store_2d(const TensorMap* map, const void* shared, int c0, int c1, ISKRA_SITE) {
  const int c[] = {c0, c1};
  sim::tma_store(2, map, shared, static_cast<const int*>(c), at);
}
inline void tma_store_3d(const TensorMap* map, const void* shared, int c0, int c1, int c2, ISKRA_SITE) {
  const int c[] = {c0, c1, c2};
  sim::tma_store(3, map, shared, static_cast<const int*>(c), at);
}
inline void tma_store_4d(const TensorMap* map, const void* shared, int c0, int c1, int c2, int c3,
                         ISKRA_SITE) {
  const int c[] = {c0, c1, c2, c3};
  sim::tma_store(4, map, shared, static_cast<const int*>(c), at);
}
inline void tma_store_5d(const TensorMap* map, const void* shared, int c0, int c1, int c2, int c3, int c4,
                         ISKRA_SITE) {
  const int c[] = {c0, c1, c2, c3, c4};
  sim::tma_store(5, map, shared, static_cast<const int*>(c), at);
}
inline void tma_reduce_add_1d(const TensorMap* map, const void* shared, int c0, ISKRA_SITE) {
  const int c[] = {c0};
  sim::tma_reduce_add(1, map, shared, static_cast<const int*>(c), at);
}
inline void tma_reduce_add_2d(const TensorMap* map, const void* shared, int c0, int c1, ISKRA_SITE) {
  const int c[] = {c0, c1};
  sim::tma_reduce_add(2, map, shared, static_cast<const int*>(c), at);
}
inline void tma_reduce_add_3d(const TensorMap* map, const void* shared, int c0, int c1, int c2, ISKRA_SITE) {
  const int c[] = {c0, c1, c2};
  sim::tma_reduce_add(3, map, shared, static_cast<const int*>(c), at);
}
inline void tma_reduce_add_4d(const TensorMap* map, const void* shared, int c0, int c1, int c2, int c3,
                              ISKRA_SITE) {
  const int c[] = {c0, c1, c2, c3};
  sim::tma_reduce_add(4, map, shared, static_cast<const int*>(c), at);
}
inline void tma_reduce_add_5d(const TensorMap* map, const void* shared, int c0, int c1, int c2, int c3,
                              int c4, ISKRA_SITE) {
  const int c[] = {c0, c1, c2, c3, c4};
  sim::tma_reduce_add(5, map, shared, static_cast<const int*>(c), at);
}

}  // namespace iskra::gpu

#endif
