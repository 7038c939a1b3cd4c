// Sums over any axes and arg max, against plain loops in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"

namespace iskra::kernels::testing {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

class Reduce : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype = GetParam();
  double eps = Way{dtype, Provider::fastest}.eps();

  Array sum(const Array& x, const Shape& y_shape, const Shape& y_stride, double scale, int threads) const {
    Array y(dtype, y_shape, y_stride);
    HeapScratch scratch;
    reduce(Cpu{threads, Provider::fastest, &scratch}, ReduceOp::sum, x.view(), {}, y.view(), scale);
    return y;
  }

  void check(const Shape& shape, const Shape& x_stride, const Shape& y_shape) const {
    SCOPED_TRACE(text(name_of(dtype), " ", shape, " ", x_stride, " to ", y_shape));
    const Array x = Array::random(dtype, shape, x_stride, 21);
    std::vector<double> want(static_cast<size_t>(y_shape.numel()), 0.0);
    for (int64_t i = 0; i < x.numel(); ++i) {
      int64_t rest = i, place = 0, step = 1;
      for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        place += (y_shape[axis] == 1 ? 0 : rest % shape[axis]) * step;
        step *= y_shape[axis];
        rest /= shape[axis];
      }
      want[static_cast<size_t>(place)] += 0.5 * x.get(i);
    }
    const double terms =
        static_cast<double>(x.numel()) / static_cast<double>(std::max<int64_t>(1, y_shape.numel()));
    const Array y = sum(x, y_shape, contiguous_strides(y_shape), 0.5, 1);
    double largest = 0;
    for (double sum_of : want) largest = std::max(largest, std::abs(sum_of));
    expect_close(y, want, eps * (1 + std::sqrt(terms) + 4 * largest), "sum");
    for (int threads : {2, 3})
      expect_same_bits(sum(x, y_shape, contiguous_strides(y_shape), 0.5, threads), y, "threads");
  }
};

TEST_P(Reduce, AnyAxesOfAnyLayout) {
  check({}, {}, {});
  check({1}, {1}, {1});
  check({7}, {1}, {1});
  check({100003}, {1}, {1});
  check({100003}, {3}, {1});
  check({100003}, {0}, {1});
  check({37, 53}, {53, 1}, {37, 1});
  check({37, 53}, {53, 1}, {1, 53});
  check({37, 53}, {53, 1}, {37, 53});
  check({37, 53}, {1, 37}, {37, 1});
  check({1009, 521}, {521, 1}, {1, 521});
  check({1009, 521}, {521, 1}, {1009, 1});
  check({3, 20011}, {1, 3}, {3, 1});
  check({20011, 3}, {3, 1}, {20011, 1});
  check({9001, 11}, {1, 9001}, {9001, 1});
  check({5, 7, 11, 13}, {1001, 143, 13, 1}, {5, 1, 11, 1});
  check({5, 7, 11, 13}, {1001, 143, 13, 1}, {1, 7, 1, 13});
  check({5, 67, 11, 13}, channels_last_strides({5, 67, 11, 13}), {1, 67, 1, 1});
  check({5, 67, 11, 13}, channels_last_strides({5, 67, 11, 13}), {5, 67, 1, 1});
  check({5, 67, 11, 13}, channels_last_strides({5, 67, 11, 13}), {5, 1, 11, 13});
}

TEST_P(Reduce, NothingSumsToZero) {
  Array x(dtype, {0, 3});
  EXPECT_EQ(sum(x, {1, 3}, {3, 1}, 2, 2).get(2), 0);
  EXPECT_EQ(sum(x, {0, 1}, {1, 1}, 2, 2).numel(), 0);
}

TEST_P(Reduce, WritesAnyLayout) {
  const Array x = Array::random(dtype, {4, 33, 5}, 22);
  const Array dense = sum(x, {4, 1, 5}, {5, 5, 1}, 1, 1), other = sum(x, {4, 1, 5}, {2, 1, 8}, 1, 1);
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(dense.get(i), other.get(i));
}

// A tenth is not exact in binary: every addition rounds the same way, the worst case for a running sum.
TEST_P(Reduce, ErrorDoesNotGrowWithTheNumberOfTerms) {
  const int64_t n = 10000000;
  const double tenth = dtype == DType::f32 ? static_cast<double>(0.1F) : 0.1;
  Array x(dtype, {n});
  fill(Cpu{}, x.view(), 0.1);
  const double want = tenth * static_cast<double>(n);
  EXPECT_NEAR(sum(x, {1}, {1}, 1, 1).get(0), want, 1e-6 * want);
  MutView columns = x.view();
  columns.shape = {n / 4, 4};
  columns.stride = {4, 1};
  Array y(dtype, {1, 4});
  HeapScratch scratch;
  reduce(Cpu{1, Provider::fastest, &scratch}, ReduceOp::sum, columns, {}, y.view());
  for (int64_t i = 0; i < 4; ++i) EXPECT_NEAR(y.get(i), want / 4, 1e-6 * want / 4);
}

TEST_P(Reduce, ArgmaxFindsTheFirst) {
  for (int64_t cols : {1, 2, 10, 997}) {
    Array x = Array::random(dtype, {61, cols}, 23);
    if (cols > 2) {
      for (int64_t c : {cols - 2, cols / 2}) x.set(5 * cols + c, 7);                 // a tie
      for (int64_t c = 0; c < cols; ++c) x.set(6 * cols + c, -kInf);                 // all equal
      for (int64_t c : {cols - 1, cols / 2 + 1}) x.set(7 * cols + c, std::nan(""));  // NaN is largest
    }
    std::vector<int64_t> y(61);
    argmax(Cpu{3}, x.view(), MutView{y.data(), DType::i64, {61}, {1}});
    for (int64_t r = 0; r < 61; ++r) {
      int64_t best = 0;
      for (int64_t c = 1; c < cols; ++c) {
        const double a = x.get(r * cols + c), b = x.get(r * cols + best);
        if (!std::isnan(b) && (a > b || std::isnan(a))) best = c;
      }
      EXPECT_EQ(y[static_cast<size_t>(r)], best) << r;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Reduce, ::testing::Values(DType::f32, DType::f64),
                         [](const auto& at) { return std::string(name_of(at.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
