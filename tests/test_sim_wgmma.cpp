// wgmma on the emulator: operands of every type, order and swizzle, all N, against loops over whole matrices.
// Where an element lies, in shared memory and in registers, is written here a second time from the manual's
// pictures.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <iskra/kernels/gpu_wgmma.h>
#include <iskra/kernels/half.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

/// Whole numbers from -4 to 4: their products and sums are exact in every type.
float number(int row, int k, int seed) {
  return static_cast<float>((row * 5 + k * 7 + row * k % 11 + seed) % 9 - 4);
}

template <class T>
constexpr int kBytes = std::is_same_v<T, Tf32> ? 4 : 2;
template <class T>
uint32_t bits_of(float x) {
  if constexpr (std::is_same_v<T, bf16>) return kernels::to_bf16(x).bits;
  if constexpr (std::is_same_v<T, f16>) return kernels::to_f16(x).bits;
  if constexpr (std::is_same_v<T, Tf32>)
    return std::bit_cast<uint32_t>(x) | 0x1FFF;  // the low bits do not count
}

// --- matrices in shared memory
// -----------------------------------------------------------------------------------------------------------

constexpr int kSteps = 4;  ///< of 32 bytes of k each

/// Descriptors of the steps of one operand, without their start.
struct Operand {
  uint32_t starts[kSteps];
  uint32_t leading, stride;
  Swizzle swizzle;
  int base_offset;
};

/// How `rows` rows of all steps' k lie in shared memory, from `first` on.
struct Layout {
  bool mn_major;
  Swizzle swizzle;
  int rows, bytes;  ///< of an element
  int first;        ///< a multiple of 1024, or of 128 with a base offset

  int width() const { return 16 << static_cast<int>(swizzle); }
  int depth() const { return kSteps * 32 / bytes; }
  int leading() const {
    if (swizzle == Swizzle::none) return mn_major ? 128 * (rows / 8) + 32 : 128;
    return mn_major ? depth() * width() : 48;  // K-major: not used
  }
  int stride() const {
    if (swizzle == Swizzle::none) return mn_major ? 128 : kSteps * 2 * 128 + 48;
    return 8 * width();
  }

  /// Where the byte goes that would be at i if nothing were swizzled; the pattern begins at `first`.
  int swizzled(int i) const {
    int line = i / 128, unit = i % 128 / 16, units = width() / 16;
    return line * 128 + (unit ^ line % units) * 16 + i % 16;
  }
  int place(int row, int k) const {
    int at = 0;
    if (swizzle == Swizzle::none && !mn_major) {
      at = row / 8 * stride() + k * bytes / 16 * leading() + row % 8 * 16 + k * bytes % 16;
    } else if (swizzle == Swizzle::none) {
      at = row / 8 * stride() + k / 8 * leading() + k % 8 * 16 + row % 8 * bytes;
    } else if (!mn_major) {  // panels as wide as the swizzle
      int panel = k * bytes / width();
      at = swizzled(panel * rows * width() + row * width() + k * bytes % width());
    } else {
      int panel = row * bytes / width();
      at = swizzled(panel * depth() * width() + k * width() + row * bytes % width());
    }
    return first + at;
  }
  Operand operand() const {
    Operand o{
        {}, static_cast<uint32_t>(leading()), static_cast<uint32_t>(stride()), swizzle, first / 128 % 8};
    for (int step = 0; step < kSteps; ++step) {
      int at = 0;
      if (swizzle == Swizzle::none) {
        at = step * 2 * leading();
      } else if (mn_major) {
        at = step * 16 * width();
      } else {
        at = step * 32 / width() * rows * width() + step * 32 % width();
      }
      o.starts[step] = static_cast<uint32_t>(first + at);
    }
    return o;
  }
};

constexpr uint32_t kImageBytes = 96 << 10;

/// d = a b over all steps from `from` on, which forgets what was before it unless it adds; a in registers
/// where `registers` are given. Shared memory is made as `image`.
template <class T, int n, int form>
__global__ void multiply(const uint64_t* image, Operand a, Operand b, const uint32_t* registers, int from,
                         bool adds, float* d) {
  DYN_SHARED(unsigned char, shared);
  unsigned thread = threadIdx.x, warp = thread / 32, group = thread % 32 >> 2, in_group = thread % 4;
  auto* words = reinterpret_cast<uint64_t*>(shared);
  for (unsigned i = thread; i < kImageBytes / 8; i += 128) words[i] = image[i];
  fence_proxy_async();
  __syncthreads();
  float sums[n / 2];
  for (float& sum : sums) sum = adds ? 1000 : std::numeric_limits<float>::quiet_NaN();
  hold(sums);
  wgmma_fence();
  for (int step = 0; step < kSteps; ++step) {
    uint64_t of_b = matrix_descriptor(shared + b.starts[step], b.leading, b.stride, b.swizzle, b.base_offset);
    if (registers == nullptr) {
      uint64_t of_a =
          matrix_descriptor(shared + a.starts[step], a.leading, a.stride, a.swizzle, a.base_offset);
      wgmma<T, form>(sums, of_a, of_b, adds || step != from);
    } else if constexpr ((form & kWgmmaAMnMajor) == 0) {
      uint32_t mine[4];
      for (unsigned i = 0; i < 4; ++i)
        mine[i] = registers[(static_cast<unsigned>(step) * 128 + thread) * 4 + i];
      wgmma_fence();
      wgmma<T, form>(sums, mine, of_b, adds || step != from);
    }
  }
  wgmma_commit();
  wgmma_wait<0>();
  hold(sums);
  for (unsigned i = 0; i < n / 2; ++i) {
    unsigned row = 16 * warp + group + (i / 2 % 2 == 0 ? 0 : 8), column = i / 4 * 8 + 2 * in_group + i % 2;
    d[row * n + column] = sums[i];
  }
}

/// The registers of A, by the manual's formulas.
template <class T>
std::vector<uint32_t> registers_of_a() {
  constexpr int kDepth = 32 / kBytes<T>;
  std::vector<uint32_t> registers;
  for (int step = 0; step < kSteps; ++step) {
    for (int thread = 0; thread < 128; ++thread) {
      int group = thread % 32 / 4, in_group = thread % 4;
      for (int i = 0; i < 4; ++i) {
        int row = thread / 32 * 16 + group + (i == 1 || i == 3 ? 8 : 0), k = step * kDepth;
        if constexpr (kBytes<T> == 4) {
          k += in_group + (i < 2 ? 0 : 4);
          registers.push_back(bits_of<T>(number(row, k, 0)));
        } else {
          k += in_group * 2 + (i < 2 ? 0 : 8);
          registers.push_back(bits_of<T>(number(row, k, 0)) | bits_of<T>(number(row, k + 1, 0)) << 16);
        }
      }
    }
  }
  return registers;
}

template <class T>
void put(std::vector<uint64_t>& image, const Layout& layout, int seed) {
  for (int row = 0; row < layout.rows; ++row) {
    for (int k = 0; k < layout.depth(); ++k) {
      uint32_t bits = bits_of<T>(number(row, k, seed));
      std::memcpy(reinterpret_cast<char*>(image.data()) + layout.place(row, k), &bits, kBytes<T>);
    }
  }
}

struct Options {
  bool registers = false, adds = false;
  int from = 0;
  int a_first = 0;
};

/// How many elements of d are wrong.
template <class T, int n, int form = 0>
int wrong_elements(Swizzle of_a, Swizzle of_b, const Options& options = {}) {
  Layout a{(form & kWgmmaAMnMajor) != 0, of_a, 64, kBytes<T>, options.a_first};
  Layout b{(form & kWgmmaBMnMajor) != 0, of_b, n, kBytes<T>, 32 << 10};
  std::vector<uint64_t> image(kImageBytes / 8, ~uint64_t{0});
  put<T>(image, a, 0);
  put<T>(image, b, 3);
  std::vector<float> d(64 * n);
  auto registers = registers_of_a<T>();
  go<multiply<T, n, form>>({1, 128, kImageBytes}, image.data(), a.operand(), b.operand(),
                           options.registers ? registers.data() : nullptr, options.from, options.adds,
                           d.data());
  int wrong = 0;
  for (int row = 0; row < 64; ++row) {
    for (int column = 0; column < n; ++column) {
      double sum = 0;
      for (int k = options.from * a.depth() / kSteps; k < a.depth(); ++k) {
        sum += static_cast<double>(number(row, k, 0)) * static_cast<double>(number(column, k, 3));
      }
      if ((form & kWgmmaANegated) != 0) sum = -sum;
      if ((form & kWgmmaBNegated) != 0) sum = -sum;
      if (options.adds) sum += 1000;
      if (d[static_cast<size_t>(row) * static_cast<size_t>(n) + static_cast<size_t>(column)] !=
          static_cast<float>(sum))
        ++wrong;
    }
  }
  return wrong;
}

const Swizzle kSwizzles[] = {Swizzle::none, Swizzle::b32, Swizzle::b64, Swizzle::b128};

template <class T, int n, int form>
void check_swizzles() {
  for (Swizzle a : kSwizzles) {
    for (Swizzle b : kSwizzles) {
      EXPECT_EQ((wrong_elements<T, n, form>(a, b)), 0)
          << "swizzles " << static_cast<int>(a) << ", " << static_cast<int>(b) << ", form " << form;
    }
  }
}

TEST(SimWgmma, EverySwizzleAndOrder) {
  check_swizzles<bf16, 64, 0>();
  check_swizzles<bf16, 64, kWgmmaAMnMajor>();
  check_swizzles<f16, 96, kWgmmaBMnMajor>();
  check_swizzles<f16, 16, kWgmmaAMnMajor + kWgmmaBMnMajor>();
  check_swizzles<Tf32, 32, 0>();
}

template <class T, int n>
void check_columns() {
  EXPECT_EQ((wrong_elements<T, n>(Swizzle::b128, Swizzle::b128)), 0) << n;
  if constexpr (!std::is_same_v<T, Tf32>) {
    EXPECT_EQ((wrong_elements<T, n, kWgmmaBMnMajor>(Swizzle::b128, Swizzle::b128)), 0) << n;
  }
}

TEST(SimWgmma, EveryN) {
  check_columns<bf16, 8>();
  check_columns<f16, 16>();
  check_columns<Tf32, 32>();
  check_columns<bf16, 64>();
  check_columns<f16, 96>();
  check_columns<Tf32, 128>();
  check_columns<bf16, 160>();
  check_columns<f16, 192>();
  check_columns<bf16, 256>();
  check_columns<Tf32, 256>();
}

TEST(SimWgmma, TheSameInAllOrders) {
  in_all_orders([] {
    EXPECT_EQ((wrong_elements<bf16, 32>(Swizzle::b64, Swizzle::b128)), 0);
    EXPECT_EQ((wrong_elements<Tf32, 8>(Swizzle::b128, Swizzle::b128, {.registers = true, .adds = true})), 0);
  });
}

TEST(SimWgmma, AFromRegisters) {
  EXPECT_EQ((wrong_elements<bf16, 64>(Swizzle::none, Swizzle::b128, {.registers = true})), 0);
  EXPECT_EQ((wrong_elements<f16, 64, kWgmmaBMnMajor>(Swizzle::none, Swizzle::b32, {.registers = true})), 0);
  EXPECT_EQ((wrong_elements<Tf32, 16>(Swizzle::none, Swizzle::b64, {.registers = true})), 0);
}

TEST(SimWgmma, SignsAndSums) {
  EXPECT_EQ((wrong_elements<bf16, 16>(Swizzle::b128, Swizzle::b128, {.adds = true})), 0);
  EXPECT_EQ((wrong_elements<bf16, 16>(Swizzle::b128, Swizzle::b128, {.from = 2})), 0);
  EXPECT_EQ((wrong_elements<bf16, 16, kWgmmaANegated>(Swizzle::b128, Swizzle::b128, {.adds = true})), 0);
  EXPECT_EQ((wrong_elements<f16, 16, kWgmmaBNegated>(Swizzle::b128, Swizzle::b128, {.registers = true})), 0);
  EXPECT_EQ((wrong_elements<Tf32, 16, kWgmmaANegated + kWgmmaBNegated>(Swizzle::b128, Swizzle::b128)), 0);
}

// The pattern begins where the matrix does, not at a multiple of its length.
TEST(SimWgmma, BaseOffset) {
  EXPECT_EQ((wrong_elements<bf16, 16>(Swizzle::b128, Swizzle::b128, {.a_first = 3 * 128})), 0);
  EXPECT_EQ((wrong_elements<f16, 16>(Swizzle::b64, Swizzle::b128, {.a_first = 7 * 128})), 0);
}

// --- descriptors
// -----------------------------------------------------------------------------------------------------------

constexpr sim::MatrixDescriptor kExample{0x2C0A0, 0x3FFF0, 0x400, Swizzle::b64, 5};
static_assert(sim::encoded(kExample) == (uint64_t{0x2C0A} | uint64_t{0x3FFF} << 16 | uint64_t{0x40} << 32 |
                                         uint64_t{5} << 49 | uint64_t{2} << 62));
static_assert(sim::decoded(sim::encoded(kExample)).start == 0x2C0A0);
static_assert(sim::decoded(sim::encoded(kExample)).leading == 0x3FFF0);
static_assert(sim::decoded(sim::encoded(kExample)).stride == 0x400);
static_assert(sim::decoded(sim::encoded(kExample)).swizzle == Swizzle::b64);
static_assert(sim::decoded(sim::encoded(kExample)).base_offset == 5);
static_assert((sim::encoded(kExample) & sim::kDescriptorReserved) == 0);
static_assert(sim::encoded({16, 0, 0, Swizzle::none, 0}) == 1);
static_assert(sim::encoded({0, 0, 0, Swizzle::b128, 0}) >> 62 == 1);
static_assert(sim::encoded({0, 0, 0, Swizzle::b32, 0}) >> 62 == 3);
// Row 3 of 128 bytes, its second 16 bytes: unit 1 changes places with unit 1 ^ 3.
static_assert(sim::unit_of_k_major({1024, 16, 1024, Swizzle::b128, 0}, 3, 1) == 1024 + 3 * 128 + 2 * 16);
static_assert(sim::unit_of_k_major({1024, 512, 256, Swizzle::none, 0}, 11, 1) == 1024 + 256 + 3 * 16 + 512);
static_assert(sim::unit_of_mn_major({0, 4096, 1024, Swizzle::b128, 0}, 9, 10) ==
              4096 + 1024 + 2 * 128 + (1 ^ 2) * 16);

TEST(SimWgmma, ADescriptorsStartMovesByAdding) {
  uint64_t moved = sim::encoded({0x1000, 16, 1024, Swizzle::b128, 0}) + 64 / 16;
  EXPECT_EQ(moved, sim::encoded({0x1040, 16, 1024, Swizzle::b128, 0}));
}

}  // namespace
}  // namespace iskra::testing
