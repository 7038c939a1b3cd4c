// mbarrier: barriers of 8 bytes in shared memory that count arrivals and bytes of asynchronous copies. A
// phase ends when all arrivals and all bytes that were expected have come. Arrivals and waits order memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

class Engine;
struct Block;

/// Each phase ends after `count` arrivals. Before other blocks or asynchronous units use it: a
/// fence.mbarrier_init of the same thread or a fence.proxy.async, and then a barrier.
void mbarrier_init(uint64_t* mbarrier, int count, const Site& at);
/// Its memory may be used for something else, or for another mbarrier.
void mbarrier_inval(uint64_t* mbarrier, const Site& at);
void mbarrier_arrive(uint64_t* mbarrier, const Site& at);
/// The phase under way ends no sooner than `bytes` more have been copied.
void mbarrier_expect(uint64_t* mbarrier, uint32_t bytes, const Site& at);
void mbarrier_arrive_expect(uint64_t* mbarrier, uint32_t bytes, const Site& at);
/// At the mbarrier that block `rank` of the cluster has where this block has `mbarrier`.
void mbarrier_arrive_remote(uint64_t* mbarrier, int rank, const Site& at);
/// Until the phase of this parity (0 for the first) has ended.
void mbarrier_wait(uint64_t* mbarrier, uint32_t parity, const Site& at);
/// Whether it has.
bool mbarrier_test(uint64_t* mbarrier, uint32_t parity, const Site& at);

// --- for the emulator's other sources
/// Its shared offset, checked; `asynchronous`: for a unit that must know of its initialisation. What the
/// thread did so far is seen by whoever waits for the phase under way.
uint32_t mbarrier_for_later(Engine& engine, Block& block, const void* mbarrier, bool asynchronous,
                            const char* what, const Site& at);
void mbarrier_arrive_late(Block& block, uint32_t offset, const char* what, const Site& at);
void mbarrier_complete(Block& block, uint32_t offset, size_t bytes, const char* what, const Site& at);
/// Other blocks and asynchronous units know of what was initialised: by the running thread, or by any.
void mbarriers_made_known(Block& block, bool by_any);

}  // namespace iskra::sim
