// Four warps that follow one another, 128 threads: what they execute together, and their registers. For the
// emulator's sources only.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include <iskra/kernels/sim/engine.h>

namespace iskra::sim {

inline constexpr int kGroupThreads = 128, kGroupWarps = 4;

struct Product;

/// 16 bytes of an operand in shared memory.
struct alignas(16) Unit {
  uint32_t words[4];
  bool operator==(const Unit&) const = default;
};

/// A setmaxnreg that some warp of the group has executed.
struct RegisterChange {
  bool increases;
  int registers;
  Site at;
};

/// Registers of A that wgmma took from a thread: those at this address had these values.
struct TakenRegisters {
  const uint32_t* place;
  uint32_t values[4];
};

struct Warpgroup {
  Thread* first = nullptr;  ///< its threads follow
  // The collective that its threads are arriving at.
  int arrived = 0;
  const Thread* earliest = nullptr;
  void* brought[kGroupThreads] = {};
  // wgmma: operands as the first thread saw them; products under way, in order; how many there ever were;
  // what was taken since wgmma.fence.
  std::vector<Unit> seen;
  std::deque<std::shared_ptr<Product>> products;
  uint64_t issued = 0;
  char ordered[64] = {};  ///< ThreadSanitizer's objects of the last products
  std::vector<TakenRegisters> taken[kGroupThreads];
  // setmaxnreg: the history, how much of it each warp has executed, and what each has.
  std::vector<RegisterChange> changes;
  size_t changed[kGroupWarps] = {};
  int registers[kGroupWarps] = {};  ///< of each thread; 0: as many as at the start
};

struct Warpgroups {
  std::vector<Warpgroup> groups;
  int most_registers = 0;  ///< of all that a setmaxnreg has named
};

/// The group of the thread; the block must have all of it.
Warpgroup& warpgroup_of(Engine& engine, Thread& self, const char* what, const Site& at);
inline int place_in_group(const Warpgroup& group, const Thread& thread) {
  return static_cast<int>(&thread - group.first);
}

/// All 128 threads meet here with the same call, bringing `mine`, and the last one calls all(engine, group),
/// which finds in `brought` what each brought. Threads that have ended, or are elsewhere in the same warp,
/// are faults. Does not order memory.
void warpgroup_collective(Engine& engine, Thread& self, Warpgroup& group, const char* what, void* mine,
                          void (*all)(Engine& engine, Warpgroup& group), const Site& at);

}  // namespace iskra::sim
