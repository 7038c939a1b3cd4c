#include <iskra/kernels/sim/warp.h>

#include <algorithm>
#include <bit>

#include <iskra/kernels/sim/engine.h>

namespace iskra::sim {
namespace {

// The rules that hold when a lane comes.
void check_mask(Engine& engine, const Thread& self, const char* what, uint32_t mask, const Site& at) {
  const Warp& warp = *self.warp;
  if ((mask >> self.lane & 1U) == 0)
    engine.fail(at, "%s: mask 0x%08x does not name the calling lane %d", what, mask, self.lane);
  if (uint32_t absent = mask & ~warp.present; absent != 0) {
    engine.fail(at, "%s: mask 0x%08x names lane %d, which the block does not have", what, mask,
                std::countr_zero(absent));
  }
  if (uint32_t ended = mask & warp.exited; ended != 0) {
    engine.fail(at, "%s: mask 0x%08x names lane %d, which has ended", what, mask, std::countr_zero(ended));
  }
}

void check_others(Engine& engine, const Thread& self, const char* what, const void* collective, uint32_t mask,
                  const Site& at) {
  const Warp& warp = *self.warp;
  for (uint32_t rest = mask & warp.waiting; rest != 0; rest &= rest - 1) {
    int lane = std::countr_zero(rest);
    const Thread& other = *warp.lanes[lane];
    if (other.collective != collective || !same(other.at, at)) {
      engine.fail(at, "%s in divergent code: lane %d, which the mask 0x%08x names, waits in %s at %s:%u",
                  what, lane, mask, other.what, file_of(other.at), other.at.line());
    }
    if (other.mask != mask) {
      engine.fail(at, "%s: mask 0x%08x here, and 0x%08x of lane %d", what, mask, other.mask, lane);
    }
  }
}

}  // namespace

void warp_collective(const char* what, uint32_t mask, void* mine,
                     void (*all)(void* const* lanes, uint32_t mask), const Site& at) {
  Thread& self = Engine::self(what);
  Engine& engine = Engine::of_this_thread();
  Warp& warp = *self.warp;
  auto collective = reinterpret_cast<const void*>(all);
  check_mask(engine, self, what, mask, at);
  check_others(engine, self, what, collective, mask, at);
  self.collective = collective;
  self.mask = mask;
  self.exchange = mine;
  warp.waiting |= 1U << self.lane;
  if ((warp.waiting & mask) != mask) {
    engine.wait(self, what, at);
    return;
  }
  void* brought[32] = {};
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) != 0) brought[lane] = warp.lanes[lane]->exchange;
  }
  self.at = at;
  self.what = what;
  all(brought, mask);
  warp.waiting &= ~mask;
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) != 0 && lane != self.lane) engine.make_ready(*warp.lanes[lane]);
  }
  engine.turn(self, what, at);
}

// The first lane to come chooses ThreadSanitizer's object, and the others take over its choice.
void warp_barrier(uint32_t mask, const Site& at) {
  constexpr const char* kWhat = "__syncwarp";
  constexpr auto kNothing = [](void* const*, uint32_t) {};
  void (*all)(void* const*, uint32_t) = kNothing;
  Thread& self = Engine::self(kWhat);
  Warp& warp = *self.warp;
  void* object = nullptr;
  for (uint32_t rest = mask & warp.waiting; rest != 0 && object == nullptr; rest &= rest - 1) {
    const Thread& other = *warp.lanes[std::countr_zero(rest)];
    if (other.collective == reinterpret_cast<const void*>(all)) object = other.exchange;
  }
  if (object == nullptr) object = &warp.ordered[warp.barriers++ % 8];
  tsan_release(object);
  warp_collective(kWhat, mask, object, all, at);
  tsan_acquire(object);
}

uint32_t active_mask() { return 1U << Engine::self("__activemask").lane; }
int lane_of_thread() { return Engine::self("the lane").lane; }

// --- shuffles
// ---------------------------------------------------------------------------------------------------

namespace {

struct ShuffleRequest {
  Shuffle kind;
  uint64_t value;
  int argument, width;
  uint64_t result;
  Site at;
};

// The lane that `lane` reads, by the PTX manual's rule for shfl.sync; its own where the source is out of
// range.
int source_of(const ShuffleRequest& r, int lane) {
  int first = lane & ~(r.width - 1), last = first + r.width - 1, source = lane;
  switch (r.kind) {
    case Shuffle::index:
      return first + (r.argument & (r.width - 1));
    case Shuffle::up:
      source = lane - r.argument;
      return source < first ? lane : source;
    case Shuffle::down:
      source = lane + r.argument;
      return source > last ? lane : source;
    case Shuffle::exclusive_or:
      source = lane ^ r.argument;
      return source > last ? lane : source;
  }
  return lane;
}

void exchange(void* const* lanes, uint32_t mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    auto* request = static_cast<ShuffleRequest*>(lanes[lane]);
    int source = source_of(*request, lane);
    if (lanes[source] == nullptr) {
      Engine::of_this_thread().fail(
          request->at, "shuffle: lane %d reads lane %d, which mask 0x%08x does not name", lane, source, mask);
    }
    request->result = static_cast<ShuffleRequest*>(lanes[source])->value;
  }
}

}  // namespace

uint64_t shuffle(Shuffle kind, uint32_t mask, uint64_t value, int argument, int width, const Site& at) {
  constexpr const char* kNames[] = {"__shfl_sync", "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync"};
  const char* what = kNames[static_cast<int>(kind)];
  if (width <= 0 || width > 32 || (width & (width - 1)) != 0) {
    Engine::of_this_thread().fail(at, "%s: width %d is not 1, 2, 4, 8, 16 or 32", what, width);
  }
  ShuffleRequest request{kind, value, argument, width, 0, at};
  warp_collective(what, mask, &request, exchange, at);
  return request.result;
}

// --- votes and reductions
// ---------------------------------------------------------------------------------------

namespace {

struct VoteRequest {
  bool predicate;
  uint32_t result;
};

void count_votes(void* const* lanes, uint32_t mask) {
  uint32_t ballot = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) != 0 && static_cast<VoteRequest*>(lanes[lane])->predicate) ballot |= 1U << lane;
  }
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) != 0) static_cast<VoteRequest*>(lanes[lane])->result = ballot;
  }
}

struct MatchRequest {
  uint64_t value;
  uint32_t result;
};

void match(void* const* lanes, uint32_t mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    auto* mine = static_cast<MatchRequest*>(lanes[lane]);
    mine->result = 0;
    for (int other = 0; other < 32; ++other) {
      if ((mask >> other & 1U) != 0 && static_cast<MatchRequest*>(lanes[other])->value == mine->value)
        mine->result |= 1U << other;
    }
  }
}

struct ReduceRequest {
  WarpReduce kind;
  bool is_signed;
  uint32_t value;
};

uint32_t combine(const ReduceRequest& r, uint32_t a, uint32_t b) {
  auto sa = static_cast<int32_t>(a), sb = static_cast<int32_t>(b);
  switch (r.kind) {
    case WarpReduce::add:
      return a + b;
    case WarpReduce::min:
      return r.is_signed ? static_cast<uint32_t>(std::min(sa, sb)) : std::min(a, b);
    case WarpReduce::max:
      return r.is_signed ? static_cast<uint32_t>(std::max(sa, sb)) : std::max(a, b);
    case WarpReduce::bit_and:
      return a & b;
    case WarpReduce::bit_or:
      return a | b;
    case WarpReduce::bit_xor:
      return a ^ b;
  }
  return 0;
}

void reduce(void* const* lanes, uint32_t mask) {
  int first = std::countr_zero(mask);
  uint32_t sum = static_cast<ReduceRequest*>(lanes[first])->value;
  for (int lane = first + 1; lane < 32; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    const auto* r = static_cast<ReduceRequest*>(lanes[lane]);
    sum = combine(*r, sum, r->value);
  }
  for (int lane = first; lane < 32; ++lane) {
    if ((mask >> lane & 1U) != 0) static_cast<ReduceRequest*>(lanes[lane])->value = sum;
  }
}

}  // namespace

uint32_t vote(Vote kind, uint32_t mask, bool predicate, const Site& at) {
  constexpr const char* kNames[] = {"__ballot_sync", "__all_sync", "__any_sync"};
  VoteRequest request{predicate, 0};
  warp_collective(kNames[static_cast<int>(kind)], mask, &request, count_votes, at);
  if (kind == Vote::ballot) return request.result;
  return (kind == Vote::all ? request.result == mask : request.result != 0) ? 1 : 0;
}

uint32_t match_any(uint32_t mask, uint64_t value, const Site& at) {
  MatchRequest request{value, 0};
  warp_collective("__match_any_sync", mask, &request, match, at);
  return request.result;
}

uint32_t warp_reduce(WarpReduce kind, bool is_signed, uint32_t mask, uint32_t value, const Site& at) {
  ReduceRequest request{kind, is_signed, value};
  warp_collective("__reduce_sync", mask, &request, reduce, at);
  return request.value;
}

}  // namespace iskra::sim
