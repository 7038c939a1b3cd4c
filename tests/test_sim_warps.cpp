// What the lanes of a warp do together, against formulas over all lanes, and each misuse.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

__global__ void shuffles(int argument, int width, int* index, int* up, int* down, int* exclusive,
                         double* wide) {
  unsigned i = threadIdx.x;
  int mine = static_cast<int>(i) * 3 + 1;
  index[i] = __shfl_sync(0xffffffffU, mine, argument, width);
  up[i] = __shfl_up_sync(0xffffffffU, mine, static_cast<unsigned>(argument), width);
  down[i] = __shfl_down_sync(0xffffffffU, mine, static_cast<unsigned>(argument), width);
  exclusive[i] = __shfl_xor_sync(0xffffffffU, mine, argument % width, width);
  wide[i] = __shfl_sync(0xffffffffU, static_cast<double>(mine) + 0.5, argument, width);
}

TEST(SimWarps, ShufflesOfEveryWidthAndDistance) {
  for (int width : {1, 2, 8, 32}) {
    for (int argument : {0, 1, 5, 31}) {
      in_all_orders([&] {
        std::vector<int> index(64), up(64), down(64), exclusive(64);
        std::vector<double> wide(64);
        go<shuffles>({1, 64}, argument, width, index.data(), up.data(), down.data(), exclusive.data(),
                     wide.data());
        for (int i = 0; i < 64; ++i) {
          auto at = static_cast<size_t>(i);
          int first = i / width * width, lane = i - first;
          auto value = [&](int source) { return (first + source) * 3 + 1; };
          EXPECT_EQ(index[at], value(argument % width)) << i;
          EXPECT_EQ(up[at], value(lane - argument < 0 ? lane : lane - argument)) << i;
          EXPECT_EQ(down[at], value(lane + argument >= width ? lane : lane + argument)) << i;
          EXPECT_EQ(exclusive[at], value(lane ^ (argument % width))) << i;
          EXPECT_EQ(wide[at], value(argument % width) + 0.5) << i;
        }
      });
    }
  }
}

__global__ void votes(unsigned* ballot, int* all, int* any, unsigned* same, int* sums, unsigned* bits) {
  unsigned i = threadIdx.x;
  ballot[i] = __ballot_sync(0xffffffffU, i % 3 == 0);
  all[i] = __all_sync(0xffffffffU, i < 32);
  any[i] = __any_sync(0xffffffffU, i == 40);
  same[i] = __match_any_sync(0xffffffffU, i % 4);
  sums[i] = __reduce_add_sync(0xffffffffU, static_cast<int>(i) - 20);
  sums[64 + i] = __reduce_min_sync(0xffffffffU, static_cast<int>(i) - 20);
  sums[128 + i] = __reduce_max_sync(0xffffffffU, static_cast<int>(i) - 20);
  bits[i] = __reduce_or_sync(0xffffffffU, 1U << (i % 7)) + 1000 * __reduce_and_sync(0xffffffffU, i | 64U);
}

TEST(SimWarps, VotesAndReductions) {
  in_all_orders([] {
    std::vector<unsigned> ballot(64), same(64), bits(64);
    std::vector<int> all(64), any(64), sums(192);
    go<votes>({1, 64}, ballot.data(), all.data(), any.data(), same.data(), sums.data(), bits.data());
    for (unsigned i = 0; i < 64; ++i) {
      unsigned want = 0, match = 0;
      int sum = 0;
      for (unsigned lane = 0; lane < 32; ++lane) {
        unsigned thread = i / 32 * 32 + lane;
        if (thread % 3 == 0) want |= 1U << lane;
        if (thread % 4 == i % 4) match |= 1U << lane;
        sum += static_cast<int>(thread) - 20;
      }
      EXPECT_EQ(ballot[i], want);
      EXPECT_EQ(same[i], match);
      EXPECT_EQ(all[i], i < 32 ? 1 : 0);
      EXPECT_EQ(any[i], i < 32 ? 0 : 1);
      EXPECT_EQ(sums[i], sum);
      EXPECT_EQ(sums[64 + i], i < 32 ? -20 : 12);
      EXPECT_EQ(sums[128 + i], i < 32 ? 11 : 43);
      EXPECT_EQ(bits[i], 127U + 1000 * (i < 32 ? 64U : 96U));
    }
  });
}

__global__ void halves(int* y) {
  unsigned i = threadIdx.x;
  unsigned mask = i < 16 ? 0x0000ffffU : 0xffff0000U;
  y[i] = __reduce_add_sync(mask, static_cast<int>(i));
}

TEST(SimWarps, DisjointMasksWorkSideBySide) {
  in_all_orders([] {
    std::vector<int> y(32);
    go<halves>({1, 32}, y.data());
    for (int i = 0; i < 32; ++i) EXPECT_EQ(y[static_cast<size_t>(i)], i < 16 ? 120 : 376);
  });
}

__global__ void lone_lane(unsigned* y) { y[threadIdx.x] = __activemask(); }

TEST(SimWarps, ActiveMaskPromisesNobodyElse) {
  std::vector<unsigned> y(32);
  go<lone_lane>({1, 32}, y.data());
  for (unsigned i = 0; i < 32; ++i) EXPECT_EQ(y[i], 1U << i);
}

// --- misuse
// -------------------------------------------------------------------------------------------------------

enum Misuse { kNotNamed, kAbsent, kEnded, kEndsWhileWaited, kOtherMask, kOtherCall, kOutsideLane, kWidth };

template <int misuse>
__global__ void misused(int* y) {
  unsigned i = threadIdx.x;
  int v = static_cast<int>(i);
  if (misuse == kNotNamed) *y = __shfl_sync(0x0000ffffU, v, 0);
  if (misuse == kAbsent) *y = __shfl_sync(0xffffffffU, v, 0);  // in a block of 20
  if (misuse == kEnded || misuse == kEndsWhileWaited) {
    if (i == (misuse == kEnded ? 0U : 31U)) return;
    *y = __shfl_sync(0xffffffffU, v, 1);
  }
  if (misuse == kOtherMask) *y = __shfl_sync(i == 5 ? 0x000000ffU : 0xffffffffU, v, 0);
  if (misuse == kOtherCall) *y = i < 16 ? __shfl_sync(0xffffffffU, v, 0) : __shfl_xor_sync(0xffffffffU, v, 1);
  if (misuse == kOutsideLane && i < 8) *y = __shfl_sync(0x000000ffU, v, 9);
  if (misuse == kWidth) *y = __shfl_sync(0xffffffffU, v, 0, 12);
}

template <int misuse>
std::string text_of(unsigned threads = 32) {
  int y = 0;
  return fault_of([&] { go<misused<misuse>>({1, threads}, &y); });
}

TEST(SimWarps, MasksAndLanesAreChecked) {
  EXPECT_NE(text_of<kNotNamed>().find("mask 0x0000ffff does not name the calling lane 16"),
            std::string::npos);
  EXPECT_NE(text_of<kAbsent>(20).find("names lane 20, which the block does not have"), std::string::npos);
  EXPECT_NE(text_of<kEnded>().find("names lane 0, which has ended"), std::string::npos);
  EXPECT_NE(text_of<kEndsWhileWaited>().find("lane 31 has ended, and lane 0 waits for it in __shfl_sync"),
            std::string::npos);
  EXPECT_NE(text_of<kOtherMask>().find("mask 0x000000ff here, and 0xffffffff of lane 0"), std::string::npos);
  EXPECT_NE(text_of<kOtherCall>().find("__shfl_xor_sync in divergent code: lane 0"), std::string::npos);
  EXPECT_NE(text_of<kOutsideLane>().find("reads lane 9, which mask 0x000000ff does not name"),
            std::string::npos);
  EXPECT_NE(text_of<kWidth>().find("width 12 is not"), std::string::npos);
}

// --- __syncwarp
// ---------------------------------------------------------------------------------------------------

template <bool barrier>
__global__ void rotate(int* y) {
  SHARED(values, int[32]);
  unsigned i = threadIdx.x;
  values[i] = static_cast<int>(i);
  for (int turn = 0; turn < 3; ++turn) {
    if (barrier) __syncwarp();
    int next = values[(i + 1) % 32];
    if (barrier) __syncwarp();
    values[i] = next;
  }
  y[i] = values[i];
}

template <bool barrier>
bool rotate_is_right() {
  std::vector<int> y(32);
  go<rotate<barrier>>({1, 32}, y.data());
  for (int i = 0; i < 32; ++i) {
    if (y[static_cast<size_t>(i)] != (i + 3) % 32) return false;
  }
  return true;
}

TEST(SimWarps, LanesDoNotRunInStepWithoutABarrier) {
  EXPECT_EQ(wrong_orders(rotate_is_right<true>), 0);
#ifndef ISKRA_SANITIZED
  EXPECT_GT(wrong_orders(rotate_is_right<false>), 0);
#endif
}

}  // namespace
}  // namespace iskra::testing
