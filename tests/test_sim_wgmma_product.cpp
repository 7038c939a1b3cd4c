// A whole product as Hopper does it: a warpgroup that loads tiles by TMA into a ring, and one that multiplies
// them by wgmma where they lie.
#include <gtest/gtest.h>

#include <bit>
#include <string>
#include <type_traits>
#include <vector>

#include <iskra/kernels/gpu_tma.h>
#include <iskra/kernels/gpu_wgmma.h>
#include <iskra/kernels/half.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

enum Bug { kNone, kNoFullWait, kNoEmptyWait, kReleasedTooEarly, kWrongSwizzle };

constexpr int kStages = 2, kTile = 64, kLine = 128, kTileBytes = kTile * kLine;

struct Ring {
  uint64_t full[kStages], empty[kStages];
};

/// Loads tile after tile: 64 rows of 128 bytes of a, and of b, whose rows are n, or k where `by_rows`.
template <bool by_rows, int bug>
__device__ void produce(unsigned char* tiles, Ring& ring, const TensorMap* a, const TensorMap* b, int steps,
                        int depth, int row, int column) {
  for (int step = 0; step < steps; ++step) {
    int stage = step % kStages, k = step * depth;
    unsigned char* to = tiles + stage * 2 * kTileBytes;
    if (step >= kStages && bug != kNoEmptyWait) {
      mbarrier_wait(&ring.empty[stage], static_cast<uint32_t>(step / kStages - 1) & 1U);
    }
    mbarrier_arrive_expect(&ring.full[stage], 2 * kTileBytes);
    tma_load_2d(to, a, k, row, &ring.full[stage]);
    tma_load_2d(to + kTileBytes, b, by_rows ? column : k, by_rows ? k : column, &ring.full[stage]);
  }
}

/// One product stays under way while the next begins; then its stage is free. One thread says so for all.
template <class T, bool by_rows, int bug>
__device__ void consume(float (&sums)[kTile / 2], const unsigned char* tiles, Ring& ring, int steps) {
  constexpr int kForm = by_rows ? kWgmmaBMnMajor : 0;
  constexpr auto kMode = bug == kWrongSwizzle ? Swizzle::b64 : Swizzle::b128;
  bool speaks = threadIdx.x % 128 == 0;
  for (int step = 0; step < steps; ++step) {
    int stage = step % kStages;
    if (bug != kNoFullWait) mbarrier_wait(&ring.full[stage], static_cast<uint32_t>(step / kStages) & 1U);
    uint64_t a = matrix_descriptor(tiles + stage * 2 * kTileBytes, 16, 8 * kLine, kMode);
    uint64_t b = matrix_descriptor(tiles + (stage * 2 + 1) * kTileBytes, 16, 8 * kLine, Swizzle::b128);
    hold(sums);
    wgmma_fence();
    for (unsigned i = 0; i < 4; ++i) {
      wgmma<T, kForm>(sums, a + i * 2, b + i * (by_rows ? 16 * kLine / 16 : 2), step > 0 || i > 0);
    }
    wgmma_commit();
    if (bug == kReleasedTooEarly && speaks) mbarrier_arrive(&ring.empty[stage]);
    wgmma_wait<1>();
    hold(sums);
    if (bug != kReleasedTooEarly && step > 0 && speaks) mbarrier_arrive(&ring.empty[(step - 1) % kStages]);
  }
  wgmma_wait<0>();
  hold(sums);
}

template <class T, bool by_rows, int bug>
__global__ void product(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, float* c,
                        int m, int n, int k) {
  constexpr int kDepth = kLine / (std::is_same_v<T, Tf32> ? 4 : 2);
  DYN_SHARED(unsigned char, tiles);
  SHARED(ring, Ring);
  int row = static_cast<int>(blockIdx.y) * kTile, column = static_cast<int>(blockIdx.x) * kTile;
  int steps = (k + kDepth - 1) / kDepth, thread = static_cast<int>(threadIdx.x) - 128;
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      mbarrier_init(&ring.full[i], 1);
      mbarrier_init(&ring.empty[i], 1);
    }
    fence_mbarrier_init();
  }
  __syncthreads();
  if (thread < 0) {
    setmaxnreg_dec<40>();
    if (threadIdx.x == 0) produce<by_rows, bug>(tiles, ring, &a, &b, steps, kDepth, row, column);
    return;
  }
  setmaxnreg_inc<232>();
  float sums[kTile / 2];
  consume<T, by_rows, bug>(sums, tiles, ring, steps);
  for (int i = 0; i < kTile / 2; ++i) {
    Element e = sim::c_of_m64(thread, i);
    if (row + e.row < m && column + e.column < n) c[(row + e.row) * n + column + e.column] = sums[i];
  }
}

float number(int i, int seed) { return static_cast<float>((i * 7 + i / 5 * 3 + seed) % 9 - 4); }

template <class T>
struct Matrix {
  using Element = std::conditional_t<std::is_same_v<T, Tf32>, float, T>;
  std::vector<Element> values;
  TensorMap map;

  Matrix(int rows, int columns, int seed, int box_width) {
    for (int i = 0; i < rows * columns; ++i) {
      if constexpr (std::is_same_v<T, bf16>) values.push_back(kernels::to_bf16(number(i, seed)));
      if constexpr (std::is_same_v<T, f16>) values.push_back(kernels::to_f16(number(i, seed)));
      if constexpr (std::is_same_v<T, Tf32>) values.push_back(number(i, seed));
    }
    TensorShape shape;
    shape.type = std::is_same_v<T, bf16>  ? TensorType::bf16
                 : std::is_same_v<T, f16> ? TensorType::f16
                                          : TensorType::f32;
    shape.rank = 2;
    shape.address = values.data();
    shape.dims[0] = static_cast<uint64_t>(columns);
    shape.dims[1] = static_cast<uint64_t>(rows);
    shape.strides[0] = static_cast<uint64_t>(columns) * sizeof(Element);
    shape.swizzle = Swizzle::b128;
    map = encode_tiled(shape, {{static_cast<uint32_t>(box_width), kTile}});
  }
};

template <class T, bool by_rows, int bug>
bool product_is_right(int m, int n, int k) {
  constexpr int kDepth = kLine / static_cast<int>(sizeof(typename Matrix<T>::Element));
  Matrix<T> a(m, k, 1, kDepth), b(by_rows ? k : n, by_rows ? n : k, 2, kDepth);
  std::vector<float> c(static_cast<size_t>(m * n) + 1, -99);
  sim::LaunchShape shape{{static_cast<unsigned>((n + 63) / 64), static_cast<unsigned>((m + 63) / 64)}, 256};
  shape.dynamic_shared = kStages * 2 * kTileBytes;
  std::string text = fault_of([&] { go<product<T, by_rows, bug>>(shape, a.map, b.map, c.data(), m, n, k); });
  if (text != "no fault") return false;
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int l = 0; l < k; ++l) {
        sum += static_cast<double>(number(i * k + l, 1)) *
               static_cast<double>(number(by_rows ? l * n + j : j * k + l, 2));
      }
      if (c[static_cast<size_t>(i) * static_cast<size_t>(n) + static_cast<size_t>(j)] !=
          static_cast<float>(sum))
        return false;
    }
  }
  return c.back() == -99;
}

TEST(SimWgmmaProduct, EveryTypeAndOrder) {
  EXPECT_EQ(wrong_orders([] { return product_is_right<bf16, false, kNone>(100, 72, 200); }), 0);
  EXPECT_EQ(wrong_orders([] { return product_is_right<f16, true, kNone>(70, 136, 328); }), 0);
  EXPECT_EQ(wrong_orders([] { return product_is_right<Tf32, false, kNone>(64, 20, 100); }), 0);
  EXPECT_EQ(wrong_orders([] { return product_is_right<bf16, true, kNone>(3, 8, 8); }), 0);
}

#ifndef ISKRA_SANITIZED  // ThreadSanitizer ends the program at a race

template <int bug>
int wrong_products() {
  return wrong_orders([] { return product_is_right<bf16, false, bug>(64, 64, 512); });
}

TEST(SimWgmmaProduct, WrongOnesAreCaught) {
  EXPECT_EQ(wrong_products<kNone>(), 0);
  EXPECT_GT(wrong_products<kNoFullWait>(), 0);
  EXPECT_GT(wrong_products<kNoEmptyWait>(), 0);
  EXPECT_GT(wrong_products<kReleasedTooEarly>(), 0);
  EXPECT_GT(wrong_products<kWrongSwizzle>(), 0);
}

#endif

}  // namespace
}  // namespace iskra::testing
