// Work that is done later, and the queues of it that a thread has. For the emulator's sources only.
#pragma once

#include <type_traits>

#include <iskra/kernels/sim/engine.h>
#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {

template <class T>
Job make_job(void (*run)(Job&), Thread& issuer, const Site& at, const T& payload) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(Job::payload) && alignof(T) <= 16);
  Job job{run, &issuer, at, {}};
  raw_copy(job.payload, &payload, sizeof payload);
  return job;
}
template <class T>
T payload_of(const Job& job) {
  T payload;
  raw_copy(&payload, job.payload, sizeof payload);
  return payload;
}

inline void add_job(JobQueue& queue, const Job& job) {
  TsanIgnore ignore;
  queue.jobs.push_back(job);
}

/// What came since the last group becomes one, even if it is nothing.
inline void commit_group(JobQueue& queue) {
  TsanIgnore ignore;
  queue.group_ends.push_back(queue.jobs.size());
}

/// How many jobs stand before the last `left` groups.
inline size_t jobs_before(const JobQueue& queue, int left) {
  auto groups = static_cast<int>(queue.group_ends.size());
  return groups <= left ? 0 : queue.group_ends[static_cast<size_t>(groups - left - 1)];
}

/// The first `count` jobs leave, and the groups that end with them.
inline void drop_front(JobQueue& queue, size_t count, size_t groups) {
  TsanIgnore ignore;
  queue.jobs.erase(queue.jobs.begin(), queue.jobs.begin() + static_cast<ptrdiff_t>(count));
  queue.group_ends.erase(queue.group_ends.begin(), queue.group_ends.begin() + static_cast<ptrdiff_t>(groups));
  for (size_t& end : queue.group_ends) end = end < count ? 0 : end - count;
  queue.done += count;
}

/// An address that an instruction names, checked: `bytes` of one shared variable of the block.
uint32_t shared_range(Engine& engine, const Block& block, const void* p, size_t bytes, size_t alignment,
                      const char* what, const Site& at);

// --- when a thread ends
/// async_copy.cpp: copies that nobody waited for are lost, but for those that an mbarrier is to be told of.
void end_copies(Thread& self);
/// bulk_copy.cpp: stores must have read what they store.
void end_stores(Engine& engine, Thread& self);
/// warpgroup.cpp: nobody of its warpgroup may need the thread any more.
void end_in_warpgroup(Engine& engine, Thread& self);

}  // namespace iskra::sim
