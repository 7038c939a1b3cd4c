#include <iskra/kernels/sim/bulk_copy.h>

#include <algorithm>

#include <iskra/kernels/sim/cluster.h>
#include <iskra/kernels/sim/jobs.h>
#include <iskra/kernels/sim/mbarrier.h>
#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

constexpr uint32_t kUnit = 16;

void check_size(Engine& engine, uint32_t bytes, const char* what, const Site& at) {
  if (bytes == 0 || bytes % kUnit != 0) {
    engine.fail(at, "%s of %u bytes; want a multiple of %u", what, bytes, kUnit);
  }
}

void check_global(Engine& engine, const void* p, uint32_t bytes, const char* what, const Site& at) {
  if (reinterpret_cast<uintptr_t>(p) % kUnit != 0) {
    engine.fail(at, "%s: global address %p is not aligned to %u bytes", what, p, kUnit);
  }
  asan_check(p, bytes);
}

void begins(Block& block, const Site& at) {
  ++block.in_flight;
  block.in_flight_at = at;
}

// --- loads
// -----------------------------------------------------------------------------------------------------------

struct Load {
  const void* from;
  uint32_t to, bytes, mbarrier;
};

void load_now(Job& job) {
  auto load = payload_of<Load>(job);
  Block& block = *job.issuer->block;
  block.shared.async_write(load.to, load.from, load.bytes);
  --block.in_flight;
  mbarrier_complete(block, load.mbarrier, load.bytes, "cp.async.bulk", job.at);
}

// --- to another block
// -----------------------------------------------------------------------------------------------------------

struct Send {
  Block* block;
  uint32_t from, to, bytes, mbarrier;
};

void send_now(Job& job) {
  auto send = payload_of<Send>(job);
  Block& mine = *job.issuer->block;
  std::vector<unsigned char> data(send.bytes);
  mine.shared.async_read(send.from, data.data(), send.bytes);
  send.block->shared.async_write(send.to, data.data(), send.bytes);
  --mine.in_flight;
  --send.block->in_flight;
  mbarrier_complete(*send.block, send.mbarrier, send.bytes, "cp.async.bulk", job.at);
}

// --- stores
// -----------------------------------------------------------------------------------------------------------

struct Store {
  void* to;
  uint32_t from, bytes;
};

// Called twice: first it reads, then it writes.
void store_now(Job& job) {
  auto store = payload_of<Store>(job);
  if (!job.staged.empty()) {
    raw_copy(store.to, job.staged.data(), store.bytes);
    return;
  }
  job.staged.resize(store.bytes);
  job.issuer->block->shared.async_read(store.from, job.staged.data(), store.bytes);
}

void read_stores(JobQueue& stores, size_t count) {
  TsanIgnore ignore;
  for (size_t i = 0; i < count; ++i) {
    if (stores.jobs[i].staged.empty()) stores.jobs[i].run(stores.jobs[i]);
  }
}

void write_stores(JobQueue& stores, size_t count, size_t groups) {
  read_stores(stores, count);
  for (size_t i = 0; i < count; ++i) stores.jobs[i].run(stores.jobs[i]);
  drop_front(stores, count, groups);
}

}  // namespace

void bulk_load(void* shared, const void* global, uint32_t bytes, uint64_t* mbarrier, const Site& at) {
  constexpr const char* kWhat = "cp.async.bulk";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  check_size(engine, bytes, kWhat, at);
  check_global(engine, global, bytes, kWhat, at);
  uint32_t to = shared_range(engine, *self.block, shared, bytes, kUnit, kWhat, at);
  tsan_read(global, bytes);
  tsan_write(shared, bytes);
  uint32_t bar = mbarrier_for_later(engine, *self.block, mbarrier, true, kWhat, at);
  self.block->shared.async_undefine(to, bytes);
  begins(*self.block, at);
  engine.add_job(make_job(load_now, self, at, Load{global, to, bytes, bar}));
  engine.turn(self, kWhat, at);
}

void bulk_store(void* global, const void* shared, uint32_t bytes, const Site& at) {
  constexpr const char* kWhat = "cp.async.bulk";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  check_size(engine, bytes, kWhat, at);
  check_global(engine, global, bytes, kWhat, at);
  uint32_t from = shared_range(engine, *self.block, shared, bytes, kUnit, kWhat, at);
  tsan_read(shared, bytes);
  tsan_write(global, bytes);
  add_job(self.stores, make_job(store_now, self, at, Store{global, from, bytes}));
}

void bulk_copy_to_block(void* there, const void* shared, uint32_t bytes, uint64_t* mbarrier_there,
                        const Site& at) {
  constexpr const char* kWhat = "cp.async.bulk";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  check_size(engine, bytes, kWhat, at);
  uint32_t from = shared_range(engine, *self.block, shared, bytes, kUnit, kWhat, at);
  Block& block = block_that_has(engine, self, there, kWhat, at);
  uint32_t to = shared_range(engine, block, there, bytes, kUnit, kWhat, at);
  if (!block.shared.contains(mbarrier_there)) {
    engine.fail(at, "%s: the mbarrier is not in the block that is copied to", kWhat);
  }
  tsan_read(shared, bytes);
  tsan_write(there, bytes);
  uint32_t bar = mbarrier_for_later(engine, block, mbarrier_there, true, kWhat, at);
  block.shared.async_undefine(to, bytes);
  begins(*self.block, at);
  begins(block, at);
  engine.add_job(make_job(send_now, self, at, Send{&block, from, to, bytes, bar}));
  engine.turn(self, kWhat, at);
}

void bulk_commit(const Site& at) {
  constexpr const char* kWhat = "cp.async.bulk.commit_group";
  Thread& self = Engine::self(kWhat);
  commit_group(self.stores);
  Engine::of_this_thread().turn(self, kWhat, at);
}

void bulk_wait(int groups, const Site& at) {
  constexpr const char* kWhat = "cp.async.bulk.wait_group";
  Thread& self = Engine::self(kWhat);
  auto all = static_cast<int>(self.stores.group_ends.size());
  write_stores(self.stores, jobs_before(self.stores, groups), static_cast<size_t>(std::max(all - groups, 0)));
  Engine::of_this_thread().turn(self, kWhat, at);
}

void bulk_wait_read(int groups, const Site& at) {
  constexpr const char* kWhat = "cp.async.bulk.wait_group.read";
  Thread& self = Engine::self(kWhat);
  read_stores(self.stores, jobs_before(self.stores, groups));
  Engine::of_this_thread().turn(self, kWhat, at);
}

void end_stores(Engine& engine, Thread& self) {
  for (const Job& job : self.stores.jobs) {
    if (!job.staged.empty()) continue;
    engine.fail(job.at,
                "the thread ends while its bulk store reads shared memory: commit it and wait for it "
                "(cp.async.bulk.wait_group.read)");
  }
  write_stores(self.stores, self.stores.jobs.size(), self.stores.group_ends.size());
}

}  // namespace iskra::sim
