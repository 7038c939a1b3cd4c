// Shared memory of the emulator: one variable for a block, undefined at its start, bounded as on a GPU.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

__global__ void read_undefined(float* y, int* seen) {
  SHARED(tile, float[64]);
  y[blockIdx.x * 64 + threadIdx.x] = tile[threadIdx.x];
  tile[threadIdx.x] = 1;
  DYN_SHARED(float, dynamic);
  if (threadIdx.x == 0) atomicAdd(seen, std::isnan(dynamic[0]) && std::isnan(dynamic[24]) ? 1 : 0);
  __syncthreads();
  if (threadIdx.x < 25) dynamic[threadIdx.x] = 2;
}

TEST(SimShared, WhatNobodyWroteIsNaNInEveryBlock) {
  in_all_orders([] {
    std::vector<float> y(128);
    int seen = 0;
    go<read_undefined>({2, 64, 100}, y.data(), &seen);
    for (float v : y) EXPECT_TRUE(std::isnan(v));
    EXPECT_EQ(seen, 2);
  });
}

template <class T>
__device__ T* a_tile() {
  SHARED(tile, T[32]);
  return &tile[0];
}

__global__ void addresses(size_t* where) {
  SHARED(first, char[3]);
  SHARED(second, double[2]);
  DYN_SHARED(float, dynamic);
  float* f = a_tile<float>();
  int* i = a_tile<int>();
  where[0] = reinterpret_cast<size_t>(dynamic) % 1024;
  where[1] = reinterpret_cast<size_t>(&second[0]) % 16;
  where[2] = static_cast<void*>(f) == static_cast<void*>(i) ? 1 : 0;
  where[3] = a_tile<float>() == f ? 0 : 1;
  where[4] = &first[0] == static_cast<void*>(&second[0]) ? 1 : 0;
}

TEST(SimShared, VariablesOfTemplatesAreTheirOwnAndAligned) {
  size_t where[5] = {9, 9, 9, 9, 9};
  go<addresses>({1, 1, 64}, static_cast<size_t*>(where));
  for (size_t w : where) EXPECT_EQ(w, 0U);
}

__global__ void too_much(float* y) {
  SHARED(large, float[13000]);
  *y = large[0];
}
__global__ void no_dynamic(float* y) {
  DYN_SHARED(float, dynamic);
  *y = dynamic[0];
}
__global__ void both(float* y) {
  SHARED(tile, float[4000]);
  DYN_SHARED(float, dynamic);
  *y = dynamic[0] + tile[0];
}

TEST(SimShared, SizesAreBounded) {
  float y = 0;
  EXPECT_NE(fault_of([&] { go<too_much>({1, 1}, &y); }).find("shared variables of 52000 bytes"),
            std::string::npos);
  EXPECT_NE(fault_of([&] {
              go<no_dynamic>({1, 1}, &y);
            }).find("dynamic shared memory in a launch that asked for none"),
            std::string::npos);
  EXPECT_NE(
      fault_of([&] { go<both>({1, 1, 220000}, &y); }).find("beside 220000 bytes of dynamic shared memory"),
      std::string::npos);
}

}  // namespace
}  // namespace iskra::testing
