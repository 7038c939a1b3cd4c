// Barriers of the emulator: right kernels pass in every order, and each way of getting one wrong is caught.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

// --- __syncthreads
// ------------------------------------------------------------------------------------------------

/// Sums a block's numbers in a tree; without the barrier `missing` of the two.
template <int missing>
__global__ void block_sum(const float* x, float* y) {
  SHARED(sums, float[256]);
  sums[threadIdx.x] = x[blockIdx.x * 256 + threadIdx.x];
  if (missing != 1) __syncthreads();
  for (unsigned half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    if (missing != 2) __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = sums[0];
}

template <int missing>
bool block_sum_is_right() {
  std::vector<float> x(512), y(2);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17);
  go<block_sum<missing>>({2, 256}, x.data(), y.data());
  float want[2] = {};
  for (size_t i = 0; i < x.size(); ++i) want[i / 256] += x[i];
  return y[0] == want[0] && y[1] == want[1];
}

TEST(SimBarriers, ATreeOfSums) {
  EXPECT_EQ(wrong_orders(block_sum_is_right<0>), 0);
#ifndef ISKRA_SANITIZED  // ThreadSanitizer ends the program at a race
  EXPECT_GT(wrong_orders(block_sum_is_right<1>), 0);
  EXPECT_GT(wrong_orders(block_sum_is_right<2>), 0);
#endif
}

__global__ void divergent_barrier(int* x) {
  if (threadIdx.x < 16) {
    atomicAdd(x, 1);
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST(SimBarriers, ABarrierInDivergentCodeIsAFault) {
  int x = 0;
  std::string text = fault_of([&] { go<divergent_barrier>({1, 32}, &x); });
  EXPECT_NE(text.find("__syncthreads in divergent code"), std::string::npos) << text;
  EXPECT_NE(text.find("block (0, 0, 0), thread (16, 0, 0)"), std::string::npos) << text;
  EXPECT_NE(text.find("test_sim_barriers.cpp:"), std::string::npos) << text;
}

__global__ void leave_early(int n, int* x) {
  if (static_cast<int>(threadIdx.x) >= n) return;
  atomicAdd(x, 1);
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(x, 100 * *x);
}

TEST(SimBarriers, ThreadsThatHaveEndedAreNotWaitedFor) {
  in_all_orders([] {
    int x = 0;
    go<leave_early>({1, 64}, 5, &x);
    EXPECT_EQ(x, 505);
  });
}

__global__ void predicates(int* y) {
  int count = __syncthreads_count(static_cast<int>(threadIdx.x % 2));
  int all = __syncthreads_and(threadIdx.x < 96) + 2 * __syncthreads_and(threadIdx.x < 95);
  int any = __syncthreads_or(threadIdx.x == 95) + 2 * __syncthreads_or(threadIdx.x == 96);
  y[threadIdx.x] = count * 100 + all * 10 + any;
}

TEST(SimBarriers, BarriersWithPredicates) {
  std::vector<int> y(96);
  go<predicates>({1, 96}, y.data());
  EXPECT_EQ(y, std::vector<int>(96, 4811));
}

__global__ void deadlock(int* x) {
  if (threadIdx.x == 7) *x = static_cast<int>(__shfl_sync(0xffffffffU, threadIdx.x, 0));
  __syncthreads();
}

TEST(SimBarriers, ADeadlockSaysWhoWaitsWhere) {
  int x = 0;
  std::string text = fault_of([&] { go<deadlock>({2, 64}, &x); });
  EXPECT_NE(text.find("deadlock"), std::string::npos) << text;
  EXPECT_NE(text.find("63 threads wait in __syncthreads at "), std::string::npos) << text;
  EXPECT_NE(text.find("1 thread waits in __shfl_sync at "), std::string::npos) << text;
  EXPECT_NE(text.find("(the first is block (0, 0, 0), thread (7, 0, 0))"), std::string::npos) << text;
}

// --- named barriers
// -----------------------------------------------------------------------------------------------

/// One warp fills, the other reads, in turns: two barriers that one side only arrives at.
template <bool early>
__global__ void producer_and_consumer(float* y) {
  SHARED(buffer, float[32]);
  unsigned lane = threadIdx.x % 32;
  for (int turn = 0; turn < 5; ++turn) {
    if (threadIdx.x < 32) {
      if (turn > 0 && !early) iskra::sim::named_barrier(2, 64, sim::Site::current());
      buffer[lane] = static_cast<float>(turn) + static_cast<float>(lane) / 64;
      iskra::sim::named_barrier_arrive(1, 64, sim::Site::current());
    } else {
      iskra::sim::named_barrier(1, 64, sim::Site::current());
      y[static_cast<unsigned>(turn) * 32 + lane] = buffer[31 - lane];
      if (turn < 4 && !early) iskra::sim::named_barrier_arrive(2, 64, sim::Site::current());
    }
  }
}

template <bool early>
bool producer_and_consumer_is_right() {
  std::vector<float> y(160);
  bool fault = fault_of([&] { go<producer_and_consumer<early>>({1, 64}, y.data()); }) != "no fault";
  for (int i = 0; i < 160; ++i) {
    if (y[static_cast<size_t>(i)] != static_cast<float>(i / 32) + static_cast<float>(31 - i % 32) / 64)
      return false;
  }
  return !fault;
}

TEST(SimBarriers, ProducerAndConsumerMeetAtNamedBarriers) {
  EXPECT_EQ(wrong_orders(producer_and_consumer_is_right<false>), 0);
#ifndef ISKRA_SANITIZED
  EXPECT_GT(wrong_orders(producer_and_consumer_is_right<true>), 0);
#endif
}

__global__ void wrong_named_barrier(int id, int threads, int others) {
  iskra::sim::named_barrier(id, threadIdx.x < 32 ? threads : others, sim::Site::current());
}

TEST(SimBarriers, NamedBarriersAreChecked) {
  EXPECT_NE(
      fault_of([] { go<wrong_named_barrier>({1, 64}, 16, 64, 64); }).find("barrier 16; a block has 0 to 15"),
      std::string::npos);
  EXPECT_NE(
      fault_of([] { go<wrong_named_barrier>({1, 64}, 1, 40, 40); }).find("40 threads; want a multiple of 32"),
      std::string::npos);
  EXPECT_NE(fault_of([] {
              go<wrong_named_barrier>({1, 64}, 1, 64, 32);
            }).find("barrier 1 is used for 32 threads here and for 64"),
            std::string::npos);
  EXPECT_EQ(fault_of([] { go<wrong_named_barrier>({1, 64}, 1, 64, 64); }), "no fault");
}

// --- grids and clusters
// -------------------------------------------------------------------------------------------

__global__ void grid_turns(int* x, int* wrong) {
  for (int turn = 1; turn <= 3; ++turn) {
    if (threadIdx.x == 0) atomicAdd(x, 1);
    iskra::sim::grid_barrier(sim::Site::current());
    if (atomicAdd(x, 0) != turn * static_cast<int>(gridDim.x)) atomicAdd(wrong, 1);
    iskra::sim::grid_barrier(sim::Site::current());
  }
}

TEST(SimBarriers, AllBlocksOfACooperativeLaunchMeet) {
  in_all_orders([] {
    int x = 0, wrong = 0;
    go<grid_turns>({.grid = 6, .block = 40, .cooperative = true}, &x, &wrong);
    EXPECT_EQ(x, 18);
    EXPECT_EQ(wrong, 0);
  });
  int x = 0;
  EXPECT_NE(fault_of([&] {
              go<grid_turns>({6, 40}, &x, &x);
            }).find("grid barrier in a launch that is not cooperative"),
            std::string::npos);
}

template <bool wait>
__global__ void cluster_turns(int* x, int* wrong) {
  unsigned cluster = blockIdx.x / 2;
  for (int turn = 1; turn <= 3; ++turn) {
    if (threadIdx.x == 0) atomicAdd(&x[cluster], 1);
    iskra::sim::cluster_arrive(sim::Site::current());
    if (wait) iskra::sim::cluster_wait(sim::Site::current());
    if (atomicAdd(&x[cluster], 0) != turn * 2) atomicAdd(wrong, 1);
    iskra::sim::cluster_arrive(sim::Site::current());
    iskra::sim::cluster_wait(sim::Site::current());
  }
}

TEST(SimBarriers, BlocksOfAClusterMeet) {
  in_all_orders([] {
    int x[3] = {}, wrong = 0;
    go<cluster_turns<true>>({.grid = 6, .block = 40, .cluster = 2}, static_cast<int*>(x), &wrong);
    EXPECT_EQ(x[0] + x[1] + x[2], 18);
    EXPECT_EQ(wrong, 0);
  });
  int x[3] = {}, wrong = 0;
  EXPECT_NE(fault_of([&] {
              go<cluster_turns<false>>({.grid = 6, .block = 40, .cluster = 2}, static_cast<int*>(x), &wrong);
            }).find("barrier.cluster.arrive twice without barrier.cluster.wait"),
            std::string::npos);
}

}  // namespace
}  // namespace iskra::testing
