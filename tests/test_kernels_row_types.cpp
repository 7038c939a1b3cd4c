// Softmax along an axis in the middle, its logarithm, and norms of rows with 16-bit elements and parameters
// in f32: against plain loops in double over the rounded inputs. On both devices.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

class RowTypes : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype = GetParam();
  HeapScratch scratch;
  // Half a unit of a result of this size, and what f32 loses on the way.
  double rounding(double value) const {
    double unit = dtype == DType::f64   ? 1e-15
                  : dtype == DType::f32 ? 2e-7
                  : dtype == DType::f16 ? 0x1p-11
                                        : 0x1p-8;
    return std::abs(value) * unit + (dtype == DType::f64 ? 1e-15 : dtype == DType::f16 ? 0x1p-24 : 1e-6);
  }
  auto on(int threads = 1) { return testing::on(threads, &scratch); }
};

struct Column {
  int64_t first, step, length;
};
std::vector<Column> columns_of(const Shape& shape) {
  std::vector<Column> all;
  for (int64_t o = 0; o < shape[0]; ++o) {
    for (int64_t i = 0; i < shape[2]; ++i) all.push_back({o * shape[1] * shape[2] + i, shape[2], shape[1]});
  }
  return all;
}

TEST_P(RowTypes, SoftmaxAndItsLogarithmAlongTheMiddleAxis) {
  for (const Shape& shape :
       {Shape{1, 1, 1}, Shape{3, 7, 5}, Shape{2, 33, 130}, Shape{5, 197, 1}, Shape{2, 1, 9}}) {
    SCOPED_TRACE(shape.str());
    Array x = Array::random(dtype, shape, 3);
    const Array dy = Array::random(dtype, shape, 4);
    for (int64_t i = 0; i < x.numel(); ++i) x.set(i, 6 * x.get(i));
    for (bool logarithm : {false, true}) {
      Array y(dtype, shape), dx(dtype, shape);
      (logarithm ? log_softmax(on(2), x.view(), y.view()) : softmax(on(2), x.view(), y.view()));
      (logarithm ? log_softmax_backward(on(2), y.view(), dy.view(), dx.view())
                 : softmax_backward(on(2), y.view(), dy.view(), dx.view()));
      for (const Column& c : columns_of(shape)) {
        double largest = -INFINITY, sum = 0, dot = 0;
        for (int64_t l = 0; l < c.length; ++l) largest = std::max(largest, x.get(c.first + l * c.step));
        for (int64_t l = 0; l < c.length; ++l) sum += std::exp(x.get(c.first + l * c.step) - largest);
        // The gradient reads the stored y.
        for (int64_t l = 0; l < c.length; ++l) {
          double g = dy.get(c.first + l * c.step);
          dot += logarithm ? g : g * y.get(c.first + l * c.step);
        }
        for (int64_t l = 0; l < c.length; ++l) {
          int64_t at = c.first + l * c.step;
          double log_p = x.get(at) - largest - std::log(sum), want = logarithm ? log_p : std::exp(log_p);
          ASSERT_NEAR(y.get(at), want, 3 * rounding(want)) << at;
          double slope = logarithm ? dy.get(at) - std::exp(y.get(at)) * dot : y.get(at) * (dy.get(at) - dot);
          ASSERT_NEAR(dx.get(at), slope, 3 * rounding(slope) + 1e-6 * std::abs(dot)) << at;
        }
      }
    }
  }
}

TEST_P(RowTypes, NormsOfRowsWithParametersOfTheirOwnType) {
  const DType wide = dtype == DType::f64 ? DType::f64 : DType::f32;
  for (bool centred : {true, false}) {
    for (const Shape& shape : {Shape{5, 33}, Shape{70, 192}}) {
      SCOPED_TRACE(text(shape, centred ? " layer norm" : " RMS norm"));
      int64_t rows = shape[0], cols = shape[1];
      const Array x = Array::random(dtype, shape, 5), dy = Array::random(dtype, shape, 6);
      const Array weight = Array::random(wide, {cols}, 7), bias = Array::random(wide, {cols}, 8);
      Array y(dtype, shape), dx(dtype, shape), mean(wide, {rows}), rstd(wide, {rows}), dweight(wide, {cols}),
          dbias(dtype, {cols});
      MutView means = centred ? mean.view() : MutView{};
      layer_norm(on(2), x.view(), weight.view(), bias.view(), 1e-5, y.view(), means, rstd.view());
      layer_norm_backward(on(2), x.view(), weight.view(), means, rstd.view(), dy.view(), dx.view(),
                          dweight.view(), dbias.view(), 0, 0);
      std::vector<double> want_dweight(static_cast<size_t>(cols)), want_dbias(static_cast<size_t>(cols));
      // y may be small beside the two terms that it is the sum of, which are rounded in f32.
      const double lost = dtype == DType::f64 ? 1e-14 : 1e-6;
      for (int64_t r = 0; r < rows; ++r) {
        double m = 0, v = 0, g_mean = 0, gh_mean = 0, n = static_cast<double>(cols);
        for (int64_t c = 0; c < cols && centred; ++c) m += x.get(r * cols + c) / n;
        for (int64_t c = 0; c < cols; ++c) v += (x.get(r * cols + c) - m) * (x.get(r * cols + c) - m) / n;
        double s = 1 / std::sqrt(v + 1e-5);
        auto h = [&](int64_t c) { return (x.get(r * cols + c) - m) * s; };
        auto g = [&](int64_t c) { return dy.get(r * cols + c) * weight.get(c); };
        for (int64_t c = 0; c < cols; ++c) {
          g_mean += centred ? g(c) / n : 0;
          gh_mean += g(c) * h(c) / n;
          want_dweight[static_cast<size_t>(c)] += dy.get(r * cols + c) * h(c);
          want_dbias[static_cast<size_t>(c)] += dy.get(r * cols + c);
          double want = h(c) * weight.get(c) + bias.get(c);
          ASSERT_NEAR(y.get(r * cols + c), want, 2 * rounding(want) + lost) << r << " " << c;
        }
        for (int64_t c = 0; c < cols; ++c) {
          double want = s * (g(c) - g_mean - h(c) * gh_mean);
          ASSERT_NEAR(dx.get(r * cols + c), want, 2 * rounding(want) + (dtype == DType::f64 ? 1e-13 : 1e-5))
              << r << " " << c;
        }
      }
      for (int64_t c = 0; c < cols; ++c) {
        double loose = dtype == DType::f64 ? 1e-12 : 1e-4;
        ASSERT_NEAR(dweight.get(c), want_dweight[static_cast<size_t>(c)], loose) << c;
        ASSERT_NEAR(dbias.get(c), want_dbias[static_cast<size_t>(c)],
                    rounding(want_dbias[static_cast<size_t>(c)]) + loose)
            << c;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, RowTypes,
                         ::testing::Values(DType::f32, DType::f64, DType::bf16, DType::f16),
                         [](const auto& at) { return std::string(name_of(at.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
