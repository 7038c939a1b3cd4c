// wgmma (sm_90a): products of matrices by a whole warpgroup, done by an asynchronous unit that takes A and B
// from shared memory.
//
// The order of things: wgmma_fence, wgmma (any number), wgmma_commit, wgmma_wait. Until the wait that covers
// a product its accumulators are NaN; whoever writes them meanwhile is reported. A and B are read when the
// product is done, in the first wait of any of its threads, as asynchronous units see shared memory: what was
// stored there without fence.proxy.async after it is undefined, and so is what was not there yet when the
// first of the threads came to the wgmma. Once one thread's wait is over, all of the group's products that it
// covers have read their operands.
#pragma once

#include <cstdint>

#include <iskra/kernels/sim/fault.h>
#include <iskra/kernels/sim/matrix.h>
#include <iskra/kernels/sim/tensor_map.h>

namespace iskra::sim {

/// m64nNk16 (bf16, f16) or m64nNk8 (tf32), accumulated in f32 as mma is.
struct WgmmaKind {
  MatrixType type;
  int n;  ///< 8 … 256, a multiple of 8
  bool a_mn_major, b_mn_major;
  bool a_negated, b_negated;
};

/// d (N/2 accumulators) = a b + (adds ? d : 0). A is what `a` describes, or, with `registers`, those four.
/// d must stay where it is until the wait. A wgmma.fence must stand between it and whatever touched its
/// registers before: here after each wait and before each use of A in registers that have changed. Products
/// that follow one another on the same accumulators need none between.
void wgmma(const WgmmaKind& kind, float* d, const uint32_t* registers, uint64_t a, uint64_t b, bool adds,
           const Site& at);
void wgmma_fence(const Site& at);
void wgmma_commit(const Site& at);
/// All groups but the last `groups`.
void wgmma_wait(int groups, const Site& at);

/// setmaxnreg.inc, .dec: the same by all warps of a warpgroup, which must meet before the next one. More come
/// from what other warps of the block gave back: waits for that. At the start a thread has what a block of
/// this size may have of 64 Ki registers, but not more than the most that a setmaxnreg of the kernel names,
/// as nvcc does for __launch_bounds__(threads, 1), without which it ignores them all.
void set_max_registers(bool increase, int registers, const Site& at);

/// The descriptor (matrix_descriptor.h) of what lies at p, 16-byte aligned in the block's shared memory.
uint64_t descriptor_of(const void* p, uint32_t leading, uint32_t stride, Swizzle swizzle, int base_offset,
                       const Site& at);

}  // namespace iskra::sim
