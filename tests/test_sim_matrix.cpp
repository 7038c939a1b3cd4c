// mma, ldmatrix and stmatrix on the emulator, against loops over whole matrices. Where an element lies is
// written here a second time, from the manual's formulas of groupID and threadID_in_group.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/gpu_matrix.h>
#include <iskra/kernels/half.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

float value_of(bf16 x) { return kernels::to_float(x); }
float value_of(f16 x) { return kernels::to_float(x); }
template <class T>
T converted(float x) {
  if constexpr (std::is_same_v<T, bf16>) return kernels::to_bf16(x);
  if constexpr (std::is_same_v<T, f16>) return kernels::to_f16(x);
}

/// Whole numbers from -4 to 4: their products and sums are exact in every type.
float number(int i, int seed) { return static_cast<float>((i * 7 + i / 5 * 3 + seed) % 9 - 4); }
template <class T>
std::vector<T> numbers(int count, int seed) {
  std::vector<T> x;
  for (int i = 0; i < count; ++i) x.push_back(converted<T>(number(i, seed)));
  return x;
}

// --- one product
// -----------------------------------------------------------------------------------------------------------

/// d = a b + c from and to row-major memory: a 16 x 16, b 16 x 8, c and d 16 x 8.
template <class T>
__global__ void one_product(const T* a, const T* b, const float* c, float* d) {
  unsigned group = threadIdx.x >> 2, in_group = threadIdx.x % 4;
  uint32_t fa[4], fb[2];
  float fc[4];
  for (unsigned i = 0; i < 8; i += 2) {
    unsigned row = i == 0 || i == 4 ? group : group + 8;
    unsigned column = in_group * 2 + (i < 4 ? 0 : 8);
    fa[i / 2] = a[row * 16 + column].bits | uint32_t{a[row * 16 + column + 1].bits} << 16;
  }
  for (unsigned i = 0; i < 4; i += 2) {
    unsigned row = in_group * 2 + (i < 2 ? 0 : 8);
    fb[i / 2] = b[row * 8 + group].bits | uint32_t{b[(row + 1) * 8 + group].bits} << 16;
  }
  for (unsigned i = 0; i < 4; ++i) fc[i] = c[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1U)];
  mma<T>(fc, fa, fb, fc);
  for (unsigned i = 0; i < 4; ++i) d[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1U)] = fc[i];
}

template <class T>
void check_one_product() {
  auto a = numbers<T>(256, 1), b = numbers<T>(128, 2);
  std::vector<float> c(128), d(128);
  for (int i = 0; i < 128; ++i) c[static_cast<size_t>(i)] = number(i, 3) / 2;
  a[17] = converted<T>(1e-4F);
  go<one_product<T>>({1, 32}, a.data(), b.data(), c.data(), d.data());
  for (size_t i = 0; i < 16; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      double sum = static_cast<double>(c[i * 8 + j]);
      for (size_t k = 0; k < 16; ++k) {
        sum += static_cast<double>(value_of(a[i * 16 + k])) * static_cast<double>(value_of(b[k * 8 + j]));
      }
      EXPECT_NEAR(d[i * 8 + j], sum, i == 1 ? 1e-5 : 0) << i << ", " << j;
    }
  }
}

TEST(SimMatrix, ProductsOf16Bits) {
  in_all_orders([] {
    check_one_product<bf16>();
    check_one_product<f16>();
  });
}

/// a 16 x 8, b 8 x 8; bits, which the instruction reads as tf32.
__global__ void one_product_tf32(const uint32_t* a, const uint32_t* b, float* d) {
  unsigned group = threadIdx.x >> 2, in_group = threadIdx.x % 4;
  uint32_t fa[4], fb[2];
  for (unsigned i = 0; i < 4; ++i) {
    unsigned row = i == 0 || i == 2 ? group : group + 8, column = in_group + (i < 2 ? 0 : 4);
    fa[i] = a[row * 8 + column];
  }
  for (unsigned i = 0; i < 2; ++i) fb[i] = b[(in_group + i * 4) * 8 + group];
  const float zero[4] = {};
  float fd[4];
  mma_tf32(fd, fa, fb, zero);
  for (unsigned i = 0; i < 4; ++i) d[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1U)] = fd[i];
}

TEST(SimMatrix, ProductsOfTf32DropLowBits) {
  in_all_orders([] {
    std::vector<uint32_t> a(128), b(64);
    for (int i = 0; i < 128; ++i) {
      // Odd places have all the low bits set, which must not count.
      uint32_t low = i % 2 == 0 ? 0 : 0x1FFF;
      a[static_cast<size_t>(i)] = std::bit_cast<uint32_t>(number(i, 4)) | low;
      if (i < 64) b[static_cast<size_t>(i)] = std::bit_cast<uint32_t>(number(i, 5)) | low;
    }
    std::vector<float> d(128);
    go<one_product_tf32>({1, 32}, a.data(), b.data(), d.data());
    for (int i = 0; i < 16; ++i) {
      for (int j = 0; j < 8; ++j) {
        double sum = 0;
        for (int k = 0; k < 8; ++k) {
          sum += static_cast<double>(number(i * 8 + k, 4)) * static_cast<double>(number(k * 8 + j, 5));
        }
        EXPECT_EQ(d[static_cast<size_t>(i * 8 + j)], sum) << i << ", " << j;
      }
    }
  });
}

TEST(SimMatrix, RoundingToTf32) {
  auto rounded = [](uint32_t bits) { return to_tf32(std::bit_cast<float>(bits)); };
  EXPECT_EQ(rounded(0x3F800000), 0x3F800000U);
  EXPECT_EQ(rounded(0x3F800FFF), 0x3F800000U);
  EXPECT_EQ(rounded(0x3F801000), 0x3F802000U) << "a tie, away from zero";
  EXPECT_EQ(rounded(0xBF803000), 0xBF804000U) << "a tie, away from zero";
  EXPECT_EQ(rounded(0x3FFFF000), 0x40000000U);
  EXPECT_EQ(rounded(0x7F7FFFFF), 0x7F800000U);
  EXPECT_EQ(rounded(0xFF800000), 0xFF800000U);
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(to_tf32(std::numeric_limits<float>::quiet_NaN()))));
}

/// a 8 x 4, b 4 x 8.
__global__ void one_product_f64(const double* a, const double* b, double* d) {
  unsigned group = threadIdx.x >> 2, in_group = threadIdx.x % 4;
  double fd[2] = {1, 2};
  mma_f64(fd, a[group * 4 + in_group], b[in_group * 8 + group], fd);
  for (unsigned i = 0; i < 2; ++i) d[group * 8 + in_group * 2 + i] = fd[i];
}

TEST(SimMatrix, ProductsOfF64) {
  in_all_orders([] {
    std::vector<double> a(32), b(32), d(64);
    for (size_t i = 0; i < 32; ++i)
      a[i] = std::sin(static_cast<double>(i)), b[i] = std::cos(3.0 * static_cast<double>(i));
    go<one_product_f64>({1, 32}, a.data(), b.data(), d.data());
    for (size_t i = 0; i < 8; ++i) {
      for (size_t j = 0; j < 8; ++j) {
        double sum = j % 2 == 0 ? 1 : 2;
        for (size_t k = 0; k < 4; ++k) sum += a[i * 4 + k] * b[k * 8 + j];
        EXPECT_NEAR(d[i * 8 + j], sum, 1e-14);
      }
    }
  });
}

// --- fragments from and to shared memory
// -----------------------------------------------------------------------------------------------------------

/// Row r of matrix m lies in row (m 8 + r) 5 % 32 of the tile: any order will do.
__device__ unsigned row_of(unsigned lane) { return lane * 5 % 32; }

template <int count, bool transposed, bool stores>
__global__ void move(const uint16_t* x, uint32_t* registers, uint16_t* y) {
  SHARED(tile, uint16_t[32][8]);
  unsigned lane = threadIdx.x;
  for (unsigned i = 0; i < 8; ++i) tile[lane][i] = x[lane * 8 + i];
  __syncwarp();
  uint32_t r[count];
  uint16_t* row = lane < count * 8 ? &tile[row_of(lane)][0] : nullptr;  // others' addresses do not count
  if constexpr (stores) {
    for (unsigned m = 0; m < count; ++m) r[m] = registers[m * 32 + lane];
    stmatrix<count, transposed>(row, r);
  } else {
    ldmatrix<count, transposed>(r, row);
    for (unsigned m = 0; m < count; ++m) registers[m * 32 + lane] = r[m];
  }
  __syncwarp();
  for (unsigned i = 0; i < 8; ++i) y[lane * 8 + i] = tile[lane][i];
}

template <int count, bool transposed>
void check_moves() {
  std::vector<uint16_t> x(256), y(256), want(256, 0xABCD);
  std::vector<uint32_t> registers(count * 32);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i * 3 + 1);
  go<move<count, transposed, false>>({1, 32}, x.data(), registers.data(), y.data());
  for (unsigned m = 0; m < count; ++m) {
    for (unsigned lane = 0; lane < 32; ++lane) {
      for (unsigned half = 0; half < 2; ++half) {
        unsigned row = lane / 4, column = lane % 4 * 2 + half;
        if (transposed) std::swap(row, column);
        uint16_t element = x[row_of(m * 8 + row) * 8 + column];
        EXPECT_EQ(registers[m * 32 + lane] >> (half * 16) & 0xFFFFU, element) << m << ", " << lane;
        want[row_of(m * 8 + row) * 8 + column] = element;
      }
    }
  }
  std::vector<uint16_t> before(256, 0xABCD);
  go<move<count, transposed, true>>({1, 32}, before.data(), registers.data(), y.data());
  EXPECT_EQ(y, want);
}

TEST(SimMatrix, FragmentsFromAndToSharedMemory) {
  in_all_orders([] {
    check_moves<1, false>();
    check_moves<2, false>();
    check_moves<4, false>();
    check_moves<1, true>();
    check_moves<2, true>();
    check_moves<4, true>();
  });
}

// --- a whole product
// -----------------------------------------------------------------------------------------------------------

enum Bug { kNone, kNoCopyWait, kNoBarrierAfterWait, kNoBarrierBeforeReuse, kNotTransposed };

/// c (m, n) = a (m, k) b, in tiles of 32 x 16 by two warps. b is (n, k), or (k, n) where `by_rows`.
template <class T, bool by_rows, int bug>
__global__ void product(const T* a, const T* b, float* c, int m, int n, int k) {
  constexpr int kStep = 32;
  SHARED(as, T[2][32][kStep + 8]);
  SHARED(bs, T[2][by_rows ? kStep : 16][by_rows ? 24 : kStep + 8]);
  int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  int first_row = static_cast<int>(blockIdx.y) * 32, first_column = static_cast<int>(blockIdx.x) * 16;
  auto copy = [&](T* to, const T* from, int row, int rows, int column, int columns) {
    bool inside = row < rows && column < columns;
    cp_async<16>(to, inside ? from + row * columns + column : from,
                 inside ? min(8, columns - column) * 2 : 0);
  };
  auto load = [&](int step) {
    int at = step * kStep, buffer = step % 2;
    if (at < k) {
      for (int i = thread; i < 128; i += 64) {
        copy(&as[buffer][i / 4][i % 4 * 8], a, first_row + i / 4, m, at + i % 4 * 8, k);
      }
      if (by_rows) {
        copy(&bs[buffer][thread / 2][thread % 2 * 8], b, at + thread / 2, k, first_column + thread % 2 * 8,
             n);
      } else {
        copy(&bs[buffer][thread / 4][thread % 4 * 8], b, first_column + thread / 4, n, at + thread % 4 * 8,
             k);
      }
    }
    cp_async_commit();
  };
  float sums[2][4] = {};
  load(0);
  for (int step = 0; step * kStep < k; ++step) {
    load(step + 1);
    if (bug != kNoCopyWait) cp_async_wait<1>();
    if (bug != kNoBarrierAfterWait) __syncthreads();
    for (int i = 0; i < kStep; i += 16) {
      uint32_t fa[4], fb[4];
      ldmatrix<4>(fa, &as[step % 2][warp * 16 + lane % 16][i + lane / 16 * 8]);
      int high = lane / 16 * 8, odd = lane / 8 % 2 * 8, row = lane % 8;
      if (by_rows) {
        ldmatrix<4, bug != kNotTransposed>(fb, &bs[step % 2][i + odd + row][high]);
      } else {
        ldmatrix<4>(fb, &bs[step % 2][high + row][i + odd]);
      }
      for (int half = 0; half < 2; ++half) {
        const uint32_t both[2] = {fb[half * 2], fb[half * 2 + 1]};
        mma<T>(sums[half], fa, both, sums[half]);
      }
    }
    if (bug != kNoBarrierBeforeReuse) __syncthreads();
  }
  for (int i = 0; i < 8; ++i) {
    Element e = sim::c_of_m16n8(lane, i % 4);
    int row = first_row + warp * 16 + e.row, column = first_column + i / 4 * 8 + e.column;
    if (row < m && column < n) c[row * n + column] = sums[i / 4][i % 4];
  }
}

template <class T, bool by_rows, int bug>
bool product_is_right(int m, int n, int k) {
  auto a = numbers<T>(m * k, 6), b = numbers<T>(n * k, 7);
  std::vector<float> c(static_cast<size_t>(m * n), -99);
  sim::LaunchShape shape{{static_cast<unsigned>((n + 15) / 16), static_cast<unsigned>((m + 31) / 32)}, 64};
  go<product<T, by_rows, bug>>(shape, a.data(), b.data(), c.data(), m, n, k);
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int l = 0; l < k; ++l) {
        float y = value_of(b[static_cast<size_t>(by_rows ? l * n + j : j * k + l)]);
        sum += static_cast<double>(
                   value_of(a[static_cast<size_t>(i) * static_cast<size_t>(k) + static_cast<size_t>(l)])) *
               static_cast<double>(y);
      }
      if (c[static_cast<size_t>(i) * static_cast<size_t>(n) + static_cast<size_t>(j)] !=
          static_cast<float>(sum))
        return false;
    }
  }
  return true;
}

TEST(SimMatrix, WholeProducts) {
  EXPECT_EQ(wrong_orders([] { return product_is_right<bf16, false, kNone>(32, 16, 32); }), 0);
  EXPECT_EQ(wrong_orders([] { return product_is_right<bf16, false, kNone>(45, 21, 104); }), 0);
  EXPECT_EQ(wrong_orders([] { return product_is_right<f16, true, kNone>(45, 24, 104); }), 0);
  EXPECT_EQ(wrong_orders([] { return product_is_right<bf16, true, kNone>(1, 8, 8); }), 0);
  EXPECT_GT(wrong_orders([] { return product_is_right<f16, true, kNotTransposed>(32, 16, 32); }), 0);
}

#ifndef ISKRA_SANITIZED  // ThreadSanitizer ends the program at a race

TEST(SimMatrix, WrongProductsAreCaught) {
  EXPECT_GT(wrong_orders([] { return product_is_right<bf16, false, kNoCopyWait>(32, 16, 128); }), 0);
  EXPECT_GT(wrong_orders([] { return product_is_right<bf16, false, kNoBarrierAfterWait>(32, 16, 128); }), 0);
  EXPECT_GT(wrong_orders([] { return product_is_right<bf16, false, kNoBarrierBeforeReuse>(32, 16, 128); }),
            0);
}

#endif

// --- misuse
// -----------------------------------------------------------------------------------------------------------

enum Misuse {
  kAlignment,
  kNotShared,
  kPastTheEnd,
  kStoreAlignment,
  kDivergent,
  kDivergentMoves,
  kHalfEnded,
  kBranch,
};

template <int misuse>
__global__ void misused(uint16_t* x) {
  SHARED(tile, uint16_t[20][8]);
  unsigned lane = threadIdx.x % 32;
  uint32_t r[2] = {}, a[4] = {};
  float d[4] = {};
  if (misuse == kAlignment) ldmatrix<2>(r, &tile[lane % 16][lane == 5 ? 4 : 0]);
  if (misuse == kNotShared) ldmatrix<2>(r, lane == 7 ? x : &tile[0][0]);
  if (misuse == kPastTheEnd) ldmatrix<2>(r, &tile[0][0] + (lane + 5) * 8);
  if (misuse == kStoreAlignment) stmatrix<2>(&tile[lane % 16][1], r);
  if (misuse == kHalfEnded && lane >= 16) return;
  if (misuse == kHalfEnded) mma<bf16>(d, a, r, d);
  if (misuse == kDivergent) {
    if (lane < 16) {
      mma<bf16>(d, a, r, d);
    } else {
      mma<f16>(d, a, r, d);
    }
  }
  if (misuse == kDivergentMoves) {
    if (lane < 16) {
      ldmatrix<2>(r, &tile[0][0]);
    } else {
      ldmatrix<2, true>(r, &tile[0][0]);
    }
  }
  if (misuse == kBranch) {
    if (lane != 3) mma<bf16>(d, a, r, d);
    __syncwarp();
  }
}

template <int misuse>
std::string text_of(unsigned threads = 32) {
  alignas(16) uint16_t x[8] = {};
  return fault_of([&] { go<misused<misuse>>({1, threads}, static_cast<uint16_t*>(x)); });
}

TEST(SimMatrix, AddressesAreChecked) {
  in_all_orders([] {
    const std::pair<std::string, const char*> cases[] = {
        {text_of<kAlignment>(), "thread (5, 0, 0): ldmatrix.x2: shared address"},
        {text_of<kAlignment>(), "is not aligned to 16 bytes (at test_sim_matrix.cpp:"},
        {text_of<kNotShared>(), "thread (7, 0, 0): ldmatrix.x2: address"},
        {text_of<kNotShared>(), "is not in the block's shared memory"},
        {text_of<kPastTheEnd>(), "thread (15, 0, 0): ldmatrix.x2: "},
        {text_of<kStoreAlignment>(), "stmatrix.x2: shared address"},
    };
    for (const auto& [text, want] : cases) EXPECT_NE(text.find(want), std::string::npos) << text;
  });
}

TEST(SimMatrix, AllLanesTakePart) {
  in_all_orders([] {
    const std::pair<std::string, const char*> cases[] = {
        {text_of<kDivergent>(), "mma.m16n8k16 in divergent code: lane"},
        {text_of<kDivergentMoves>(), " in divergent code: lane"},
        {text_of<kHalfEnded>(), "has ended"},
        {text_of<kHalfEnded>(), "mma.m16n8k16"},
        {text_of<kDivergent>(16), "names lane 16, which the block does not have"},
        {text_of<kBranch>(), " in divergent code: lane"},
    };
    for (const auto& [text, want] : cases) EXPECT_NE(text.find(want), std::string::npos) << text;
  });
}

}  // namespace
}  // namespace iskra::testing
