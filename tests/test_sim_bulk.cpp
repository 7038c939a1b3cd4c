// Bulk copies of the emulator, and what must not be done with them and with tensor maps.
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include <iskra/kernels/gpu_tma.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

enum Bug {
  kNone,
  kNoMBarrierFence,
  kNoLoadWait,
  kTooManyBytes,
  kTooFewBytes,
  kNoProxyFence,
  kNoBarrierBeforeStore,
  kNoCommit,
  kNoStoreWait,
  kNoWaitBeforeReuse,
};

/// y = x + 1 in tiles of 64 numbers, by bulk copies there and back.
template <int bug>
__global__ void plus_one(const float* x, int n, float* y) {
  SHARED(bar, uint64_t);
  SHARED(tile, float[64]);
  SHARED(result, float[64]);
  unsigned i = threadIdx.x;
  if (i == 0) mbarrier_init(&bar, 1);
  if (i == 0 && bug != kNoMBarrierFence) fence_mbarrier_init();
  __syncthreads();
  uint32_t parity = 0;
  for (int at = 0; at < n; at += 64, parity ^= 1U) {
    auto bytes = static_cast<uint32_t>(min(64, n - at)) * 4;
    if (i == 0) {
      mbarrier_arrive_expect(&bar, bytes + (bug == kTooManyBytes ? 16 : 0) - (bug == kTooFewBytes ? 16 : 0));
      bulk_load(&tile[0], x + at, bytes, &bar);
    }
    if (bug != kNoLoadWait) mbarrier_wait(&bar, parity);
    if (i == 0 && bug != kNoWaitBeforeReuse) bulk_wait_read<0>();
    __syncthreads();
    result[i] = tile[i] + 1;
    if (bug != kNoProxyFence) fence_proxy_async();
    if (bug != kNoBarrierBeforeStore) __syncthreads();
    if (i == 0) {
      bulk_store(y + at, &result[0], bytes);
      if (bug != kNoCommit) bulk_commit();
    }
  }
  if (i == 0 && bug != kNoStoreWait) bulk_wait<0>();
}

template <int bug>
std::string plus_one_text(int n, bool* right = nullptr) {
  std::vector<float> x(static_cast<size_t>(n) + 4), y(x.size(), -7);
  for (int i = 0; i < n; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i);
  std::string text = fault_of([&] { go<plus_one<bug>>({1, 64}, x.data(), n, y.data()); });
  if (right == nullptr) return text;
  *right = text == "no fault";
  for (int i = 0; i < n + 4; ++i) {
    if (y[static_cast<size_t>(i)] != (i < n ? static_cast<float>(i + 1) : -7.0F)) *right = false;
  }
  return text;
}

template <int bug>
bool plus_one_is_right() {
  bool right = true;
  for (int n : {4, 64, 300}) {
    bool this_one = false;
    plus_one_text<bug>(n, &this_one);
    right = right && this_one;
  }
  return right;
}

TEST(SimBulk, BulkCopiesThereAndBack) {
  EXPECT_EQ(wrong_orders(plus_one_is_right<kNone>), 0);
#ifndef ISKRA_SANITIZED
  EXPECT_GT(wrong_orders(plus_one_is_right<kNoLoadWait>), 0);
  EXPECT_GT(wrong_orders(plus_one_is_right<kNoProxyFence>), 0);
  EXPECT_GT(wrong_orders(plus_one_is_right<kNoBarrierBeforeStore>), 0);
  EXPECT_GT(wrong_orders(plus_one_is_right<kNoWaitBeforeReuse>), 0);
#endif
}

TEST(SimBulk, WrongBulkCopiesAreFaults) {
  const std::pair<std::string, const char*> cases[] = {
      {plus_one_text<kNoMBarrierFence>(64), "was initialised without fence.mbarrier_init"},
      {plus_one_text<kTooManyBytes>(64), "threads wait in mbarrier.try_wait at test_sim_bulk.cpp:"},
      {plus_one_text<kTooFewBytes>(64), "threads wait in mbarrier.try_wait at test_sim_bulk.cpp:"},
      {plus_one_text<kNoCommit>(64), "the thread ends while its bulk store reads shared memory"},
      {plus_one_text<kNoStoreWait>(64), "the thread ends while its bulk store reads shared memory"},
  };
  for (const auto& [text, want] : cases) EXPECT_NE(text.find(want), std::string::npos) << text;
}

/// Reads what it stored: that needs more than that shared memory was read.
template <bool written>
__global__ void read_back(float* y, float* seen) {
  SHARED(tile, float[4]);
  for (int i = 0; i < 4; ++i) tile[i] = 5;
  fence_proxy_async();
  bulk_store(y, &tile[0], 16);
  bulk_commit();
  if (written) {
    bulk_wait<0>();
  } else {
    bulk_wait_read<0>();
  }
  *seen = y[3];
}

TEST(SimBulk, HavingReadIsNotHavingWritten) {
  alignas(16) float y[4] = {};
  float seen = 0;
  go<read_back<true>>({1, 1}, static_cast<float*>(y), &seen);
  EXPECT_EQ(seen, 5);
  y[3] = 0;
  go<read_back<false>>({1, 1}, static_cast<float*>(y), &seen);
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(y[3], 5) << "at the thread's end at the latest";
}

/// Overwrites what is being stored, without a fence: which of the two is stored is open.
__global__ void overwrite(float* y) {
  SHARED(tile, float[8]);
  for (int i = 0; i < 8; ++i) tile[i] = 5;
  fence_proxy_async();
  bulk_store(y, &tile[0], 32);
  bulk_commit();
  tile[1] = 6;
  bulk_wait<0>();
}

TEST(SimBulk, WhatIsOverwrittenTooEarlyIsUndefined) {
  alignas(16) float y[8] = {};
  go<overwrite>({1, 1}, static_cast<float*>(y));
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  EXPECT_EQ(y[4], 5);
}

/// Looks again and again instead of waiting.
__global__ void look(const float* x, float* y) {
  SHARED(bar, uint64_t);
  SHARED(tile, float[4]);
  if (threadIdx.x == 0) {
    mbarrier_init(&bar, 1);
    fence_mbarrier_init();
    mbarrier_arrive_expect(&bar, 16);
    bulk_load(&tile[0], x, 16, &bar);
  }
  __syncthreads();
  while (!mbarrier_test(&bar, 0)) {
  }
  if (threadIdx.x == 0) *y = tile[3];
}
__global__ void look_in_vain() {
  SHARED(bar, uint64_t);
  mbarrier_init(&bar, 1);
  while (!mbarrier_test(&bar, 0)) {
  }
}

TEST(SimBulk, LookingAgainAndAgainEndsAsWell) {
  in_all_orders([] {
    alignas(16) float x[4] = {1, 2, 3, 4};
    float y = 0;
    go<look>({1, 40}, static_cast<float*>(x), &y);
    EXPECT_EQ(y, 4);
    EXPECT_NE(fault_of([] {
                go<look_in_vain>({1, 1});
              }).find("mbarrier.test_wait again and again, and nothing happens any more"),
              std::string::npos);
  });
}

// --- misuse
// -----------------------------------------------------------------------------------------------------------

enum Misuse {
  kRank,
  kNoMap,
  kAlignment,
  kPastTheEnd,
  kEndsEarly,
  kAddsBytes,
  kBulkSize,
  kBulkAlignment,
  kGlobal
};

template <int misuse>
__global__ void misused(const __grid_constant__ TensorMap map, float* global) {
  DYN_SHARED(unsigned char, box);
  SHARED(bar, uint64_t);
  mbarrier_init(&bar, 1);
  fence_mbarrier_init();
  TensorMap other{};
  if (misuse == kRank) tma_load_1d(box, &map, 0, &bar);
  if (misuse == kNoMap) tma_load_2d(box, &other, 0, 0, &bar);
  if (misuse == kAlignment) tma_load_2d(box + 64, &map, 0, 0, &bar);
  if (misuse == kPastTheEnd) tma_load_2d(box + 128, &map, 0, 0, &bar);
  if (misuse == kEndsEarly) tma_load_2d(box, &map, 0, 0, &bar);
  if (misuse == kAddsBytes) tma_reduce_add_2d(&map, box, 0, 0);
  if (misuse == kBulkSize) bulk_load(box, global, 24, &bar);
  if (misuse == kBulkAlignment) bulk_load(box + 8, global, 16, &bar);
  if (misuse == kGlobal) bulk_store(global + 1, box, 16);
}

template <int misuse>
std::string text_of() {
  alignas(64) unsigned char x[512] = {};
  TensorShape shape{.type = TensorType::u8,
                    .rank = 2,
                    .address = static_cast<const void*>(x),
                    .dims = {16, 32},
                    .strides = {16}};
  TensorMap map = encode_tiled(shape, {.box = {16, 16}});
  return fault_of([&] { go<misused<misuse>>({1, 1, 256}, map, reinterpret_cast<float*>(x)); });
}

TEST(SimBulk, MisuseIsAFault) {
  const std::pair<std::string, const char*> cases[] = {
      {text_of<kRank>(), "cp.async.bulk.tensor.1d with a map of 2 dimensions"},
      {text_of<kNoMap>(), "is no tensor map"},
      {text_of<kAlignment>(), "is not aligned to 128 bytes"},
      {text_of<kPastTheEnd>(), "256 bytes at shared address 0x80, where the variable has 128"},
      {text_of<kEndsEarly>(), "the block ends while an asynchronous copy of its shared memory is under way"},
      {text_of<kAddsBytes>(), "adds i32, f16, bf16 and f32 only"},
      {text_of<kBulkSize>(), "cp.async.bulk of 24 bytes"},
      {text_of<kBulkAlignment>(), "is not aligned to 16 bytes"},
      {text_of<kGlobal>(), "cp.async.bulk: global address"},
  };
  for (const auto& [text, want] : cases) EXPECT_NE(text.find(want), std::string::npos) << text;
}

std::string refusal_of(const TensorShape& shape, const TiledBox& box) {
  try {
    encode_tiled(shape, box);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(SimBulk, TensorMapsAreCheckedAsTheDriverChecksThem) {
  alignas(64) float x[1024] = {};
  const TensorShape good{.rank = 2, .address = static_cast<const void*>(x), .dims = {16, 8}, .strides = {64}};
  const TiledBox box{.box = {16, 8}};
  EXPECT_EQ(refusal_of(good, box), "none");
  auto with = [&](auto&& change) {
    TensorShape shape = good;
    TiledBox its_box = box;
    change(shape, its_box);
    return refusal_of(shape, its_box);
  };
  const std::pair<std::string, const char*> cases[] = {
      {with([](auto& s, auto&) { s.rank = 6; }), "the rank is 6; want 1 to 5"},
      {with([&](auto& s, auto&) { s.address = &x[1]; }), "address is not aligned to 16"},
      {with([](auto& s, auto&) { s.dims[1] = 0; }), "dims[1] is 0"},
      {with([](auto& s, auto&) { s.strides[0] = 68; }), "strides[0] is 68; want a multiple of 16"},
      {with([](auto&, auto& b) { b.box[0] = 260; }), "box[0] is 260; want 1 to 256"},
      {with([](auto&, auto& b) { b.box[0] = 15; }), "the box is 60 bytes wide; want a multiple of 16"},
      {with([](auto&, auto& b) { b.steps[1] = 9; }), "steps[1] is 9"},
      {with([](auto& s, auto&) { s.swizzle = Swizzle::b32; }), "is 64 bytes wide; its swizzle is of 32"},
      {with([](auto& s, auto&) {
         s.type = TensorType::i32;
         s.outside = Outside::nan;
       }),
       "integers cannot be NaN"},
  };
  for (const auto& [text, want] : cases) EXPECT_NE(text.find(want), std::string::npos) << text;
}

}  // namespace
}  // namespace iskra::testing
