// Sums over any axes and arg max, against plain loops in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

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
    reduce(on(threads, &scratch), ReduceOp::sum, x.view(), {}, y.view(), scale);
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
  fill(on(), x.view(), 0.1);
  const double want = tenth * static_cast<double>(n);
  EXPECT_NEAR(sum(x, {1}, {1}, 1, 1).get(0), want, 1e-6 * want);
  MutView columns = x.view();
  columns.shape = {n / 4, 4};
  columns.stride = {4, 1};
  Array y(dtype, {1, 4});
  HeapScratch scratch;
  reduce(on(1, &scratch), ReduceOp::sum, columns, {}, y.view());
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
    argmax(on(3), x.view(), MutView{y.data(), DType::i64, {61}, {1}});
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

// Along dense rows and across them, at the lengths where lanes and blocks end.
constexpr int64_t kLengths[] = {1, 2, 5, 31, 63, 64, 65, 128, 200, 767, 2047, 2049, 5000};
constexpr DType kTypes[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32};
constexpr ReduceOp kOps[] = {ReduceOp::sum,     ReduceOp::product, ReduceOp::nonzero_product,
                             ReduceOp::maximum, ReduceOp::minimum, ReduceOp::abs_maximum,
                             ReduceOp::abs_sum, ReduceOp::count,   ReduceOp::square_sum};

// -1, 0 or 1, and here and there a 2: sums and products are exact in every type.
Array small_numbers(DType dtype, const Shape& shape, bool zeros) {
  Array x(dtype, shape);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t kind = (i * i + 7 * i) % 11;
    x.set(i, i % 1500 == 3 ? 2 : kind == 0 && zeros ? 0 : kind % 2 == 0 ? 1 : -1);
  }
  return x;
}

double reduced(ReduceOp op, const Array& x, int64_t begin, int64_t step, int64_t n) {
  double total = op == ReduceOp::product || op == ReduceOp::nonzero_product ? 1
                 : op == ReduceOp::maximum                                  ? -kInf
                 : op == ReduceOp::minimum                                  ? kInf
                                                                            : 0;
  for (int64_t i = 0; i < n; ++i) {
    const double v = x.get(begin + i * step);
    switch (op) {
      case ReduceOp::product:
        total *= v;
        break;
      case ReduceOp::nonzero_product:
        total *= v == 0 ? 1 : v;
        break;
      case ReduceOp::maximum:
        total = std::max(total, v);
        break;
      case ReduceOp::minimum:
        total = std::min(total, v);
        break;
      case ReduceOp::abs_maximum:
        total = std::max(total, std::abs(v));
        break;
      case ReduceOp::count:
        total += v != 0 ? 1 : 0;
        break;
      default:
        total += op == ReduceOp::sum ? v : op == ReduceOp::abs_sum ? std::abs(v) : v * v;
    }
  }
  return total;
}

TEST(ReduceRuns, EveryOpInEveryType) {
  for (DType dtype : kTypes)
    for (int64_t n : kLengths)
      for (ReduceOp op : kOps) {
        const bool integer = dtype == DType::i32;
        if (integer && (op == ReduceOp::nonzero_product || op == ReduceOp::abs_maximum ||
                        op == ReduceOp::abs_sum || op == ReduceOp::square_sum))
          continue;  // floating alone
        for (bool along : {true, false}) {
          const Shape shape = along ? Shape{3, n} : Shape{n, 3};
          const Array x = small_numbers(dtype, shape, op != ReduceOp::product || n % 2 == 0);
          Array y(integer || dtype == DType::f64 ? dtype : DType::f32, along ? Shape{3, 1} : Shape{1, 3});
          HeapScratch scratch;
          reduce(on(2, &scratch), op, x.view(), {}, y.view());
          for (int64_t k = 0; k < 3; ++k)
            ASSERT_EQ(y.get(k), reduced(op, x, along ? k * n : k, along ? 1 : 3, n))
                << name_of(op) << " " << name_of(dtype) << " " << n << " along " << along;
        }
      }
}

TEST(ReduceRuns, ProductsOfTheOthers) {
  for (DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16})
    for (int64_t n : kLengths)
      for (int zeros : {0, 1, 2})
        for (int axis : {0, 1}) {
          if (n > (kOnCuda ? 200 : 800)) continue;  // every other element is looked at for each
          const int64_t rows = axis == 1 ? 3 : n, cols = axis == 1 ? n : 3;
          Array x = small_numbers(dtype, {rows, cols}, false);
          for (int i = 0; i < zeros && i < n; ++i)
            x.set(axis == 1 ? n + (n / 2 + i) % n : (n / 2 + i) % n * 3 + 1, 0);
          const Shape kept = axis == 1 ? Shape{3, 1} : Shape{1, 3};
          const DType compute = dtype == DType::f64 ? DType::f64 : DType::f32;
          Array y(compute, kept);
          HeapScratch scratch;
          const auto tag = on(3, &scratch);
          reduce(tag, ReduceOp::product, x.view(), {}, y.view());
          // Gradients that lie densely, and one that all share.
          Array dy = Array::random(dtype, kept, 31), one = Array::random(dtype, kept, {0, 0}, 32);
          for (const Array* grad : {&dy, &one}) {
            Array dx(dtype, {rows, cols}), turned(dtype, {rows, cols}, {1, rows});
            product_backward(tag, x.view(), y.view(), grad->view(), dx.view());
            product_backward(tag, x.view(), y.view(), grad->view(), turned.view());
            for (int64_t i = 0; i < n * 3; ++i) {
              const int64_t k = axis == 1 ? i / n : i % 3, at = axis == 1 ? i % n : i / 3;
              double others = grad->get(k);
              for (int64_t j = 0; j < n; ++j)
                if (j != at) others *= x.get(axis == 1 ? k * n + j : j * 3 + k);
              ASSERT_EQ(dx.get(i), others) << name_of(dtype) << " " << n << " zeros " << zeros << " at " << i;
              ASSERT_EQ(turned.get(i), others);
            }
          }
        }
}

}  // namespace
}  // namespace iskra::kernels::testing
