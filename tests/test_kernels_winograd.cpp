// Winograd convolution through its own entry functions, against sums in double: shapes that break tiles,
// slices and blocks; epilogues; the same bits for a picture in every batch and for every number of threads;
// how large its errors are; and who chooses it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/winograd.h>
#include "kernel_arrays.h"

namespace iskra::kernels::testing {
namespace {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

struct Case {
  int64_t n, c, h, w, k;
  int64_t pad_h = 1, pad_w = 1;

  ConvShape shape() const {
    const Conv2d at{.padding = {pad_h, pad_w}};
    return {at, n, c, h, w, k, 3, 3, h + 2 * pad_h - 2, w + 2 * pad_w - 2};
  }
  int64_t x_values() const { return n * shape().picture(); }
  int64_t y_values() const { return n * shape().out_picture(); }
  std::string str() const {
    return text("x (", n, ", ", c, ", ", h, ", ", w, ") filters ", k, " padding ", pad_h, ", ", pad_w);
  }
};

/// Odd sizes, pictures below a tile, channels beside multiples of 16, several slices and blocks.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {1, 1, 1, 1, 1},       {1, 1, 3, 3, 1, 0, 0}, {2, 3, 2, 2, 5},       {3, 5, 1, 9, 4},
      {2, 4, 9, 1, 3},       {1, 16, 4, 4, 16},     {2, 17, 5, 7, 19},     {1, 33, 13, 10, 31, 0, 0},
      {2, 8, 6, 5, 8, 0, 1}, {2, 8, 5, 6, 8, 1, 0}, {1, 6, 7, 8, 9, 2, 2}, {1, 3, 4, 6, 2, 3, 4},
      {5, 20, 14, 14, 24},   {1, 12, 61, 67, 10},   {3, 9, 4, 5, 300},     {2, 290, 6, 6, 40},
      {21, 32, 8, 8, 48},    {1, 32, 28, 28, 64},   {7, 2, 23, 31, 3},     {1, 40, 3, 50, 16, 0, 1},
  };
  return all;
}

Floats normal(int64_t count, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> number;
  Floats values(static_cast<size_t>(count));
  for (float& v : values) v = number(bits);
  return values;
}

/// Calls f(place in x, in w, in y) for every product; channels innermost, so that large cases stay quick.
template <class F>
void for_products(const Case& t, F&& f) {
  const ConvShape s = t.shape();
  for (int64_t n = 0; n < t.n; ++n)
    for (int64_t oh = 0; oh < s.out_height; ++oh)
      for (int64_t ow = 0; ow < s.out_width; ++ow)
        for (int64_t r = 0; r < 3; ++r)
          for (int64_t q = 0; q < 3; ++q) {
            const int64_t h = oh - t.pad_h + r, w = ow - t.pad_w + q;
            if (h < 0 || h >= t.h || w < 0 || w >= t.w) continue;
            const int64_t x = ((n * t.h + h) * t.w + w) * t.c;
            const int64_t y = ((n * s.out_height + oh) * s.out_width + ow) * t.k;
            for (int64_t k = 0; k < t.k; ++k)
              for (int64_t c = 0; c < t.c; ++c) f(x + c, (k * t.c + c) * 9 + r * 3 + q, y + k);
          }
}

/// Operands of a case, and what the three directions give in double.
struct Problem {
  Case at;
  Floats x, w, dy;

  explicit Problem(const Case& t)
      : at(t), x(normal(t.x_values(), 1)), w(normal(t.shape().weights(), 2)), dy(normal(t.y_values(), 3)) {}

  Doubles y() const {
    Doubles sums(dy.size());
    for_products(at, [&](int64_t i, int64_t j, int64_t o) {
      sums[static_cast<size_t>(o)] += double{x[static_cast<size_t>(i)]} * w[static_cast<size_t>(j)];
    });
    return sums;
  }
  Doubles dx() const {
    Doubles sums(x.size());
    for_products(at, [&](int64_t i, int64_t j, int64_t o) {
      sums[static_cast<size_t>(i)] += double{dy[static_cast<size_t>(o)]} * w[static_cast<size_t>(j)];
    });
    return sums;
  }
  Doubles dw() const {
    Doubles sums(w.size());
    for_products(at, [&](int64_t i, int64_t j, int64_t o) {
      sums[static_cast<size_t>(j)] += double{x[static_cast<size_t>(i)]} * dy[static_cast<size_t>(o)];
    });
    return sums;
  }
};

const float kNan = std::nanf("");

Floats forward(const Problem& p, int threads = 1, const ConvThen<float>& then = {}) {
  HeapScratch scratch;
  Floats y(p.dy.size(), kNan);
  winograd::conv2d({threads, Provider::fastest, &scratch}, p.at.shape(), p.x.data(), p.w.data(), then,
                   y.data());
  return y;
}
Floats backward_data(const Problem& p, int threads = 1, const float* bias = nullptr) {
  HeapScratch scratch;
  Floats dx(p.x.size(), kNan);
  winograd::conv2d_backward_data({threads, Provider::fastest, &scratch}, p.at.shape(), p.w.data(),
                                 p.dy.data(), bias, dx.data());
  return dx;
}
Floats backward_weight(const Problem& p, int threads = 1, float beta = 0, Floats dw = {}) {
  HeapScratch scratch;
  if (dw.empty()) dw.assign(p.w.size(), kNan);
  winograd::conv2d_backward_weight({threads, Provider::fastest, &scratch}, p.at.shape(), p.x.data(),
                                   p.dy.data(), dw.data(), beta);
  return dw;
}

struct Errors {
  double relative_l2, largest;  ///< the latter in units of the largest value
};
Errors errors(const Floats& got, const Doubles& want) {
  double error2 = 0, norm2 = 0, worst = 0, most = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = got[i] - want[i];
    error2 += error * error;
    norm2 += want[i] * want[i];
    worst = std::isnan(error) ? error : std::max(worst, std::abs(error));
    most = std::max(most, std::abs(want[i]));
  }
  return {std::sqrt(error2 / norm2), worst / most};
}

void expect_right(const Floats& got, const Doubles& want, const std::string& what) {
  const Errors e = errors(got, want);
  EXPECT_LE(e.relative_l2, 2e-6) << what;
  EXPECT_LE(e.largest, 6e-6) << what;
}

void expect_same(const Floats& a, const Floats& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << what << ": bits differ";
}

TEST(Winograd, Forward) {
  for (const Case& t : cases()) {
    const Problem p(t);
    expect_right(forward(p), p.y(), t.str());
  }
}

TEST(Winograd, BackwardData) {
  for (const Case& t : cases()) {
    const Problem p(t);
    expect_right(backward_data(p), p.dx(), t.str());
  }
}

TEST(Winograd, BackwardWeight) {
  for (const Case& t : cases()) {
    const Problem p(t);
    expect_right(backward_weight(p), p.dw(), t.str());
  }
}

TEST(Winograd, BetaAddsToTheWeightGradient) {
  for (const Case& t : {Case{2, 17, 5, 7, 19}, Case{21, 32, 8, 8, 48}}) {
    const Problem p(t);
    const Floats before = normal(t.shape().weights(), 4);
    Doubles want = p.dw();
    for (size_t i = 0; i < want.size(); ++i) want[i] += before[i];
    expect_right(backward_weight(p, 1, 1, before), want, t.str());
    expect_same(backward_weight(p, 1, 0, before), backward_weight(p), t.str() + " beta 0");
  }
}

TEST(Winograd, BiasOfATransposedConvolution) {
  for (const Case& t : {Case{2, 17, 5, 7, 19}, Case{1, 300, 5, 6, 8, 0, 0}}) {
    const Problem p(t);
    const Floats bias = normal(t.c, 5);
    Doubles want = p.dx();
    for (size_t i = 0; i < want.size(); ++i) want[i] += bias[i % static_cast<size_t>(t.c)];
    expect_right(backward_data(p, 1, bias.data()), want, t.str());
  }
}

double activated(Activation activation, double v) {
  if (activation == Activation::relu) return std::max(v, 0.0);
  if (activation == Activation::gelu) return 0.5 * v * std::erfc(-v / std::sqrt(2.0));
  return v;
}

// Every combination of what may follow, on pictures with tiles beyond the edge and a filter count of two
// slices.
TEST(Winograd, Epilogues) {
  for (const Case& t : {Case{2, 8, 7, 9, 20}, Case{1, 5, 6, 3, 270}}) {
    const Problem p(t);
    const Floats bias = normal(t.k, 5), residual = normal(t.y_values(), 6);
    const Doubles sums = p.y();
    for (int bits = 0; bits < 8; ++bits)
      for (Activation activation : {Activation::none, Activation::relu, Activation::gelu}) {
        const bool with_bias = (bits & 1) != 0, with_residual = (bits & 2) != 0, keep = (bits & 4) != 0;
        Floats kept(p.dy.size(), kNan);
        const ConvThen<float> then{with_bias ? bias.data() : nullptr, activation,
                                   with_residual ? residual.data() : nullptr, keep ? kept.data() : nullptr};
        const Floats y = forward(p, 1, then);
        Doubles want = sums, want_kept = sums;
        for (size_t i = 0; i < want.size(); ++i) {
          if (with_bias) want_kept[i] += bias[i % static_cast<size_t>(t.k)];
          want[i] = activated(activation, want_kept[i]) + (with_residual ? residual[i] : 0);
        }
        const std::string what = text(t.str(), " parts ", bits, " activation ", static_cast<int>(activation));
        expect_right(y, want, what);
        if (keep) expect_right(kept, want_kept, what + " preactivation");
      }
  }
}

TEST(Winograd, ReluKeepsNan) {
  Problem p({1, 4, 4, 4, 16});
  p.x[0] = kNan;
  const Floats y = forward(p, 1, {nullptr, Activation::relu, nullptr, nullptr});
  EXPECT_TRUE(std::isnan(y[0]));
}

const std::vector<Case>& cases_with_many_pieces() {
  static const std::vector<Case> some = {{5, 16, 20, 20, 32}, {3, 32, 56, 44, 40},      {9, 24, 14, 14, 300},
                                         {40, 40, 7, 7, 20},  {2, 3, 99, 98, 17, 0, 0}, {2, 144, 28, 28, 144},
                                         {6, 64, 14, 14, 64}, {3, 520, 14, 14, 72}};
  return some;
}

TEST(Winograd, BitsDoNotDependOnThreads) {
  for (const Case& t : cases_with_many_pieces()) {
    const Problem p(t);
    const Floats bias = normal(t.k, 5);
    const ConvThen<float> then{bias.data(), Activation::relu, nullptr, nullptr};
    const Floats y = forward(p, 1, then), dx = backward_data(p), dw = backward_weight(p);
    for (int threads : {2, 3}) {
      const std::string what = text(t.str(), " threads ", threads);
      expect_same(forward(p, threads, then), y, what + " y");
      expect_same(backward_data(p, threads), dx, what + " dx");
      expect_same(backward_weight(p, threads), dw, what + " dw");
    }
  }
}

/// Values [first, first + count) of all.
Floats part(const Floats& all, int64_t first, int64_t count) {
  return {all.begin() + first, all.begin() + first + count};
}

TEST(Winograd, APictureDoesNotDependOnItsNeighbours) {
  for (const Case& t : cases_with_many_pieces()) {
    const Problem p(t);
    const Floats y = forward(p), dx = backward_data(p);
    const int64_t of_x = t.shape().picture(), of_y = t.shape().out_picture();
    for (int64_t image : {int64_t{0}, t.n / 2, t.n - 1}) {
      Problem alone(p);
      alone.at.n = 1;
      alone.x = part(p.x, image * of_x, of_x);
      alone.dy = part(p.dy, image * of_y, of_y);
      const std::string what = text(t.str(), " picture ", image);
      expect_same(forward(alone), part(y, image * of_y, of_y), what + " y");
      expect_same(backward_data(alone), part(dx, image * of_x, of_x), what + " dx");
    }
  }
}

// The bounds that kernels.h promises.
TEST(Winograd, ErrorsAreThoseOfDirectConvolution) {
  for (const Case& t : {Case{2, 64, 28, 28, 64}, Case{1, 256, 12, 12, 256}, Case{1, 512, 8, 8, 512}}) {
    const Problem p(t);
    const auto check = [&](const char* name, const Floats& got, const Doubles& want) {
      const Errors e = errors(got, want);
      EXPECT_LE(e.relative_l2, 2e-6) << t.str() << name;
      EXPECT_LE(e.largest, 4e-6) << t.str() << name;
    };
    check(" y", forward(p), p.y());
    check(" dx", backward_data(p), p.dx());
    check(" dw", backward_weight(p), p.dw());
  }
}

/// The three directions through the public functions.
struct Results {
  Floats y, dx, dw;
};
Results results(const Problem& p, Provider provider, bool allowed) {
  HeapScratch scratch;
  const Cpu on{1, provider, &scratch, allowed};
  const Case& t = p.at;
  const ConvShape s = t.shape();
  Results r{Floats(p.dy.size()), Floats(p.x.size()), Floats(p.w.size())};
  const Shape of_x{t.n, t.c, t.h, t.w}, of_y{t.n, t.k, s.out_height, s.out_width}, of_w{t.k, t.c, 3, 3};
  const auto pictures = [](const float* data, const Shape& shape) {
    return View{data, DType::f32, shape, channels_last_strides(shape)};
  };
  const auto writable = [](Floats& data, const Shape& shape, const Shape& stride) {
    return MutView{data.data(), DType::f32, shape, stride};
  };
  const View x = pictures(p.x.data(), of_x), dy = pictures(p.dy.data(), of_y);
  const View w{p.w.data(), DType::f32, of_w, contiguous_strides(of_w)};
  conv2d(on, s.at, x, w, {}, writable(r.y, of_y, channels_last_strides(of_y)));
  conv2d_backward_data(on, s.at, w, dy, writable(r.dx, of_x, channels_last_strides(of_x)));
  conv2d_backward_weight(on, s.at, x, dy, writable(r.dw, of_w, contiguous_strides(of_w)), {}, 0, 0);
  return r;
}

TEST(Winograd, IsChosenUnlessForbidden) {
  const Problem p({2, 32, 16, 16, 48});
  ASSERT_TRUE(winograd::pays(p.at.shape()) && winograd::pays_for_weights(p.at.shape()));
  const Results chosen = results(p, Provider::fastest, true);
  expect_same(chosen.y, forward(p), "y");
  expect_same(chosen.dx, backward_data(p), "dx");
  expect_same(chosen.dw, backward_weight(p), "dw");

  const Results direct = results(p, Provider::vendor, true);
  EXPECT_NE(direct.y, chosen.y);
  EXPECT_NE(direct.dx, chosen.dx);
  EXPECT_NE(direct.dw, chosen.dw);
  const Results exact = results(p, Provider::fastest, false);
  expect_same(exact.y, direct.y, "exact y");
  expect_same(exact.dx, direct.dx, "exact dx");
  expect_same(exact.dw, direct.dw, "exact dw");
  const Results native = results(p, Provider::native, true);
  expect_same(native.y, results(p, Provider::native, false).y, "native y");
}

TEST(Winograd, IsLeftOutWhereItDoesNotPay) {
  const auto pays = [](const Case& t) { return winograd::pays(t.shape()); };
  EXPECT_TRUE(pays({1, 64, 14, 14, 64}));
  EXPECT_FALSE(pays({1, 3, 224, 224, 64})) << "three channels";
  EXPECT_FALSE(pays({64, 64, 7, 7, 64})) << "four tiles a picture, whatever the batch";
  EXPECT_TRUE(winograd::pays_for_weights(Case{64, 64, 7, 7, 64}.shape()));
  EXPECT_FALSE(pays({1, 64, 1, 300, 64})) << "tiles that are mostly empty";
  ConvShape s = Case{1, 64, 14, 14, 64}.shape();
  s.at.groups = 2;
  EXPECT_FALSE(winograd::possible(s));
  s.at.groups = 1;
  s.at.stride[1] = 2;
  EXPECT_FALSE(winograd::possible(s));
}

}  // namespace
}  // namespace iskra::kernels::testing
