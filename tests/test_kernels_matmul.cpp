// matmul against a naive product in double: every layout, size and provider; bits do not depend on threads or
// on how many rows there are.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gemm.h>
#include <iskra/kernels/isa.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

struct Size {
  int64_t m, n, k;
};

/// Places of the batch item `item` of `c` in an operand of the same or a smaller rank.
int64_t item_of(const Shape& operand, const Shape& c, int64_t item) {
  int64_t place = 0, step = 1;
  for (int axis = c.rank() - 3; axis >= 0; --axis) {
    const int64_t i = item % c[axis];
    item /= c[axis];
    const int at = axis - (c.rank() - operand.rank());
    if (at < 0) continue;
    place += (operand[at] == 1 ? 0 : i) * step;
    step *= operand[at];
  }
  return place;
}

std::vector<double> naive(const Array& a, const Array& b, const Array* bias, const Array& c, float beta) {
  const int64_t m = c.shape()[c.shape().rank() - 2], n = c.shape().back(), k = a.shape().back();
  const std::vector<double> a_values = a.values(), b_values = b.values();
  std::vector<double> out(static_cast<size_t>(c.numel()));
  for (int64_t place = 0; place < c.numel(); ++place) {
    const int64_t j = place % n, i = place / n % m, item = place / n / m;
    double sum = beta == 0 ? 0 : c.get(place);
    if (bias != nullptr) sum += bias->get(j);
    const int64_t row = (item_of(a.shape(), c.shape(), item) * m + i) * k;
    const int64_t column = item_of(b.shape(), c.shape(), item) * k * n + j;
    for (int64_t p = 0; p < k; ++p)
      sum += a_values[static_cast<size_t>(row + p)] * b_values[static_cast<size_t>(column + p * n)];
    out[static_cast<size_t>(place)] = sum;
  }
  return out;
}

/// Strides of a matrix (rows, cols), as it is or as the transpose of a dense one, with `gap` elements after
/// each line.
Shape matrix_strides(int64_t rows, int64_t cols, bool transposed, int64_t gap) {
  return transposed ? Shape{1, rows + gap} : Shape{cols + gap, 1};
}

class Matmul : public ::testing::TestWithParam<Way> {
 protected:
  auto on(int threads = 1) {
    auto tag = testing::on(threads, &scratch_);
    tag.provider = GetParam().provider;
    return tag;
  }
  double tolerance(int64_t k) const { return GetParam().eps() * static_cast<double>(8 + k); }
  void compare(const Array& a, const Array& b, const Array* bias, Array c, float beta,
               const std::string& what) {
    const auto want = naive(a, b, bias, c, beta);
    matmul(on(2), a.view(), b.view(), {.bias = bias == nullptr ? View{} : bias->view()}, c.view(), beta);
    expect_close(c, want, tolerance(a.shape().back()), what);
  }
  HeapScratch scratch_;
};

TEST_P(Matmul, EverySizeLayoutBetaAndBias) {
  const std::vector<Size> sizes = {{1, 1, 1},     {7, 5, 3},     {1, 31, 17},  {29, 1, 13},
                                   {5, 33, 1},    {13, 37, 129}, {64, 64, 64}, {131, 37, 257},
                                   {270, 70, 97}, {2, 1031, 150}};
  for (const Size& s : sizes)
    for (int layout = 0; layout < 16; ++layout) {
      const bool ta = layout & 1, tb = layout & 2, with_bias = layout & 4;
      const auto beta = static_cast<float>(layout >> 3);
      const int64_t gap = layout % 3;
      const DType type = GetParam().dtype;
      const Array a = Array::random(type, {s.m, s.k}, matrix_strides(s.m, s.k, ta, gap), 1);
      const Array b = Array::random(type, {s.k, s.n}, matrix_strides(s.k, s.n, tb, gap), 2);
      const Array bias = Array::random(type, {s.n}, 3);
      const Array c = Array::random(type, {s.m, s.n}, matrix_strides(s.m, s.n, false, gap), 4);
      compare(a, b, with_bias ? &bias : nullptr, c, beta,
              text("m ", s.m, " n ", s.n, " k ", s.k, " layout ", layout));
    }
}

TEST_P(Matmul, BatchesBroadcastAndFold) {
  const DType type = GetParam().dtype;
  const int64_t m = 19, n = 23, k = 11;
  const Array b = Array::random(type, {k, n}, 2);
  const Array b3 = Array::random(type, {3, k, n}, 5);
  const Array b_t = Array::random(type, {2, 3, k, n}, {3 * k * n, k * n, 1, k}, 6);
  const Array a4 = Array::random(type, {2, 3, m, k}, 1), a41 = Array::random(type, {2, 1, m, k}, 7);
  const Array a2 = Array::random(type, {m, k}, 8);
  const Array heads = Array::random(type, {2, 3, m, k}, {m * 3 * k, k, 3 * k, 1}, 9);  // heads inside a token
  const Array row = Array::random(type, {2, 3, 1, k}, 10);
  const Array c(type, {2, 3, m, n}), c_row(type, {2, 3, 1, n});
  compare(a4, b, nullptr, c, 0, "shared b: the batch folds into rows");
  compare(a4, b3, nullptr, c, 0, "b broadcast over the first axis");
  compare(a41, b3, nullptr, c, 0, "both broadcast");
  compare(a2, b3, nullptr, c, 0, "a of rank 2");
  compare(heads, b_t, nullptr, c, 0, "strided batch, transposed items");
  compare(heads, b, nullptr, c, 0, "shared b, rows that do not go on evenly");
  compare(row, b, nullptr, c_row, 0, "single rows");
  compare(row, b_t, nullptr, c_row, 0, "single rows, transposed items");
}

TEST_P(Matmul, ManySmallItems) {
  const DType type = GetParam().dtype;
  const int64_t items = 1100;  // more than a grid has blocks
  const Array a = Array::random(type, {items, 5, 7}, 1), b = Array::random(type, {items, 7, 3}, 2);
  compare(a, b, nullptr, Array(type, {items, 5, 3}), 0, text(items, " items"));
}

TEST_P(Matmul, EmptySizes) {
  const DType type = GetParam().dtype;
  const Array bias = Array::random(type, {5}, 3);
  const Array c = Array::random(type, {4, 5}, 4);
  compare(Array(type, {4, 0}), Array(type, {0, 5}), nullptr, c, 0, "k = 0 overwrites with zero");
  compare(Array(type, {4, 0}), Array(type, {0, 5}), &bias, c, 1, "k = 0 keeps c and adds the bias");
  compare(Array(type, {0, 3}), Array(type, {3, 5}), nullptr, Array(type, {0, 5}), 0, "no rows");
  compare(Array(type, {4, 3}), Array(type, {3, 0}), nullptr, Array(type, {4, 0}), 0, "no columns");
  compare(Array(type, {0, 4, 3}), Array(type, {3, 5}), nullptr, Array(type, {0, 4, 5}), 0, "no items");
}

TEST_P(Matmul, AnExpandedOperandHasStrideZero) {
  const DType type = GetParam().dtype;
  Array line = Array::random(type, {1, 9}, 1), b = Array::random(type, {9, 6}, 2);
  Array c(type, {4, 6});
  View a = line.view();
  a.shape = {4, 9};
  a.stride = {0, 1};
  matmul(on(), a, b.view(), {}, c.view(), 0);
  const auto one = naive(line, b, nullptr, Array(type, {1, 6}), 0);
  std::vector<double> want;
  for (int i = 0; i < 4; ++i) want.insert(want.end(), one.begin(), one.end());
  expect_close(c, want, tolerance(9), "expanded rows");
}

#ifndef ISKRA_TEST_CUDA
// Whoever computes: subnormal numbers, which some processors are slow with, count as zero.
TEST_P(Matmul, SubnormalNumbersOfF32CountAsZero) {
  const DType type = GetParam().dtype;
  if (type != DType::f32) return;
  Array a(type, {2, 40}), b(type, {40, 20}), c(type, {2, 20});
  for (int64_t i = 0; i < 40; ++i) {
    a.set(i, i % 2 == 0 ? 1e-39 : 1);  // 1e-39 * 1e30 would be seen beside 1e-9
    a.set(40 + i, 1e-39);
    for (int64_t j = 0; j < 20; ++j) b.set(i * 20 + j, i % 2 == 0 ? 1e30 : 5e-11);
  }
  matmul(on(), a.view(), b.view(), {}, c.view(), 0);
  for (int64_t j = 0; j < 20; ++j) {
    EXPECT_NEAR(c.get(j), 1e-9, 1e-15);
    EXPECT_EQ(c.get(20 + j), 0);
  }
}

#endif

TEST_P(Matmul, BitsDoNotDependOnThreads) {
  const DType type = GetParam().dtype;
  for (const Size& s : {Size{517, 130, 64}, Size{64, 250, 3001}, Size{1000, 64, 256}})
    for (bool ta : {false, true}) {
      if (kOnCuda && s.k > 64) continue;  // the emulator is no GPU
      const Array a = Array::random(type, {s.m, s.k}, matrix_strides(s.m, s.k, ta, 0), 1);
      const Array b = Array::random(type, {s.k, s.n}, 2);
      Array one(type, {s.m, s.n});
      matmul(on(1), a.view(), b.view(), {}, one.view(), 0);
      for (int threads : {2, 3}) {
        Array more(type, {s.m, s.n});
        matmul(on(threads), a.view(), b.view(), {}, more.view(), 0);
        expect_same_bits(one, more, text("m ", s.m, " threads ", threads));
      }
    }
}

// A picture's logits must not depend on its neighbours in the batch.
TEST_P(Matmul, ARowDoesNotDependOnTheNumberOfRows) {
  const DType type = GetParam().dtype;
  for (const Size& s :
       {Size{50, 64, 64}, Size{50, 192, 64}, Size{65, 768, 192}, Size{197, 192, 768}, Size{50, 10, 64},
        Size{1, 10, 768}, Size{1, 1000, 2311}, Size{3, 7, 5}, Size{17, 33, 1025}, Size{197, 16, 64},
        Size{1, 1, 300}, Size{1, 512, 8200}, Size{3, 2100, 2001}}) {
    if (kOnCuda && s.m * s.n * s.k > 3000000) continue;  // the emulator is no GPU
    const int64_t pictures = kOnCuda ? 3 : 9;
    const Array a = Array::random(type, {pictures, s.m, s.k}, 1);
    const Array b = Array::random(type, {s.k, s.n}, {1, s.k}, 2), bias = Array::random(type, {s.n}, 3);
    Array all(type, {pictures, s.m, s.n});
    matmul(on(2), a.view(), b.view(), {.bias = bias.view()}, all.view(), 0);
    for (int64_t i : {int64_t{0}, pictures - 1}) {
      Array alone(type, {1, s.m, s.n}), part(type, {1, s.m, s.n});
      View picture = a.view();
      picture.shape = {1, s.m, s.k};
      picture.data = a.view().as<char>() + static_cast<size_t>(i * s.m * s.k) * size_of(type);
      matmul(on(2), picture, b.view(), {.bias = bias.view()}, alone.view(), 0);
      for (int64_t p = 0; p < part.numel(); ++p) part.set(p, all.get(i * s.m * s.n + p));
      const std::string what = text("picture ", i, " of rows ", s.m, " n ", s.n, " k ", s.k);
      expect_same_bits(alone, part, what);
    }
  }
}

TEST_P(Matmul, SaysWhatIsWrong) {
  const DType type = GetParam().dtype;
  const Array a = Array::random(type, {4, 6}, {30, 2}, 1), b = Array::random(type, {6, 5}, 2);
  const Array dense = Array::random(type, {4, 6}, 1), short_b = Array::random(type, {7, 5}, 2);
  Array c(type, {4, 5});
  const auto message = [&](View x, View y) -> std::string {
    try {
      matmul(on(), x, y, {}, c.view(), 0);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(message(a.view(), b.view()),
            "matmul: a (4, 6) has strides (30, 2), but one of its last two axes needs stride 1; make it "
            "contiguous first");
  EXPECT_EQ(message(dense.view(), short_b.view()), "matmul: inner sizes differ: a is (4, 6), b is (7, 5)");
}

INSTANTIATE_TEST_SUITE_P(All, Matmul, ::testing::ValuesIn(all_ways()), way_name);

#ifndef ISKRA_TEST_CUDA
// A silent fall-back to oneDNN's reference code would cost a factor of a thousand.
TEST(MatmulVendor, NeverUsesTheReferenceImplementation) {
  for (const GemmShape& s :
       {GemmShape{128, 768, 3072, 3072, 1, 1, 3072, 768}, GemmShape{50, 50, 16, 192, 1, 1, 192, 50},
        GemmShape{64, 192, 3136, 1, 64, 192, 1, 192}, GemmShape{1, 10, 64, 64, 1, 1, 64, 10},
        GemmShape{50, 16, 50, 50, 1, 192, 1, 64}}) {
    const std::string name = Product(Provider::vendor, {.shape = s}).implementation();
    EXPECT_EQ(name.find("ref"), std::string::npos) << name;
    EXPECT_EQ(name == "gemm", isa() != Isa::v4) << "oneDNN refused m " << s.m << " n " << s.n << " k " << s.k;
  }
}

#endif

}  // namespace
}  // namespace iskra::kernels::testing
