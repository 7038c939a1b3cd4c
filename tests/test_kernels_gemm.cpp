// The ways in which products are made on CUDA, each called by itself, against sums in double: every layout,
// sizes beside those of tiles, batches, and all that may follow the sums.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/device_api.h>
#include <iskra/kernels/matmul_paths.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

struct Path {
  MatmulPath path;
  DType dtype;
  bool tf32() const { return path == MatmulPath::mma && dtype == DType::f32; }
};
std::string name_of_path(MatmulPath path) {
  return path == MatmulPath::simt ? "simt" : path == MatmulPath::mma ? "mma" : "wgmma";
}

std::string path_name(const ::testing::TestParamInfo<Path>& info) {
  return name_of_path(info.param.path) + "_" + name_of(info.param.dtype);
}

struct Size {
  int64_t m, n, k;
};

/// Logical item `item` of c's batch among the items of an operand.
int64_t item_of(const Shape& x, const Shape& c, int64_t item) {
  int64_t place = 0, step = 1;
  for (int back = 3; back <= c.rank(); ++back) {
    int64_t i = item % c[c.rank() - back];
    item /= c[c.rank() - back];
    if (back > x.rank()) continue;
    int64_t size = x[x.rank() - back];
    place += (size == 1 ? 0 : i) * step;
    step *= size;
  }
  return place;
}

std::vector<double> sums_of(const Array& a, const Array& b, const Shape& c) {
  int64_t m = c[c.rank() - 2], n = c.back(), k = a.shape().back();
  std::vector<double> x = a.values(), y = b.values(), sums(static_cast<size_t>(c.numel()));
  for (int64_t place = 0; place < c.numel(); ++place) {
    int64_t item = place / n / m;
    int64_t row = (item_of(a.shape(), c, item) * m + place / n % m) * k;
    int64_t column = item_of(b.shape(), c, item) * k * n + place % n;
    for (int64_t i = 0; i < k; ++i)
      sums[static_cast<size_t>(place)] +=
          x[static_cast<size_t>(row + i)] * y[static_cast<size_t>(column + i * n)];
  }
  return sums;
}

/// Rows and columns as they are or as the transpose of a dense matrix, with a gap after each line.
Shape lying(int64_t rows, int64_t columns, bool transposed, int64_t gap) {
  return transposed ? Shape{1, rows + gap} : Shape{columns + gap, 1};
}

double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::gelu:
      return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::gelu_tanh:
      return x * 0.5 * (1 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
  }
  return x;
}

class GemmOfPath : public ::testing::TestWithParam<Path> {
 protected:
  Cuda on() {
    Cuda tag = testing::on(1, &scratch_);
    tag.tf32 = GetParam().tf32();
    return tag;
  }
  DType type() const { return GetParam().dtype; }
  /// Done when it returns.
  void multiply(const View& a, const View& b, const Epilogue& then, const MutView& c, float beta = 0) {
    auto* way = GetParam().path == MatmulPath::simt  ? native::matmul_simt
                : GetParam().path == MatmulPath::mma ? native::matmul_mma
                                                     : native::matmul_wgmma;
    way(on(), a, b, then, c, beta);
    device::synchronize(device::kOwnStream);
  }
  static double tolerance(const Array& a) { return 0x1p-23 * static_cast<double>(8 + a.shape().back()); }
  void compare(const Array& a, const Array& b, Array c, const std::string& what) {
    std::vector<double> want = sums_of(a, b, c.shape());
    multiply(a.view(), b.view(), {}, c.view());
    expect_close(c, want, tolerance(a), what);
  }
  HeapScratch scratch_;
};

// The gap of 3 makes lines begin where no 16 bytes do, that of 8 where they do and do not go on densely.
TEST_P(GemmOfPath, SizesAndLayouts) {
  for (const Size& s : {Size{1, 1, 1}, Size{7, 5, 3}, Size{1, 136, 72}, Size{65, 33, 40}, Size{72, 130, 104},
                        Size{129, 64, 33}, Size{64, 72, 200}})
    for (int layout = 0; layout < 4; ++layout)
      for (int64_t gap : {0, 3, 8}) {
        if (gap == 8 && s.m * s.n > 5000) continue;
        Array a = Array::random(type(), {s.m, s.k}, lying(s.m, s.k, (layout & 1) != 0, gap), 1);
        Array b = Array::random(type(), {s.k, s.n}, lying(s.k, s.n, (layout & 2) != 0, gap), 2);
        Array c(type(), {s.m, s.n}, {s.n + gap, 1});
        compare(a, b, c, text("m ", s.m, " n ", s.n, " k ", s.k, " layout ", layout, " gap ", gap));
      }
}

// Enough tiles for large ones, for all blocks to take several, and for more rows of them than go together.
TEST_P(GemmOfPath, ManyTiles) {
  for (const Size& s : {Size{264, 136, 72}, Size{1160, 264, 8}})
    for (int layout = 0; layout < 4; ++layout) {
      if (s.m > 1000 && layout != 3) continue;
      Array a = Array::random(type(), {s.m, s.k}, lying(s.m, s.k, (layout & 1) != 0, 0), 1);
      Array b = Array::random(type(), {s.k, s.n}, lying(s.k, s.n, (layout & 2) != 0, 0), 2);
      compare(a, b, Array(type(), {s.m, s.n}), text("m ", s.m, " layout ", layout));
    }
}

// More steps than the rings have stages.
TEST_P(GemmOfPath, LongSums) {
  for (bool transposed : {false, true}) {
    Array a = Array::random(type(), {72, 904}, lying(72, 904, transposed, 0), 1);
    Array b = Array::random(type(), {904, 136}, lying(904, 136, transposed, 0), 2);
    compare(a, b, Array(type(), {72, 136}), text("transposed ", transposed));
  }
}

TEST_P(GemmOfPath, Batches) {
  const int64_t m = 19, n = 24, k = 40;
  Array a4 = Array::random(type(), {2, 3, m, k}, 1), a1 = Array::random(type(), {2, 1, m, k}, 2);
  Array a2 = Array::random(type(), {m, k}, 3), b2 = Array::random(type(), {k, n}, 4);
  Array b3 = Array::random(type(), {3, k, n}, 5), row = Array::random(type(), {2, 3, 1, k}, 6);
  Array b4 = Array::random(type(), {2, 3, k, n}, {3 * k * n, k * n, 1, k}, 7);
  Array heads = Array::random(type(), {2, 3, m, k}, {m * 3 * k, k, 3 * k, 1}, 8);  // inside a token
  Array odd = Array::random(type(), {2, 3, m, k}, {m * 3 * k + 3, m * k + 1, k, 1}, 9);
  Array odd1 = Array::random(type(), {2, 1, m, k}, {m * k + 1, m * k, k, 1}, 13);
  Array across = Array::random(type(), {2, 3, m, k}, {3 * m * k, m * k, 1, m}, 10);
  Array c(type(), {2, 3, m, n}), c_row(type(), {2, 3, 1, n});
  Array c_heads(type(), {2, 3, m, n}, {m * 3 * n, n, 3 * n, 1});
  compare(a4, b2, c, "shared b: the batch folds into rows");
  compare(a4, b3, c, "b broadcast over the first axis");
  compare(a1, b3, c, "both broadcast");
  compare(a2, b3, c, "a of rank 2");
  compare(a2, b4, c_heads, "a of rank 2, c of heads");
  compare(heads, b4, c_heads, "heads, transposed items");
  compare(heads, b2, c, "shared b, rows that do not go on evenly");
  compare(odd, b4, c, "items that begin anywhere");
  compare(odd1, b4, c, "the same, for all of an axis");
  compare(across, b3, c, "items across k, in lines that begin anywhere");
  compare(row, b2, c_row, "single rows");
  compare(row, b4, c_row, "single rows, transposed items");
  Array many = Array::random(type(), {40, 5, 8}, 11), others = Array::random(type(), {40, 8, 3}, 12);
  compare(many, others, Array(type(), {40, 5, 3}), "many items");
}

/// Lines that are all one, and matrices with a single line whose stride is anything.
TEST_P(GemmOfPath, StridesOfNoUse) {
  Array line = Array::random(type(), {1, 72}, 1), b = Array::random(type(), {72, 64}, 2);
  Array c(type(), {4, 64}), one(type(), {1, 64});
  View a = line.view();
  a.shape = {4, 72};
  a.stride = {0, 1};
  multiply(a, b.view(), {}, c.view());
  std::vector<double> sums = sums_of(line, b, {1, 64}), want;
  for (int i = 0; i < 4; ++i) want.insert(want.end(), sums.begin(), sums.end());
  expect_close(c, want, tolerance(line), "expanded rows");
  a = line.view();
  a.stride = {12345, 1};
  multiply(a, b.view(), {}, one.view());
  expect_close(one, sums, tolerance(line), "a single row");
  Array sparse = Array::random(type(), {1, 72}, {7, 5}, 3);
  compare(sparse, b, one, "a single row with gaps");
}

/// What lies between the rows of c stays as it was. Rows begin one after a multiple of 16 bytes.
TEST_P(GemmOfPath, WritesOnlyResults) {
  const int64_t m = 67, n = 69, k = 16, line = 72;
  Array a = Array::random(type(), {m, k}, 1), b = Array::random(type(), {k, n}, 2);
  Array all(type(), {m, line}), kept(type(), {m, line}), c(type(), {m, n});
  auto part = [&](Array& whole) {
    return MutView{whole.view().as<char>() + size_of(type()), type(), {m, n}, {line, 1}};
  };
  multiply(a.view(), b.view(), {.preactivation = part(kept)}, part(all));
  for (const Array* whole : {&all, &kept}) {
    for (int64_t i = 0; i < m * line; ++i) {
      int64_t column = i % line - 1;
      bool result = column >= 0 && column < n;
      ASSERT_NE(std::isnan(whole->get(i)), result) << i / line << ", " << column;
      if (result) c.set(i / line * n + column, whole->get(i));
    }
    expect_close(c, sums_of(a, b, c.shape()), tolerance(a), "between gaps");
  }
}

/// c, and what is kept for a backward pass, of a product with everything that may follow.
void check_epilogue(const Array& a, const Array& b, const Array& bias, const Array& residual, const Array& c,
                    const Array& kept, Activation activation, const std::string& what) {
  int64_t n = c.shape().back();
  std::vector<double> p = sums_of(a, b, c.shape()), y = p;
  for (size_t i = 0; i < p.size(); ++i) {
    auto at = static_cast<int64_t>(i);
    if (bias.numel() > 0) p[i] += bias.get(at % n);
    y[i] = activated(activation, p[i]) + (residual.numel() > 0 ? residual.get(at) : 0);
  }
  double tolerance = 0x1p-22 * static_cast<double>(8 + a.shape().back());
  expect_close(c, y, tolerance, what);
  if (kept.numel() > 0) expect_close(kept, p, tolerance, what + ", kept");
}

TEST_P(GemmOfPath, Epilogues) {
  const int64_t m = 66, n = 72, k = 24;
  Array a = Array::random(type(), {m, k}, 1), b = Array::random(type(), {k, n}, {1, k}, 2);
  const Array none(type(), {0});
  int round = 0;
  for (Activation activation : {Activation::none, Activation::relu, Activation::gelu, Activation::gelu_tanh})
    for (int form = 0; form < 8; ++form, ++round) {
      bool biased = (form & 1) != 0, adds = (form & 2) != 0, keeps = (form & 4) != 0;
      DType out = is_floating(type()) && size_of(type()) == 2 && round % 3 == 1 ? DType::f32 : type();
      DType of_bias = type() != DType::f64 && round % 2 == 0 ? DType::f32 : type();
      Shape stride{n + round % 2, 1};  // odd rows begin where no 16 bytes do
      Array bias = biased ? Array::random(of_bias, {n}, 3) : none;
      Array residual = adds ? Array::random(out, {m, n}, stride, 4) : none;
      Array c(out, {m, n}, stride), kept = keeps ? Array(out, {m, n}, stride) : none;
      multiply(a.view(), b.view(),
               {biased ? bias.view() : View{}, activation, adds ? residual.view() : View{},
                keeps ? kept.view() : MutView{}},
               c.view());
      check_epilogue(a, b, bias, residual, c, kept, activation,
                     text("activation ", static_cast<int>(activation), " form ", form));
    }
}

TEST_P(GemmOfPath, AddsToResults) {
  Array a = Array::random(type(), {70, 40}, {1, 70}, 1), b = Array::random(type(), {40, 75}, 2);
  for (DType out : {type(), size_of(type()) == 2 ? DType::f32 : type()})
    for (bool biased : {false, true}) {
      Array c = Array::random(out, {70, 75}, {80, 1}, 3), bias = Array::random(type(), {75}, 4);
      std::vector<double> want = sums_of(a, b, c.shape());
      for (int64_t i = 0; i < c.numel(); ++i)
        want[static_cast<size_t>(i)] += c.get(i) + (biased ? bias.get(i % 75) : 0);
      multiply(a.view(), b.view(), {.bias = biased ? bias.view() : View{}}, c.view(), 1);
      expect_close(c, want, tolerance(a), text("out ", name_of(out), " biased ", biased));
    }
}

/// Row i of x, a matrix.
View row_of(const Array& x, int64_t i) {
  View row = x.view();
  row.shape[0] = 1;
  row.data = row.as<char>() + static_cast<size_t>(i * row.stride[0]) * size_of(x.dtype());
  return row;
}

// Other tiles, other places in them, operands that are copied first or not: all the same.
TEST_P(GemmOfPath, ARowDoesNotDependOnTheNumberOfRows) {
  for (bool across : {false, true}) {
    const int64_t m = 523, n = 72, k = 100 - (across ? 1 : 0);
    Array a = Array::random(type(), {m, k}, lying(m, k, across, 0), 1);
    Array b = Array::random(type(), {k, n}, 2), all(type(), {m, n}), again(type(), {m, n});
    multiply(a.view(), b.view(), {}, all.view());
    multiply(a.view(), b.view(), {}, again.view());
    expect_same_bits(all, again, "the same product twice");
    for (int64_t i : {0, 1, 66, 130, 522}) {
      Array alone(type(), {1, n}), part(type(), {1, n});
      multiply(row_of(a, i), b.view(), {}, alone.view());
      for (int64_t j = 0; j < n; ++j) part.set(j, all.get(i * n + j));
      expect_same_bits(alone, part, text("row ", i, " across ", across));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, GemmOfPath,
    ::testing::Values(Path{MatmulPath::simt, DType::f32}, Path{MatmulPath::simt, DType::bf16},
                      Path{MatmulPath::mma, DType::f32}, Path{MatmulPath::mma, DType::bf16},
                      Path{MatmulPath::mma, DType::f16}, Path{MatmulPath::wgmma, DType::bf16},
                      Path{MatmulPath::wgmma, DType::f16}),
    path_name);

// --- which way is taken
// ----------------------------------------------------------------------------------------

MatmulPath path_of(DType type, Size s, bool tf32 = false) {
  Cuda tag;
  tag.tf32 = tf32;
  return matmul_path(tag, Array(type, {s.m, s.k}).view(), Array(type, {s.m, s.n}).view());
}

TEST(GemmChoice, FollowsFromTypesAndFromColumnsAndDepth) {
  EXPECT_EQ(path_of(DType::f32, {128, 128, 128}), MatmulPath::simt) << "f32 is exact to f32";
  EXPECT_EQ(path_of(DType::f32, {128, 128, 128}, true), MatmulPath::mma);
  EXPECT_EQ(path_of(DType::f64, {128, 128, 128}, true), MatmulPath::simt);
  for (DType type : {DType::bf16, DType::f16}) {
    for (int64_t m : {1, 4, 300}) {
      EXPECT_EQ(path_of(type, {m, 64, 64}), MatmulPath::wgmma);
      EXPECT_EQ(path_of(type, {m, 63, 64}), MatmulPath::mma);
      EXPECT_EQ(path_of(type, {m, 64, 63}), MatmulPath::mma);
      EXPECT_EQ(path_of(type, {m, 64, 0}), MatmulPath::simt) << "nothing to read";
    }
  }
}

/// Rounded to 11 bits, ties away from zero.
double rounded_to_tf32(double x) {
  auto bits = std::bit_cast<uint32_t>(static_cast<float>(x));
  return static_cast<double>(std::bit_cast<float>((bits + 0x1000U) & ~0x1FFFU));
}

TEST(GemmChoice, Tf32IsForThoseWhoAsk) {
  const int64_t m = 20, n = 30, k = 40;
  Array a(DType::f32, {m, k}), b(DType::f32, {k, n}), c(DType::f32, {m, n});
  Array a_rounded(DType::f64, {m, k}), b_rounded(DType::f64, {k, n});
  for (int64_t i = 0; i < m * k; ++i) a.set(i, std::sin(static_cast<double>(i)));
  for (int64_t i = 0; i < k * n; ++i) b.set(i, std::cos(static_cast<double>(i)));
  for (int64_t i = 0; i < m * k; ++i) a_rounded.set(i, rounded_to_tf32(a.get(i)));
  for (int64_t i = 0; i < k * n; ++i) b_rounded.set(i, rounded_to_tf32(b.get(i)));
  HeapScratch scratch;
  Cuda tag = on(1, &scratch);
  const double tolerance = 0x1p-23 * static_cast<double>(8 + k);
  matmul(tag, a.view(), b.view(), {}, c.view(), 0);
  device::synchronize(device::kOwnStream);
  std::vector<double> exact = sums_of(a, b, c.shape()), rounded = sums_of(a_rounded, b_rounded, c.shape());
  expect_close(c, exact, tolerance, "unasked");
  tag.tf32 = true;
  matmul(tag, a.view(), b.view(), {}, c.view(), 0);
  device::synchronize(device::kOwnStream);
  expect_close(c, rounded, tolerance, "asked for");
  double difference = 0;
  for (size_t i = 0; i < exact.size(); ++i)
    difference = std::max(difference, std::abs(exact[i] - rounded[i]));
  EXPECT_GT(difference, 10 * tolerance) << "the two must be told apart";
}

TEST(GemmChoice, CopiesOfOperandsNeedScratch) {
  Array a = Array::random(DType::bf16, {4, 9}, 1), b = Array::random(DType::bf16, {9, 8}, 2);
  Array c(DType::bf16, {4, 8});
  try {
    matmul(Cuda{}, a.view(), b.view(), {}, c.view(), 0);
    FAIL() << "lines of 18 bytes must be copied first";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "matmul: needs temporary memory, but the device tag's scratch is null");
  }
}

}  // namespace
}  // namespace iskra::kernels::testing
