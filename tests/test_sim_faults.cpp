// What a kernel must not do, and that the emulator is ready for the next launch afterwards.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

__global__ void good(int* y) {
  __syncthreads();
  atomicAdd(y, 1);
}

__global__ void gives_up(int* y) {
  __syncthreads();
  if (threadIdx.x == 3) __trap();
  __syncthreads();
  *y = 1;
}

TEST(SimFaults, ATrapNamesKernelBlockThreadAndPlace) {
  int y = 0;
  std::string text = fault_of([&] { go<gives_up>({2, 64}, &y); });
  EXPECT_NE(
      text.find("gives_up, grid (2, 1, 1), block (64, 1, 1): block (0, 0, 0), thread (3, 0, 0): __trap (at "),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("test_sim_faults.cpp:"), std::string::npos);
  EXPECT_NE(text.find("; launched at "), std::string::npos);
}

TEST(SimFaults, HundredsOfFailuresLeaveNothingBehind) {
#ifdef ISKRA_SANITIZED
  constexpr int kTimes = 10;
#else
  constexpr int kTimes = 200;
#endif
  int y = 0, total = 0;
  for (int i = 0; i < kTimes; ++i) {
    in_all_orders([&] { EXPECT_NE(fault_of([&] { go<gives_up>({2, 64}, &y); }), "no fault"); });
    go<good>({2, 96}, &total);
  }
  EXPECT_EQ(total, kTimes * 192);
}

__global__ void launches_another(int* y) {
  if (threadIdx.x == 0) go<good>({1, 1}, y);
}

TEST(SimFaults, AKernelCannotLaunchAKernel) {
  int y = 0;
  EXPECT_NE(fault_of([&] { go<launches_another>({1, 32}, &y); }).find("a kernel launches another one"),
            std::string::npos);
}

#ifndef ISKRA_SANITIZED  // these signals are AddressSanitizer's there, and it reports them itself

int deep(volatile int* depth, int n) {
  volatile char frame[512];
  frame[0] = static_cast<char>(n);
  *depth = n;
  return n == 0 ? frame[0] : deep(depth, n - 1) + frame[0];
}
__global__ void overflows(int* y) {
  __syncthreads();
  if (threadIdx.x == 9) *y = deep(y, 10000);
  __syncthreads();
}

TEST(SimFaults, AStackThatOverflowsIsReported) {
  for (int i = 0; i < 3; ++i) {
    int y = 0;
    std::string text = fault_of([&] { go<overflows>({1, 32}, &y); });
    EXPECT_NE(text.find("thread (9, 0, 0): stack overflow (at test_sim_faults.cpp:"), std::string::npos)
        << text;
    go<good>({1, 32}, &y);
  }
}

__global__ void writes_nowhere(float* y) { y[threadIdx.x] = 1; }

TEST(SimFaults, AWildAddressIsReported) {
  std::string text = fault_of([&] { go<writes_nowhere>({1, 32}, reinterpret_cast<float*>(0x1000)); });
  EXPECT_NE(text.find("access to address 0x1000"), std::string::npos) << text;
  EXPECT_NE(text.find("test_sim_faults.cpp:"), std::string::npos) << text;
}

__global__ void spins(volatile int* flag) {
  if (threadIdx.x == 5) {
    while (*flag == 0) {
    }
  }
}

TEST(SimFaults, AThreadThatSpinsForEverIsNamed) {
  setenv("ISKRA_SIM_PATIENCE", "0.5", 1);  // read once, by the first who asks
  int flag = 0;
  std::string text = fault_of([&] { go<spins>({1, 32}, &flag); });
  EXPECT_NE(text.find("thread (5, 0, 0): the thread spins without end (at test_sim_faults.cpp:"),
            std::string::npos)
      << text;
}

#endif

}  // namespace
}  // namespace iskra::testing
