// The emulator's inside: threads, warps, blocks, teams, and who runs next. Only the emulator's own sources
// include this; kernels see sim.h.
#pragma once

#include <array>
#include <atomic>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <iskra/kernels/sim/fault.h>
#include <iskra/kernels/sim/fiber.h>
#include <iskra/kernels/sim/launch.h>
#include <iskra/kernels/sim/schedule.h>
#include <iskra/kernels/sim/shared.h>
#include <iskra/kernels/sim/vector_types.h>

namespace iskra::sim {

struct Block;
struct Warp;
struct Team;
struct Warpgroups;

/// Work that the hardware does by itself later: it is done as late as the rules allow.
struct Job {
  void (*run)(Job& self);
  Thread* issuer;
  Site at;
  alignas(16) unsigned char payload[192];
  std::vector<unsigned char> staged = {};  ///< what a store has read and not yet written
};

/// Jobs of one thread, in order, with the ends of the groups that were committed (cp.async, wgmma, bulk
/// stores).
struct JobQueue {
  std::vector<Job> jobs;
  std::vector<size_t> group_ends;
  size_t done = 0;  ///< jobs that have left, of all that ever came
};

enum class State : uint8_t { fresh, ready, waiting, polling, done };

/// One CUDA thread.
struct Thread {
  Context context;
  Stack* stack = nullptr;
  Block* block = nullptr;
  Warp* warp = nullptr;
  uint3 index{};
  int slot = 0;  ///< in its team
  int lane = 0;
  State state = State::fresh;
  const char* what = "";  ///< what it waits in, and where
  Site at;
  Thread* next_waiter = nullptr;
  // A warp collective: which, of whom, and what this lane brought.
  const void* collective = nullptr;
  uint32_t mask = 0;
  void* exchange = nullptr;
  // A condition that is looked at when nobody else can run.
  bool (*condition)(void* subject) = nullptr;
  void* subject = nullptr;

  bool cluster_arrived = false;  ///< between barrier.cluster.arrive and .wait
  uint32_t cluster_phase = 0;
  bool fenced = false;            ///< a __threadfence since the last atomic: the next one publishes
  bool warpgroup_fenced = false;  ///< wgmma.fence since the accumulators were last touched
  JobQueue copies;                ///< cp.async
  size_t promised = 0;            ///< so many of all copies will be done even if the thread ends
  JobQueue products;              ///< wgmma
  JobQueue stores;                ///< bulk copies out of shared memory
};

/// A barrier in hardware: counts arrivals, wakes all.
struct Barrier {
  int arrived = 0;
  int expected = 0;  ///< 0: all threads that live
  Thread* waiters = nullptr;
  int reduced[3] = {0, -1, 0};  ///< count, and, or of the predicates brought
  int result[3] = {};
  uint32_t phase = 0;
  char ordered[2] = {};  ///< ThreadSanitizer's objects of even and odd phases
};

struct Warp {
  Thread* lanes[32] = {};
  uint32_t present = 0, exited = 0, waiting = 0;
  uint32_t barriers = 0;  ///< begun so far
  char ordered[8] = {};   ///< ThreadSanitizer's objects of the last eight
};

inline constexpr int kNamedBarriers = 16;

struct Block {
  uint3 index{};
  int rank = 0;  ///< in its team
  Thread* threads = nullptr;
  int count = 0;
  int live = 0;
  Barrier barriers[kNamedBarriers];
  Warp* warps = nullptr;
  SharedMemory shared;
  struct NewMBarrier {
    uint32_t offset;
    const Thread* maker;
  };
  std::vector<NewMBarrier> new_mbarriers;  ///< initialised, and not yet made known by a fence
  std::shared_ptr<Warpgroups> warpgroups;  ///< once something was executed by one
  int in_flight = 0;                       ///< copies into or out of its shared memory that are under way
  Site in_flight_at;                       ///< the last that began
};

/// The blocks that are scheduled together: one, or a cluster, or a cooperative grid, or some side by side.
struct Team {
  int count = 0;
  std::unique_ptr<Block[]> blocks;
  std::unique_ptr<Thread[]> threads;
  std::unique_ptr<Warp[]> warps;
  std::unique_ptr<uint64_t[]> runnable;  ///< one bit a slot
  int slots = 0, words = 0;
  int live = 0, polling = 0;
  Barrier grid;                   ///< of a cooperative launch
  std::vector<Barrier> clusters;  ///< one for each cluster
  std::vector<Job> jobs;          ///< bulk copies under way
  SharedLayout layout;            ///< of the kernel's shared variables, the same in all blocks
};

/// Runs launches of one OS thread, one after the other.
class Engine {
 public:
  Engine();
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  static Engine& of_this_thread();
  /// The running CUDA thread; stops the program where there is none.
  static Thread& self(const char* what);
  static Thread* running();

  void run(const Launch& launch);
  const Launch& launch() const { return *launch_; }
  Team& team() { return team_; }

  // --- on a CUDA thread
  /// Others run until someone calls make_ready(self).
  void wait(Thread& self, const char* what, const Site& at);
  void make_ready(Thread& thread);
  /// Others run until condition(subject) holds.
  void poll(Thread& self, bool (*condition)(void*), void* subject, const char* what, const Site& at);
  /// Others may run first.
  void yield(Thread& self, const char* what, const Site& at);
  /// Under the random order, sometimes yields.
  void turn(Thread& self, const char* what, const Site& at);
  /// The launch ends with this fault.
  [[noreturn]] void fail(const Site& at, const char* format, ...) __attribute__((format(printf, 3, 4)));
  /// Work for later; done when nobody can run (or, under the random order, any time).
  void add_job(const Job& job);
  uint64_t random();

  // --- in signal handlers
  [[noreturn]] void fail_from_signal(const char* text, const void* code_address);
  bool in_guard_page(const void* address) const;
  /// Grows while anything happens; stands still while a thread spins.
  std::atomic<uint64_t> progress{0};
  std::atomic<bool> inside{false};

 private:
  friend void fiber_entry();
  enum class Outcome : uint8_t { ended, fault, deadlock };

  void lay_out(int team_blocks);
  void start_team(int64_t first_block, int count);
  void run_team();
  int pick(int from);
  int next_slot(int from) const;
  int previous_slot(int from) const;
  Thread* next(Thread* from);
  bool wake_polling();
  bool run_one_job();
  void enter(Thread& thread);
  void leave(Thread& self);
  void finish(Thread& self);
  void set_runnable(const Thread& thread, bool can);
  void count_progress() {
    progress.store(progress.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  uint3 block_index(int64_t i) const;
  void check_nothing_pending(Thread& self);
  void thread_exits(Thread& self);
  void to_launcher(Context& from, bool ends);
  void prepare(Thread& thread);
  Stack* take_stack(const Thread& thread);
  void abandon();
  void drop_fibers();
  void make_tsan_fibers(int slots);
  void release_finished_stack();
  std::string describe(const Thread& thread) const;
  std::string deadlock_text() const;
  [[noreturn]] void throw_outcome();

  const Launch* launch_ = nullptr;
  Schedule schedule_;
  uint64_t random_state_ = 0;
  Team team_;
  std::array<unsigned, 4> laid_out_{};  ///< block and blocks that team_ has memory for; all 0 after a fault
  Context launcher_;
  Outcome outcome_ = Outcome::ended;
  Thread* culprit_ = nullptr;
  Thread* issuer_ = nullptr;  ///< of the job that is being done
  uint64_t yields_ = 0;
  int idle_yields_ = 0;  ///< since anything else happened
  Site fault_at_;
  const void* fault_address_ = nullptr;
  char fault_text_[2048] = {};
  std::vector<Stack*> stacks_;  ///< all
  std::vector<Stack*> free_stacks_;
  Stack* ended_stack_ = nullptr;  ///< of the fiber that was just left for good
  std::vector<void*> tsan_fibers_[2];
  std::vector<Stack*> tsan_stacks_[2];
  int tsan_set_ = 0;
  char begun_ = 0, ended_ = 0;  ///< ThreadSanitizer: launch before threads before what follows
};

}  // namespace iskra::sim
