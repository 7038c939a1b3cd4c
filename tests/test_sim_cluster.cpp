// Clusters of the emulator: blocks that read, fill and wake each other.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <iskra/kernels/gpu_tma.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

enum Bug { kNone, kNoFirstBarrier, kNoFence, kNoMBarrierFence, kNoExpect, kNoLastBarrier };

__device__ void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}

/// Every block reads what the next one of its cluster wrote. Blocks ask for their variables in different
/// orders.
template <int bug>
__global__ void read_next(int* y) {
  auto ask_first = [] {
    SHARED(other, double[32]);
    other[threadIdx.x] = 0;
  };
  if (cluster_rank() % 2 == 1) ask_first();
  SHARED(mine, int[32]);
  if (cluster_rank() % 2 == 0) ask_first();
  unsigned i = threadIdx.x;
  mine[i] = static_cast<int>(blockIdx.x * 100 + i);
  if (bug != kNoFirstBarrier) cluster_sync();
  y[blockIdx.x * 32 + i] = *map_shared(&mine[31 - i], (cluster_rank() + 1) % 4);
  cluster_sync();
}

template <int bug>
bool read_next_is_right() {
  std::vector<int> y(8 * 32);
  if (fault_of([&] { go<read_next<bug>>({.grid = 8, .block = 32, .cluster = 4}, y.data()); }) != "no fault")
    return false;
  for (int i = 0; i < 8 * 32; ++i) {
    int block = i / 32, next = block / 4 * 4 + (block + 1) % 4;
    if (y[static_cast<size_t>(i)] != next * 100 + 31 - i % 32) return false;
  }
  return true;
}

TEST(SimCluster, BlocksReadEachOther) {
  EXPECT_EQ(wrong_orders(read_next_is_right<kNone>), 0);
#ifndef ISKRA_SANITIZED
  EXPECT_GT(wrong_orders(read_next_is_right<kNoFirstBarrier>), 0);
#endif
}

/// Block 0 collects: each of the others writes its number there and arrives.
template <int bug>
__global__ void collect(int* y) {
  SHARED(bar, uint64_t);
  SHARED(numbers, int[4]);
  if (threadIdx.x == 0) mbarrier_init(&bar, 3);
  if (threadIdx.x == 0 && bug != kNoMBarrierFence) fence_mbarrier_init();
  cluster_sync();
  int rank = cluster_rank();
  if (rank != 0 && threadIdx.x == 0) {
    *map_shared(&numbers[rank], 0) = static_cast<int>(blockIdx.x);
    mbarrier_arrive_remote(&bar, 0);
  }
  if (rank == 0) {
    mbarrier_wait(&bar, 0);
    if (threadIdx.x > 0 && threadIdx.x < 4) y[blockIdx.x / 4 * 4 + threadIdx.x] = numbers[threadIdx.x];
  }
}

TEST(SimCluster, BlocksWakeEachOther) {
  in_all_orders([] {
    std::vector<int> y(8);
    go<collect<kNone>>({.grid = 8, .block = 32, .cluster = 4}, y.data());
    EXPECT_EQ(y, (std::vector<int>{0, 1, 2, 3, 0, 5, 6, 7}));
  });
  std::vector<int> y(8);
  std::string text =
      fault_of([&] { go<collect<kNoMBarrierFence>>({.grid = 8, .block = 32, .cluster = 4}, y.data()); });
  EXPECT_NE(text.find("was initialised without fence.mbarrier_init"), std::string::npos) << text;
}

/// Every block sends its tile to the next.
template <int bug>
__global__ void send(float* y) {
  SHARED(bar, uint64_t);
  SHARED(mine, float[32]);
  SHARED(received, float[32]);
  unsigned i = threadIdx.x;
  if (i == 0) {
    mbarrier_init(&bar, 1);
    fence_mbarrier_init();
    if (bug == kNoExpect) {
      mbarrier_arrive(&bar);
    } else {
      mbarrier_arrive_expect(&bar, 128);
    }
  }
  mine[i] = static_cast<float>(blockIdx.x * 100 + i);
  if (bug != kNoFence) fence_proxy_async();
  cluster_sync();
  int next = (cluster_rank() + 1) % 3;
  if (i == 0) bulk_copy_to_block(map_shared(&received[0], next), &mine[0], 128, map_shared(&bar, next));
  mbarrier_wait(&bar, 0);
  y[blockIdx.x * 32 + i] = received[i];
  if (bug != kNoLastBarrier) cluster_sync();
}

template <int bug>
bool send_is_right() {
  std::vector<float> y(6 * 32);
  if (fault_of([&] { go<send<bug>>({.grid = 6, .block = 32, .cluster = 3}, y.data()); }) != "no fault")
    return false;
  for (int i = 0; i < 6 * 32; ++i) {
    int block = i / 32, previous = block / 3 * 3 + (block + 2) % 3;
    if (y[static_cast<size_t>(i)] != static_cast<float>(previous * 100 + i % 32)) return false;
  }
  return true;
}

TEST(SimCluster, BlocksCopyToEachOther) {
  EXPECT_EQ(wrong_orders(send_is_right<kNone>), 0);
#ifndef ISKRA_SANITIZED
  EXPECT_GT(wrong_orders(send_is_right<kNoFence>), 0);
  EXPECT_GT(wrong_orders(send_is_right<kNoExpect>), 0);
  EXPECT_GT(wrong_orders(send_is_right<kNoLastBarrier>), 0);
#endif
}

/// One block of each pair loads a box for both, at the same place.
__global__ void load_for_both(const __grid_constant__ TensorMap map, int rank, int loader, float* y) {
  DYN_SHARED(float, box);
  SHARED(bar, uint64_t);
  if (threadIdx.x == 0) {
    mbarrier_init(&bar, 1);
    fence_mbarrier_init();
    mbarrier_arrive_expect(&bar, 8 * 4 * 4);
  }
  cluster_sync();
  if (cluster_rank() == loader && threadIdx.x == 0) {
    int row = static_cast<int>(blockIdx.x) / 2 * 4;
    if (rank == 2) tma_load_2d_multicast(box, &map, 0, row, &bar, 3);
    if (rank == 3) tma_load_3d_multicast(box, &map, 0, row, 0, &bar, 3);
    if (rank == 4) tma_load_4d_multicast(box, &map, 0, row, 0, 0, &bar, 3);
  }
  mbarrier_wait(&bar, 0);
  y[blockIdx.x * 32 + threadIdx.x] = box[threadIdx.x];
  cluster_sync();
}

TEST(SimCluster, OneLoadForSeveralBlocks) {
  in_all_orders([] {
    std::vector<float> x(64);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    for (int rank = 2; rank <= 4; ++rank) {
      for (int loader = 0; loader < 2; ++loader) {
        TensorShape shape{.rank = rank, .address = x.data(), .dims = {8, 7, 1, 1}, .strides = {32, 256, 256}};
        TensorMap map = encode_tiled(shape, {.box = {8, 4, 1, 1}});
        std::vector<float> y(128);
        go<load_for_both>({.grid = 4, .block = 32, .dynamic_shared = 128, .cluster = 2}, map, rank, loader,
                          y.data());
        for (size_t i = 0; i < y.size(); ++i) {
          size_t from = i / 64 * 32 + i % 32;
          EXPECT_EQ(y[i], from < 56 ? static_cast<float>(from) : 0.0F);
        }
      }
    }
  });
}

/// The first block ends before the others arrive.
__global__ void leave_after_arriving(int* y) {
  if (cluster_rank() == 0) {
    cluster_arrive();
    return;
  }
  atomicAdd(y, 1);
  cluster_sync();
  if (atomicAdd(y, 0) % 1000 != 2) atomicAdd(y, 1000);
}

TEST(SimCluster, WhoEndsAfterArrivingIsNotCountedTwice) {
  in_all_orders([] {
    int y = 0;
    go<leave_after_arriving>({.grid = 3, .block = 1, .cluster = 3}, &y);
    EXPECT_EQ(y, 2);
  });
}

__device__ int* variable_of_block() {
  SHARED(value, int[8]);
  return &value[0];
}

/// Block 0 fills what block 1 has not yet asked for.
__global__ void fill_ahead(int* y) {
  int i = static_cast<int>(threadIdx.x);
  if (cluster_rank() == 0) *map_shared(variable_of_block() + i, 1) = i + 10;
  cluster_sync();
  if (cluster_rank() == 1) y[i] = variable_of_block()[7 - i];
}

TEST(SimCluster, AVariableIsThereBeforeItsBlockAsksForIt) {
  in_all_orders([] {
    std::vector<int> y(8);
    go<fill_ahead>({.grid = 2, .block = 8, .cluster = 2}, y.data());
    EXPECT_EQ(y, (std::vector<int>{17, 16, 15, 14, 13, 12, 11, 10}));
  });
}

// --- misuse
// -----------------------------------------------------------------------------------------------------------

enum Misuse { kRank, kNotShared, kEnded, kOtherMBarrier, kNoBlock };

template <int misuse>
__global__ void misused(int* y) {
  SHARED(value, int);
  SHARED(bar, uint64_t);
  SHARED(tile, float[4]);
  value = 0;
  if (cluster_rank() == 1) {
    cluster_sync();
    return;
  }
  cluster_sync();
  if (misuse == kRank) *map_shared(&value, 2) = 1;
  if (misuse == kNotShared) *map_shared(y, 1) = 1;
  if (misuse == kOtherMBarrier) bulk_copy_to_block(map_shared(&tile[0], 0), y, 16, &bar);
  if (misuse == kNoBlock) bulk_copy_to_block(y, &tile[0], 16, &bar);
  for (int i = 0; i < 10 && misuse == kEnded; ++i) load_acquire(y);
  if (misuse == kEnded) *map_shared(&value, 1) = 1;
}

template <int misuse>
std::string text_of() {
  alignas(16) int y[4] = {};
  return fault_of([&] { go<misused<misuse>>({.grid = 2, .block = 1, .cluster = 2}, static_cast<int*>(y)); });
}

TEST(SimCluster, MisuseIsAFault) {
  const std::pair<std::string, const char*> cases[] = {
      {text_of<kRank>(), "mapa: block 2 of a cluster of 2"},
      {text_of<kNotShared>(), "is not in the block's shared memory"},
      {text_of<kEnded>(), "mapa: block 1 of the cluster has ended"},
      {text_of<kOtherMBarrier>(), "is not in the block's shared memory"},
      {text_of<kNoBlock>(), "is not in the shared memory of any block of the cluster"},
  };
  for (const auto& [text, want] : cases) EXPECT_NE(text.find(want), std::string::npos) << text;
}

// --- acquiring and releasing
// -----------------------------------------------------------------------------------------------------------

template <class T>
__global__ void hand_over(float* data, T* flag, float* y) {
  if (blockIdx.x == 1 && threadIdx.x == 0) {
    *data = 42;
    store_release(flag, static_cast<T>(3));
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    while (load_acquire(flag) != static_cast<T>(3)) {
    }
    *y = *data;
  }
}

template <class T>
void check_hand_over() {
  float data = 0, y = 0;
  T flag = 0;
  go<hand_over<T>>({.grid = 2, .block = 40, .cooperative = true}, &data, &flag, &y);
  EXPECT_EQ(y, 42);
}

TEST(SimCluster, AReleaseHandsOverToAnAcquire) {
  in_all_orders([] {
    check_hand_over<int32_t>();
    check_hand_over<uint32_t>();
    check_hand_over<int64_t>();
    check_hand_over<uint64_t>();
    check_hand_over<float>();
  });
}

}  // namespace
}  // namespace iskra::testing
