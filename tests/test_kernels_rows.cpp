// Softmax, cross-entropy and layer norm against plain loops in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

struct RowsCase {
  int64_t rows, cols;
};

class Rows : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype = GetParam();
  double eps = Way{dtype, Provider::fastest}.eps();
  HeapScratch scratch;
  auto on(int threads) { return testing::on(threads, &scratch); }
};

struct CrossEntropyWant {
  double loss = 0;
  std::vector<double> lse, dlogits;
};
CrossEntropyWant cross_entropy_reference(const Array& x, const std::vector<int64_t>& labels, double smoothing,
                                         double dloss) {
  const int64_t rows = x.shape()[0], cols = x.shape()[1];
  CrossEntropyWant want;
  for (int64_t r = 0; r < rows; ++r) {
    double largest = x.get(r * cols), sum = 0;
    for (int64_t c = 1; c < cols; ++c) largest = std::max(largest, x.get(r * cols + c));
    for (int64_t c = 0; c < cols; ++c) sum += std::exp(x.get(r * cols + c) - largest);
    const double lse = largest + std::log(sum);
    want.lse.push_back(lse);
    for (int64_t c = 0; c < cols; ++c) {
      const double q =
          (c == labels[static_cast<size_t>(r)] ? 1 - smoothing : 0) + smoothing / static_cast<double>(cols);
      const double log_p = x.get(r * cols + c) - lse;
      if (q > 0) want.loss -= q * log_p / static_cast<double>(rows);
      want.dlogits.push_back(dloss / static_cast<double>(rows) * (std::exp(log_p) - q));
    }
  }
  return want;
}

/// The mean over labels, unweighted.
struct MeanLoss {
  Array loss, lse, total;
  MeanLoss(DType dtype, int64_t rows) : loss(dtype, {}), lse(dtype, {rows}), total(dtype, {}) {}
  template <class Device>
  void forward(const Device& on, const Array& x, View labels, double smoothing) {
    cross_entropy(on, {.smoothing = smoothing}, x.view(), labels, View{}, loss.view(), lse.view(),
                  total.view());
  }
  template <class Device>
  void backward(const Device& on, const Array& x, View labels, double smoothing, const Array& dloss,
                Array& dx) const {
    cross_entropy_backward(on, {.smoothing = smoothing}, x.view(), labels, View{}, lse.view(), total.view(),
                           dloss.view(), dx.view(), MutView{});
  }
};

TEST_P(Rows, CrossEntropyAndItsGradient) {
  for (RowsCase size : {RowsCase{1, 1}, {1, 2}, {7, 10}, {64, 37}, {101, 1000}})
    for (double smoothing : {0.0, 0.1}) {
      SCOPED_TRACE(text(size.rows, " rows of ", size.cols, ", smoothing ", smoothing));
      Array x = Array::random(dtype, {size.rows, size.cols}, 31);
      MeanLoss got(dtype, size.rows);
      std::vector<int64_t> labels;
      for (int64_t r = 0; r < size.rows; ++r) labels.push_back(r * 7 % size.cols);
      for (int64_t i = 0; i < x.numel(); ++i) x.set(i, x.get(i) * 8 + (i / size.cols == 2 ? 500 : 0));
      // An impossible class that is no label.
      if (smoothing == 0.0 && size.cols > 1) x.set(1, -std::numeric_limits<double>::infinity());
      const View label_view{labels.data(), DType::i64, {size.rows}, {1}};
      Array dloss(dtype, {});
      dloss.set(0, 1.75);
      const CrossEntropyWant want = cross_entropy_reference(x, labels, smoothing, 1.75);
      got.forward(on(1), x, label_view, smoothing);
      // One row's logits lie near 500, and the reference rounds there, too.
      EXPECT_NEAR(got.loss.get(0), want.loss, 1200 * eps);
      expect_close(got.lse, want.lse, 600 * eps, "lse");
      Array dx(dtype, x.shape());
      got.backward(on(1), x, label_view, smoothing, dloss, dx);
      expect_close(dx, want.dlogits, 600 * eps, "dlogits");
      MeanLoss again(dtype, size.rows);
      Array dx3(dtype, x.shape());
      again.forward(on(3), x, label_view, smoothing);
      again.backward(on(3), x, label_view, smoothing, dloss, dx3);
      expect_same_bits(again.loss, got.loss, "loss, threads");
      expect_same_bits(dx3, dx, "dlogits, threads");
    }
}

#ifndef ISKRA_TEST_CUDA  // which cannot throw
TEST_P(Rows, CrossEntropyNamesABadLabel) {
  Array x(dtype, {3, 5});
  MeanLoss got(dtype, 3);
  for (int64_t bad : {5, -1}) {
    std::vector<int64_t> labels = {0, bad, 4};
    try {
      got.forward(on(1), x, View{labels.data(), DType::i64, {3}, {1}}, 0);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.what(),
                text("cross_entropy: label ", bad, " of row 1 is outside 0 to 4; the logits have 5 classes"));
    }
  }
}

#endif

struct LayerNormWant {
  std::vector<double> y, mean, rstd, dx, dweight, dbias;
};
LayerNormWant layer_norm_reference(const Array& x, const Array& weight, const Array& bias, const Array& dy,
                                   bool affine, double eps) {
  const int64_t rows = x.shape()[0], cols = x.shape()[1];
  LayerNormWant want;
  want.dweight.assign(static_cast<size_t>(cols), 0);
  want.dbias.assign(static_cast<size_t>(cols), 0);
  for (int64_t r = 0; r < rows; ++r) {
    double mean = 0, variance = 0, mean_g = 0, mean_gh = 0;
    const double n = static_cast<double>(cols);
    auto at = [&](const Array& a, int64_t c) { return a.get(r * cols + c); };
    for (int64_t c = 0; c < cols; ++c) mean += at(x, c) / n;
    for (int64_t c = 0; c < cols; ++c) variance += (at(x, c) - mean) * (at(x, c) - mean) / n;
    const double rstd = 1 / std::sqrt(variance + eps);
    auto h = [&](int64_t c) { return (at(x, c) - mean) * rstd; };
    auto g = [&](int64_t c) { return at(dy, c) * (affine ? weight.get(c) : 1); };
    for (int64_t c = 0; c < cols; ++c) {
      want.y.push_back(h(c) * (affine ? weight.get(c) : 1) + (affine ? bias.get(c) : 0));
      mean_g += g(c) / n;
      mean_gh += g(c) * h(c) / n;
      want.dweight[static_cast<size_t>(c)] += at(dy, c) * h(c);
      want.dbias[static_cast<size_t>(c)] += at(dy, c);
    }
    for (int64_t c = 0; c < cols; ++c) want.dx.push_back(rstd * (g(c) - mean_g - h(c) * mean_gh));
    want.mean.push_back(mean);
    want.rstd.push_back(rstd);
  }
  return want;
}

TEST_P(Rows, LayerNormAndItsGradients) {
  for (RowsCase size : {RowsCase{1, 1}, {1, 7}, {64, 192}, {65, 33}, {1009, 48}, {3, 1031}})
    for (bool affine : {true, false}) {
      SCOPED_TRACE(text(size.rows, " rows of ", size.cols, affine ? ", affine" : ""));
      const Shape shape{size.rows, size.cols};
      const Array x = Array::random(dtype, shape, 32), dy = Array::random(dtype, shape, 33);
      const Array weight = Array::random(dtype, {size.cols}, 34),
                  bias = Array::random(dtype, {size.cols}, 35);
      const LayerNormWant want = layer_norm_reference(x, weight, bias, dy, affine, 1e-5);
      Array y(dtype, shape), mean(dtype, {size.rows}), rstd(dtype, {size.rows}), dx(dtype, shape);
      const View w = affine ? weight.view() : View{}, b = affine ? bias.view() : View{};
      layer_norm(on(1), x.view(), w, b, 1e-5, y.view(), mean.view(), rstd.view());
      expect_close(y, want.y, 64 * eps, "y");
      expect_close(mean, want.mean, 4 * eps, "mean");
      expect_close(rstd, want.rstd, 16 * eps * want.rstd[0], "rstd");

      Array dweight(dtype, {size.cols}), dbias(dtype, {size.cols});
      layer_norm_backward(on(1), x.view(), w, mean.view(), rstd.view(), dy.view(), dx.view(), dweight.view(),
                          dbias.view(), 0, 0);
      const double scale = 1 + want.rstd[0];
      expect_close(dx, want.dx, 64 * eps * scale, "dx");
      expect_close(dweight, want.dweight, 64 * eps * std::sqrt(static_cast<double>(size.rows)), "dweight");
      expect_close(dbias, want.dbias, 64 * eps * std::sqrt(static_cast<double>(size.rows)), "dbias");

      // Each gradient alone, added to what is there, on more threads.
      Array dx3(dtype, shape), dweight3(dtype, {size.cols}), dbias3 = bias;
      auto backward = [&](MutView to_x, MutView to_weight, MutView to_bias) {
        layer_norm_backward(on(3), x.view(), w, mean.view(), rstd.view(), dy.view(), to_x, to_weight, to_bias,
                            0, 1);
      };
      backward(dx3.view(), {}, {});
      backward({}, dweight3.view(), {});
      backward({}, {}, dbias3.view());
      expect_same_bits(dx3, dx, "dx alone");
      expect_same_bits(dweight3, dweight, "dweight alone");
      std::vector<double> added;
      for (int64_t c = 0; c < size.cols; ++c) added.push_back(bias.get(c) + dbias.get(c));
      expect_close(dbias3, added, 2 * eps * std::sqrt(static_cast<double>(size.rows)) * 10, "dbias, beta 1");
    }
}

TEST_P(Rows, LayerNormOfNoRowsHasZeroGradients) {
  Array x(dtype, {0, 5}), rows(dtype, {0}), dweight(dtype, {5}), dbias(dtype, {5});
  layer_norm_backward(on(1), x.view(), View{}, rows.view(), rows.view(), x.view(), MutView{}, dweight.view(),
                      dbias.view(), 0, 0);
  expect_close(dweight, std::vector<double>(5, 0.0), 0, "dweight");
  expect_close(dbias, std::vector<double>(5, 0.0), 0, "dbias");
}

// The mean is large beside the deviation: a one-pass variance would lose all digits.
TEST_P(Rows, LayerNormSurvivesALargeMean) {
  Array x = Array::random(dtype, {2, 256}, 36), y(dtype, {2, 256}), mean(dtype, {2}), rstd(dtype, {2});
  for (int64_t i = 0; i < 512; ++i) x.set(i, x.get(i) + 4096);
  const LayerNormWant want = layer_norm_reference(x, x, x, x, false, 1e-6);
  layer_norm(on(1), x.view(), View{}, View{}, 1e-6, y.view(), mean.view(), rstd.view());
  expect_close(y, want.y, 4096 * 8 * eps, "y");
}

TEST_P(Rows, SoftmaxAndItsGradient) {
  for (int64_t cols : {1, 2, 10, 197, 1031}) {
    const int64_t rows = 61;
    Array x = Array::random(dtype, {rows, cols, 1}, 24), y(dtype, {rows, cols, 1}), dx = y;
    const Array dy = Array::random(dtype, {rows, cols, 1}, 25);
    for (int64_t i = 0; i < x.numel(); ++i) x.set(i, x.get(i) * 20 + (i / cols == 3 ? 3000 : 0));
    if (cols > 2) x.set(cols + 1, -std::numeric_limits<double>::infinity());
    std::vector<double> want, want_dx;
    for (int64_t r = 0; r < rows; ++r) {
      double largest = -std::numeric_limits<double>::infinity(), sum = 0, dot = 0;
      for (int64_t c = 0; c < cols; ++c) largest = std::max(largest, x.get(r * cols + c));
      for (int64_t c = 0; c < cols; ++c) sum += std::exp(x.get(r * cols + c) - largest);
      for (int64_t c = 0; c < cols; ++c) want.push_back(std::exp(x.get(r * cols + c) - largest) / sum);
      for (int64_t c = 0; c < cols; ++c)
        dot += want[static_cast<size_t>(r * cols + c)] * dy.get(r * cols + c);
      for (int64_t c = 0; c < cols; ++c)
        want_dx.push_back(want[static_cast<size_t>(r * cols + c)] * (dy.get(r * cols + c) - dot));
    }
    softmax(on(1), x.view(), y.view());
    expect_close(y, want, 8 * eps, "softmax");
    softmax_backward(on(1), y.view(), dy.view(), dx.view());
    expect_close(dx, want_dx, 16 * eps, "softmax_backward");
    Array again(dtype, {rows, cols, 1});
    softmax(on(3), x.view(), again.view());
    expect_same_bits(again, y, "softmax, threads");
    softmax_backward(on(3), y.view(), dy.view(), again.view());
    expect_same_bits(again, dx, "softmax_backward, threads");
  }
}

TEST_P(Rows, SoftmaxOfNothingButMinusInfinityIsNan) {
  Array x(dtype, {2, 19, 1}), y = x;
  for (int64_t i = 0; i < 38; ++i) x.set(i, i < 19 ? -std::numeric_limits<double>::infinity() : 1);
  softmax(on(1), x.view(), y.view());
  for (int64_t i = 0; i < 19; ++i) EXPECT_TRUE(std::isnan(y.get(i)));
  for (int64_t i = 19; i < 38; ++i) EXPECT_NEAR(y.get(i), 1.0 / 19, eps);
}

INSTANTIATE_TEST_SUITE_P(Kernels, Rows, ::testing::Values(DType::f32, DType::f64),
                         [](const auto& at) { return std::string(name_of(at.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
