// What wgmma demands: a right pipeline passes in every order, and each way of getting one wrong is caught.
// And setmaxnreg.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <iskra/kernels/gpu_tma.h>
#include <iskra/kernels/gpu_wgmma.h>
#include <iskra/kernels/half.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

/// What is a fault is one in every order; one order will do where each fault takes ThreadSanitizer new
/// fibers.
void in_orders(const std::function<void()>& f) {
#ifdef ISKRA_SANITIZED
  f();
#else
  in_all_orders(f);
#endif
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// --- tiles that threads store
// -----------------------------------------------------------------------------------------------------------

enum Bug {
  kNone,
  kNoFence,
  kNoCommit,
  kNoWait,
  kOneGroupTooFew,
  kNoProxyFence,
  kProxyFenceTooEarly,
  kNoBarrierBefore,
  kOverwritten,
  kSumsRead,
  kSumsWritten,
};

/// d (64, 8) = the sum over all steps of a (64, 16) b (16, 8); row i of a is i + step all over, b is ones.
/// Two buffers; `a` as it is without a swizzle.
template <int bug>
__global__ void sum_of_steps(int steps, float* d) {
  SHARED(as, bf16[2][8][2][8][8]);  // eights of rows, eights of k, rows, k
  SHARED(bs, bf16[2][8][8]);
  int thread = static_cast<int>(threadIdx.x);
  bs[thread / 64][thread / 8 % 8][thread % 8] = {0x3F80};
  float sums[4] = {};
  for (int step = 0; step < steps; ++step) {
    auto& a = as[step % 2];
    if (bug == kProxyFenceTooEarly) fence_proxy_async();
    for (int i = thread; i < 1024; i += 128) {
      int row = i / 128 * 8 + i / 8 % 8;
      a[i / 128][i / 64 % 2][i / 8 % 8][i % 8] = kernels::to_bf16(static_cast<float>(row + step));
    }
    if (bug != kNoProxyFence && bug != kProxyFenceTooEarly) fence_proxy_async();
    if (bug != kNoBarrierBefore) __syncthreads();
    hold(sums);
    if (bug != kNoFence) wgmma_fence();
    wgmma<bf16>(sums, matrix_descriptor(&a, 128, 256, Swizzle::none),
                matrix_descriptor(&bs, 128, 128, Swizzle::none), true);
    if (bug == kSumsRead && step == 1) d[threadIdx.x] = sums[1];
    if (bug == kSumsWritten && step == 1) sums[1] = 0;
    if (bug != kNoCommit) wgmma_commit();
    if (bug == kOverwritten && step == 2 && thread == 7) a[0][0][0][0] = {0};
    if (bug == kOneGroupTooFew) {
      wgmma_wait<2>();
    } else if (bug != kNoWait) {
      wgmma_wait<1>();
    }
  }
  if (bug != kNoWait) wgmma_wait<0>();
  hold(sums);
  for (int i = 0; i < 4; ++i) {
    Element e = sim::c_of_m64(thread, i);
    if (bug != kSumsRead || !std::isnan(d[thread])) d[e.row * 8 + e.column] = sums[i];
  }
}

template <int bug>
std::string text_of_sum(bool* right = nullptr) {
  constexpr int kSteps = 5;
  std::vector<float> d(64 * 8);
  std::string text = fault_of([&] { go<sum_of_steps<bug>>({1, 128}, kSteps, d.data()); });
  if (right == nullptr) return text;
  *right = text == "no fault";
  for (int i = 0; i < 64 * 8; ++i) {
    auto want = static_cast<float>(16 * (i / 8 * kSteps + kSteps * (kSteps - 1) / 2));
    *right = *right && d[static_cast<size_t>(i)] == want;
  }
  return text;
}
template <int bug>
bool sum_is_right() {
  bool right = false;
  text_of_sum<bug>(&right);
  return right;
}

TEST(SimWgmmaRules, APipelineOfStoredTiles) { EXPECT_EQ(wrong_orders(sum_is_right<kNone>), 0); }

#ifndef ISKRA_SANITIZED  // ThreadSanitizer ends the program at a race

TEST(SimWgmmaRules, WrongPipelinesAreCaught) {
  int orders = static_cast<int>(all_schedules().size());
  EXPECT_EQ(wrong_orders(sum_is_right<kNoProxyFence>), orders);
  EXPECT_EQ(wrong_orders(sum_is_right<kSumsRead>), orders) << "accumulators under way are NaN";
  EXPECT_GT(wrong_orders(sum_is_right<kProxyFenceTooEarly>), 0);
  EXPECT_GT(wrong_orders(sum_is_right<kOneGroupTooFew>), 0);
  EXPECT_GT(wrong_orders(sum_is_right<kNoBarrierBefore>), 0);
  EXPECT_GT(wrong_orders(sum_is_right<kOverwritten>), 0);
}

#endif

TEST(SimWgmmaRules, WrongPipelinesAreFaults) {
  in_orders([] {
    const std::pair<std::string, const char*> cases[] = {
        {text_of_sum<kNoFence>(), "wgmma.mma_async without wgmma.fence since its registers"},
        {text_of_sum<kNoCommit>(), "the thread ends while its wgmma is under way"},
        {text_of_sum<kNoWait>(), "the thread ends while its wgmma is under way"},
        {text_of_sum<kSumsWritten>(), "accumulator 1 of this wgmma was written while it was under way"},
        {text_of_sum<kSumsWritten>(), "test_sim_wgmma_rules.cpp:"},
    };
    for (const auto& [text, want] : cases) EXPECT_TRUE(has(text, want)) << text;
  });
}

// --- misuse
// -----------------------------------------------------------------------------------------------------------

enum Misuse {
  kThreeWarps,
  kWarpElsewhere,
  kLaneElsewhere,
  kOtherPlace,
  kOtherDescriptor,
  kOtherScale,
  kNoDescriptor,
  kPastTheEnd,
  kNotShared,
  kAlignment,
  kDistance,
  kOverlap,
  kRegistersOfA,
  kFenceAfterWait,
};

template <int misuse>
__global__ void misused() {
  SHARED(tile, unsigned char[4096]);
  unsigned warp = threadIdx.x / 32 % 4;
  float d[8] = {}, other = 0;
  auto* p = static_cast<unsigned char*>(tile);
  uint64_t a = matrix_descriptor(p, 128, 256, Swizzle::none), b = a;
  if (misuse == kThreeWarps && warp == 3) return;
  if (misuse == kPastTheEnd) a = matrix_descriptor(p + 2048, 128, 304, Swizzle::none);
  if (misuse == kNotShared) a = matrix_descriptor(&other, 128, 256, Swizzle::none);
  if (misuse == kAlignment) a = matrix_descriptor(p + 8, 128, 256, Swizzle::none);
  if (misuse == kDistance) a = matrix_descriptor(p, 128, 200, Swizzle::none);
  if (misuse == kNoDescriptor) a = reinterpret_cast<uint64_t>(p);
  if (misuse == kOtherDescriptor && warp == 2) b += 8;
  wgmma_fence();
  if (misuse == kWarpElsewhere && warp == 1) __syncthreads();
  if (misuse == kLaneElsewhere && threadIdx.x == 33) __syncwarp();
  if (misuse == kOtherPlace && warp == 2) {
    wgmma<bf16>(d, a, b, true);
  } else if (misuse != kRegistersOfA) {
    wgmma<bf16>(d, a, b, misuse != kOtherScale || warp != 1);
  }
  if (misuse == kOverlap) {
    auto& half = reinterpret_cast<float(&)[4]>(d[4]);
    wgmma<bf16>(half, a, b, true);
  }
  if (misuse == kRegistersOfA) {
    uint32_t registers[4] = {};
    wgmma<bf16>(d, registers, b, true);
    registers[2] = 1;
    wgmma<bf16>(d, registers, b, true);
  }
  wgmma_commit();
  wgmma_wait<0>();
  if (misuse == kFenceAfterWait) wgmma<bf16>(d, a, b, true);
}

template <int misuse>
std::string text_of(unsigned threads = 128) {
  return fault_of([=] { go<misused<misuse>>({1, threads}); });
}

TEST(SimWgmmaRules, AllFourWarpsTakePart) {
  in_orders([] {
    const std::pair<std::string, const char*> cases[] = {
        {text_of<kThreeWarps>(), "warp 3"},
        {text_of<kThreeWarps>(), "has ended"},
        {text_of<kThreeWarps>(96), "wgmma.fence by a warpgroup of 96 threads"},
        {text_of<kAlignment>(96), "is not aligned to 16 bytes"},
        {text_of<kOverlap>(160), "wgmma.fence by a warpgroup of 32 threads"},
        {text_of<kWarpElsewhere>(), "32 threads wait in __syncthreads at test_sim_wgmma_rules.cpp:"},
        {text_of<kWarpElsewhere>(), "96 threads wait in wgmma.mma_async at test_sim_wgmma_rules.cpp:"},
        {text_of<kLaneElsewhere>(), "__syncwarp"},
        {text_of<kOtherPlace>(), "wgmma.mma_async in divergent code: warp"},
        {text_of<kOtherDescriptor>(), "thread 64 of the warpgroup has another descriptor of B than thread 0"},
        {text_of<kOtherScale>(), "thread 32 of the warpgroup has another scale-d than thread 0"},
    };
    for (const auto& [text, want] : cases) EXPECT_TRUE(has(text, want)) << want << "\n" << text;
  });
}

TEST(SimWgmmaRules, OperandsAreChecked) {
  in_orders([] {
    const std::pair<std::string, const char*> cases[] = {
        {text_of<kNoDescriptor>(), "is no descriptor of A: bits that must be zero are set"},
        {text_of<kPastTheEnd>(), "A (54, 8) would lie at shared address 0x"},
        {text_of<kNotShared>(), "is not in the block's shared memory"},
        {text_of<kAlignment>(), "a matrix descriptor: shared address 0x"},
        {text_of<kDistance>(), "distances of 128 and 200 bytes; want multiples of 16"},
        {text_of<kOverlap>(), "its accumulators are some of those of a product of another shape under way"},
        {text_of<kRegistersOfA>(), "A in registers that were written since the last wgmma.fence"},
        {text_of<kFenceAfterWait>(), "wgmma.mma_async without wgmma.fence since its registers"},
    };
    for (const auto& [text, want] : cases) EXPECT_TRUE(has(text, want)) << want << "\n" << text;
  });
}

// --- registers
// -----------------------------------------------------------------------------------------------------------

/// One warpgroup gives registers back, the others take them.
template <int fewer, int more>
__global__ void exchange() {
  if (threadIdx.x < 128) {
    if constexpr (fewer != 0) setmaxnreg_dec<fewer>();
  } else {
    setmaxnreg_inc<more>();
  }
}

enum RegisterBug { kTwoCounts, kOneWarpOnly, kTwiceAtOnce, kFewerByInc, kMoreByDec, kOdd, kTooFew };

template <int bug>
__global__ void misused_registers() {
  unsigned warp = threadIdx.x / 32;
  if (bug == kTwoCounts && warp == 1) {
    setmaxnreg_dec<32>();
  } else if (bug == kTwoCounts) {
    setmaxnreg_dec<40>();
  }
  if (bug == kOneWarpOnly && warp == 2) setmaxnreg_dec<40>();
  if (bug == kTwiceAtOnce && warp < 4) {
    setmaxnreg_dec<40>();
    setmaxnreg_dec<24>();
  }
  if (bug == kFewerByInc) {
    setmaxnreg_inc<128>();
    __syncthreads();
    setmaxnreg_inc<64>();
  }
  if (bug == kMoreByDec) setmaxnreg_dec<176>();
  if (bug == kOdd) setmaxnreg_dec<44>();
  if (bug == kTooFew) setmaxnreg_dec<16>();
}

template <int fewer, int more>
std::string text_of_exchange(unsigned threads) {
  return fault_of([=] { go<exchange<fewer, more>>({2, threads}); });
}
template <int bug>
std::string text_of_registers(unsigned threads = 384) {
  return fault_of([=] { go<misused_registers<bug>>({1, threads}); });
}

TEST(SimWgmmaRules, RegistersChangeHands) {
  in_orders([] {
    EXPECT_EQ((text_of_exchange<40, 232>(384)), "no fault");  // 168 at the start: 504 of three warpgroups
    EXPECT_EQ((text_of_exchange<24, 240>(384)), "no fault");
    EXPECT_EQ((text_of_exchange<24, 240>(256)), "no fault");
    EXPECT_EQ((text_of_exchange<32, 160>(512)), "no fault");
    const std::pair<std::string, const char*> cases[] = {
        {text_of_exchange<40, 240>(384), "deadlock: nobody can go on;"},
        {text_of_exchange<40, 240>(384), "threads wait in setmaxnreg.inc at test_sim_wgmma_rules.cpp:"},
        {text_of_exchange<0, 240>(384), "threads wait in setmaxnreg.inc at"},
    };
    for (const auto& [text, want] : cases) EXPECT_TRUE(has(text, want)) << text;
  });
}

TEST(SimWgmmaRules, RegistersAreChecked) {
  in_orders([] {
    const std::pair<std::string, const char*> cases[] = {
        {text_of_registers<kTwoCounts>(), "and another warp of the warpgroup executed setmaxnreg.dec to"},
        {text_of_registers<kOneWarpOnly>(), "of the warpgroup has ended without"},
        {text_of_registers<kFewerByInc>(), "setmaxnreg.inc to 64 registers, and the warp has 128"},
        {text_of_registers<kMoreByDec>(), "setmaxnreg.dec to 176 registers, and the warp has 168"},
        {text_of_registers<kOdd>(), "setmaxnreg.dec to 44 registers; want a multiple of 8, from 24 to 256"},
        {text_of_registers<kTooFew>(), "setmaxnreg.dec to 16 registers; want"},
        {text_of_registers<kMoreByDec>(96), "setmaxnreg.dec by a warpgroup of 96 threads"},
    };
    for (const auto& [text, want] : cases) EXPECT_TRUE(has(text, want)) << text;
  });
  auto clean = [] { return text_of_registers<kTwiceAtOnce>() == "no fault"; };
  EXPECT_GT(wrong_orders(clean), 0) << "warps must meet between two changes";
}

}  // namespace
}  // namespace iskra::testing
