// What follows the sums of convolutions and products (bias, activation, residual, the values before it),
// types of gradients, and sums that are cut into parts: against double.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "conv_reference.h"
#include "kernel_arrays.h"
#include "pointwise_reference.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

const std::vector<DType> kTypes = {DType::f32, DType::f64, DType::bf16, DType::f16};

auto native(Scratch* scratch) {
  auto tag = on(2, scratch);
  tag.provider = Provider::native;
  return tag;
}

double tolerance_of(DType type, double terms) { return Way{type, Provider::native}.eps() * (16 + 2 * terms); }

double activated(Activation activation, double v) {
  if (activation == Activation::relu) return v > 0 ? v : 0;
  if (activation == Activation::gelu) return v * normal_below(v);
  if (activation == Activation::gelu_tanh)
    return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
  return v;
}

/// Runs f(epilogue) with `then`, results in y and kept, and compares both with what becomes of `sums`; the
/// bias of element i is number bias_of(i).
template <class F, class B>
void expect_finished(const std::vector<double>& sums, Array y, const Array& bias, const Array& residual,
                     Activation activation, int which, double tolerance, const std::string& what, B&& bias_of,
                     F&& f) {
  Array kept = y;
  const bool with_bias = which & 1, with_residual = which & 2, keep = which & 4;
  std::vector<double> before = sums, after;
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto place = static_cast<int64_t>(i);
    if (with_bias) before[i] += bias.get(bias_of(place));
    after.push_back(activated(activation, before[i]) + (with_residual ? residual.get(place) : 0));
  }
  f(Epilogue{with_bias ? bias.view() : View{}, activation, with_residual ? residual.view() : View{},
             keep ? kept.view() : MutView{}},
    y.view());
  const std::string which_way = text(what, " activation ", static_cast<int>(activation), " parts ", which);
  expect_close(y, after, tolerance, which_way);
  if (keep) expect_close(kept, before, tolerance, which_way + ", before");
}

constexpr Activation kActivations[] = {Activation::none, Activation::relu, Activation::gelu,
                                       Activation::gelu_tanh};

TEST(ConvFinish, EpiloguesOfConvolutions) {
  HeapScratch scratch;
  const std::vector<ConvCase> cases = {{2, 8, 5, 6, 12, 3, 3, {.padding = {1, 1}}},
                                       {2, 12, 5, 4, 24, 2, 3, {.stride = {2, 1}, .groups = 2}},
                                       {1, 6, 4, 9, 6, 3, 3, {.padding = {1, 2}, .groups = 6}},
                                       {1, 64, 5, 3, 10, 3, 3, {.padding = {1, 1}}}};  // a sum of two parts
  for (DType type : kTypes)
    for (const ConvCase& t : cases) {
      const Array x = pictures(type, t.x_shape(), 1), w = Array::random(type, t.w_shape(), 2);
      const Array y(type, t.y_shape(), channels_last_strides(t.y_shape()));
      const Array residual = pictures(type, t.y_shape(), 3);
      const auto sums = conv_sums(t, x, w, y);
      for (Activation activation : kActivations)
        for (int which : {0, 1, 2, 7}) {
          // A bias of f32 goes with 16 bits, too.
          const DType bias_type = which == 7 && type != DType::f64 ? DType::f32 : type;
          expect_finished(
              sums, y, Array::random(bias_type, {t.k}, 4), residual, activation, which,
              tolerance_of(type, t.taps()), text(name_of(type), " ", t.str()),
              [&](int64_t i) { return i / (t.out(0) * t.out(1)) % t.k; },
              [&](const Epilogue& then, MutView to) {
                conv2d(native(&scratch), t.at, x.view(), w.view(), then, to);
              });
        }
    }
}

TEST(ConvFinish, EpiloguesOfProducts) {
  HeapScratch scratch;
  for (DType type : kTypes)
    for (int64_t depth : {37, 1100}) {  // the second one is cut into parts
      const int64_t m = 21, n = 70;
      const Array a = Array::random(type, {m, depth}, 1), b = Array::random(type, {depth, n}, 2);
      const Array residual = Array::random(type, {m, n}, 3);
      const auto of_a = a.values(), of_b = b.values();
      std::vector<double> sums(static_cast<size_t>(m * n));
      for (int64_t i = 0; i < m; ++i)
        for (int64_t k = 0; k < depth; ++k)
          for (int64_t j = 0; j < n; ++j)
            sums[static_cast<size_t>(i * n + j)] +=
                of_a[static_cast<size_t>(i * depth + k)] * of_b[static_cast<size_t>(k * n + j)];
      for (Activation activation : kActivations)
        for (int which : {0, 1, 2, 7}) {
          const DType bias_type = which == 7 && type != DType::f64 ? DType::f32 : type;
          expect_finished(
              sums, Array(type, {m, n}), Array::random(bias_type, {n}, 4), residual, activation, which,
              tolerance_of(type, static_cast<double>(depth)), text(name_of(type), " depth ", depth),
              [&](int64_t i) { return i % n; },
              [&](const Epilogue& then, MutView to) {
                matmul(native(&scratch), a.view(), b.view(), then, to, 0);
              });
        }
    }
}

TEST(ConvFinish, TransposedWithABias) {
  HeapScratch scratch;
  // x and y of the transposed convolution are y and x of the case.
  const std::vector<ConvCase> cases = {
      {2, 12, 9, 8, 20, 3, 3, {.stride = {2, 2}, .padding = {1, 1}}},
      {1, 9, 6, 6, 16, 2, 2, {.stride = {2, 2}}},
      {1, 8, 5, 6, 4, 3, 3, {.stride = {1, 2}, .padding = {1, 0}, .groups = 4}},
      {1, 4, 2, 5, 3, 3, 2, {}}};  // of nothing: the bias
  for (DType type : kTypes)
    for (const ConvCase& t : cases)
      for (DType bias_type : {type, type == DType::f64 ? DType::f64 : DType::f32}) {
        const Array x = pictures(type, t.y_shape(), 1), w = Array::random(type, t.w_shape(), 2);
        const Array bias = Array::random(bias_type, {t.c}, 3);
        Array y(type, t.x_shape(), channels_last_strides(t.x_shape()));
        auto want = conv_data_sums(t, y, w, x);
        for (int64_t i = 0; i < y.numel(); ++i)
          want[static_cast<size_t>(i)] += bias.get(i / (t.h * t.w) % t.c);
        conv_transpose2d(native(&scratch), t.at, x.view(), w.view(), bias.view(), y.view());
        expect_close(y, want, tolerance_of(type, static_cast<double>(t.k * t.r * t.s)),
                     text(name_of(type), " ", t.str()));
      }
}

TEST(ConvFinish, GradientsOfF32Beside16Bits) {
  HeapScratch scratch;
  const std::vector<ConvCase> cases = {{2, 12, 9, 8, 20, 3, 3, {.stride = {2, 1}, .padding = {1, 1}}},
                                       {2, 9, 19, 18, 10, 3, 2, {}},  // more pixels than a part has
                                       {1, 10, 7, 6, 10, 3, 3, {.padding = {1, 1}, .groups = 10}}};
  for (DType type : {DType::bf16, DType::f16})
    for (const ConvCase& t : cases)
      for (float beta : {0.0F, 1.0F}) {
        const Array x = pictures(type, t.x_shape(), 1), dy = pictures(type, t.y_shape(), 2);
        Array dw = Array::random(DType::f32, t.w_shape(), 3), dbias = Array::random(DType::f32, {t.k}, 4);
        std::vector<double> want(static_cast<size_t>(dw.numel())), want_bias(static_cast<size_t>(t.k));
        if (beta == 1) want = dw.values();
        if (beta == 0) want_bias = dbias.values();
        add_conv_weight_sums(t, x, dw, dy, want);
        const int64_t area = t.out(0) * t.out(1);
        for (int64_t i = 0; i < dy.numel(); ++i) want_bias[static_cast<size_t>(i / area % t.k)] += dy.get(i);
        conv2d_backward_weight(native(&scratch), t.at, x.view(), dy.view(), dw.view(), dbias.view(), beta,
                               1 - beta);
        const double tolerance = tolerance_of(DType::f32, static_cast<double>(t.n * area));
        expect_close(dw, want, tolerance, text(name_of(type), " ", t.str()));
        expect_close(dbias, want_bias, tolerance, text(name_of(type), " bias ", t.str()));
      }
}

// More products than a grid has blocks.
TEST(ConvParts, ManyGroupsAndPhases) {
  HeapScratch scratch;
  const DType type = DType::f32;
  for (const ConvCase& t : {ConvCase{1, 9 * 1030, 1, 2, 1030, 1, 1, {.groups = 1030}},
                            ConvCase{1, 9, 33, 34, 10, 2, 2, {.stride = {40, 33}}}}) {
    const Array x = pictures(type, t.x_shape(), 1), dy = pictures(type, t.y_shape(), 2);
    const Array w = Array::random(type, t.w_shape(), 3);
    Array y = dy, dx = x, dw = w;
    conv2d(native(&scratch), t.at, x.view(), w.view(), {}, y.view());
    expect_close(y, conv_sums(t, x, w, y), tolerance_of(type, t.taps()), t.str());
    conv2d_backward_data(native(&scratch), t.at, w.view(), dy.view(), dx.view());
    expect_close(dx, conv_data_sums(t, dx, w, dy), tolerance_of(type, 40), t.str());
    conv2d_backward_weight(native(&scratch), t.at, x.view(), dy.view(), dw.view(), {}, 0, 0);
    std::vector<double> want(static_cast<size_t>(dw.numel()));
    add_conv_weight_sums(t, x, dw, dy, want);
    expect_close(dw, want, tolerance_of(type, 4), t.str());
  }
}

// On CUDA: few tiles share the parts of long sums among blocks, all at once or some at a time; many do not.
// Each way gives the same bits.
TEST(ConvParts, WeightSumsHaveTheSameBitsHoweverManyFiltersThereAre) {
  HeapScratch scratch;
  const DType type = DType::f32;
  const ConvCase all = {1, 640, 35, 30, 640, 7, 7, {.padding = {3, 3}, .groups = 640}};
  const Array x = pictures(type, all.x_shape(), 1), dy = pictures(type, all.y_shape(), 2);
  Array dw(type, all.w_shape());
  conv2d_backward_weight(native(&scratch), all.at, x.view(), dy.view(), dw.view(), {}, 0, 0);
  std::vector<double> want(static_cast<size_t>(dw.numel()));
  add_conv_weight_sums(all, x, dw, dy, want);
  expect_close(dw, want, tolerance_of(type, 35 * 30), "640 filters");
#ifdef ISKRA_TEST_CUDA
  for (int64_t filters : {5, 512}) {
    ConvCase t = all;
    t.c = t.k = t.at.groups = filters;
    Array some_x(type, t.x_shape(), channels_last_strides(t.x_shape())), some_dy = some_x;
    const int64_t values = filters * t.h * t.w;
    for (int64_t i = 0; i < values; ++i) some_x.set(i, x.get(i)), some_dy.set(i, dy.get(i));
    Array some(type, t.w_shape()), part(type, t.w_shape());
    conv2d_backward_weight(native(&scratch), t.at, some_x.view(), some_dy.view(), some.view(), {}, 0, 0);
    for (int64_t i = 0; i < part.numel(); ++i) part.set(i, dw.get(i));
    expect_same_bits(some, part, text(filters, " filters"));
  }
#endif
}

TEST(ConvParts, ARowOfALongProductHasTheSameBitsHoweverManyRowsThereAre) {
  HeapScratch scratch;
  const int64_t n = 1000, depth = 523;
  for (DType type : {DType::f32, DType::bf16}) {
    const int64_t rows = type == DType::f32 ? 1021 : 130;
    const Array a = Array::random(type, {rows, depth}, 1), b = Array::random(type, {depth, n}, 2);
    Array all(type, {rows, n});
    matmul(native(&scratch), a.view(), b.view(), {}, all.view(), 0);
    for (int64_t some : {1, 70}) {
      Array c(type, {some, n}), part(type, {some, n});
      View first = a.view();
      first.shape = {some, depth};
      matmul(native(&scratch), first, b.view(), {}, c.view(), 0);
      for (int64_t i = 0; i < part.numel(); ++i) part.set(i, all.get(i));
      expect_same_bits(c, part, text(name_of(type), " ", some, " rows of ", rows));
    }
  }
}

}  // namespace
}  // namespace iskra::kernels::testing
