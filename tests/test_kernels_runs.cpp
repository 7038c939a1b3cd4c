// Loops over dense runs at the lengths where their blocks, lanes and ends meet, in every type, against plain
// loops in double. The table of op cases has the shapes; these are the sizes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "error_of.h"
#include "kernel_arrays.h"

namespace iskra::kernels::testing {
namespace {

using iskra::testing::error_of;

constexpr int64_t kLengths[] = {1, 2, 7, 16, 31, 63, 64, 65, 100, 127, 128, 129, 200, 255, 1000, 2049, 4100};
constexpr DType kFloats[] = {DType::f32, DType::f64, DType::bf16, DType::f16};
constexpr DType kTypes[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32};

std::vector<int64_t> indices(int64_t n, int64_t size, uint64_t seed) {
  std::vector<int64_t> ids(static_cast<size_t>(n));
  for (int64_t& id : ids) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    id = static_cast<int64_t>(seed >> 33) % size;
  }
  return ids;
}
View view_of(const std::vector<int64_t>& ids, const Shape& shape, const Shape& stride) {
  return {ids.data(), DType::i64, shape, stride};
}
// Small whole numbers, among them ties.
Array whole(DType dtype, const Shape& shape, uint64_t seed) {
  Array x(dtype, shape);
  const std::vector<int64_t> values = indices(shape.numel(), 201, seed);
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, static_cast<double>(values[static_cast<size_t>(i)] - 100));
  return x;
}
std::string named(DType dtype, int64_t n) { return std::string(name_of(dtype)) + " " + std::to_string(n); }

TEST(Runs, ReverseAndCopySmallRows) {
  for (DType dtype : kTypes)
    for (int64_t n : kLengths) {
      const Array x = whole(dtype, {3, n}, 1);
      Array y(dtype, {3, n});
      const auto* last = x.view().as<char>() + (n - 1) * static_cast<int64_t>(size_of(dtype));
      copy(Cpu{.threads = 2}, View{last, dtype, {3, n}, {n, -1}}, y.view());
      for (int64_t i = 0; i < 3 * n; ++i)
        ASSERT_EQ(y.get(i), x.get(i / n * n + n - 1 - i % n)) << named(dtype, n);
      // Rows of n elements that lie apart on both sides.
      const Array apart = Array::random(dtype, {37, n}, {n + 3, 1}, 2);
      Array other(dtype, {37, n}, {n + 5, 1});
      copy(Cpu{}, apart.view(), other.view());
      ASSERT_EQ(other.values(), apart.values()) << named(dtype, n);
    }
}

TEST(Runs, ChooseAlongDenseLinesAndWholeRows) {
  for (DType dtype : kTypes)
    for (int64_t n : kLengths) {
      const int64_t size = 37;
      const std::vector<int64_t> ids = indices(3 * n, size, 3);
      const Array lines = whole(dtype, {3, size}, 4), rows = whole(dtype, {size, n}, 5);
      for (int threads : {1, 3}) {
        const Cpu on{.threads = threads};
        Array own(dtype, {3, n}), shared(dtype, {3, n}), whole_rows(dtype, {std::min<int64_t>(11, 3 * n), n});
        gather(on, lines.view(), view_of(ids, {3, n}, {n, 1}), 1, own.view());
        gather(on, lines.view(), view_of(ids, {3, n}, {0, 1}), 1, shared.view());
        gather(on, rows.view(), view_of(ids, {std::min<int64_t>(11, 3 * n), n}, {1, 0}), 0,
               whole_rows.view());
        for (int64_t i = 0; i < 3 * n; ++i) {
          ASSERT_EQ(own.get(i), lines.get(i / n * size + ids[static_cast<size_t>(i)])) << named(dtype, n);
          ASSERT_EQ(shared.get(i), lines.get(i / n * size + ids[static_cast<size_t>(i % n)]));
        }
        for (int64_t i = 0; i < std::min<int64_t>(11, 3 * n) * n; ++i)
          ASSERT_EQ(whole_rows.get(i), rows.get(ids[static_cast<size_t>(i / n)] * n + i % n));
      }
    }
}

TEST(Runs, AddAtIndicesInOrder) {
  for (DType dtype : kFloats)
    for (int64_t n : kLengths) {
      const int64_t size = 37;
      const std::vector<int64_t> ids = indices(3 * n, size, 6);
      const Array x = Array::random(dtype, {3, n}, 7);
      std::vector<double> want(static_cast<size_t>(3 * size), 0.5);
      for (int64_t i = 0; i < 3 * n; ++i)
        want[static_cast<size_t>(i / n * size + ids[static_cast<size_t>(i)])] += x.get(i);
      Array first(dtype, {3, size});
      for (int threads : {1, 3}) {
        HeapScratch scratch;
        Array y(dtype, {3, size});
        for (int64_t i = 0; i < y.numel(); ++i) y.set(i, 0.5);
        scatter_add(Cpu{.threads = threads, .scratch = &scratch}, x.view(), view_of(ids, {3, n}, {n, 1}), 1,
                    y.view());
        expect_close(y, want, 1e-4, named(dtype, n));
        if (threads == 1) first = y;
        expect_same_bits(y, first, named(dtype, n));
      }
    }
}

// Along the first axis of matrices, narrow and wide, of few rows or more than fit into a strip.
TEST(Runs, AddDownColumnsInOrder) {
  for (DType dtype : kFloats)
    for (int64_t n : {1, 15, 16, 17, 64, 130})
      for (int64_t size : {5, 37, 9000}) {
        const int64_t rows = size == 9000 ? 4000 : 101;
        const std::vector<int64_t> ids = indices(rows * n, size, 20);
        const Array x = Array::random(dtype, {rows, n}, 21);
        std::vector<double> want(static_cast<size_t>(size * n), 0.5);
        for (int64_t i = 0; i < rows * n; ++i)
          want[static_cast<size_t>(ids[static_cast<size_t>(i)] * n + i % n)] += x.get(i);
        for (const Shape& stride : {Shape{n, 1}, Shape{n + 3, 1}, Shape{1, size}}) {
          Array first(dtype, {size, n}, stride);
          for (int threads : {1, 3}) {
            HeapScratch scratch;
            Array y(dtype, {size, n}, stride);
            for (int64_t i = 0; i < y.numel(); ++i) y.set(i, 0.5);
            scatter_add(Cpu{.threads = threads, .scratch = &scratch}, x.view(),
                        view_of(ids, {rows, n}, {n, 1}), 0, y.view());
            expect_close(y, want, 1e-4, named(dtype, n));
            if (threads == 1) first = y;
            expect_same_bits(y, first, named(dtype, n));
          }
        }
      }
}

// Columns few and many, added to what is there or not, with rows to be passed over or without.
TEST(Runs, RowsAddUpWhateverTheirWidth) {
  const int64_t outer = 5, size = 13, rows = 211;
  const std::vector<int64_t> ids = indices(rows, size, 8);
  for (DType dtype : kFloats)
    for (int64_t cols : {1, 2, 8, 9, 64, 257})
      for (int64_t skip : {-1, 4})
        for (float beta : {0.0F, 1.0F}) {
          const Array x = Array::random(dtype, {outer, rows, cols}, 9);
          std::vector<double> want(static_cast<size_t>(outer * size * cols), beta == 0 ? 0.0 : 0.25);
          for (int64_t i = 0; i < x.numel(); ++i) {
            const int64_t v = ids[static_cast<size_t>(i / cols % rows)];
            if (v != skip)
              want[static_cast<size_t>((i / cols / rows * size + v) * cols + i % cols)] += x.get(i);
          }
          for (int threads : {1, 3}) {
            HeapScratch scratch;
            Array y(dtype, {outer, size, cols});
            for (int64_t i = 0; i < y.numel(); ++i) y.set(i, 0.25);
            index_add(Cpu{.threads = threads, .scratch = &scratch}, x.view(), view_of(ids, {rows}, {1}), skip,
                      y.view(), beta);
            expect_close(y, want, 1e-4, named(dtype, cols));
          }
        }
}

TEST(Runs, BadIndicesAreNamedOnEveryPath) {
  std::vector<int64_t> ids = indices(200, 37, 10);
  ids[150] = 37;
  ids[180] = -1;
  const Array lines = whole(DType::f32, {2, 37}, 11), rows = whole(DType::f32, {37, 64}, 12),
              single = whole(DType::f32, {1, 200, 1}, 13);
  Array y(DType::f32, {2, 200}), many(DType::f32, {200, 64}), sums(DType::f32, {1, 37, 1});
  HeapScratch scratch;
  const Cpu on{.threads = 2, .scratch = &scratch};
  const std::string along =
      error_of([&] { gather(on, lines.view(), view_of(ids, {2, 200}, {0, 1}), 1, y.view()); });
  EXPECT_NE(along.find("index 37 at position (150)"), std::string::npos) << along;
  const std::string across =
      error_of([&] { gather(on, rows.view(), view_of(ids, {200, 64}, {1, 0}), 0, many.view()); });
  EXPECT_NE(across.find("index 37 at position (150)"), std::string::npos) << across;
  const std::string added =
      error_of([&] { index_add(on, single.view(), view_of(ids, {200}, {1}), -1, sums.view(), 0); });
  EXPECT_NE(added.find("index 37 at position (150)"), std::string::npos) << added;
}

TEST(Runs, CountValuesOfAnyNumber) {
  for (int64_t n : {1, 100, 65536, 300007})
    for (int64_t size : {1, 7, 1000, 100003}) {
      std::vector<int64_t> ids = indices(n, size, 14), want(static_cast<size_t>(size), 0);
      for (int64_t id : ids) ++want[static_cast<size_t>(id)];
      for (int threads : {1, 3}) {
        HeapScratch scratch;
        std::vector<int64_t> y(want.size(), -1);
        count_values(Cpu{.threads = threads, .scratch = &scratch}, view_of(ids, {n}, {1}),
                     MutView{y.data(), DType::i64, {size}, {1}});
        ASSERT_EQ(y, want) << n << " " << size;
      }
      ids.back() = size;
      HeapScratch scratch;
      std::vector<int64_t> y(want.size());
      EXPECT_NE(error_of([&] {
                  count_values(Cpu{.scratch = &scratch}, view_of(ids, {n}, {1}),
                               MutView{y.data(), DType::i64, {size}, {1}});
                }).find("outside of [0, "),
                std::string::npos);
    }
}

// The order of topk: NaN above all numbers, the first of equals first.
bool comes_first(double a, double b, bool largest) {
  if (std::isnan(a) || std::isnan(b))
    return largest ? std::isnan(a) && !std::isnan(b) : std::isnan(b) && !std::isnan(a);
  return largest ? a > b : a < b;
}

TEST(Runs, TopAndExtremeAmongTiesAndNan) {
  for (DType dtype : kTypes)
    for (int64_t n : kLengths)
      for (int nans : {0, 1, 5})
        for (bool largest : {true, false}) {
          if (nans > 0 && dtype == DType::i32) continue;
          Array x = whole(dtype, {1, n}, 16 + static_cast<uint64_t>(nans));
          for (int i = 0; i < nans; ++i)
            x.set((i * 37 + n / 2) % n, std::numeric_limits<double>::quiet_NaN());
          std::vector<int64_t> order(static_cast<size_t>(n));
          for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
          std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
            if (comes_first(x.get(a), x.get(b), largest)) return true;
            return !comes_first(x.get(b), x.get(a), largest) && a < b;
          });
          const int64_t k = std::min<int64_t>(n, 5);
          HeapScratch scratch;
          Array values(dtype, {1, k});
          std::vector<int64_t> places(static_cast<size_t>(k)), first(1);
          const Cpu on{.scratch = &scratch};
          topk(on, x.view(), largest, values.view(), MutView{places.data(), DType::i64, {1, k}, {k, 1}});
          for (int64_t i = 0; i < k; ++i)
            ASSERT_EQ(places[static_cast<size_t>(i)], order[static_cast<size_t>(i)])
                << named(dtype, n) << " nans " << nans << " largest " << largest;
          // argmin takes a NaN before all, too.
          int64_t want = order[0];
          for (int64_t i = n - 1; i >= 0; --i)
            if (std::isnan(x.get(i))) want = i;
          const MutView place{first.data(), DType::i64, {1}, {1}};
          if (largest)
            argmax(on, x.view(), place);
          else
            argmin(on, x.view(), place);
          ASSERT_EQ(first[0], want) << named(dtype, n) << " nans " << nans;
        }
}

}  // namespace
}  // namespace iskra::kernels::testing
