#include <iskra/kernels/sim/mbarrier.h>

#include <bit>

#include <iskra/kernels/sim/cluster.h>
#include <iskra/kernels/sim/jobs.h>

namespace iskra::sim {
namespace {

constexpr uint64_t kMagic = 0x2CA7;
constexpr int kMaxCount = (1 << 13) - 1;
constexpr int64_t kMaxBytes = (1 << 20) - 1;

// What lies in the 8 bytes.
struct Word {
  uint64_t phase : 1;
  uint64_t known : 1;  ///< to asynchronous units
  uint64_t expected : 13;
  uint64_t pending : 13;
  int64_t bytes : 21;  ///< expected and not yet copied; below 0 while a copy is ahead of its expectation
  uint64_t magic : 15;
};
static_assert(sizeof(Word) == 8);

Word load(const Block& block, uint32_t offset) {
  return std::bit_cast<Word>(
      __atomic_load_n(reinterpret_cast<const uint64_t*>(block.shared.at(offset)), __ATOMIC_RELAXED));
}
void store(const Block& block, uint32_t offset, Word word) {
  __atomic_store_n(reinterpret_cast<uint64_t*>(block.shared.at(offset)), std::bit_cast<uint64_t>(word),
                   __ATOMIC_RELAXED);
}

// ThreadSanitizer's objects of even and odd phases: with one alone, a late waiter would also see what others
// did in the next phase.
const char* object_of(const Block& block, uint32_t offset, uint64_t phase) {
  return block.shared.at(offset) + (phase & 1);
}

Word checked(Engine& engine, const Block& block, uint32_t offset, const char* what, const Site& at) {
  Word word = load(block, offset);
  if (word.magic != kMagic) {
    engine.fail(at, "%s: no mbarrier is initialised at shared address 0x%x of block (%u, %u, %u)", what,
                offset, block.index.x, block.index.y, block.index.z);
  }
  return word;
}

uint32_t place_of(Engine& engine, const Block& block, const void* p, const char* what, const Site& at) {
  uint32_t offset = shared_range(engine, block, p, 8, 8, what, at);
  tsan_read(p, 8);
  return offset;
}

void check_known(Engine& engine, Word word, uint32_t offset, const char* what, const Site& at) {
  if (word.known != 0) return;
  engine.fail(at,
              "%s: the mbarrier at shared address 0x%x was initialised without fence.mbarrier_init after it: "
              "asynchronous units and other blocks do not know of it",
              what, offset);
}

void end_phase_if_due(Word& word) {
  if (word.pending != 0 || word.bytes != 0) return;
  word.phase = word.phase ^ 1U;
  word.pending = word.expected;
}

void arrive(Engine& engine, const Block& block, uint32_t offset, Word word, const char* what,
            const Site& at) {
  if (word.pending == 0) {
    engine.fail(at, "%s: more arrivals than the %d that the mbarrier at shared address 0x%x expects", what,
                static_cast<int>(word.expected), offset);
  }
  word.pending = (word.pending - 1U) & kMaxCount;
  end_phase_if_due(word);
  store(block, offset, word);
}

// The running thread arrives: what it did is seen by whoever waits.
void arrive_now(Engine& engine, const Block& block, uint32_t offset, Word word, const char* what,
                const Site& at) {
  tsan_release(object_of(block, offset, word.phase));
  arrive(engine, block, offset, word, what, at);
}

void add_bytes(Engine& engine, Word& word, int64_t bytes, const char* what, const Site& at) {
  int64_t sum = word.bytes + bytes;
  if (sum > kMaxBytes || sum < -kMaxBytes) {
    engine.fail(at, "%s: the mbarrier would expect %lld bytes; at most %lld", what,
                static_cast<long long>(sum), static_cast<long long>(kMaxBytes));
  }
  word.bytes = sum;
}

struct Phase {
  const Block* block;
  uint32_t offset, parity;
};

bool has_ended(void* subject) {
  const auto* phase = static_cast<const Phase*>(subject);
  Word word = load(*phase->block, phase->offset);
  return word.magic != kMagic || word.phase != phase->parity;
}

Phase phase_of(Engine& engine, const Thread& self, const void* mbarrier, uint32_t parity, const char* what,
               const Site& at) {
  if (parity > 1) engine.fail(at, "%s: parity %u; want 0 or 1", what, parity);
  uint32_t offset = place_of(engine, *self.block, mbarrier, what, at);
  checked(engine, *self.block, offset, what, at);
  return {self.block, offset, parity};
}

}  // namespace

void mbarrier_init(uint64_t* mbarrier, int count, const Site& at) {
  constexpr const char* kWhat = "mbarrier.init";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  Block& block = *self.block;
  uint32_t offset = shared_range(engine, block, mbarrier, 8, 8, kWhat, at);
  if (count < 1 || count > kMaxCount) engine.fail(at, "%s: count %d; want 1 to %d", kWhat, count, kMaxCount);
  if (load(block, offset).magic == kMagic) {
    engine.fail(at, "%s: the mbarrier at shared address 0x%x is initialised already: mbarrier.inval first",
                kWhat, offset);
  }
  tsan_write(mbarrier, 8);
  auto n = static_cast<unsigned>(count) & kMaxCount;
  store(block, offset, {.phase = 0, .known = 0, .expected = n, .pending = n, .bytes = 0, .magic = kMagic});
  {
    TsanIgnore ignore;
    block.new_mbarriers.push_back({offset, &self});
  }
  engine.turn(self, kWhat, at);
}

void mbarrier_inval(uint64_t* mbarrier, const Site& at) {
  constexpr const char* kWhat = "mbarrier.inval";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  uint32_t offset = shared_range(engine, *self.block, mbarrier, 8, 8, kWhat, at);
  checked(engine, *self.block, offset, kWhat, at);
  tsan_write(mbarrier, 8);
  store(*self.block, offset, std::bit_cast<Word>(~uint64_t{0}));
  std::erase_if(self.block->new_mbarriers, [&](const Block::NewMBarrier& m) { return m.offset == offset; });
}

void mbarrier_arrive(uint64_t* mbarrier, const Site& at) {
  constexpr const char* kWhat = "mbarrier.arrive";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  uint32_t offset = place_of(engine, *self.block, mbarrier, kWhat, at);
  arrive_now(engine, *self.block, offset, checked(engine, *self.block, offset, kWhat, at), kWhat, at);
  engine.turn(self, kWhat, at);
}

void mbarrier_expect(uint64_t* mbarrier, uint32_t bytes, const Site& at) {
  constexpr const char* kWhat = "mbarrier.expect_tx";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  uint32_t offset = place_of(engine, *self.block, mbarrier, kWhat, at);
  Word word = checked(engine, *self.block, offset, kWhat, at);
  add_bytes(engine, word, bytes, kWhat, at);
  store(*self.block, offset, word);
}

void mbarrier_arrive_expect(uint64_t* mbarrier, uint32_t bytes, const Site& at) {
  constexpr const char* kWhat = "mbarrier.arrive.expect_tx";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  uint32_t offset = place_of(engine, *self.block, mbarrier, kWhat, at);
  Word word = checked(engine, *self.block, offset, kWhat, at);
  add_bytes(engine, word, bytes, kWhat, at);
  arrive_now(engine, *self.block, offset, word, kWhat, at);
  engine.turn(self, kWhat, at);
}

void mbarrier_arrive_remote(uint64_t* mbarrier, int rank, const Site& at) {
  constexpr const char* kWhat = "mbarrier.arrive of another block";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  shared_range(engine, *self.block, mbarrier, 8, 8, kWhat, at);
  const void* there = map_shared(mbarrier, rank, at);
  Block& block = block_of_cluster(engine, self, rank, kWhat, at);
  uint32_t offset = place_of(engine, block, there, kWhat, at);
  Word word = checked(engine, block, offset, kWhat, at);
  if (&block != self.block) check_known(engine, word, offset, kWhat, at);
  arrive_now(engine, block, offset, word, kWhat, at);
  engine.turn(self, kWhat, at);
}

void mbarrier_wait(uint64_t* mbarrier, uint32_t parity, const Site& at) {
  constexpr const char* kWhat = "mbarrier.try_wait";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  Phase phase = phase_of(engine, self, mbarrier, parity, kWhat, at);
  engine.poll(self, has_ended, &phase, kWhat, at);
  checked(engine, *self.block, phase.offset, kWhat, at);
  tsan_acquire(object_of(*self.block, phase.offset, parity));
}

bool mbarrier_test(uint64_t* mbarrier, uint32_t parity, const Site& at) {
  constexpr const char* kWhat = "mbarrier.test_wait";
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  Phase phase = phase_of(engine, self, mbarrier, parity, kWhat, at);
  if (!has_ended(&phase)) {
    engine.yield(self, kWhat, at);
    return false;
  }
  tsan_acquire(object_of(*self.block, phase.offset, parity));
  return true;
}

// --- for the emulator's other sources
// -----------------------------------------------------------------------------------------------------------

uint32_t mbarrier_for_later(Engine& engine, Block& block, const void* mbarrier, bool asynchronous,
                            const char* what, const Site& at) {
  uint32_t offset = place_of(engine, block, mbarrier, what, at);
  Word word = checked(engine, block, offset, what, at);
  if (asynchronous) check_known(engine, word, offset, what, at);
  tsan_release(object_of(block, offset, word.phase));
  return offset;
}

void mbarrier_arrive_late(Block& block, uint32_t offset, const char* what, const Site& at) {
  Engine& engine = Engine::of_this_thread();
  arrive(engine, block, offset, checked(engine, block, offset, what, at), what, at);
}

void mbarrier_complete(Block& block, uint32_t offset, size_t bytes, const char* what, const Site& at) {
  Engine& engine = Engine::of_this_thread();
  Word word = checked(engine, block, offset, what, at);
  add_bytes(engine, word, -static_cast<int64_t>(bytes), what, at);
  end_phase_if_due(word);
  store(block, offset, word);
}

void mbarriers_made_known(Block& block, bool by_any) {
  const Thread* self = Engine::running();
  std::erase_if(block.new_mbarriers, [&](const Block::NewMBarrier& m) {
    if (!by_any && m.maker != self) return false;
    Word word = load(block, m.offset);
    word.known = 1;
    if (word.magic == kMagic) store(block, m.offset, word);
    return true;
  });
}

}  // namespace iskra::sim
