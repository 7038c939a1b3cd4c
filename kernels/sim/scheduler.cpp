// Who runs next. A thread that has to wait picks its successor itself and switches to it.

#include <bit>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <iskra/kernels/sim/engine.h>

namespace iskra::sim {

void Engine::set_runnable(const Thread& thread, bool can) {
  uint64_t bit = uint64_t{1} << (thread.slot % 64);
  uint64_t& word = team_.runnable[static_cast<size_t>(thread.slot / 64)];
  word = can ? word | bit : word & ~bit;
}

uint64_t Engine::random() {
  // xorshift64*
  random_state_ ^= random_state_ >> 12;
  random_state_ ^= random_state_ << 25;
  random_state_ ^= random_state_ >> 27;
  return random_state_ * 0x2545F4914F6CDD1DU;
}

// The next runnable slot after `from`, around the end; `from` itself last; -1 if there is none.
int Engine::next_slot(int from) const {
  int word = from / 64;
  uint64_t bits = team_.runnable[static_cast<size_t>(word)];
  uint64_t after = from % 64 == 63 ? 0 : bits & (~uint64_t{0} << (from % 64 + 1));
  for (int i = 0; i <= team_.words; ++i) {
    if (after != 0) return word * 64 + std::countr_zero(after);
    word = word + 1 == team_.words ? 0 : word + 1;
    after = team_.runnable[static_cast<size_t>(word)];
  }
  return -1;
}

int Engine::previous_slot(int from) const {
  int word = from / 64;
  uint64_t bits = team_.runnable[static_cast<size_t>(word)];
  uint64_t before = bits & ((uint64_t{1} << (from % 64)) - 1);
  for (int i = 0; i <= team_.words; ++i) {
    if (before != 0) return word * 64 + 63 - std::countl_zero(before);
    word = word == 0 ? team_.words - 1 : word - 1;
    before = team_.runnable[static_cast<size_t>(word)];
  }
  return -1;
}

int Engine::pick(int from) {
  switch (schedule_.order) {
    case Order::forward:
      return next_slot(from);
    case Order::reverse:
      return previous_slot(from);
    case Order::random:
      return next_slot(static_cast<int>(random() % static_cast<uint64_t>(team_.slots)));
    case Order::deep: {
      uint64_t warp = team_.runnable[static_cast<size_t>(from / 64)] >> (from / 32 % 2 * 32) & 0xffffffffU;
      // A warp that only yields, waiting for another one, must let it run now and then.
      if (warp == 0 || yields_ % 64 == 63) return next_slot(from | 31);
      uint64_t after = from % 32 == 31 ? 0 : warp & (~uint64_t{0} << (from % 32 + 1));
      return from / 32 * 32 + std::countr_zero(after != 0 ? after : warp);
    }
  }
  return -1;
}

// The thread to run after `from`; null when all have ended. Does not return when nobody can ever go on.
Thread* Engine::next(Thread* from) {
  if (schedule_.order == Order::random && !team_.jobs.empty() && random() % 8 == 0) run_one_job();
  for (;;) {
    int slot = pick(from->slot);
    if (slot >= 0) return &team_.threads[static_cast<size_t>(slot)];
    if (team_.live == 0) return nullptr;
    if (team_.polling > 0 && wake_polling()) continue;
    if (run_one_job()) continue;
    outcome_ = Outcome::deadlock;
    culprit_ = from;
    to_launcher(from->context, true);
  }
}

bool Engine::wake_polling() {
  bool any = false;
  for (int slot = 0; slot < team_.slots; ++slot) {
    Thread& t = team_.threads[static_cast<size_t>(slot)];
    if (t.state != State::polling || !t.condition(t.subject)) continue;
    --team_.polling;
    make_ready(t);
    any = true;
  }
  return any;
}

bool Engine::run_one_job() {
  if (team_.jobs.empty()) return false;
  TsanIgnore ignore;
  size_t i = schedule_.order == Order::random ? random() % team_.jobs.size() : 0;
  Job job = team_.jobs[i];
  team_.jobs.erase(team_.jobs.begin() + static_cast<ptrdiff_t>(i));
  count_progress();
  issuer_ = job.issuer;
  job.run(job);
  issuer_ = nullptr;
  return true;
}

void Engine::add_job(const Job& job) {
  TsanIgnore ignore;
  team_.jobs.push_back(job);
}

void Engine::make_ready(Thread& thread) {
  idle_yields_ = 0;
  thread.state = State::ready;
  set_runnable(thread, true);
}

// Goes on in another thread, or at once if this one is picked again. Should the launch fail, this thread
// never comes back, and what it has done so far is nevertheless before what the launcher does then.
void Engine::leave(Thread& self) {
  tsan_release(&ended_);
  Thread* other = next(&self);
  if (other == &self) {
    count_progress();
    return;
  }
  prepare(*other);
  enter(*other);
  switch_context(self.context, other->context);
  release_finished_stack();
}

void Engine::wait(Thread& self, const char* what, const Site& at) {
  self.what = what;
  self.at = at;
  self.state = State::waiting;
  set_runnable(self, false);
  leave(self);
}

void Engine::poll(Thread& self, bool (*condition)(void*), void* subject, const char* what, const Site& at) {
  while (!condition(subject)) {
    self.what = what;
    self.at = at;
    self.condition = condition;
    self.subject = subject;
    self.state = State::polling;
    ++team_.polling;
    set_runnable(self, false);
    leave(self);
  }
}

void Engine::yield(Thread& self, const char* what, const Site& at) {
  self.what = what;
  self.at = at;
  // Threads that look again and again never leave the others nothing to do: what waits for that comes now.
  constexpr int kPatience = 1 << 17;
  if (++idle_yields_ > kPatience) fail(at, "%s again and again, and nothing happens any more", what);
  if (++yields_ % 256 == 0) {
    if (team_.polling > 0) wake_polling();
    if (run_one_job()) idle_yields_ = 0;
  }
  leave(self);
}

void Engine::turn(Thread& self, const char* what, const Site& at) {
  idle_yields_ = 0;
  if (schedule_.order == Order::random && random() % 4 == 0) yield(self, what, at);
}

// --- the schedule itself
// ----------------------------------------------------------------------------------------

Schedule parse_schedule(const std::string& text) {
  if (text == "forward") return {Order::forward, 1};
  if (text == "reverse") return {Order::reverse, 1};
  if (text == "deep") return {Order::deep, 1};
  if (text == "random") return {Order::random, 1};
  if (text.starts_with("random:")) {
    try {
      size_t used = 0;
      uint64_t seed = std::stoull(text.substr(7), &used);
      if (used == text.size() - 7) return {Order::random, seed};
    } catch (const std::logic_error&) {  // falls through to the error below
    }
  }
  throw std::invalid_argument("ISKRA_SIM_SCHEDULE: '" + text +
                              "' is not forward, reverse, deep, random or random:SEED");
}

std::string str(const Schedule& schedule) {
  switch (schedule.order) {
    case Order::forward:
      return "forward";
    case Order::reverse:
      return "reverse";
    case Order::deep:
      return "deep";
    case Order::random:
      break;
  }
  return "random:" + std::to_string(schedule.seed);
}

namespace {

Schedule& current_schedule() {
  thread_local Schedule current = [] {
    const char* text = std::getenv("ISKRA_SIM_SCHEDULE");
    return text == nullptr ? Schedule{} : parse_schedule(text);
  }();
  return current;
}

}  // namespace

Schedule schedule() { return current_schedule(); }
void set_schedule(const Schedule& schedule) { current_schedule() = schedule; }

}  // namespace iskra::sim
