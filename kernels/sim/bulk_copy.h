// cp.async.bulk: copies of whole stretches by an asynchronous unit, which sees shared memory as the last
// fence.proxy.async left it.
#pragma once

#include <cstdint>

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

/// Global to shared memory, addresses and size multiples of 16 bytes. The destination is undefined until the
/// copy completes its bytes at the mbarrier.
void bulk_load(void* shared, const void* global, uint32_t bytes, uint64_t* mbarrier, const Site& at);
/// Shared to global memory; part of the thread's next bulk group.
void bulk_store(void* global, const void* shared, uint32_t bytes, const Site& at);
/// Shared memory of this block to that of a block of its cluster, where the mbarrier is, too.
void bulk_copy_to_block(void* there, const void* shared, uint32_t bytes, uint64_t* mbarrier_there,
                        const Site& at);
/// cp.async.bulk.commit_group
void bulk_commit(const Site& at);
/// cp.async.bulk.wait_group: all groups but the last `groups` have written what they store.
void bulk_wait(int groups, const Site& at);
/// cp.async.bulk.wait_group.read: they have read it, so that its shared memory may be used again.
void bulk_wait_read(int groups, const Site& at);

}  // namespace iskra::sim
