#include <iskra/kernels/sim/barrier.h>

#include <algorithm>

#include <iskra/kernels/sim/engine.h>
#include <iskra/kernels/sim/jobs.h>

namespace iskra::sim {
namespace {

// ThreadSanitizer learns of a phase by one of two objects in turn: with one alone, whoever leaves late would
// also see what others did in the next phase, and races would go unseen.
char* object_of(Barrier& barrier) { return &barrier.ordered[barrier.phase & 1]; }

// The last one has come: all go on, and the next phase begins.
void release(Engine& engine, Barrier& barrier) {
  std::copy_n(barrier.reduced, 3, barrier.result);
  barrier.reduced[0] = 0, barrier.reduced[1] = -1, barrier.reduced[2] = 0;
  barrier.arrived = 0;
  barrier.expected = 0;
  ++barrier.phase;
  for (Thread* t = barrier.waiters; t != nullptr;) {
    Thread* following = t->next_waiter;
    t->next_waiter = nullptr;
    engine.make_ready(*t);
    t = following;
  }
  barrier.waiters = nullptr;
}

// Arrives, and waits for the others.
void arrive_and_wait(Engine& engine, Thread& self, Barrier& barrier, int needed, const char* what,
                     const Site& at) {
  const char* object = object_of(barrier);
  tsan_release(object);
  if (++barrier.arrived >= needed) {
    release(engine, barrier);
    engine.turn(self, what, at);
  } else {
    self.next_waiter = barrier.waiters;
    barrier.waiters = &self;
    engine.wait(self, what, at);
  }
  tsan_acquire(object);
}

void check_same_place(Engine& engine, const Barrier& barrier, const char* what, const Site& at) {
  const Thread* other = barrier.waiters;
  if (other == nullptr || (same(other->at, at) && other->what == what)) return;
  engine.fail(at, "%s in divergent code: thread (%u, %u, %u) of the block waits in %s at %s:%u", what,
              other->index.x, other->index.y, other->index.z, other->what, file_of(other->at),
              other->at.line());
}

Barrier& named(Engine& engine, Thread& self, int id, int threads, const char* what, const Site& at) {
  if (id < 0 || id >= kNamedBarriers) engine.fail(at, "%s: barrier %d; a block has 0 to 15", what, id);
  if (threads <= 0 || threads % 32 != 0 || threads > (self.block->count + 31) / 32 * 32) {
    engine.fail(at, "%s: %d threads; want a multiple of 32 of the block's %d", what, threads,
                self.block->count);
  }
  Barrier& barrier = self.block->barriers[id];
  if (barrier.arrived > 0 && barrier.expected != threads) {
    engine.fail(at, "%s: barrier %d is used for %d threads here and for %d by those that have arrived", what,
                id, threads, barrier.expected);
  }
  barrier.expected = threads;
  return barrier;
}

Barrier& cluster_of(Engine& engine, const Thread& self) {
  const dim3& c = engine.launch().shape.cluster;
  return engine.team().clusters[static_cast<size_t>(self.block->rank) / (c.x * c.y * c.z)];
}

int cluster_threads(Engine& engine, const Thread& self) {
  const dim3& c = engine.launch().shape.cluster;
  int blocks = static_cast<int>(c.x * c.y * c.z), first = self.block->rank / blocks * blocks, live = 0;
  for (int b = first; b < first + blocks; ++b) live += engine.team().blocks[static_cast<size_t>(b)].live;
  return live;
}

}  // namespace

Reduced block_barrier(int predicate, const char* what, const Site& at) {
  Thread& self = Engine::self(what);
  Engine& engine = Engine::of_this_thread();
  Barrier& barrier = self.block->barriers[0];
  check_same_place(engine, barrier, what, at);
  if (barrier.expected != 0)
    engine.fail(at, "%s: barrier 0 is in use by bar.sync for %d threads", what, barrier.expected);
  bool true_ = predicate != 0;
  barrier.reduced[0] += true_ ? 1 : 0;
  barrier.reduced[1] &= true_ ? -1 : 0;
  barrier.reduced[2] |= true_ ? 1 : 0;
  arrive_and_wait(engine, self, barrier, self.block->live, what, at);
  return {barrier.result[0], barrier.result[1] != 0 ? 1 : 0, barrier.result[2]};
}

void named_barrier(int id, int threads, const Site& at) {
  constexpr const char* kWhat = "bar.sync";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  arrive_and_wait(engine, self, named(engine, self, id, threads, kWhat, at), threads, kWhat, at);
}

void named_barrier_arrive(int id, int threads, const Site& at) {
  constexpr const char* kWhat = "bar.arrive";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  Barrier& barrier = named(engine, self, id, threads, kWhat, at);
  tsan_release(object_of(barrier));
  if (++barrier.arrived >= threads) release(engine, barrier);
  engine.turn(self, kWhat, at);
}

void cluster_arrive(const Site& at) {
  constexpr const char* kWhat = "barrier.cluster.arrive";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  if (self.cluster_arrived) engine.fail(at, "%s twice without barrier.cluster.wait between", kWhat);
  Barrier& barrier = cluster_of(engine, self);
  self.cluster_arrived = true;
  self.cluster_phase = barrier.phase;
  tsan_release(object_of(barrier));
  if (++barrier.arrived >= cluster_threads(engine, self)) release(engine, barrier);
}

void cluster_wait(const Site& at) {
  constexpr const char* kWhat = "barrier.cluster.wait";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  if (!self.cluster_arrived) engine.fail(at, "%s without barrier.cluster.arrive before", kWhat);
  Barrier& barrier = cluster_of(engine, self);
  self.cluster_arrived = false;
  const char* object = &barrier.ordered[self.cluster_phase & 1];
  if (barrier.phase == self.cluster_phase) {
    self.next_waiter = barrier.waiters;
    barrier.waiters = &self;
    engine.wait(self, kWhat, at);
  }
  tsan_acquire(object);
}

void grid_barrier(const Site& at) {
  constexpr const char* kWhat = "grid barrier";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  if (!engine.launch().shape.cooperative) engine.fail(at, "%s in a launch that is not cooperative", kWhat);
  arrive_and_wait(engine, self, engine.team().grid, engine.team().live, kWhat, at);
}

void trap(const Site& at) {
  Engine::self("__trap");
  Engine::of_this_thread().fail(at, "__trap");
}

// Who ends no longer counts: what the others wait for may have come true.
void Engine::thread_exits(Thread& self) {
  end_in_warpgroup(*this, self);
  Block& block = *self.block;
  --block.live;
  Barrier& barrier = block.barriers[0];
  if (barrier.expected == 0 && barrier.arrived > 0 && barrier.arrived >= block.live) release(*this, barrier);
  if (launch_->shape.cooperative && team_.grid.arrived > 0 && team_.grid.arrived >= team_.live)
    release(*this, team_.grid);
  if (block.live == 0 && block.in_flight > 0) {
    fail(block.in_flight_at, "the block ends while an asynchronous copy of its shared memory is under way");
  }
  Barrier& cluster = cluster_of(*this, self);
  if (self.cluster_arrived && self.cluster_phase == cluster.phase) --cluster.arrived;
  if (cluster.arrived > 0 && cluster.arrived >= cluster_threads(*this, self)) release(*this, cluster);

  Warp& warp = *self.warp;
  warp.exited |= 1U << self.lane;
  for (int lane = 0; lane < 32; ++lane) {
    const Thread* other = warp.lanes[lane];
    if (other == nullptr || (warp.waiting >> lane & 1U) == 0 || (other->mask >> self.lane & 1U) == 0)
      continue;
    fail(other->at, "lane %d has ended, and lane %d waits for it in %s (mask 0x%08x)", self.lane, lane,
         other->what, other->mask);
  }
}

void Engine::check_nothing_pending(Thread& self) {
  if (!self.products.jobs.empty()) {
    fail(self.products.jobs.front().at,
         "the thread ends while its wgmma is under way: wait for it (wgmma.wait_group)");
  }
  end_stores(*this, self);
  end_copies(self);
}

}  // namespace iskra::sim
