#include <iskra/kernels/sim/warpgroup.h>

#include <algorithm>
#include <bit>

#include <iskra/kernels/sim/jobs.h>
#include <iskra/kernels/sim/warp.h>
#include <iskra/kernels/sim/wgmma.h>

namespace iskra::sim {
namespace {

constexpr int kRegistersOfBlock = 64 << 10;
constexpr int kMostRegisters = 256, kFewestRegisters = 24;

int warp_in_group(const Warpgroup& group, const Thread& thread) { return place_in_group(group, thread) / 32; }

const Warp& warp_of(const Warpgroup& group, int warp) { return *group.first[warp * 32].warp; }

}  // namespace

Warpgroup& warpgroup_of(Engine& engine, Thread& self, const char* what, const Site& at) {
  Block& block = *self.block;
  auto thread = static_cast<int>(&self - block.threads), group = thread / kGroupThreads;
  if ((group + 1) * kGroupThreads > block.count) {
    engine.fail(at,
                "%s by a warpgroup of %d threads; it takes four whole warps, the first a multiple of four",
                what, block.count - group * kGroupThreads);
  }
  TsanIgnore ignore;
  if (block.warpgroups == nullptr) {
    block.warpgroups = std::make_shared<Warpgroups>();
    block.warpgroups->groups = std::vector<Warpgroup>(static_cast<size_t>(block.count / kGroupThreads));
    for (size_t i = 0; i < block.warpgroups->groups.size(); ++i) {
      Warpgroup& each = block.warpgroups->groups[i];
      each.first = block.threads + i * kGroupThreads;
    }
  }
  return block.warpgroups->groups[static_cast<size_t>(group)];
}

// --- what all do together
// -----------------------------------------------------------------------------------------------------------

namespace {

void check_all_can_come(Engine& engine, const Thread& self, const Warpgroup& group, const char* what,
                        const Site& at) {
  for (int w = 0; w < kGroupWarps; ++w) {
    if (uint32_t ended = warp_of(group, w).exited; ended != 0) {
      engine.fail(at, "%s: of the warpgroup, warp %d (lane %d) has ended", what, w, std::countr_zero(ended));
    }
  }
  if (uint32_t elsewhere = self.warp->waiting; elsewhere != 0) {
    const Thread& other = *self.warp->lanes[std::countr_zero(elsewhere)];
    engine.fail(at, "%s in divergent code: lane %d of the warp waits in %s at %s:%u", what, other.lane,
                other.what, file_of(other.at), other.at.line());
  }
  if (group.arrived == 0) return;
  const Thread& other = *group.earliest;
  if (other.what != what || !same(other.at, at)) {
    engine.fail(at, "%s in divergent code: warp %d of the warpgroup waits in %s at %s:%u", what,
                warp_in_group(group, other), other.what, file_of(other.at), other.at.line());
  }
}

}  // namespace

void warpgroup_collective(Engine& engine, Thread& self, Warpgroup& group, const char* what, void* mine,
                          void (*all)(Engine& engine, Warpgroup& group), const Site& at) {
  check_all_can_come(engine, self, group, what, at);
  group.brought[place_in_group(group, self)] = mine;
  if (++group.arrived < kGroupThreads) {
    if (group.arrived == 1) group.earliest = &self;
    engine.wait(self, what, at);
    return;
  }
  self.at = at;
  self.what = what;
  all(engine, group);
  group.arrived = 0;
  for (int i = 0; i < kGroupThreads; ++i) {
    if (&group.first[i] != &self) engine.make_ready(group.first[i]);
  }
  engine.turn(self, what, at);
}

// --- setmaxnreg
// -----------------------------------------------------------------------------------------------------------

namespace {

// What the compiler gives each thread of a kernel that calls setmaxnreg: what a block of this size may have,
// but not more than the most that one of them names.
int registers_at_start(const Block& block) {
  return std::min(kRegistersOfBlock / block.count / 8 * 8, block.warpgroups->most_registers);
}

// What warps gave back and no other has taken, of each thread of a warp.
int free_registers(const Block& block) {
  int start = registers_at_start(block), sum = 0;
  for (const Warpgroup& group : block.warpgroups->groups) {
    for (int registers : group.registers) sum += registers == 0 ? 0 : start - registers;
  }
  return sum;
}

struct Wanted {
  const Block* block;
  const int* mine;
  int registers;
};

bool has_enough(void* subject) {
  const auto* wanted = static_cast<const Wanted*>(subject);
  int mine = *wanted->mine == 0 ? registers_at_start(*wanted->block) : *wanted->mine;
  return free_registers(*wanted->block) >= wanted->registers - mine;
}

// The warps of a group change their registers one after the other, each by itself, and all in the same way.
void note_change(Engine& engine, Warpgroup& group, int warp, const RegisterChange& change, const char* what) {
  size_t place = group.changed[warp];
  for (int w = 0; w < kGroupWarps; ++w) {
    if (group.changed[w] < place) {
      engine.fail(change.at, "%s before warp %d of the warpgroup has executed the one before, at %s:%u", what,
                  w, file_of(group.changes[place - 1].at), group.changes[place - 1].at.line());
    }
    if (warp_of(group, w).exited != 0 && group.changed[w] == place) {
      engine.fail(change.at, "%s: warp %d of the warpgroup has ended without it", what, w);
    }
  }
  if (place == group.changes.size()) {
    TsanIgnore ignore;
    group.changes.push_back(change);
  }
  const RegisterChange& first = group.changes[place];
  if (first.increases != change.increases || first.registers != change.registers) {
    engine.fail(change.at,
                "%s to %d registers, and another warp of the warpgroup executed setmaxnreg.%s to %d at %s:%u",
                what, change.registers, first.increases ? "inc" : "dec", first.registers, file_of(first.at),
                first.at.line());
  }
  ++group.changed[warp];
}

void do_nothing(void* const*, uint32_t) {}

}  // namespace

void set_max_registers(bool increase, int registers, const Site& at) {
  const char* what = increase ? "setmaxnreg.inc" : "setmaxnreg.dec";
  Thread& self = Engine::self(what);
  Engine& engine = Engine::of_this_thread();
  if (registers < kFewestRegisters || registers > kMostRegisters || registers % 8 != 0) {
    engine.fail(at, "%s to %d registers; want a multiple of 8, from 24 to 256", what, registers);
  }
  Warpgroup& group = warpgroup_of(engine, self, what, at);
  warp_collective(what, 0xFFFFFFFF, nullptr, do_nothing, at);
  if (self.lane == 0) {
    int warp = warp_in_group(group, self), &mine = group.registers[warp];
    int& most = self.block->warpgroups->most_registers;
    most = std::max(most, registers);
    int now = mine == 0 ? registers_at_start(*self.block) : mine;
    if (increase ? registers < now : registers > now) {
      engine.fail(at, "%s to %d registers, and the warp has %d", what, registers, now);
    }
    note_change(engine, group, warp, {increase, registers, at}, what);
    Wanted wanted{self.block, &mine, registers};
    if (increase) engine.poll(self, has_enough, &wanted, what, at);
    mine = registers;
  }
  warp_collective(what, 0xFFFFFFFF, nullptr, do_nothing, at);
}

// --- when a thread ends
// -----------------------------------------------------------------------------------------------------------

void end_in_warpgroup(Engine& engine, Thread& self) {
  Warpgroups* all = self.block->warpgroups.get();
  size_t i = static_cast<size_t>(&self - self.block->threads) / kGroupThreads;
  if (all == nullptr || i >= all->groups.size()) return;
  const Warpgroup& group = all->groups[i];
  int warp = warp_in_group(group, self);
  if (group.arrived > 0) {
    engine.fail(group.earliest->at,
                "warp %d of the warpgroup (lane %d) has ended, and others wait for it in %s", warp, self.lane,
                group.earliest->what);
  }
  if (group.changed[warp] < group.changes.size()) {
    const RegisterChange& next = group.changes[group.changed[warp]];
    engine.fail(next.at, "warp %d of the warpgroup has ended without the setmaxnreg.%s of the others", warp,
                next.increases ? "inc" : "dec");
  }
}

}  // namespace iskra::sim
