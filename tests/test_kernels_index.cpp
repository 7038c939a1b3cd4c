// What the table of op cases does not show of indexing: threads, fixed orders of addition, bad indices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/half.h>
#include <iskra/kernels/kernels.h>
#include "error_of.h"
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

std::vector<int64_t> indices(int64_t n, int64_t size, uint64_t seed) {
  std::vector<int64_t> ids(static_cast<size_t>(n));
  for (int64_t& id : ids) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    id = static_cast<int64_t>(seed >> 33) % size;
  }
  return ids;
}

TEST(Index, RowsAreAddedInOrderOnAnyThreads) {
  const int64_t rows = 700, size = 37, cols = 519;
  const Array x = Array::random(DType::f32, {1, rows, cols}, 3);
  std::vector<int64_t> ids = indices(rows, size, 4);
  const View index{ids.data(), DType::i64, {rows}, {1}};
  std::vector<float> want(static_cast<size_t>(size * cols), 0.5F);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t v = ids[static_cast<size_t>(r)];
    if (v == 5) continue;
    for (int64_t c = 0; c < cols; ++c)
      want[static_cast<size_t>(v * cols + c)] += static_cast<float>(x.get(r * cols + c));
  }
  for (int threads : {1, 2, 3}) {
    HeapScratch scratch;
    std::vector<float> y(want.size(), 0.5F);
    index_add(on(threads, &scratch), x.view(), index, 5,
              MutView{y.data(), DType::f32, {1, size, cols}, {size * cols, cols, 1}}, 1);
    ASSERT_EQ(y, want) << threads;
  }
}

// 1 + 300 * 2^-9: every single addition would be lost in bf16.
TEST(Index, HalvesAddUpInF32) {
  std::vector<bf16> terms(300, to_bf16(0x1p-9F)), y(1, to_bf16(1.0F)), z(1, to_bf16(1.0F));
  std::vector<int64_t> ids(300, 0);
  HeapScratch scratch;
  const auto tag = on(1, &scratch);
  const View index{ids.data(), DType::i64, {300}, {1}};
  scatter_add(tag, View{terms.data(), DType::bf16, {300}, {1}}, index, 0,
              MutView{y.data(), DType::bf16, {1}, {1}});
  index_add(tag, View{terms.data(), DType::bf16, {1, 300, 1}, {300, 1, 1}}, index, -1,
            MutView{z.data(), DType::bf16, {1, 1, 1}, {1, 1, 1}}, 1);
  const float want = to_float(to_bf16(1.0F + 300 * 0x1p-9F));
  EXPECT_EQ(to_float(y[0]), want);
  EXPECT_EQ(to_float(z[0]), want);
}

TEST(Index, LastOfEqualIndicesWins) {
  std::vector<int32_t> x(5000), y(1, -1);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int32_t>(i);
  std::vector<int64_t> ids(x.size(), 0);
  HeapScratch scratch;
  scatter(on(3, &scratch), View{x.data(), DType::i32, {5000}, {1}}, View{ids.data(), DType::i64, {5000}, {1}},
          0, MutView{y.data(), DType::i32, {1}, {1}});
  EXPECT_EQ(y[0], 4999);
}

/// Values that sums have to round, so that their order shows: thirds of very different sizes.
Array rounded(DType dtype, const Shape& shape, const Shape& stride, uint64_t seed) {
  Array x = Array::random(dtype, shape, stride, seed);
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, x.get(i) / (i % 5 == 0 ? 0.03 : 3));
  return x;
}

/// One sum after the other in the type that kernels compute in, and in double.
struct Sums {
  explicit Sums(const Array& start) : exact(start.values()), wide(start.dtype() == DType::f64) {
    for (double v : exact) f32.push_back(static_cast<float>(v));
    f64 = exact;
  }
  void add(int64_t to, double x) {
    auto at = static_cast<size_t>(to);
    f32[at] += static_cast<float>(x);
    f64[at] += x;
    exact[at] += x;
  }
  /// The same bits as in this order, and near to the sums in double.
  void expect(const Array& got, const Array& start, const std::string& what) const {
    Array want = start;
    for (int64_t i = 0; i < want.numel(); ++i) {
      auto at = static_cast<size_t>(i);
      want.set(i, wide ? f64[at] : static_cast<double>(f32[at]));
    }
    expect_same_bits(got, want, what);
    expect_close(got, exact, wide ? 1e-10 : 2e-2, what);
  }
  std::vector<double> exact, f64;
  std::vector<float> f32;
  bool wide;
};

constexpr DType kFloats[] = {DType::f32, DType::f64, DType::bf16, DType::f16};

struct RowsCase {
  int64_t outer, rows, values, cols, stride, skip;
  float beta;
};

void expect_rows_added(DType dtype, const RowsCase& of, const std::vector<int64_t>& ids) {
  std::string what = std::string(name_of(dtype)) + " R=" + std::to_string(of.rows) +
                     " V=" + std::to_string(of.values) + " C=" + std::to_string(of.cols) +
                     " stride=" + std::to_string(of.stride) + " beta=" + std::to_string(of.beta);
  const Shape in{of.outer, of.rows, of.cols}, out{of.outer, of.values, of.cols};
  Array x = rounded(dtype, in, contiguous_strides(in), 31),
        y = rounded(dtype, out, contiguous_strides(out), 32);
  Array start = y;
  for (int64_t i = 0; i < start.numel() && of.beta == 0; ++i) start.set(i, 0);
  Sums sums(start);
  for (int64_t i = 0; i < x.numel(); ++i) {
    int64_t v = ids[static_cast<size_t>(i / of.cols % of.rows * of.stride)];
    if (v < 0 || v >= of.values || v == of.skip) continue;
    sums.add((i / of.cols / of.rows * of.values + v) * of.cols + i % of.cols, x.get(i));
  }
  HeapScratch scratch;
  index_add(on(2, &scratch), x.view(), View{ids.data(), DType::i64, {of.rows}, {of.stride}}, of.skip,
            y.view(), of.beta);
  sums.expect(y, start, what);
}

// Few indices and many, that meet often or seldom.
TEST(Index, RowsMeetInOrderWhateverTheirNumber) {
  for (DType dtype : kFloats)
    for (int64_t rows : {1, 40, 257, 3001})
      for (int64_t values : {7, 5000})
        for (int64_t cols : {1, 3, 64}) {
          const std::vector<int64_t> ids = indices(rows * 3, values, 30);
          const bool large = rows * values * cols > 1000000;
          expect_rows_added(dtype, {1, rows, values, cols, 1, ids[0], 0}, ids);
          expect_rows_added(dtype, {large ? 1 : 3, rows, values, cols, 3, -1, 1}, ids);
        }
}

// All in one place, none anywhere, no rows, and one index for all rows.
TEST(Index, RowsOfOneValue) {
  for (int64_t rows : {0, 100, 4099}) {
    std::vector<int64_t> ids(static_cast<size_t>(rows + 1), 2);
    for (float beta : {0.0F, 1.0F}) {
      expect_rows_added(DType::f32, {2, rows, 3, 5, 1, -1, beta}, ids);
      expect_rows_added(DType::bf16, {2, rows, 3, 5, 1, 2, beta}, ids);
      expect_rows_added(DType::f16, {1, rows, 3, 9, 0, 1, beta}, ids);
    }
  }
}

#ifdef ISKRA_TEST_CUDA

// A kernel cannot throw: what is out of range is passed over.
TEST(Index, RowsOutOfRangeAddNothing) {
  for (int64_t rows : {60, 3000}) {
    std::vector<int64_t> ids = indices(rows, 9, 33);
    const int64_t bad[] = {-1, 9, 10, INT64_MAX, INT64_MIN, int64_t{1} << 32, -(int64_t{1} << 33)};
    for (size_t i = 0; i < ids.size(); i += 4) ids[i] = bad[i / 4 % 7];
    expect_rows_added(DType::f32, {2, rows, 9, 10, 1, -1, 0}, ids);
    expect_rows_added(DType::f32, {2, rows, 9, 10, 1, 9, 1}, ids);
    Array x = Array::random(DType::f32, {rows}, 1), y(DType::f32, {9}), z(DType::f32, {9});
    std::vector<double> last(9, 0), sum(9, 0);
    for (int64_t i = 0; i < 9; ++i) y.set(i, 0), z.set(i, 0);
    for (int64_t i = 0; i < rows; ++i) {
      auto v = static_cast<size_t>(ids[static_cast<size_t>(i)]);
      if (v >= 9) continue;
      last[v] = x.get(i);
      sum[v] += x.get(i);
    }
    HeapScratch scratch;
    const View index{ids.data(), DType::i64, {rows}, {1}};
    scatter(on(1, &scratch), x.view(), index, 0, y.view());
    scatter_add(on(1, &scratch), x.view(), index, 0, z.view());
    EXPECT_EQ(y.values(), last);
    EXPECT_EQ(z.values(), sum);
  }
}

#endif

/// Long lines along either axis of a matrix, as its rows or its columns in memory.
struct LinesCase {
  int64_t lines, length, size;
  int axis;
  Shape of(int64_t along) const { return axis == 0 ? Shape{along, lines} : Shape{lines, along}; }
  Shape strides(int64_t along, int64_t gap) const {
    return axis == 0 ? Shape{lines + gap, 1} : Shape{along + gap, 1};
  }
  /// Where element i of (.., length, ..) goes among those of (.., size, ..).
  int64_t target(int64_t i, int64_t to) const {
    return axis == 0 ? to * lines + i % lines : i / length * size + to;
  }
};
const LinesCase kLines[] = {
    {1, 5000, 3, 0}, {1, 2500, 700, 1}, {3, 700, 41, 0}, {3, 257, 90, 1}, {70, 60, 9, 0}};

TEST(Index, LinesAddUpInOrder) {
  for (DType dtype : kFloats)
    for (const LinesCase& of : kLines) {
      const Shape shape = of.of(of.length);
      const std::vector<int64_t> ids = indices(shape.numel(), of.size, 34);
      Array x = rounded(dtype, shape, of.strides(of.length, 2), 35),
            y = rounded(dtype, of.of(of.size), of.strides(of.size, 1), 36), start = y;
      Sums sums(start);
      for (int64_t i = 0; i < x.numel(); ++i) sums.add(of.target(i, ids[static_cast<size_t>(i)]), x.get(i));
      HeapScratch scratch;
      scatter_add(on(2, &scratch), x.view(), View{ids.data(), DType::i64, shape, contiguous_strides(shape)},
                  of.axis, y.view());
      sums.expect(y, start, std::string(name_of(dtype)) + " " + std::to_string(of.length));
    }
}

template <class E, class Wrapped>
void expect_integers_scattered(DType dtype) {
  for (const LinesCase& of : kLines) {
    SCOPED_TRACE(std::string(name_of(dtype)) + " " + std::to_string(of.length));
    const Shape shape = of.of(of.length), out = of.of(of.size);
    const std::vector<int64_t> ids = indices(shape.numel(), of.size, 37);
    std::vector<E> x(ids.size()), put(static_cast<size_t>(out.numel()), E{5});
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<E>((i + 1) * 0x9E3779B97F4A7C15U);
    std::vector<E> sum = put, last = put, total = put;
    for (size_t i = 0; i < x.size(); ++i) {
      auto to = static_cast<size_t>(of.target(static_cast<int64_t>(i), ids[i]));
      last[to] = x[i];
      total[to] =
          static_cast<E>(static_cast<Wrapped>(static_cast<Wrapped>(total[to]) + static_cast<Wrapped>(x[i])));
    }
    HeapScratch scratch;
    const View from{x.data(), dtype, shape, contiguous_strides(shape)},
        index{ids.data(), DType::i64, shape, contiguous_strides(shape)};
    scatter(on(2, &scratch), from, index, of.axis, MutView{put.data(), dtype, out, contiguous_strides(out)});
    scatter_add(on(2, &scratch), from, index, of.axis,
                MutView{sum.data(), dtype, out, contiguous_strides(out)});
    EXPECT_EQ(put, last);
    EXPECT_EQ(sum, total);
  }
}

// Sums wrap around.
TEST(Index, LinesOfIntegers) {
  expect_integers_scattered<int64_t, uint64_t>(DType::i64);
  expect_integers_scattered<int32_t, uint32_t>(DType::i32);
  expect_integers_scattered<uint8_t, uint8_t>(DType::u8);
}

// Whole rows, of whole pieces of 16 bytes or not, from aligned memory or not, in rows apart or not.
TEST(Index, GathersRows) {
  const int64_t size = 17, rows = 45;
  const std::vector<int64_t> ids = indices(rows, size, 38);
  for (int64_t cols : {1, 16, 24, 33})
    for (int64_t gap : {0, 8, 16, 3})
      for (int64_t shift : {0, 1})
        for (DType dtype : {DType::f32, DType::bf16, DType::f64, DType::u8}) {
          const auto bytes = static_cast<int64_t>(size_of(dtype)), step = cols + gap;
          alignas(16) static unsigned char table[2 * (17 * 49 + 1) * 8], y[2 * (45 * 49 + 1) * 8];
          for (size_t i = 0; i < sizeof table; ++i) table[i] = static_cast<unsigned char>(i * 131 >> 3);
          std::fill(std::begin(y), std::end(y), static_cast<unsigned char>(0xEE));
          gather(on(2), View{table + shift * bytes, dtype, {2, size, cols}, {size * step, step, 1}},
                 View{ids.data(), DType::i64, {2, rows, cols}, {0, 1, 0}}, 1,
                 MutView{y + shift * bytes, dtype, {2, rows, cols}, {rows * step, step, 1}});
          for (int64_t i = 0; i < 2 * rows * step; ++i) {
            const int64_t row = i / step, from = row / rows * size + ids[static_cast<size_t>(row % rows)];
            for (int64_t b = 0; b < bytes; ++b) {
              const int want = i % step < cols ? table[(shift + from * step + i % step) * bytes + b] : 0xEE;
              ASSERT_EQ(y[(shift + i) * bytes + b], want)
                  << name_of(dtype) << " " << cols << " " << gap << " " << shift << " at " << i;
            }
          }
        }
}

TEST(Index, GathersLargeTablesAlongEveryAxis) {
  const Shape shape{67, 129, 70};
  const Array x = Array::random(DType::f32, shape, 9);
  for (int axis : {0, 1, 2}) {
    std::vector<int64_t> ids = indices(shape.numel(), shape[axis], 10);
    for (int threads : {1, 3}) {
      Array y(DType::f32, shape);
      gather(on(threads), x.view(), View{ids.data(), DType::i64, shape, contiguous_strides(shape)}, axis,
             y.view());
      for (int64_t i = 0; i < shape.numel(); ++i) {
        int64_t at[3] = {i / shape[2] / shape[1], i / shape[2] % shape[1], i % shape[2]};
        at[axis] = ids[static_cast<size_t>(i)];
        ASSERT_EQ(y.get(i), x.get((at[0] * shape[1] + at[1]) * shape[2] + at[2])) << axis;
      }
    }
  }
}

#ifndef ISKRA_TEST_CUDA

using iskra::testing::error_of;

// Whatever thread meets a bad index first, the error names the first in row-major order.
TEST(Index, NamesTheFirstBadIndex) {
  std::vector<float> x(7), y(100000);
  std::vector<int64_t> ids(y.size(), 3);
  ids[99999] = -5;
  ids[70001] = 7;
  const Shape shape{100000};
  const View table{x.data(), DType::f32, {7}, {1}}, index{ids.data(), DType::i64, shape, {1}};
  const MutView out{y.data(), DType::f32, shape, {1}};
  for (int threads : {1, 3}) {
    const Cpu tag{.threads = threads};
    const std::string gathering = error_of([&] { gather(tag, table, index, 0, out); });
    for (const char* part : {"gather", "index 7", "(70001)", "size 7"})
      EXPECT_NE(gathering.find(part), std::string::npos) << gathering;
  }
  ids[2] = 8;
  std::vector<float> narrow(7);
  const std::string scattering =
      error_of([&] { scatter_add(Cpu{}, out, index, 0, MutView{narrow.data(), DType::f32, {7}, {1}}); });
  EXPECT_NE(scattering.find("index 8 at position (2)"), std::string::npos) << scattering;
}

#endif

TEST(Index, FindsWhatIsNotZeroAcrossBlocks) {
  const int64_t n = 3 * kNonzeroBlock + 11;
  std::vector<uint8_t> mask(static_cast<size_t>(n));
  std::vector<int64_t> want;
  for (int64_t i = 0; i < n; i += 1 + i % 7) {
    mask[static_cast<size_t>(i)] = 1;
    want.push_back(i);
  }
  const View view{mask.data(), DType::boolean, {n}, {1}};
  std::vector<int64_t> starts(4), places(want.size());
  const MutView counts{starts.data(), DType::i64, {4}, {1}};
  count_nonzero_blocks(on(2), view, counts);
  int64_t total = 0;
  for (int64_t& start : starts) {
    const int64_t count = start;
    start = total;
    total += count;
  }
  ASSERT_EQ(total, static_cast<int64_t>(want.size()));
  nonzero_places(on(3), view, {n}, counts, MutView{places.data(), DType::i64, {total, 1}, {1, 1}});
  EXPECT_EQ(places, want);
}

}  // namespace
}  // namespace iskra::kernels::testing
