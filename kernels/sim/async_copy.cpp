#include <iskra/kernels/sim/async_copy.h>

#include <algorithm>

#include <iskra/kernels/sim/jobs.h>
#include <iskra/kernels/sim/mbarrier.h>
#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

struct Copy {
  char* to;
  const char* from;
  int bytes, valid;
};

void copy_now(Job& job) {
  auto copy = payload_of<Copy>(job);
  raw_copy(copy.to, copy.from, static_cast<size_t>(copy.valid));
  raw_fill(copy.to + copy.valid, 0, static_cast<size_t>(copy.bytes - copy.valid));
}

// Does the first `count` copies; `groups` end with them.
void finish(JobQueue& copies, size_t count, size_t groups) {
  for (size_t i = 0; i < count; ++i) copies.jobs[i].run(copies.jobs[i]);
  drop_front(copies, count, groups);
}

struct Arrival {
  uint32_t mbarrier;
  size_t copies;  ///< so many of all that the thread began
};

void arrive_now(Job& job) {
  auto arrival = payload_of<Arrival>(job);
  JobQueue& copies = job.issuer->copies;
  if (arrival.copies > copies.done) finish(copies, arrival.copies - copies.done, 0);
  --job.issuer->block->in_flight;
  mbarrier_arrive_late(*job.issuer->block, arrival.mbarrier, "cp.async.mbarrier.arrive", job.at);
}

}  // namespace

uint32_t shared_range(Engine& engine, const Block& block, const void* p, size_t bytes, size_t alignment,
                      const char* what, const Site& at) {
  if (!block.shared.contains(p))
    engine.fail(at, "%s: address %p is not in the block's shared memory", what, p);
  uint32_t offset = block.shared.offset_of(p);
  if (offset % alignment != 0) {
    engine.fail(at, "%s: shared address 0x%x is not aligned to %zu bytes", what, offset, alignment);
  }
  if (size_t room = block.shared.room_at(p); room < bytes) {
    engine.fail(at, "%s: %zu bytes at shared address 0x%x, where the variable has %zu", what, bytes, offset,
                room);
  }
  return offset;
}

void cp_async(void* shared, const void* global, int bytes, int valid, const Site& at) {
  constexpr const char* kWhat = "cp.async";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  auto size = static_cast<size_t>(bytes);
  if (bytes != 4 && bytes != 8 && bytes != 16)
    engine.fail(at, "%s of %d bytes; want 4, 8 or 16", kWhat, bytes);
  if (valid < 0 || valid > bytes) engine.fail(at, "%s: %d valid bytes of %d", kWhat, valid, bytes);
  shared_range(engine, *self.block, shared, size, size, kWhat, at);
  if (reinterpret_cast<uintptr_t>(global) % size != 0) {
    engine.fail(at, "%s: global address %p is not aligned to %d bytes", kWhat, global, bytes);
  }
  asan_check(global, static_cast<size_t>(valid));
  tsan_read(global, static_cast<size_t>(valid));
  tsan_write(shared, size);
  raw_fill(shared, 0xFF, size);
  Copy copy{static_cast<char*>(shared), static_cast<const char*>(global), bytes, valid};
  add_job(self.copies, make_job(copy_now, self, at, copy));
}

void cp_async_commit(const Site& at) {
  constexpr const char* kWhat = "cp.async.commit_group";
  Thread& self = Engine::self(kWhat);
  commit_group(self.copies);
  Engine::of_this_thread().turn(self, kWhat, at);
}

void cp_async_wait(int groups, const Site& at) {
  constexpr const char* kWhat = "cp.async.wait_group";
  Thread& self = Engine::self(kWhat);
  auto all = static_cast<int>(self.copies.group_ends.size());
  finish(self.copies, jobs_before(self.copies, groups), static_cast<size_t>(std::max(all - groups, 0)));
  Engine::of_this_thread().turn(self, kWhat, at);
}

void cp_async_wait_all(const Site& at) {
  commit_group(Engine::self("cp.async.wait_all").copies);
  cp_async_wait(0, at);
}

void cp_async_mbarrier_arrive(uint64_t* mbarrier, const Site& at) {
  constexpr const char* kWhat = "cp.async.mbarrier.arrive";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  uint32_t offset = mbarrier_for_later(engine, *self.block, mbarrier, false, kWhat, at);
  self.promised = self.copies.done + self.copies.jobs.size();
  ++self.block->in_flight;
  self.block->in_flight_at = at;
  engine.add_job(make_job(arrive_now, self, at, Arrival{offset, self.promised}));
  engine.turn(self, kWhat, at);
}

void end_copies(Thread& self) {
  TsanIgnore ignore;
  JobQueue& copies = self.copies;
  size_t kept = self.promised > copies.done ? self.promised - copies.done : 0;
  copies.jobs.erase(copies.jobs.begin() + static_cast<ptrdiff_t>(std::min(kept, copies.jobs.size())),
                    copies.jobs.end());
  copies.group_ends.clear();
}

}  // namespace iskra::sim
