#include <iskra/kernels/sim/wgmma.h>

#include <algorithm>

#include <iskra/kernels/sim/fragments.h>
#include <iskra/kernels/sim/jobs.h>
#include <iskra/kernels/sim/matrix_descriptor.h>
#include <iskra/kernels/sim/matrix_values.h>
#include <iskra/kernels/sim/warp.h>
#include <iskra/kernels/sim/warpgroup.h>

namespace iskra::sim {

/// Accumulators of a whole warpgroup that products are added to, [64][n].
struct Tile {
  std::vector<float> values;
};

/// One wgmma of a whole warpgroup.
struct Product {
  WgmmaKind kind;
  uint64_t a, b;
  bool adds;
  std::vector<uint32_t> registers;  ///< of A, four of each thread; empty if A is in shared memory
  std::shared_ptr<Tile> tile;
  std::vector<Unit> seen;  ///< A and B when the first thread came
  const char* ordered;     ///< ThreadSanitizer's object: its threads' reads before whoever has waited for one
  bool done = false;
  int unfinished = kGroupThreads;  ///< threads that have not waited for it
};

namespace {

constexpr const char* kWhat = "wgmma.mma_async";
constexpr int kRows = 64, kMaxColumns = 256, kMaxDepth = 16;
constexpr size_t kUnit = sizeof(Unit);
constexpr uint32_t kUndefined = 0xFFFFFFFF;

int depth_of(const WgmmaKind& kind) { return kind.type == MatrixType::tf32 ? 8 : 16; }

// A product in the queue of one thread.
struct Pending {
  Product* product;
  float* d;
};

void do_nothing(void* const*, uint32_t) {}

// --- operands in shared memory
// -----------------------------------------------------------------------------------------------------------

// f(shared address of 16 bytes, row of their first element, its k)
template <class F>
void for_each_unit(const WgmmaKind& kind, uint64_t descriptor, bool mn_major, int rows, F&& f) {
  MatrixDescriptor d = decoded(descriptor);
  if (mn_major) {
    for (int unit = 0; unit < rows / 8; ++unit) {
      for (int k = 0; k < kMaxDepth; ++k) f(unit_of_mn_major(d, unit, k), unit * 8, k);
    }
    return;
  }
  for (int row = 0; row < rows; ++row) {
    for (int unit = 0; unit < 2; ++unit) f(unit_of_k_major(d, row, unit), row, unit * depth_of(kind) / 2);
  }
}

void check_operand(Engine& engine, const Block& block, const WgmmaKind& kind, uint64_t descriptor,
                   bool mn_major, int rows, char name, const Site& at) {
  if ((descriptor & kDescriptorReserved) != 0) {
    engine.fail(at, "%s: 0x%016llx is no descriptor of %c: bits that must be zero are set", kWhat,
                static_cast<unsigned long long>(descriptor), name);
  }
  for_each_unit(kind, descriptor, mn_major, rows, [&](uint32_t address, int row, int k) {
    if (address < kArenaBytes && block.shared.room_at(block.shared.at(address)) >= kUnit) return;
    engine.fail(at, "%s: %c (%d, %d) would lie at shared address 0x%x, where no variable is", kWhat, name,
                row, k, address);
  });
}

// Each thread is answerable for its share of the units.
void read_for_tsan(const Block& block, int thread, const WgmmaKind& kind, uint64_t descriptor, bool mn_major,
                   int rows) {
  int i = 0;
  for_each_unit(kind, descriptor, mn_major, rows, [&](uint32_t address, int, int) {
    if (i++ % kGroupThreads == thread && address < kArenaBytes) tsan_read(block.shared.at(address), kUnit);
  });
}

void see_operand(const Block& block, const WgmmaKind& kind, uint64_t descriptor, bool mn_major, int rows,
                 std::vector<Unit>& seen) {
  for_each_unit(kind, descriptor, mn_major, rows, [&](uint32_t address, int, int) {
    block.shared.async_read(address, &seen.emplace_back(), kUnit);
  });
}

// Element (row, k) goes to to[row * row_step + k * k_step]. Units are undefined that are not what they were
// when they were seen: each warp may read them from its own wgmma on. Gives the end of those that it took of
// `seen`.
const Unit* read_operand(const Block& block, const WgmmaKind& kind, uint64_t descriptor, bool mn_major,
                         int rows, const Unit* seen, float* to, int row_step, int k_step) {
  for_each_unit(kind, descriptor, mn_major, rows, [&](uint32_t address, int row, int k) {
    Unit unit;
    block.shared.async_read(address, &unit, kUnit);
    if (unit != *seen++) std::fill_n(unit.words, 4, kUndefined);
    float* first = to + row * row_step + k * k_step;
    if (kind.type == MatrixType::tf32) {
      for (int i = 0; i < 4; ++i) first[i * k_step] = value_of_tf32(unit.words[i]);
    } else {
      int step = mn_major ? row_step : k_step;
      for (int i = 0; i < 8; ++i) first[i * step] = value_of_half(kind.type, unit.words[i / 2], i);
    }
  });
  return seen;
}

void read_registers(const Product& p, float* a) {
  bool tf32 = p.kind.type == MatrixType::tf32;
  for (int thread = 0; thread < kGroupThreads; ++thread) {
    const uint32_t* registers = &p.registers[static_cast<size_t>(thread) * 4];
    for (int i = 0; i < (tf32 ? 4 : 8); ++i) {
      Element e = tf32 ? a_of_m64k8(thread, i) : a_of_m64k16(thread, i);
      a[e.row * kMaxDepth + e.column] =
          tf32 ? value_of_tf32(registers[i]) : value_of_half(p.kind.type, registers[i / 2], i);
    }
  }
}

void compute(const Block& block, Product& p) {
  const WgmmaKind& kind = p.kind;
  auto n = static_cast<size_t>(kind.n);
  float a[kRows * kMaxDepth], b[kMaxDepth * kMaxColumns];
  const Unit* seen = p.seen.data();
  if (p.registers.empty()) {
    seen = read_operand(block, kind, p.a, kind.a_mn_major, kRows, seen, a, kMaxDepth, 1);
  } else {
    read_registers(p, a);
  }
  read_operand(block, kind, p.b, kind.b_mn_major, kind.n, seen, b, 1, kMaxColumns);
  if (!p.adds) std::fill(p.tile->values.begin(), p.tile->values.end(), 0.0F);
  for (size_t row = 0; row < kRows; ++row) {
    for (int k = 0; k < depth_of(kind); ++k) {
      float x = a[row * kMaxDepth + static_cast<size_t>(k)];
      if (kind.a_negated != kind.b_negated) x = -x;
      add_products(&p.tile->values[row * n], x, b + k * kMaxColumns, kind.n);
    }
  }
  p.done = true;
}

void compute_until(const Block& block, const Warpgroup& group, const Product& last) {
  TsanIgnore ignore;
  for (const std::shared_ptr<Product>& p : group.products) {
    if (!p->done) compute(block, *p);
    if (p.get() == &last) return;
  }
}

// --- accumulators
// -----------------------------------------------------------------------------------------------------------

void check_untouched(Engine& engine, const float* d, int n, const Site& at) {
  for (int i = 0; i < n / 2; ++i) {
    if (std::bit_cast<uint32_t>(d[i]) == kUndefined) continue;
    engine.fail(at, "accumulator %d of this wgmma was written while it was under way: wgmma.wait_group first",
                i);
  }
}

// The last product of the thread on these accumulators that is still under way.
const Product* under_way(Engine& engine, const Thread& self, const float* d, int n, const Site& at) {
  const auto& jobs = self.products.jobs;
  for (size_t i = jobs.size(); i-- > 0;) {
    auto pending = payload_of<Pending>(jobs[i]);
    int other = pending.product->kind.n;
    if (pending.d == d && other == n) {
      check_untouched(engine, d, n, jobs[i].at);
      return pending.product;
    }
    if (pending.d < d + n / 2 && d < pending.d + other / 2) {
      engine.fail(at,
                  "%s: its accumulators are some of those of a product of another shape under way, at %s:%u",
                  kWhat, file_of(jobs[i].at), jobs[i].at.line());
    }
  }
  return nullptr;
}

void give(Engine& engine, const Warpgroup& group, const Thread& self, size_t job) {
  const auto& jobs = self.products.jobs;
  auto pending = payload_of<Pending>(jobs[job]);
  for (size_t i = job + 1; i < jobs.size(); ++i) {
    if (payload_of<Pending>(jobs[i]).product->tile == pending.product->tile) return;  // they are still in use
  }
  int n = pending.product->kind.n, thread = place_in_group(group, self);
  check_untouched(engine, pending.d, n, jobs[job].at);
  for (int i = 0; i < n / 2; ++i) {
    Element e = c_of_m64(thread, i);
    pending.d[i] =
        pending.product->tile
            ->values[static_cast<size_t>(e.row) * static_cast<size_t>(n) + static_cast<size_t>(e.column)];
  }
}

// --- the beginning of a product
// -----------------------------------------------------------------------------------------------------------

struct Request {
  WgmmaKind kind;
  float* d;
  const uint32_t* registers;
  uint64_t a, b;
  bool adds;
  Site at;
  const Product* before;  ///< under way on the same accumulators
  const char* ordered;
};

const Request& request_of(const Warpgroup& group, int thread) {
  return *static_cast<const Request*>(group.brought[thread]);
}

void check_agreement(Engine& engine, const Warpgroup& group) {
  const Request& first = request_of(group, 0);
  const char* differs = nullptr;
  int thread = 0;
  while (differs == nullptr && ++thread < kGroupThreads) {
    const Request& other = request_of(group, thread);
    if (first.registers == nullptr && other.a != first.a) differs = "descriptor of A";
    if (other.b != first.b) differs = "descriptor of B";
    if (other.adds != first.adds) differs = "scale-d";
    if ((other.before == nullptr ? nullptr : other.before->tile) !=
        (first.before == nullptr ? nullptr : first.before->tile)) {
      differs = "product under way on the same accumulators";
    }
  }
  if (differs == nullptr) return;
  engine.fail(first.at, "%s: thread %d of the warpgroup has another %s than thread 0", kWhat, thread,
              differs);
}

std::shared_ptr<Tile> tile_of(const Warpgroup& group) {
  const Request& first = request_of(group, 0);
  if (first.before != nullptr) return first.before->tile;
  auto tile = std::make_shared<Tile>();
  int n = first.kind.n;
  tile->values.resize(static_cast<size_t>(kRows) * static_cast<size_t>(n));
  for (int thread = 0; thread < kGroupThreads && first.adds; ++thread) {
    for (int i = 0; i < n / 2; ++i) {
      Element e = c_of_m64(thread, i);
      tile->values[static_cast<size_t>(e.row) * static_cast<size_t>(n) + static_cast<size_t>(e.column)] =
          request_of(group, thread).d[i];
    }
  }
  return tile;
}

void do_now(Job& job) {
  auto pending = payload_of<Pending>(job);
  const Thread& self = *job.issuer;
  const Warpgroups& all = *self.block->warpgroups;
  compute_until(*self.block, all.groups[static_cast<size_t>(&self - self.block->threads) / kGroupThreads],
                *pending.product);
}

void begin(Engine& engine, Warpgroup& group) {
  check_agreement(engine, group);
  TsanIgnore ignore;  // no fault from here on, since a thread that never comes back would ignore for ever
  const Request& first = request_of(group, 0);
  auto product = std::make_shared<Product>();
  product->kind = first.kind;
  product->a = first.a;
  product->b = first.b;
  product->adds = first.adds;
  product->ordered = first.ordered;
  product->tile = tile_of(group);
  product->seen = std::move(group.seen);
  group.seen.clear();
  for (int i = 0; i < kGroupThreads; ++i) {
    const Request& request = request_of(group, i);
    if (request.registers != nullptr) {
      product->registers.insert(product->registers.end(), request.registers, request.registers + 4);
    }
    std::fill_n(request.d, first.kind.n / 2, std::bit_cast<float>(kUndefined));
    Thread& thread = group.first[i];
    add_job(thread.products, make_job(do_now, thread, request.at, Pending{product.get(), request.d}));
  }
  group.products.push_back(product);
  ++group.issued;
}

// Registers of A must have been fenced as they are: those that were taken since the fence are known.
void take_registers(Engine& engine, std::vector<TakenRegisters>& taken, const uint32_t* registers,
                    const Site& at) {
  for (const TakenRegisters& known : taken) {
    if (known.place != registers || std::equal(registers, registers + 4, known.values)) continue;
    engine.fail(at, "%s: A in registers that were written since the last wgmma.fence", kWhat);
  }
  TsanIgnore ignore;
  taken.push_back({registers, {registers[0], registers[1], registers[2], registers[3]}});
}

// By the first thread that comes.
void see_operands(Engine& engine, const Thread& self, Warpgroup& group, const WgmmaKind& kind,
                  bool a_in_shared, uint64_t a, uint64_t b, const Site& at) {
  const Block& block = *self.block;
  if (a_in_shared) check_operand(engine, block, kind, a, kind.a_mn_major, kRows, 'A', at);
  check_operand(engine, block, kind, b, kind.b_mn_major, kind.n, 'B', at);
  TsanIgnore ignore;
  group.seen.clear();
  if (a_in_shared) see_operand(block, kind, a, kind.a_mn_major, kRows, group.seen);
  see_operand(block, kind, b, kind.b_mn_major, kind.n, group.seen);
}

void check_kind(Engine& engine, const WgmmaKind& kind, const Site& at) {
  if (kind.n < 8 || kind.n > kMaxColumns || kind.n % 8 != 0) {
    engine.fail(at, "%s: n is %d; want a multiple of 8, from 8 to 256", kWhat, kind.n);
  }
  if (kind.type == MatrixType::tf32 && (kind.a_mn_major || kind.b_mn_major)) {
    engine.fail(at, "%s: tf32 operands are K-major", kWhat);
  }
}

}  // namespace

void wgmma(const WgmmaKind& kind, float* d, const uint32_t* registers, uint64_t a, uint64_t b, bool adds,
           const Site& at) {
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  check_kind(engine, kind, at);
  Warpgroup& group = warpgroup_of(engine, self, kWhat, at);
  int thread = place_in_group(group, self);
  const Product* before = under_way(engine, self, d, kind.n, at);
  if (!self.warpgroup_fenced && (before == nullptr || registers != nullptr)) {
    engine.fail(at, "%s without wgmma.fence since its registers were last the thread's own", kWhat);
  }
  if (registers != nullptr) take_registers(engine, group.taken[thread], registers, at);
  if (group.arrived == 0) see_operands(engine, self, group, kind, registers == nullptr, a, b, at);
  const char* ordered = &group.ordered[group.issued % sizeof group.ordered];
  if (tsan_enabled()) {
    if (registers == nullptr) read_for_tsan(*self.block, thread, kind, a, kind.a_mn_major, kRows);
    read_for_tsan(*self.block, thread, kind, b, kind.b_mn_major, kind.n);
    tsan_release(ordered);
  }
  Request request{kind, d, registers, a, b, adds, at, before, ordered};
  warpgroup_collective(engine, self, group, kWhat, &request, begin, at);
}

void wgmma_fence(const Site& at) {
  constexpr const char* kFence = "wgmma.fence";
  Thread& self = Engine::self(kFence);
  Warpgroup& group = warpgroup_of(Engine::of_this_thread(), self, kFence, at);
  warp_collective(kFence, 0xFFFFFFFF, nullptr, do_nothing, at);
  self.warpgroup_fenced = true;
  TsanIgnore ignore;
  group.taken[place_in_group(group, self)].clear();
}

void wgmma_commit(const Site& at) {
  constexpr const char* kCommit = "wgmma.commit_group";
  warp_collective(kCommit, 0xFFFFFFFF, nullptr, do_nothing, at);
  commit_group(Engine::self(kCommit).products);
}

void wgmma_wait(int groups, const Site& at) {
  constexpr const char* kWait = "wgmma.wait_group";
  Thread& self = Engine::self(kWait);
  Engine& engine = Engine::of_this_thread();
  Warpgroup& group = warpgroup_of(engine, self, kWait, at);
  warp_collective(kWait, 0xFFFFFFFF, nullptr, do_nothing, at);
  auto all = static_cast<int>(self.products.group_ends.size());
  size_t count = jobs_before(self.products, groups);
  for (size_t i = 0; i < count; ++i) {
    Job& job = self.products.jobs[i];
    job.run(job);
    auto pending = payload_of<Pending>(job);
    tsan_acquire(pending.product->ordered);
    give(engine, group, self, i);
  }
  if (count > 0) self.warpgroup_fenced = false;
  TsanIgnore ignore;
  for (size_t i = 0; i < count; ++i) --payload_of<Pending>(self.products.jobs[i]).product->unfinished;
  drop_front(self.products, count, static_cast<size_t>(std::max(all - groups, 0)));
  while (!group.products.empty() && group.products.front()->unfinished == 0) group.products.pop_front();
}

uint64_t descriptor_of(const void* p, uint32_t leading, uint32_t stride, Swizzle swizzle, int base_offset,
                       const Site& at) {
  constexpr const char* kDescriptor = "a matrix descriptor";
  const Thread& self = Engine::self(kDescriptor);
  Engine& engine = Engine::of_this_thread();
  uint32_t start = shared_range(engine, *self.block, p, kUnit, kUnit, kDescriptor, at);
  if (leading % kUnit != 0 || stride % kUnit != 0 || leading >= kArenaBytes || stride >= kArenaBytes) {
    engine.fail(at, "%s: distances of %u and %u bytes; want multiples of 16 below %zu", kDescriptor, leading,
                stride, kArenaBytes);
  }
  if (base_offset < 0 || base_offset > 7) {
    engine.fail(at, "%s: base offset %d; want 0 to 7", kDescriptor, base_offset);
  }
  return encoded({start, leading, stride, swizzle, base_offset});
}

}  // namespace iskra::sim
