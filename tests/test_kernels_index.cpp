// What the table of op cases does not show of indexing: threads, fixed orders of addition, bad indices.
#include <gtest/gtest.h>

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
  scatter(on(3), View{x.data(), DType::i32, {5000}, {1}}, View{ids.data(), DType::i64, {5000}, {1}}, 0,
          MutView{y.data(), DType::i32, {1}, {1}});
  EXPECT_EQ(y[0], 4999);
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
