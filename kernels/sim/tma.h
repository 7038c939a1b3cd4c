// cp.async.bulk.tensor: boxes of tensors, between global and shared memory. Coordinates are listed from the
// innermost dimension.
#pragma once

#include <cstdint>

#include <iskra/kernels/sim/fault.h>
#include <iskra/kernels/sim/tensor_map.h>

namespace iskra::sim {

/// The box at these coordinates of a map of this rank, to shared memory (aligned to 128 bytes). What lies
/// outside of the tensor is filled, and counts among the bytes that the mbarrier is told of.
void tma_load(int rank, void* shared, const TensorMap* map, const int* at_coordinates, uint64_t* mbarrier,
              const Site& at);
/// To the same place in every block of the cluster that `blocks` names by a bit, and to its mbarrier.
void tma_load_multicast(int rank, void* shared, const TensorMap* map, const int* at_coordinates,
                        uint64_t* mbarrier, uint16_t blocks, const Site& at);
/// Pixels from (c, w, h, n) on, each at an offset of (w, h) that is the filter's tap.
void tma_load_im2col(void* shared, const TensorMap* map, const int* at_coordinates, const uint16_t* offsets,
                     uint64_t* mbarrier, const Site& at);
/// To the tensor; part of the thread's next bulk group. What lies outside of the tensor is left out.
void tma_store(int rank, const TensorMap* map, const void* shared, const int* at_coordinates, const Site& at);
/// Adds to the tensor, each element by itself: i32, f16, bf16 and f32.
void tma_reduce_add(int rank, const TensorMap* map, const void* shared, const int* at_coordinates,
                    const Site& at);
void tma_prefetch(const TensorMap* map, const Site& at);

}  // namespace iskra::sim
