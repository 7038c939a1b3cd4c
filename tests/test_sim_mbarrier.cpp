// mbarriers of the emulator: phases, rings of stages, and what must not be done with them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <iskra/kernels/gpu_async.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

enum Bug { kNone, kNoWait, kWrongParity, kNoSecondPhase };

/// Every turn each thread hands its number on to the next: two phases, one for writing and one for reading.
template <int bug>
__global__ void hand_on(int* y) {
  SHARED(bar, uint64_t);
  SHARED(values, int[64]);
  unsigned i = threadIdx.x;
  if (i == 0) mbarrier_init(&bar, 64);
  __syncthreads();
  int value = static_cast<int>(i);
  uint32_t parity = bug == kWrongParity ? 1 : 0;
  for (int turn = 0; turn < 5; ++turn) {
    values[i] = value;
    mbarrier_arrive(&bar);
    if (bug != kNoWait) mbarrier_wait(&bar, parity);
    parity ^= bug == kNoSecondPhase ? 1U : 0U;
    value = values[(i + 1) % 64];
    if (bug == kNoSecondPhase) continue;
    mbarrier_arrive(&bar);
    mbarrier_wait(&bar, parity ^ 1U);
  }
  y[i] = value;
}

template <int bug>
bool hand_on_is_right() {
  std::vector<int> y(64);
  if (fault_of([&] { go<hand_on<bug>>({1, 64}, y.data()); }) != "no fault") return false;
  for (int i = 0; i < 64; ++i) {
    if (y[static_cast<size_t>(i)] != (i + 5) % 64) return false;
  }
  return true;
}

TEST(SimMBarrier, PhasesFollowOneAnother) {
  EXPECT_EQ(wrong_orders(hand_on_is_right<kNone>), 0);
#ifndef ISKRA_SANITIZED
  EXPECT_GT(wrong_orders(hand_on_is_right<kNoWait>), 0);
  EXPECT_GT(wrong_orders(hand_on_is_right<kWrongParity>), 0);
  EXPECT_GT(wrong_orders(hand_on_is_right<kNoSecondPhase>), 0);
#endif
}

/// A warp fills two stages in turn, the other empties them: mbarriers for full and for empty ones.
template <bool waits_for_empty>
__global__ void ring(int turns, int* y) {
  SHARED(full, uint64_t[2]);
  SHARED(empty, uint64_t[2]);
  SHARED(stages, int[2][32]);
  unsigned lane = threadIdx.x % 32;
  if (threadIdx.x < 2) {
    mbarrier_init(&full[threadIdx.x], 32);
    mbarrier_init(&empty[threadIdx.x], 32);
  }
  __syncthreads();
  for (int turn = 0; turn < turns; ++turn) {
    int stage = turn % 2;
    uint32_t parity = static_cast<uint32_t>(turn / 2) & 1U;
    if (threadIdx.x < 32) {
      // The stages are empty to begin with, as if the phase before the first had ended.
      if (waits_for_empty) mbarrier_wait(&empty[stage], parity ^ 1U);
      stages[stage][lane] = turn * 100 + static_cast<int>(lane);
      mbarrier_arrive(&full[stage]);
    } else {
      while (!mbarrier_test(&full[stage], parity)) {
      }
      y[static_cast<unsigned>(turn) * 32 + lane] = stages[stage][31 - lane];
      mbarrier_arrive(&empty[stage]);
    }
  }
}

template <bool waits_for_empty>
bool ring_is_right() {
  std::vector<int> y(7 * 32);
  if (fault_of([&] { go<ring<waits_for_empty>>({1, 64}, 7, y.data()); }) != "no fault") return false;
  for (int i = 0; i < 7 * 32; ++i) {
    if (y[static_cast<size_t>(i)] != i / 32 * 100 + 31 - i % 32) return false;
  }
  return true;
}

TEST(SimMBarrier, ARingOfStages) {
  EXPECT_EQ(wrong_orders(ring_is_right<true>), 0);
#ifndef ISKRA_SANITIZED
  EXPECT_GT(wrong_orders(ring_is_right<false>), 0);
#endif
}

__global__ void used_again(int* y) {
  SHARED(bar, uint64_t);
  for (int turn = 1; turn <= 2; ++turn) {
    if (threadIdx.x == 0) mbarrier_init(&bar, 16 * turn);
    __syncthreads();
    if (threadIdx.x < 16U * static_cast<unsigned>(turn)) mbarrier_arrive(&bar);
    mbarrier_wait(&bar, 0);
    __syncthreads();
    if (threadIdx.x == 0) mbarrier_inval(&bar);
    __syncthreads();
  }
  atomicAdd(y, 1);
}

TEST(SimMBarrier, MayBeMadeAnewAfterItsEnd) {
  in_all_orders([] {
    int y = 0;
    go<used_again>({3, 32}, &y);
    EXPECT_EQ(y, 96);
  });
}

// --- misuse
// -----------------------------------------------------------------------------------------------------------

enum Misuse {
  kNoInit,
  kInitTwice,
  kNoArrivals,
  kTooManyArrivals,
  kTooManyBytes,
  kNotShared,
  kAlignment,
  kParity,
  kAfterItsEnd,
  kOverwritten,
  kNeverEnds,
};

template <int misuse>
__global__ void misused(uint64_t* global) {
  SHARED(bar, uint64_t[2]);
  uint64_t* b = &bar[0];
  if (misuse == kNoArrivals) mbarrier_init(b, 0);
  if (misuse != kNoInit) mbarrier_init(b, 1);
  if (misuse == kNoInit) mbarrier_wait(b, 0);
  if (misuse == kInitTwice) mbarrier_init(b, 1);
  if (misuse == kTooManyArrivals) {
    mbarrier_arrive_expect(b, 16);
    mbarrier_arrive(b);
  }
  if (misuse == kTooManyBytes) {
    mbarrier_expect(b, 1 << 19);
    mbarrier_expect(b, 1 << 19);
  }
  if (misuse == kNotShared) mbarrier_arrive(global);
  if (misuse == kAlignment) mbarrier_arrive(reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(b) + 4));
  if (misuse == kParity) mbarrier_test(b, 2);
  if (misuse == kAfterItsEnd) mbarrier_inval(b);
  if (misuse == kAfterItsEnd) mbarrier_arrive(b);
  if (misuse == kOverwritten) *b = 0;
  if (misuse == kOverwritten) mbarrier_arrive(b);
  if (misuse == kNeverEnds) mbarrier_wait(b, 0);
}

template <int misuse>
std::string text_of() {
  uint64_t global = 0;
  return fault_of([&] { go<misused<misuse>>({1, 1}, &global); });
}

TEST(SimMBarrier, MisuseIsAFault) {
  const std::pair<std::string, const char*> cases[] = {
      {text_of<kNoInit>(), "mbarrier.try_wait: no mbarrier is initialised at shared address"},
      {text_of<kInitTwice>(), "is initialised already: mbarrier.inval first"},
      {text_of<kNoArrivals>(), "mbarrier.init: count 0"},
      {text_of<kTooManyArrivals>(), "mbarrier.arrive: more arrivals than the 1"},
      {text_of<kTooManyBytes>(), "would expect 1048576 bytes"},
      {text_of<kNotShared>(), "is not in the block's shared memory"},
      {text_of<kAlignment>(), "is not aligned to 8 bytes"},
      {text_of<kParity>(), "mbarrier.test_wait: parity 2"},
      {text_of<kAfterItsEnd>(), "mbarrier.arrive: no mbarrier is initialised"},
      {text_of<kOverwritten>(), "mbarrier.arrive: no mbarrier is initialised"},
      {text_of<kNeverEnds>(), "1 thread waits in mbarrier.try_wait at test_sim_mbarrier.cpp:"},
  };
  for (const auto& [text, want] : cases) EXPECT_NE(text.find(want), std::string::npos) << text;
}

}  // namespace
}  // namespace iskra::testing
