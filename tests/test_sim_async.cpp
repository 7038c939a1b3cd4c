// cp.async on the emulator: right pipelines pass in every order, and each way of getting one wrong is caught.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <iskra/kernels/gpu_async.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

enum Bug {
  kNone,
  kNoWait,
  kOneGroupTooFew,
  kNoCommit,
  kNoBarrierAfterWait,
  kNoBarrierBeforeReuse,
};

/// y is x, tile by tile and each tile backwards, zeros behind its end; two tiles are under way at a time.
template <int bytes, int bug>
__global__ void backwards(const float* x, int n, float* y) {
  constexpr int kEach = bytes / 4, kTile = 64 * kEach;
  SHARED(buffer, float[2][kTile]);
  int tiles = (n + kTile - 1) / kTile, mine = static_cast<int>(threadIdx.x) * kEach;
  auto begin = [&](int tile) {
    if (tile < tiles) {
      int at = tile * kTile + mine, valid = max(0, min(kEach, n - at));
      cp_async<bytes>(&buffer[tile % 2][mine], valid > 0 ? x + at : x, valid * 4);
    }
    if (bug != kNoCommit) cp_async_commit();
  };
  begin(0);
  for (int tile = 0; tile < tiles; ++tile) {
    begin(tile + 1);
    if (bug == kOneGroupTooFew) {
      cp_async_wait<2>();
    } else if (bug != kNoWait) {
      cp_async_wait<1>();
    }
    if (bug != kNoBarrierAfterWait) __syncthreads();
    for (int i = mine; i < mine + kEach; ++i) y[tile * kTile + i] = buffer[tile % 2][kTile - 1 - i];
    if (bug != kNoBarrierBeforeReuse) __syncthreads();
  }
}

template <int bytes, int bug>
bool is_backwards(int n) {
  constexpr int kTile = 64 * bytes / 4;
  int tiles = (n + kTile - 1) / kTile;
  std::vector<float> x(static_cast<size_t>(n)), y(static_cast<size_t>(tiles * kTile), -1);
  for (int i = 0; i < n; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i + 1);
  go<backwards<bytes, bug>>({1, 64}, x.data(), n, y.data());
  for (int i = 0; i < tiles * kTile; ++i) {
    int from = i / kTile * kTile + kTile - 1 - i % kTile;
    if (y[static_cast<size_t>(i)] != (from < n ? static_cast<float>(from + 1) : 0.0F)) return false;
  }
  return true;
}

TEST(SimAsync, PipelinesOfEverySizeAndTail) {
  for (int n : {1, 64, 257, 901}) {
    SCOPED_TRACE(n);
    EXPECT_EQ(wrong_orders([n] { return is_backwards<4, kNone>(n); }), 0);
    EXPECT_EQ(wrong_orders([n] { return is_backwards<8, kNone>(n); }), 0);
    EXPECT_EQ(wrong_orders([n] { return is_backwards<16, kNone>(n); }), 0);
  }
}

#ifndef ISKRA_SANITIZED  // ThreadSanitizer ends the program at a race

template <int bug>
int wrong_backwards() {
  return wrong_orders([] { return is_backwards<16, bug>(901); });
}

TEST(SimAsync, WrongPipelinesAreCaught) {
  EXPECT_GT(wrong_backwards<kNoWait>(), 0);
  EXPECT_GT(wrong_backwards<kOneGroupTooFew>(), 0);
  EXPECT_GT(wrong_backwards<kNoCommit>(), 0);
  EXPECT_GT(wrong_backwards<kNoBarrierAfterWait>(), 0);
  EXPECT_GT(wrong_backwards<kNoBarrierBeforeReuse>(), 0);
}

#endif

__global__ void all_at_once(const float* x, float* y) {
  SHARED(buffer, float[3][32]);
  for (int i = 0; i < 3; ++i) {
    cp_async<4>(&buffer[i][threadIdx.x], x + static_cast<unsigned>(i) * 32 + threadIdx.x);
    if (i == 0) cp_async_commit();
  }
  cp_async_wait_all();
  for (int i = 0; i < 3; ++i) y[static_cast<unsigned>(i) * 32 + threadIdx.x] = buffer[i][threadIdx.x];
}

TEST(SimAsync, WaitAllNeedsNoCommit) {
  in_all_orders([] {
    std::vector<float> x(96), y(96);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    go<all_at_once>({1, 32}, x.data(), y.data());
    EXPECT_EQ(x, y);
  });
}

// --- told to an mbarrier
// -----------------------------------------------------------------------------------------------------------

/// One warp copies and ends, the other waits at an mbarrier for `expected` arrivals.
template <bool wait>
__global__ void told(const float* x, int expected, float* y) {
  SHARED(buffer, float[4][32]);
  SHARED(bar, uint64_t);
  unsigned lane = threadIdx.x % 32;
  if (threadIdx.x == 0) mbarrier_init(&bar, expected);
  __syncthreads();
  if (threadIdx.x < 32) {
    for (unsigned i = 0; i < 4; ++i) cp_async<4>(&buffer[i][lane], x + i * 32 + lane);
    cp_async_mbarrier_arrive(&bar);
    return;
  }
  if (wait) mbarrier_wait(&bar, 0);
  for (unsigned i = 0; i < 4; ++i) y[i * 32 + lane] = buffer[i][31 - lane];
}

template <bool wait>
bool told_is_right() {
  std::vector<float> x(128), y(128);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  if (fault_of([&] { go<told<wait>>({1, 64}, x.data(), 32, y.data()); }) != "no fault") return false;
  for (size_t i = 0; i < y.size(); ++i) {
    if (y[i] != x[i / 32 * 32 + 31 - i % 32]) return false;
  }
  return true;
}

TEST(SimAsync, AnMBarrierIsToldWhenTheCopiesAreDone) {
  EXPECT_EQ(wrong_orders(told_is_right<true>), 0);
#ifndef ISKRA_SANITIZED
  EXPECT_GT(wrong_orders(told_is_right<false>), 0);
#endif
  std::vector<float> x(128), y(128);
  std::string text = fault_of([&] { go<told<true>>({1, 64}, x.data(), 33, y.data()); });
  EXPECT_NE(
      text.find("deadlock: nobody can go on; 32 threads wait in mbarrier.try_wait at test_sim_async.cpp:"),
      std::string::npos)
      << text;
}

// --- misuse
// -----------------------------------------------------------------------------------------------------------

enum Misuse { kSharedAlignment, kGlobalAlignment, kNotShared, kPastTheEnd, kValid };

template <int misuse>
__global__ void misused(float* x) {
  SHARED(buffer, float[10]);
  if (misuse == kSharedAlignment) cp_async<16>(&buffer[2], x);
  if (misuse == kGlobalAlignment) cp_async<8>(&buffer[0], x + 1);
  if (misuse == kNotShared) cp_async<4>(x, x);
  if (misuse == kPastTheEnd) cp_async<16>(&buffer[8], x);
  if (misuse == kValid) cp_async<8>(&buffer[0], x, 12);
}

template <int misuse>
std::string text_of() {
  alignas(16) float x[16] = {};
  return fault_of([&] { go<misused<misuse>>({1, 1}, static_cast<float*>(x)); });
}

TEST(SimAsync, AddressesAndSizesAreChecked) {
  EXPECT_NE(text_of<kSharedAlignment>().find("is not aligned to 16 bytes"), std::string::npos);
  EXPECT_NE(text_of<kGlobalAlignment>().find("cp.async: global address"), std::string::npos);
  EXPECT_NE(text_of<kNotShared>().find("is not in the block's shared memory"), std::string::npos);
  EXPECT_NE(text_of<kPastTheEnd>().find("where the variable has 8"), std::string::npos)
      << text_of<kPastTheEnd>();
  EXPECT_NE(text_of<kValid>().find("12 valid bytes of 8"), std::string::npos);
  EXPECT_NE(text_of<kValid>().find("test_sim_async.cpp:"), std::string::npos);
}

}  // namespace
}  // namespace iskra::testing
