// Choosing by condition, place and index in elements of every size, against plain loops. On both devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

constexpr DType kSizes[] = {DType::u8, DType::bf16, DType::i32, DType::f64};
constexpr DType kSummed[] = {DType::f32, DType::f64, DType::bf16, DType::f16,
                             DType::i64, DType::i32, DType::u8};

// Small whole numbers of any type, in and out as double.
struct Numbers {
  std::vector<double> storage;
  MutView view;
  Numbers(DType dtype, const Shape& shape, int64_t step)
      : storage(static_cast<size_t>(std::max<int64_t>(1, shape.numel()))),
        view{storage.data(), dtype, shape, contiguous_strides(shape)} {
    std::vector<double> values(storage.size());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<double>((static_cast<int64_t>(i) * step + 3) % 23);
    copy(Cpu{}, View{values.data(), DType::f64, shape, view.stride}, view);
  }
  std::vector<double> values() const {
    std::vector<double> all(static_cast<size_t>(view.numel()));
    copy(Cpu{}, view, MutView{all.data(), DType::f64, view.shape, view.stride});
    return all;
  }
};

std::vector<int64_t> indices(int64_t n, int64_t size) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < n; ++i) all.push_back((i * i * 7 + 3 * i) % size);
  return all;
}

TEST(Select, WhereAndTrianglesOfEveryElementSize) {
  const Shape shape{3, 7, 9};
  std::vector<uint8_t> mask(63);
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = i % 5 < 2 ? 1 : 0;
  for (DType dtype : kSizes) {
    SCOPED_TRACE(name_of(dtype));
    Numbers a(dtype, shape, 5), b(dtype, {9}, 7), y(dtype, shape, 0);
    // The mask has a matrix for all three, b a row for all.
    where(on(2), View{mask.data(), DType::boolean, shape, {0, 9, 1}}, a.view,
          View{b.view.data, dtype, shape, {0, 0, 1}}, y.view);
    for (int64_t i = 0; i < 189; ++i) {
      double want = mask[static_cast<size_t>(i % 63)] != 0 ? a.values()[static_cast<size_t>(i)]
                                                           : b.values()[static_cast<size_t>(i % 9)];
      ASSERT_EQ(y.values()[static_cast<size_t>(i)], want) << i;
    }
    for (bool upper : {true, false}) {
      for (int64_t k : {-9, -2, 0, 3, 12}) {
        triangle(on(2), a.view, upper, k, y.view);
        std::vector<double> got = y.values(), from = a.values();
        for (int64_t i = 0; i < 189; ++i) {
          int64_t row = i / 9 % 7, col = i % 9;
          bool kept = upper ? col - row >= k : col - row <= k;
          ASSERT_EQ(got[static_cast<size_t>(i)], kept ? from[static_cast<size_t>(i)] : 0)
              << upper << " " << k << " " << i;
        }
      }
    }
  }
}

TEST(Select, GathersAndScattersOfEveryElementSize) {
  const int64_t rows = 13, cols = 6, size = 5;
  std::vector<int64_t> ids = indices(rows * cols, size);
  View index{ids.data(), DType::i64, {rows, cols}, {cols, 1}};
  for (DType dtype : kSizes) {
    SCOPED_TRACE(name_of(dtype));
    Numbers table(dtype, {size, cols}, 5), y(dtype, {rows, cols}, 0), target(dtype, {size, cols}, 1);
    gather(on(2), table.view, index, 0, y.view);
    std::vector<double> want = target.values();
    for (int64_t i = 0; i < rows * cols; ++i) {
      int64_t row = ids[static_cast<size_t>(i)];
      ASSERT_EQ(y.values()[static_cast<size_t>(i)],
                table.values()[static_cast<size_t>(row * cols + i % cols)])
          << i;
      want[static_cast<size_t>(row * cols + i % cols)] = y.values()[static_cast<size_t>(i)];
    }
    scatter(on(2), y.view, index, 0, target.view);
    EXPECT_EQ(target.values(), want);
  }
}

TEST(Select, SumsByIndexInEveryType) {
  const int64_t rows = 13, cols = 6, size = 5;
  std::vector<int64_t> ids = indices(rows * cols, size), of_row = indices(rows, size);
  for (DType dtype : kSummed) {
    SCOPED_TRACE(name_of(dtype));
    Numbers x(dtype, {rows, cols}, 1), y(dtype, {size, cols}, 2);
    std::vector<double> from = x.values(), want = y.values();
    // u8 wraps around.
    auto stored = [&](double v) { return dtype == DType::u8 ? std::fmod(v, 256) : v; };
    for (int64_t i = 0; i < rows * cols; ++i)
      want[static_cast<size_t>(ids[static_cast<size_t>(i)] * cols + i % cols)] +=
          from[static_cast<size_t>(i)];
    HeapScratch scratch;
    scatter_add(on(2, &scratch), x.view, View{ids.data(), DType::i64, {rows, cols}, {cols, 1}}, 0, y.view);
    for (double& v : want) v = stored(v);
    EXPECT_EQ(y.values(), want);
    if (!is_floating(dtype)) continue;
    for (float beta : {0.0F, 1.0F}) {
      Numbers sums(dtype, {1, size, cols}, 3);
      std::vector<double> rows_want = sums.values();
      for (double& v : rows_want) v *= static_cast<double>(beta);
      for (int64_t r = 0; r < rows; ++r) {
        int64_t v = of_row[static_cast<size_t>(r)];
        for (int64_t c = 0; c < cols && v != 2; ++c)
          rows_want[static_cast<size_t>(v * cols + c)] += from[static_cast<size_t>(r * cols + c)];
      }
      View x3{x.view.data, dtype, {1, rows, cols}, {rows * cols, cols, 1}};
      index_add(on(2, &scratch), x3, View{of_row.data(), DType::i64, {rows}, {1}}, 2, sums.view, beta);
      EXPECT_EQ(sums.values(), rows_want) << beta;
    }
  }
}

TEST(Select, ProgressionsRangesAndCounts) {
  for (int64_t n : {0, 1, 2, 7, 1000}) {
    Array y(DType::f64, {n}), z(DType::f32, {n});
    arange(on(2), 2.5, -0.25, y.view());
    linspace(on(2), -1, 3, z.view());
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(y.get(i), 2.5 - 0.25 * static_cast<double>(i));
      ASSERT_NEAR(z.get(i), n == 1 ? -1 : -1 + 4 * static_cast<double>(i) / static_cast<double>(n - 1), 3e-7);
    }
    if (n > 1) {
      EXPECT_EQ(z.get(n - 1), 3);
    }
  }
  std::vector<int64_t> x = indices(5000, 41), range(2), counts(50, -1), want(50);
  for (int64_t v : x) ++want[static_cast<size_t>(v)];
  HeapScratch scratch;
  View numbers{x.data(), DType::i64, {5000}, {1}};
  value_range(on(2), numbers, MutView{range.data(), DType::i64, {2}, {1}});
  EXPECT_EQ(range[0], *std::min_element(x.begin(), x.end()));
  EXPECT_EQ(range[1], *std::max_element(x.begin(), x.end()));
  for (int launch = 0; launch < 2; ++launch) {
    count_values(on(2, &scratch), numbers, MutView{counts.data(), DType::i64, {50}, {1}});
    EXPECT_EQ(counts, want);
  }
}

}  // namespace
}  // namespace iskra::kernels::testing
