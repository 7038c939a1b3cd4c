// Convolution, forward and both backward directions, against naive sums in double: strides, padding,
// dilation, groups, odd sizes, every provider; bits do not depend on threads or on the batch.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/conv.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/onednn.h>
#include "conv_reference.h"
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

using Case = ConvCase;

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {1, 1, 1, 1, 1, 1, 1, {}},
      {2, 3, 7, 5, 4, 3, 3, {.padding = {1, 1}}},
      {3, 5, 9, 7, 7, 3, 2, {.stride = {2, 1}, .padding = {0, 1}}},
      {1, 16, 8, 8, 32, 3, 3, {.padding = {1, 1}}},
      {5, 1, 11, 13, 6, 5, 5, {.stride = {2, 2}, .padding = {2, 2}}},
      {2, 6, 9, 9, 4, 3, 3, {.padding = {2, 2}, .dilation = {2, 2}}},
      {2, 6, 7, 8, 9, 3, 3, {.padding = {1, 1}, .groups = 3}},
      {2, 8, 7, 7, 8, 3, 3, {.stride = {2, 2}, .padding = {1, 1}, .groups = 8}},
      {2, 32, 6, 6, 32, 3, 3, {.padding = {1, 1}, .groups = 2}},
      {9, 3, 16, 16, 20, 4, 4, {.stride = {4, 4}}},
      {2, 3, 18, 17, 10, 4, 4, {.stride = {4, 4}}},  // pixels left over on both sides
      {4, 10, 6, 5, 12, 1, 1, {}},
      {1, 64, 14, 14, 64, 3, 3, {.padding = {1, 1}}},
      {17, 4, 5, 5, 3, 5, 5, {}},
      {2, 2, 3, 3, 2, 3, 3, {.padding = {3, 3}}},      // whole windows of padding
      {1, 4, 31, 45, 130, 3, 3, {.padding = {1, 1}}},  // bands of rows in weight gradients, filters in parts
      {2, 3, 40, 57, 70, 3, 2, {.stride = {2, 1}, .padding = {1, 0}}},
      {1, 12, 3, 9, 20, 3, 3, {.stride = {2, 2}, .padding = {0, 1}}},  // one row of pixels; groups of four
                                                                       // channels
      {2, 24, 9, 8, 40, 2, 3, {.stride = {2, 3}, .padding = {1, 1}, .dilation = {2, 2}, .groups = 2}},
      {2, 9, 11, 10, 11, 3, 3, {.stride = {4, 6}, .padding = {2, 1}, .dilation = {2, 3}}},  // pixels without
                                                                                            // taps
      {1, 16, 5, 7, 72, 1, 1, {.stride = {3, 2}}},
      {2, 16, 4, 5, 16, 2, 2, {.stride = {9, 1000000007}, .padding = {1, 0}}},  // strides beyond the picture
      {1, 70, 9, 7, 70, 3, 3, {.stride = {2, 1}, .padding = {2, 1}, .dilation = {1, 2}, .groups = 70}},
      {2, 12, 6, 7, 8, 3, 2, {.stride = {2, 3}, .padding = {1, 1}, .dilation = {2, 1}, .groups = 4}},
      {1, 5, 30, 19, 10, 3, 3, {.padding = {1, 1}, .groups = 5}},  // a long sum of few channels
  };
  return all;
}

class Conv : public ::testing::TestWithParam<Way> {
 protected:
  auto on(int threads = 2) {
    auto tag = testing::on(threads, &scratch_);
    tag.provider = GetParam().provider;
    return tag;
  }
  double tolerance(double terms) const { return GetParam().eps() * (8 + terms); }
  static std::vector<double> zeros(const Array& like) {
    return std::vector<double>(static_cast<size_t>(like.numel()));
  }
  HeapScratch scratch_;
};

TEST_P(Conv, Forward) {
  const DType type = GetParam().dtype;
  for (const Case& t : cases())
    for (bool with_bias : {false, true}) {
      const Array x = pictures(type, t.x_shape(), 1), w = Array::random(type, t.w_shape(), 2);
      const Array bias = Array::random(type, {t.k}, 3);
      Array y(type, t.y_shape(), channels_last_strides(t.y_shape()));
      auto want = conv_sums(t, x, w, y);
      const int64_t area = t.out(0) * t.out(1);
      if (with_bias)
        for (int64_t i = 0; i < y.numel(); ++i) want[static_cast<size_t>(i)] += bias.get(i / area % t.k);
      conv2d(on(), t.at, x.view(), w.view(), {.bias = with_bias ? bias.view() : View{}}, y.view());
      expect_close(y, want, tolerance(t.taps()), t.str());
    }
}

TEST_P(Conv, BackwardData) {
  const DType type = GetParam().dtype;
  for (const Case& t : cases()) {
    const Array dy = pictures(type, t.y_shape(), 1), w = Array::random(type, t.w_shape(), 2);
    Array dx(type, t.x_shape(), channels_last_strides(t.x_shape()));
    conv2d_backward_data(on(), t.at, w.view(), dy.view(), dx.view());
    expect_close(dx, conv_data_sums(t, dx, w, dy), tolerance(static_cast<double>(t.k * t.r * t.s)), t.str());
  }
}

TEST_P(Conv, BackwardWeightAndBias) {
  const DType type = GetParam().dtype;
  for (const Case& t : cases())
    for (float beta : {0.0F, 1.0F}) {
      const Array x = pictures(type, t.x_shape(), 1), dy = pictures(type, t.y_shape(), 2);
      Array dw = Array::random(type, t.w_shape(), 3), dbias = Array::random(type, {t.k}, 4);
      auto want = zeros(dw), want_bias = zeros(dbias);
      const float bias_beta = 1.0F - beta;
      for (int64_t i = 0; i < dw.numel(); ++i) want[static_cast<size_t>(i)] = beta == 0 ? 0 : dw.get(i);
      for (int64_t i = 0; i < t.k; ++i) want_bias[static_cast<size_t>(i)] = bias_beta == 0 ? 0 : dbias.get(i);
      add_conv_weight_sums(t, x, dw, dy, want);
      const int64_t area = t.out(0) * t.out(1);
      for (int64_t i = 0; i < dy.numel(); ++i) want_bias[static_cast<size_t>(i / area % t.k)] += dy.get(i);
      conv2d_backward_weight(on(), t.at, x.view(), dy.view(), dw.view(), dbias.view(), beta, bias_beta);
      const auto terms = static_cast<double>(t.n * area);
      expect_close(dw, want, tolerance(terms), t.str());
      expect_close(dbias, want_bias, tolerance(terms), t.str() + " bias");
    }
}

TEST_P(Conv, AnUndefinedGradientIsSkipped) {
  const DType type = GetParam().dtype;
  const Case& t = cases()[1];
  const Array x = pictures(type, t.x_shape(), 1), dy = pictures(type, t.y_shape(), 2);
  Array dw(type, t.w_shape()), dbias(type, {t.k}), dw_alone(type, t.w_shape()), dbias_alone(type, {t.k});
  conv2d_backward_weight(on(), t.at, x.view(), dy.view(), dw.view(), dbias.view(), 0, 0);
  conv2d_backward_weight(on(), t.at, x.view(), dy.view(), dw_alone.view(), {}, 0, 0);
  conv2d_backward_weight(on(), t.at, x.view(), dy.view(), {}, dbias_alone.view(), 0, 0);
  expect_same_bits(dw, dw_alone, "dw");
  expect_same_bits(dbias, dbias_alone, "dbias");
}

TEST_P(Conv, NoPictures) {
  const DType type = GetParam().dtype;
  Case t = cases()[1];
  t.n = 0;
  Array x = pictures(type, t.x_shape(), 1), y = pictures(type, t.y_shape(), 2),
        w = Array::random(type, t.w_shape(), 3);
  conv2d(on(), t.at, x.view(), w.view(), {}, y.view());
  conv2d_backward_data(on(), t.at, w.view(), y.view(), x.view());
  Array dw = w, dbias(type, {t.k});
  conv2d_backward_weight(on(), t.at, x.view(), y.view(), dw.view(), dbias.view(), 1, 0);
  expect_same_bits(dw, w, "beta 1 keeps dw");
  conv2d_backward_weight(on(), t.at, x.view(), y.view(), dw.view(), dbias.view(), 0, 0);
  expect_close(dw, zeros(dw), 0, "beta 0 clears dw");
  expect_close(dbias, zeros(dbias), 0, "beta 0 clears dbias");
}

#ifndef ISKRA_TEST_CUDA
TEST_P(Conv, BitsDoNotDependOnThreads) {
  const DType type = GetParam().dtype;
  const std::vector<Case> some = {{13, 16, 20, 20, 32, 3, 3, {.padding = {1, 1}}},
                                  {11, 1, 28, 28, 16, 3, 3, {.padding = {1, 1}}},
                                  {1, 16, 45, 37, 130, 3, 3, {.padding = {1, 1}}},
                                  {5, 3, 32, 32, 64, 8, 8, {.stride = {8, 8}}}};
  for (const Case& t : some) {
    const Array x = pictures(type, t.x_shape(), 1), dy = pictures(type, t.y_shape(), 2);
    const Array w = Array::random(type, t.w_shape(), 3), bias = Array::random(type, {t.k}, 4);
    std::vector<Array> first;
    for (int threads : {1, 2, 3}) {
      Array y = dy, dx = x, dw = w, dbias = bias;
      conv2d(on(threads), t.at, x.view(), w.view(), {.bias = bias.view()}, y.view());
      conv2d_backward_data(on(threads), t.at, w.view(), dy.view(), dx.view());
      conv2d_backward_weight(on(threads), t.at, x.view(), dy.view(), dw.view(), dbias.view(), 0, 0);
      const std::vector<Array> now = {y, dx, dw, dbias};
      if (first.empty()) first = now;
      for (size_t i = 0; i < now.size(); ++i)
        expect_same_bits(first[i], now[i], text(t.str(), " result ", i, " threads ", threads));
    }
  }
}

#endif

TEST_P(Conv, APictureDoesNotDependOnItsNeighbours) {
  const DType type = GetParam().dtype;
  for (Case t :
       {Case{11, 1, 28, 28, 16, 3, 3, {.padding = {1, 1}}}, Case{7, 3, 32, 32, 64, 8, 8, {.stride = {8, 8}}},
        Case{5, 32, 14, 14, 64, 3, 3, {.padding = {1, 1}}}}) {
    const Array x = pictures(type, t.x_shape(), 1), w = Array::random(type, t.w_shape(), 3);
    Array y = pictures(type, t.y_shape(), 2);
    conv2d(on(), t.at, x.view(), w.view(), {}, y.view());
    const int64_t last = t.n - 1, values = y.numel() / t.n;
    t.n = 1;
    View picture = x.view();
    picture.shape = t.x_shape();
    picture.data = x.view().as<char>() + static_cast<size_t>(last * x.numel() / (last + 1)) * size_of(type);
    Array alone(type, t.y_shape(), channels_last_strides(t.y_shape())), part = alone;
    conv2d(on(), t.at, picture, w.view(), {}, alone.view());
    for (int64_t i = 0; i < values; ++i) part.set(i, y.get(last * values + i));
    expect_same_bits(alone, part, t.str());
  }
}

TEST_P(Conv, SaysWhatIsWrong) {
  const DType type = GetParam().dtype;
  const Array x = pictures(type, {1, 4, 5, 5}, 1), w = Array::random(type, {2, 3, 3, 3}, 2);
  Array y = pictures(type, {1, 2, 3, 3}, 3);
  try {
    conv2d(on(), {}, x.view(), w.view(), {}, y.view());
    FAIL() << "accepted 4 channels for weights of 3";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "conv2d: x has 4 channels in 1 groups, but w is (2, 3, 3, 3)");
  }
}

INSTANTIATE_TEST_SUITE_P(All, Conv, ::testing::ValuesIn(all_ways()), way_name);

#ifndef ISKRA_TEST_CUDA
// What our models are made of must run on oneDNN's fast code in all directions, at every ISA level.
TEST(ConvVendor, NeverUsesTheReferenceImplementation) {
  const Conv2d same{.padding = {1, 1}}, patch{.stride = {4, 4}};
  for (const ConvShape& s :
       {ConvShape{same, 1, 64, 28, 28, 64, 3, 3, 28, 28}, ConvShape{same, 4, 1, 28, 28, 32, 3, 3, 28, 28},
        ConvShape{patch, 8, 1, 28, 28, 64, 4, 4, 7, 7}, ConvShape{same, 1, 128, 7, 7, 128, 3, 3, 7, 7}})
    for (auto direction :
         {onednn::Direction::forward, onednn::Direction::backward_data, onednn::Direction::backward_weight}) {
      const auto program = onednn::convolution({s, direction});
      ASSERT_NE(program, nullptr) << "channels " << s.channels << " direction "
                                  << static_cast<int>(direction);
      EXPECT_EQ(std::string(onednn::implementation(*program)).find("ref"), std::string::npos);
    }
}

#endif

}  // namespace
}  // namespace iskra::kernels::testing
