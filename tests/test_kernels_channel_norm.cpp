// Norms over channels and their statistics against plain loops in double: batch, group and instance norm,
// given statistics, sums over many pixels.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

constexpr double kEps = 0.01;

struct Case {
  int64_t samples, rows, channels, groups;
  Shape shape() const { return {samples, rows, channels}; }
  int64_t group(int64_t i) const {  // of element i
    return i / (rows * channels) * groups + i % channels * groups / channels;
  }
  double count() const { return static_cast<double>(rows * channels / groups); }
  std::string str() const { return text(shape(), " in ", groups, " groups"); }
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {1, 1, 1, 1},    {1, 7, 3, 3},  {1, 3001, 1, 1},  {1, 2000, 3, 3}, {2, 49, 16, 4},
      {3, 10, 24, 24}, {2, 5, 12, 3}, {1, 6, 100, 100}, {1, 3, 520, 8},  {1, 261, 64, 64},
      {2, 300, 8, 1},  {1, 1, 40, 5}, {0, 4, 8, 4},     {3, 130, 7, 7},
  };
  return all;
}

struct Moments {
  std::vector<double> mean, var;
};
Moments moments(const Case& t, const Array& x) {
  const auto groups = static_cast<size_t>(t.samples * t.groups);
  std::vector<long double> sum(groups), squares(groups);
  for (int64_t i = 0; i < x.numel(); ++i) sum[static_cast<size_t>(t.group(i))] += x.get(i);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto g = static_cast<size_t>(t.group(i));
    const long double apart = x.get(i) - sum[g] / t.count();
    squares[g] += apart * apart;
  }
  Moments of;
  for (size_t g = 0; g < groups; ++g) {
    of.mean.push_back(static_cast<double>(sum[g] / t.count()));
    of.var.push_back(static_cast<double>(squares[g] / t.count()));
  }
  return of;
}

/// The norm and its gradients; a weight or bias of no elements is 1 or 0.
struct Reference {
  std::vector<double> y, dx, dweight, dbias;
  Reference(const Case& t, const Array& x, const Moments& of, bool fixed, const Array& weight,
            const Array& bias, const Array& dy)
      : dweight(static_cast<size_t>(t.channels)), dbias(static_cast<size_t>(t.channels)) {
    std::vector<double> mean_g(of.mean.size()), mean_gh(of.mean.size());
    auto rstd = [&](size_t g) { return 1 / std::sqrt(of.var[g] + kEps); };
    auto w = [&](int64_t i) { return weight.numel() > 0 ? weight.get(i % t.channels) : 1; };
    auto h = [&](int64_t i) {
      const auto g = static_cast<size_t>(t.group(i));
      return (x.get(i) - of.mean[g]) * rstd(g);
    };
    for (int64_t i = 0; i < x.numel(); ++i) {
      const auto g = static_cast<size_t>(t.group(i)), c = static_cast<size_t>(i % t.channels);
      y.push_back(h(i) * w(i) + (bias.numel() > 0 ? bias.get(i % t.channels) : 0));
      dweight[c] += dy.get(i) * h(i);
      dbias[c] += dy.get(i);
      if (fixed) continue;
      mean_g[g] += dy.get(i) * w(i) / t.count();
      mean_gh[g] += dy.get(i) * w(i) * h(i) / t.count();
    }
    for (int64_t i = 0; i < x.numel(); ++i) {
      const auto g = static_cast<size_t>(t.group(i));
      dx.push_back(rstd(g) * (dy.get(i) * w(i) - mean_g[g] - h(i) * mean_gh[g]));
    }
  }
};

std::vector<double> with(std::vector<double> sum, const Array& before, float beta) {
  for (size_t c = 0; c < sum.size(); ++c)
    if (beta != 0) sum[c] += static_cast<double>(beta) * before.get(static_cast<int64_t>(c));
  return sum;
}

class ChannelNorm : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype = GetParam();
  DType wide = dtype == DType::f64 ? DType::f64 : DType::f32;
  double eps = Way{dtype, Provider::fastest}.eps();
  static double terms(const Case& t) { return static_cast<double>(t.samples * t.rows); }
  static View view_or_none(const Array& x) { return x.numel() > 0 ? x.view() : View{}; }
  Array statistic(const Case& t) const { return {wide, {t.samples, t.groups}}; }
  /// Parameters: none, in x's type, in the type that is computed in.
  std::vector<Array> weights(const Case& t, uint64_t seed) const {
    return {Array(dtype, {0}), Array::random(dtype, {t.channels}, seed),
            Array::random(wide, {t.channels}, seed)};
  }

  void check(const Case& t, const Array& x, bool fixed, int which);
};

TEST_P(ChannelNorm, Statistics) {
  for (const Case& t : cases()) {
    const Array x = Array::random(dtype, t.shape(), 1);
    const Moments want = moments(t, x);
    Array first_mean, first_var;
    for (int threads : {1, 3}) {
      HeapScratch scratch;
      Array mean = statistic(t), var = statistic(t);
      channel_statistics(on(threads, &scratch), x.view(), mean.view(), var.view());
      if (threads == 1) first_mean = mean, first_var = var;
      expect_close(mean, want.mean, 8 * eps, t.str() + " mean");
      expect_close(var, want.var, 8 * eps, t.str() + " var");
      expect_same_bits(mean, first_mean, t.str());
      expect_same_bits(var, first_var, t.str());
    }
  }
}

TEST_P(ChannelNorm, AMeanBesideTheDeviationCostsNoDigits) {
  const Case t{2, 700, 6, 3};
  Array x = Array::random(dtype, t.shape(), 1);
  // Exact in each type: 16 bits hold less.
  const double large = dtype == DType::f64   ? 1e8
                       : dtype == DType::f32 ? 4096
                                             : 64,
               step = dtype == DType::bf16 ? 2 : 1;
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, large + step * std::floor(4 * x.get(i)));
  const Moments want = moments(t, x);
  HeapScratch scratch;
  Array mean = statistic(t), var = statistic(t);
  channel_statistics(on(1, &scratch), x.view(), mean.view(), var.view());
  expect_close(mean, want.mean, 2 * eps * large, "mean");
  expect_close(var, want.var, 1e-4, "var");
}

TEST_P(ChannelNorm, StatisticsOfNothingAreNoNumbers) {
  Array x(dtype, {2, 0, 6}), mean(wide, {2, 3}), var(wide, {2, 3});
  for (Array* a : {&mean, &var})
    for (int64_t i = 0; i < 6; ++i) a->set(i, 1);
  HeapScratch scratch;
  std::vector<char> none(1);
  channel_statistics(on(1, &scratch), View{none.data(), dtype, x.shape(), contiguous_strides(x.shape())},
                     mean.view(), var.view());
  for (int64_t i = 0; i < 6; ++i) EXPECT_TRUE(std::isnan(mean.get(i)) && std::isnan(var.get(i)));
}

void ChannelNorm::check(const Case& t, const Array& x, bool fixed, int which) {
  const std::string what = text(t.str(), " parameters ", which, fixed ? " fixed" : "");
  const auto n = static_cast<size_t>(which);
  const Array dy = Array::random(dtype, t.shape(), 2), weight = weights(t, 3)[n], bias = weights(t, 4)[n];
  Array mean = statistic(t), var = statistic(t);
  Moments of = moments(t, x);
  for (int64_t g = 0; g < mean.numel(); ++g) {
    const auto at = static_cast<size_t>(g);
    if (fixed)
      of.mean[at] = 0.25 * static_cast<double>(g % 5), of.var[at] = 0.5 + 0.25 * static_cast<double>(g % 3);
    mean.set(g, of.mean[at]);
    var.set(g, of.var[at]);
  }
  const Reference want(t, x, of, fixed, weight, bias, dy);
  std::vector<Array> first;
  for (int threads = 1; threads <= (which == 0 ? 2 : 1); ++threads) {
    HeapScratch scratch;
    auto tag = on(threads, &scratch);
    Array y(dtype, t.shape()), dx(dtype, t.shape());
    channel_norm(tag, x.view(), mean.view(), var.view(), view_or_none(weight), view_or_none(bias), kEps,
                 y.view());
    expect_close(y, want.y, 16 * eps, what);
    Array dweight = Array::random(which == 1 ? dtype : wide, {t.channels}, 5), dbias = dweight;
    const std::vector<double> all_w = with(want.dweight, dweight, 1), all_b = with(want.dbias, dbias, 0);
    channel_norm_backward(tag, x.view(), mean.view(), var.view(), fixed, view_or_none(weight), dy.view(),
                          kEps, dx.view(), dweight.view(), dbias.view(), 1, 0);
    expect_close(dx, want.dx, 150 * eps, what + " dx");
    expect_close(dweight, all_w, (20 + terms(t)) * eps, what + " dweight");
    expect_close(dbias, all_b, (20 + terms(t)) * eps, what + " dbias");
    const std::vector<Array> now = {y, dx, dweight, dbias};
    if (first.empty()) first = now;
    for (size_t i = 0; i < now.size(); ++i) expect_same_bits(now[i], first[i], what);
    if (threads > 1 || which == 1) continue;

    Array alone(dtype, t.shape());  // each result without the others; fixed statistics do without x
    channel_norm_backward(tag, fixed ? View{} : x.view(), mean.view(), var.view(), fixed,
                          view_or_none(weight), dy.view(), kEps, alone.view(), MutView{}, MutView{}, 0, 0);
    expect_same_bits(alone, dx, what + " dx alone");
    Array other = Array::random(dweight.dtype(), {t.channels}, 6);
    channel_norm_backward(tag, x.view(), mean.view(), var.view(), fixed, view_or_none(weight), dy.view(),
                          kEps, MutView{}, other.view(), MutView{}, 0, 0);
    expect_close(other, want.dweight, (20 + terms(t)) * eps, what + " dweight alone");
  }
}

TEST_P(ChannelNorm, OfItsOwnStatistics) {
  for (const Case& t : cases())
    for (int which : {0, 1, 2}) check(t, Array::random(dtype, t.shape(), 1), false, which);
}

TEST_P(ChannelNorm, OfGivenStatistics) {
  for (const Case& t : cases())
    for (int which : {0, 2}) check(t, Array::random(dtype, t.shape(), 1), true, which);
}

TEST_P(ChannelNorm, GradientsOfNoPixelsAreZero) {
  const std::vector<char> none(1);
  const View nothing{none.data(), dtype, {2, 0, 6}, contiguous_strides({2, 0, 6})};
  Array mean(wide, {2, 3}), var(wide, {2, 3}), dweight(wide, {6}), dbias = Array::random(wide, {6}, 1);
  const std::vector<double> before = dbias.values();
  HeapScratch scratch;
  channel_norm_backward(on(1, &scratch), nothing, mean.view(), var.view(), false, View{}, nothing, kEps,
                        MutView{}, dweight.view(), dbias.view(), 0, 1);
  expect_close(dweight, std::vector<double>(6), 0, "dweight");
  expect_close(dbias, before, 0, "dbias");
}

INSTANTIATE_TEST_SUITE_P(All, ChannelNorm, ::testing::Values(DType::f32, DType::f64, DType::bf16, DType::f16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(ChannelStatistics, OfMorePixelsThanAreTakenAtOnce) {
  const Case t{1, 1320007, 1, 1};
  Array x = Array::random(DType::f32, t.shape(), 1);
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, x.get(i) + 100);
  const Moments want = moments(t, x);
  HeapScratch scratch;
  Array mean(DType::f32, {1, 1}), var(DType::f32, {1, 1});
  channel_statistics(on(2, &scratch), x.view(), mean.view(), var.view());
  expect_close(mean, want.mean, 1e-5, "mean");
  expect_close(var, want.var, 1e-6, "var");
}

TEST(BlendStatistics, MovesTowardsTheBatch) {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Array batch = Array::random(dtype, {1, 300}, 1);
    Array running = Array::random(dtype, {300}, 2);
    std::vector<double> want;
    for (int64_t c = 0; c < 300; ++c) want.push_back(0.9 * running.get(c) + 0.1 * 1.25 * batch.get(c));
    blend_statistics(on(), batch.view(), 0.1, 1.25, running.view());
    expect_close(running, want, 2e-7, name_of(dtype));
  }
  Array nothing(DType::f32, {0});
  blend_statistics(on(), nothing.view(), 0.1, 1, nothing.view());
}

}  // namespace
}  // namespace iskra::kernels::testing
