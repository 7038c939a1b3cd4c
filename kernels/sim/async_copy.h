// cp.async: copies of 4, 8 or 16 bytes from global to shared memory that a thread begins and waits for.
#pragma once

#include <cstdint>

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

/// cp.async of `bytes`, of which the first `valid` come from `global` and the others are zero. The
/// destination is undefined from now on, and the source is read at the wait that covers the copy.
void cp_async(void* shared, const void* global, int bytes, int valid, const Site& at);
/// cp.async.commit_group
void cp_async_commit(const Site& at);
/// cp.async.wait_group: all groups but the last `groups`.
void cp_async_wait(int groups, const Site& at);
/// cp.async.wait_all, which commits as well.
void cp_async_wait_all(const Site& at);
/// cp.async.mbarrier.arrive.noinc: an arrival once all copies so far of this thread are done.
void cp_async_mbarrier_arrive(uint64_t* mbarrier, const Site& at);

}  // namespace iskra::sim
