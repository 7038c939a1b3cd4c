#include <iskra/kernels/sim/cluster.h>

#include <iskra/kernels/sim/engine.h>
#include <iskra/kernels/sim/mbarrier.h>

namespace iskra::sim {
namespace {

int cluster_blocks(Engine& engine) {
  const dim3& c = engine.launch().shape.cluster;
  return static_cast<int>(c.x * c.y * c.z);
}

Block* first_of_cluster(Engine& engine, const Thread& of) {
  int blocks = cluster_blocks(engine), first = of.block->rank / blocks * blocks;
  return &engine.team().blocks[static_cast<size_t>(first)];
}

Block& living(Engine& engine, Block& block, int rank, const char* what, const Site& at) {
  if (block.live == 0) engine.fail(at, "%s: block %d of the cluster has ended", what, rank);
  return block;
}

}  // namespace

Block& block_of_cluster(Engine& engine, const Thread& of, int rank, const char* what, const Site& at) {
  int blocks = cluster_blocks(engine);
  if (rank < 0 || rank >= blocks) {
    engine.fail(at, "%s: block %d of a cluster of %d", what, rank, blocks);
  }
  return living(engine, first_of_cluster(engine, of)[rank], rank, what, at);
}

Block& block_that_has(Engine& engine, const Thread& of, const void* p, const char* what, const Site& at) {
  Block* first = first_of_cluster(engine, of);
  for (int rank = 0; rank < cluster_blocks(engine); ++rank) {
    if (first[rank].shared.contains(p)) return living(engine, first[rank], rank, what, at);
  }
  engine.fail(at, "%s: address %p is not in the shared memory of any block of the cluster", what, p);
}

int cluster_rank() {
  const Thread& self = Engine::self("%cluster_ctarank");
  return self.block->rank % cluster_blocks(Engine::of_this_thread());
}

void* map_shared(const void* shared, int rank, const Site& at) {
  constexpr const char* kWhat = "mapa";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  if (self.block->shared.room_at(shared) == 0) {
    engine.fail(at, "%s: address %p is not in the block's shared memory", kWhat, shared);
  }
  uint32_t offset = self.block->shared.offset_of(shared);
  Block& block = block_of_cluster(engine, self, rank, kWhat, at);
  block.shared.open_around(offset);
  return block.shared.at(offset);
}

// The fence is for all of the cluster's shared memory, which the thread may have written.
void fence_proxy_async(const Site& at) {
  constexpr const char* kWhat = "fence.proxy.async";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  Block* first = first_of_cluster(engine, self);
  for (int rank = 0; rank < cluster_blocks(engine); ++rank) {
    if (first[rank].live > 0) first[rank].shared.publish();
  }
  mbarriers_made_known(*self.block, true);
  engine.turn(self, kWhat, at);
}

void fence_mbarrier_init(const Site& at) {
  constexpr const char* kWhat = "fence.mbarrier_init";
  Thread& self = Engine::self(kWhat);
  mbarriers_made_known(*self.block, false);
  Engine::of_this_thread().turn(self, kWhat, at);
}

}  // namespace iskra::sim
