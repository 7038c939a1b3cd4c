// Atomics of the emulator against the same sums on the host, and the pattern of the block that comes last.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

struct Results {
  int sum, smallest, largest, bits_and, bits_or, bits_xor;
  unsigned wrapped, counted_down;
  unsigned long long wide;
  float real;
  double precise;
  int won;
  int owner;
};

__global__ void all_atomics(Results* r) {
  int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&r->sum, i);
  atomicMin(&r->smallest, 5 - i);
  atomicMax(&r->largest, i);
  atomicAnd(&r->bits_and, ~(i & 12));
  atomicOr(&r->bits_or, i);
  atomicXor(&r->bits_xor, i);
  atomicInc(&r->wrapped, 9U);
  atomicDec(&r->counted_down, 6U);
  atomicAdd(&r->wide, 1ULL << 33);
  atomicAdd(&r->real, 0.5F);
  atomicAdd(&r->precise, 0.25);
  if (atomicCAS(&r->owner, -1, i) == -1) atomicAdd(&r->won, 1);
}

TEST(SimAtomics, EachOfThemAgainstTheHost) {
  in_all_orders([] {
    Results r{};
    r.bits_and = -1;
    r.owner = -1;
    go<all_atomics>({3, 40}, &r);
    int sum = 0, bits_and = -1, bits_or = 0, bits_xor = 0;
    for (int i = 0; i < 120; ++i) sum += i, bits_and &= ~(i & 12), bits_or |= i, bits_xor ^= i;
    EXPECT_EQ(r.sum, sum);
    EXPECT_EQ(r.smallest, -114);
    EXPECT_EQ(r.largest, 119);
    EXPECT_EQ(r.bits_and, bits_and);
    EXPECT_EQ(r.bits_or, bits_or);
    EXPECT_EQ(r.bits_xor, bits_xor);
    EXPECT_EQ(r.wrapped, 0U) << "120 increments of a counter to 9 wrap twelve times";
    EXPECT_EQ(r.counted_down, 6U) << "0 becomes 6, which is 0 again after seven";
    EXPECT_EQ(r.wide, 120ULL << 33);
    EXPECT_EQ(r.real, 60.0F);
    EXPECT_EQ(r.precise, 30.0);
    EXPECT_EQ(r.won, 1);
    EXPECT_GE(r.owner, 0);
  });
}

__global__ void sum_by_last_block(const float* x, float* parts, unsigned* done, float* y) {
  SHARED(last, bool);
  if (threadIdx.x == 0) {
    float sum = 0;
    for (unsigned i = 0; i < 100; ++i) sum += x[blockIdx.x * 100 + i];
    parts[blockIdx.x] = sum;
    __threadfence();
    last = atomicInc(done, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    __threadfence();
    float sum = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) sum += parts[i];
    *y = sum;
  }
}

TEST(SimAtomics, TheLastBlockAddsUpAndTheCounterIsReadyForTheNextLaunch) {
  in_all_orders([] {
    std::vector<float> x(700), parts(7);
    float want = 0;
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 13), want += x[i];
    unsigned done = 0;
    for (int launch = 0; launch < 2; ++launch) {
      float y = 0;
      go<sum_by_last_block>({7, 64}, x.data(), parts.data(), &done, &y);
      EXPECT_EQ(y, want);
    }
  });
}

__global__ void spin_until_set(int* flag, int* seen) {
  if (threadIdx.x == 0) {
    while (iskra::sim::acquire_load(sim::AtomicType::i32, flag, sim::Site::current()) == 0) {
    }
    *seen = 1;
  } else if (threadIdx.x == 63) {
    iskra::sim::release_store(sim::AtomicType::i32, flag, 1, sim::Site::current());
  }
}

TEST(SimAtomics, AnAcquiringLoadLetsOthersRun) {
  in_all_orders([] {
    int flag = 0, seen = 0;
    go<spin_until_set>({1, 64}, &flag, &seen);
    EXPECT_EQ(seen, 1);
  });
}

#ifndef ISKRA_SANITIZED  // UBSan speaks first

__global__ void misaligned(char* p) { atomicAdd(reinterpret_cast<int*>(p + 2), 1); }

TEST(SimAtomics, AddressesMustBeAligned) {
  alignas(8) char buffer[16] = {};
  EXPECT_NE(fault_of([&] { go<misaligned>({1, 1}, static_cast<char*>(buffer)); }).find("atomicAdd: address"),
            std::string::npos);
}

#endif

}  // namespace
}  // namespace iskra::testing
