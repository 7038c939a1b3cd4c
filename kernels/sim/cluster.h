// Clusters: blocks that see each other's shared memory; and the fences of asynchronous units.
#pragma once

#include <cstdint>

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

class Engine;
struct Block;
struct Thread;

/// %cluster_ctarank: the number of the running block in its cluster.
int cluster_rank();
/// mapa: where block `rank` of the cluster has what this block has at `shared`. The block must not have
/// ended.
void* map_shared(const void* shared, int rank, const Site& at);
/// fence.proxy.async: asynchronous units see what is in shared memory now.
void fence_proxy_async(const Site& at);
/// fence.mbarrier_init: other blocks and asynchronous units may use the mbarriers that this thread made.
void fence_mbarrier_init(const Site& at);

// --- for the emulator's other sources
/// Block `rank` of the cluster of `of`; it must exist and live.
Block& block_of_cluster(Engine& engine, const Thread& of, int rank, const char* what, const Site& at);
/// The block of the cluster in whose shared memory p lies, which must exist and live.
Block& block_that_has(Engine& engine, const Thread& of, const void* p, const char* what, const Site& at);

}  // namespace iskra::sim
