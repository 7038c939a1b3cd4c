// Laying out the threads of a launch, starting them team by team, and what becomes of it when one of them
// fails.

#include <iskra/kernels/sim/engine.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <iskra/kernels/sim/builtins.h>
#include <iskra/kernels/sim/trap.h>

constinit thread_local uint3 threadIdx{};
constinit thread_local uint3 blockIdx{};
constinit thread_local dim3 blockDim;
constinit thread_local dim3 gridDim;

namespace iskra::sim {
namespace {

constinit thread_local Thread* running_thread = nullptr;

int64_t count_of(const dim3& d) { return int64_t{d.x} * d.y * d.z; }

uint3 place_in(const dim3& extent, int64_t i) {
  return {static_cast<unsigned>(i % extent.x), static_cast<unsigned>(i / extent.x % extent.y),
          static_cast<unsigned>(i / extent.x / extent.y)};
}

}  // namespace

Engine::Engine() { launcher_.tsan_fiber = nullptr; }

Engine::~Engine() { drop_fibers(); }

Engine& Engine::of_this_thread() {
  thread_local Engine engine;
  return engine;
}

Thread* Engine::running() { return running_thread; }

Thread& Engine::self(const char* what) {
  if (running_thread == nullptr) {
    std::fprintf(stderr, "iskra sim: %s was called outside of a kernel\n", what);
    std::abort();
  }
  return *running_thread;
}

// --- what a launch consists of
// ----------------------------------------------------------------------------------

void Engine::lay_out(int team_blocks) {
  const LaunchShape& shape = launch_->shape;
  // Launches of one shape follow one another all the time: their threads' and arenas' memory stays.
  std::array<unsigned, 4> wanted = {shape.block.x, shape.block.y, shape.block.z,
                                    static_cast<unsigned>(team_blocks)};
  if (wanted == laid_out_) {
    team_.layout = SharedLayout{};
    return;
  }
  laid_out_ = wanted;
  int threads = static_cast<int>(count_of(shape.block)), stride = (threads + 31) / 32 * 32;
  team_.slots = stride * team_blocks;
  team_.words = (team_.slots + 63) / 64;
  team_.blocks = std::make_unique<Block[]>(static_cast<size_t>(team_blocks));
  team_.threads = std::make_unique<Thread[]>(static_cast<size_t>(team_.slots));
  team_.warps = std::make_unique<Warp[]>(static_cast<size_t>(team_.slots / 32));
  team_.runnable = std::make_unique<uint64_t[]>(static_cast<size_t>(team_.words));
  team_.jobs.clear();
  team_.layout = SharedLayout{};
  for (int b = 0; b < team_blocks; ++b) {
    Block& block = team_.blocks[static_cast<size_t>(b)];
    block.rank = b;
    block.count = threads;
    block.threads = &team_.threads[static_cast<size_t>(b) * static_cast<size_t>(stride)];
    block.warps = &team_.warps[static_cast<size_t>(b) * static_cast<size_t>(stride) / 32];
    for (int i = 0; i < threads; ++i) {
      Thread& t = block.threads[i];
      t.block = &block;
      t.slot = b * stride + i;
      t.lane = i % 32;
      t.warp = &block.warps[i / 32];
      t.warp->lanes[t.lane] = &t;
      t.warp->present |= 1U << t.lane;
      t.index = place_in(shape.block, i);
    }
  }
  make_tsan_fibers(team_.slots);
}

void Engine::start_team(int64_t first_block, int count) {
  team_.count = count;
  team_.live = 0;
  team_.polling = 0;
  team_.grid = Barrier{};
  auto cluster = static_cast<int>(count_of(launch_->shape.cluster));
  team_.clusters.assign(static_cast<size_t>(count) / static_cast<size_t>(cluster) + 1, Barrier{});
  std::fill_n(team_.runnable.get(), team_.words, uint64_t{0});
  for (int b = 0; b < count; ++b) {
    Block& block = team_.blocks[static_cast<size_t>(b)];
    block.index = block_index(first_block + b);
    block.live = block.count;
    std::fill_n(block.barriers, kNamedBarriers, Barrier{});
    block.shared.begin(launch_->shape.dynamic_shared, team_.layout);
    block.new_mbarriers.clear();
    block.warpgroups.reset();
    block.in_flight = 0;
    for (int i = 0; i < block.count; ++i) {
      Thread& t = block.threads[i];
      t.state = State::fresh;
      t.fenced = t.warpgroup_fenced = t.cluster_arrived = false;
      t.warp->exited = t.warp->waiting = 0;
      team_.runnable[static_cast<size_t>(t.slot / 64)] |= uint64_t{1} << (t.slot % 64);
      ++team_.live;
    }
  }
  tsan_set_ ^= 1;
}

// Blocks of a cluster are neighbours in the order of launch, whatever its extents are.
uint3 Engine::block_index(int64_t i) const {
  const LaunchShape& shape = launch_->shape;
  const dim3& c = shape.cluster;
  if (count_of(c) == 1) return place_in(shape.grid, i);
  dim3 clusters{shape.grid.x / c.x, shape.grid.y / c.y, shape.grid.z / c.z};
  uint3 of = place_in(clusters, i / count_of(c)), in = place_in(c, i % count_of(c));
  return {of.x * c.x + in.x, of.y * c.y + in.y, of.z * c.z + in.z};
}

void Engine::run(const Launch& launch) {
  if (running_thread != nullptr) {
    fail(launch.shape.at, "a kernel launches another one, which is not emulated");
  }
  install_traps();
  launch_ = &launch;
  schedule_ = schedule();
  random_state_ = schedule_.seed * 0x9E3779B97F4A7C15U + 0x632BE59BD9B4E019U;
  blockDim = launch.shape.block;
  gridDim = launch.shape.grid;

  int64_t blocks = count_of(launch.shape.grid), cluster = count_of(launch.shape.cluster);
  int64_t together = launch.shape.cooperative ? blocks : cluster;
  if (schedule_.order == Order::random && !launch.shape.cooperative) {
    together = std::min(blocks, cluster * (1 + static_cast<int64_t>(random() % 4)));
  }
  lay_out(static_cast<int>(together));
  int64_t teams = (blocks + together - 1) / together;
  launch.kernel->launches.fetch_add(1, std::memory_order_relaxed);
  for (int64_t i = 0; i < teams; ++i) {
    int64_t first = (schedule_.order == Order::reverse ? teams - 1 - i : i) * together;
    start_team(first, static_cast<int>(std::min(together, blocks - first)));
    run_team();
    if (outcome_ != Outcome::ended) break;
  }
  tsan_acquire(&ended_);
  if (outcome_ != Outcome::ended) throw_outcome();
}

void Engine::run_team() {
  outcome_ = Outcome::ended;
  tsan_release(&begun_);  // what the launcher did, not what earlier blocks did: it sees that at the end alone
  launcher_.tsan_fiber = tsan_current_fiber();
  int first = pick(schedule_.order == Order::reverse ? 0 : team_.slots - 1);
  Thread& thread = team_.threads[static_cast<size_t>(first)];
  inside = true;
  prepare(thread);
  enter(thread);
  switch_context(launcher_, thread.context);
  inside = false;
  running_thread = nullptr;
  release_finished_stack();
}

// --- fibers
// -----------------------------------------------------------------------------------------------------

void fiber_entry() {
  Engine& engine = Engine::of_this_thread();
  {
    Thread* self = running_thread;
    context_entered(self->context, engine.launcher_);
  }
  for (;;) {
    engine.release_finished_stack();
    tsan_acquire(&engine.begun_);
    engine.launch_->call(engine.launch_->arguments);
    tsan_release(&engine.ended_);
    engine.finish(*running_thread);
  }
}

// The thread has run to its end. Comes back only when this fiber may go on as the next one, on the same
// stack.
void Engine::finish(Thread& self) {
  self.state = State::done;
  set_runnable(self, false);
  check_nothing_pending(self);
  --team_.live;
  thread_exits(self);
  Thread* other = next(&self);
  if (other == nullptr) {
    ended_stack_ = tsan_enabled() ? nullptr : self.stack;
    to_launcher(self.context, true);
  }
  if (other->state == State::fresh && !tsan_enabled()) {
    other->stack = self.stack;
    other->context = self.context;
    enter(*other);
    return;
  }
  ended_stack_ = tsan_enabled() ? nullptr : self.stack;
  prepare(*other);
  enter(*other);
  switch_context(self.context, other->context, true);
}

void Engine::to_launcher(Context& from, bool ends) {
  tsan_release(&ended_);
  switch_context(from, launcher_, ends);
}

void Engine::enter(Thread& thread) {
  count_progress();
  thread.state = State::ready;
  running_thread = &thread;
  threadIdx = thread.index;
  blockIdx = thread.block->index;
}

void Engine::prepare(Thread& thread) {
  if (thread.state != State::fresh) return;
  thread.stack = take_stack(thread);
  thread.stack->begin(fiber_entry);
  thread.context = Context{};
  thread.context.saved = thread.stack->saved;
  thread.context.bottom = thread.stack->bottom();
  thread.context.size = thread.stack->size();
  if (tsan_enabled()) thread.context.tsan_fiber = tsan_fibers_[tsan_set_][static_cast<size_t>(thread.slot)];
}

Stack* Engine::take_stack(const Thread& thread) {
  if (tsan_enabled()) return tsan_stacks_[tsan_set_][static_cast<size_t>(thread.slot)];
  if (free_stacks_.empty()) {
    stacks_.push_back(new Stack(static_cast<int>(stacks_.size())));
    return stacks_.back();
  }
  Stack* stack = free_stacks_.back();
  free_stacks_.pop_back();
  return stack;
}

// A fiber that ended still stood on its stack when it switched away: only its successor may give it back.
void Engine::release_finished_stack() {
  if (ended_stack_ != nullptr) free_stacks_.push_back(ended_stack_);
  ended_stack_ = nullptr;
}

// Every thread has a fiber of ThreadSanitizer and a stack of its own, in two sets, so that blocks that follow
// one another stay unordered. All are made before the first runs: their maker happens before them.
void Engine::make_tsan_fibers(int slots) {
  if (!tsan_enabled()) return;
  for (int set = 0; set < 2; ++set) {
    while (tsan_fibers_[set].size() < static_cast<size_t>(slots)) {
      tsan_fibers_[set].push_back(tsan_create_fiber());
      stacks_.push_back(new Stack(static_cast<int>(stacks_.size())));
      tsan_stacks_[set].push_back(stacks_.back());
    }
  }
}

// --- failures
// ---------------------------------------------------------------------------------------------------

void Engine::fail(const Site& at, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(fault_text_, sizeof fault_text_, format, arguments);
  va_end(arguments);
  fault_at_ = at;
  fault_address_ = nullptr;
  outcome_ = Outcome::fault;
  culprit_ = issuer_ != nullptr ? issuer_ : running_thread;
  to_launcher(running_thread->context, true);
  std::abort();  // nobody comes back here
}

void Engine::fail_from_signal(const char* text, const void* code_address) {
  std::snprintf(fault_text_, sizeof fault_text_, "%s", text);
  fault_at_ = Site();
  fault_address_ = code_address;
  outcome_ = Outcome::fault;
  culprit_ = running_thread;
  to_launcher(running_thread->context, true);
  std::abort();
}

bool Engine::in_guard_page(const void* address) const {
  return running_thread != nullptr && running_thread->stack->guards(address);
}

// The other threads are left where they stand; their stacks are used again.
void Engine::abandon() {
  laid_out_ = {};
  for (int slot = 0; slot < team_.slots; ++slot) {
    Thread& t = team_.threads[static_cast<size_t>(slot)];
    t.copies = t.products = t.stores = JobQueue{};
  }
  team_.jobs.clear();
  issuer_ = nullptr;
  idle_yields_ = 0;
  free_stacks_.clear();
  if (tsan_enabled()) {  // what the new ones do is not ordered after what the old ones did: new memory, too
    drop_fibers();
    return;
  }
  for (Stack* stack : stacks_) {
    stack->forget();
    free_stacks_.push_back(stack);
  }
}

void Engine::drop_fibers() {
  for (auto& set : tsan_fibers_) {
    for (void* fiber : set) tsan_destroy_fiber(fiber);
    set.clear();
  }
  for (auto& set : tsan_stacks_) set.clear();
  for (Stack* stack : stacks_) delete stack;
  stacks_.clear();
}

namespace {

std::string str(const uint3& v) {
  return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) + ")";
}
std::string str(const dim3& v) { return str(uint3{v.x, v.y, v.z}); }

}  // namespace

std::string Engine::describe(const Thread& thread) const {
  return "block " + str(thread.block->index) + ", thread " + str(thread.index);
}

// Who waits where, the threads of one place together.
std::string Engine::deadlock_text() const {
  std::string text = "deadlock: nobody can go on;";
  std::vector<bool> told(static_cast<size_t>(team_.slots));
  for (int slot = 0; slot < team_.slots; ++slot) {
    const Thread& t = team_.threads[static_cast<size_t>(slot)];
    if (told[static_cast<size_t>(slot)] || t.block == nullptr || t.block->rank >= team_.count) continue;
    if (t.state != State::waiting && t.state != State::polling) continue;
    int count = 0;
    for (int other = slot; other < team_.slots; ++other) {
      const Thread& o = team_.threads[static_cast<size_t>(other)];
      if (o.block == nullptr || o.block->rank >= team_.count) continue;
      if ((o.state != State::waiting && o.state != State::polling) || !same(o.at, t.at) || o.what != t.what)
        continue;
      told[static_cast<size_t>(other)] = true;
      ++count;
    }
    text += " " + std::to_string(count) + (count == 1 ? " thread waits in " : " threads wait in ") + t.what +
            " at " + sim::str(t.at) + " (the first is " + describe(t) + ");";
  }
  text.pop_back();
  return text;
}

void Engine::throw_outcome() {
  const LaunchShape& shape = launch_->shape;
  std::string text =
      "kernel " + launch_->kernel->name + ", grid " + str(shape.grid) + ", block " + str(shape.block) + ": ";
  if (outcome_ == Outcome::deadlock) {
    text += deadlock_text();
  } else {
    text += describe(*culprit_) + ": " + fault_text_;
    if (fault_address_ != nullptr) {
      text += " (at " + source_line_of(fault_address_) + ")";
    } else {
      text += " (at " + sim::str(fault_at_) + ")";
    }
  }
  text += "; launched at " + sim::str(launch_->shape.at);
  outcome_ = Outcome::ended;
  abandon();
  throw Fault(text);
}

}  // namespace iskra::sim
