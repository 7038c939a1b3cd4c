// The barriers that kernels call. All order memory.
#pragma once

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

/// What __syncthreads_count, _and and _or give.
struct Reduced {
  int count, all, any;
};

/// __syncthreads: every thread of the block that lives, all at the same place of the source.
Reduced block_barrier(int predicate, const char* what, const Site& at);
/// bar.sync id, threads: `threads` of the block, a multiple of 32; they may stand at different places.
void named_barrier(int id, int threads, const Site& at);
/// bar.arrive: counts, and goes on at once.
void named_barrier_arrive(int id, int threads, const Site& at);
/// barrier.cluster.arrive and .wait.
void cluster_arrive(const Site& at);
void cluster_wait(const Site& at);
/// All blocks of a cooperative launch.
void grid_barrier(const Site& at);
/// The kernel gives up.
[[noreturn]] void trap(const Site& at);

}  // namespace iskra::sim
