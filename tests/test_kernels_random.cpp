// Philox against its published vectors, and what is made of it: moments, and independence of layout, offset,
// threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/philox.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

// Known answers from the Random123 distribution (kat_vectors, philox4x32 with 10 rounds).
TEST(Philox, GivesThePublishedNumbers) {
  struct Case {
    PhiloxBlock counter;
    uint32_t key[2];
    PhiloxBlock want;
  };
  const Case cases[] = {
      {{{0, 0, 0, 0}}, {0, 0}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
       {0xffffffff, 0xffffffff},
       {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
       {0xa4093822, 0x299f31d0},
       {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const Case& at : cases) {
    PhiloxBlock got = philox(at.counter, at.key[0], at.key[1]);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(got.word[i], at.want.word[i]) << i;
  }
}

TEST(Philox, StreamsAreRepeatableDistinctAndUniform) {
  PhiloxStream a(1, 2, 3), same(1, 2, 3), other(1, 2, 4);
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    uint32_t word = a.next();
    EXPECT_EQ(word, same.next());
    equal += word == other.next() ? 1 : 0;
  }
  EXPECT_LE(equal, 1);
  PhiloxStream stream(5, 6, 7);
  std::vector<int> counts(7, 0);
  double sum = 0;
  for (int i = 0; i < 70000; ++i) {
    int64_t value = stream.below(7);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 7);
    ++counts[static_cast<size_t>(value)];
    float u = stream.uniform(-2.0F, 4.0F);
    ASSERT_GE(u, -2.0F);
    ASSERT_LT(u, 4.0F);
    sum += static_cast<double>(u);
  }
  for (int count : counts) EXPECT_NEAR(count, 10000, 500);  // five standard deviations
  EXPECT_NEAR(sum / 70000, 1.0, 0.035);
  EXPECT_EQ(stream.below(1), 0);
  EXPECT_THROW(stream.below(0), Error);
}

class Random : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype = GetParam();
  static RngKey key(int64_t first = 0) { return {42, 7, nullptr, first}; }
};

// Element i takes word (first + i) % 4 of block (first + i) / 4 under the key of seed and place.
TEST_P(Random, UniformFollowsItsFormula) {
  for (int64_t first : {int64_t{0}, int64_t{1}, int64_t{6}, (int64_t{1} << 34) + 3}) {
    int64_t step = (int64_t{1} << 33) + 5;
    Array y(dtype, {1021});
    random_uniform(on(2), y.view(), -3, 5, {42, 7, &step, first});
    for (int64_t i = 0; i < y.numel(); ++i) {
      const uint64_t at = static_cast<uint64_t>(first + i);
      const uint32_t word = philox(at / 4, static_cast<uint64_t>(step), philox_key(42, 7)).word[at % 4];
      ASSERT_EQ(y.get(i), -3 + 8 * static_cast<double>(word >> 8) / 16777216.0);
    }
  }
}

TEST_P(Random, LayoutOffsetAndThreadsChangeNothing) {
  const Shape shape{3, 17, 31, 23};
  const int64_t half = shape.numel() / 3;
  auto same_everywhere = [&](auto draw) -> int64_t {
    Array rows(dtype, shape), last(dtype, shape, channels_last_strides(shape));
    draw(on(1), rows.view(), key());
    draw(on(3), last.view(), key());
    for (int64_t i = 0; i < rows.numel(); ++i) EXPECT_EQ(rows.get(i), last.get(i)) << i;
    Array again(dtype, shape);
    draw(on(2), again.view(), key());
    expect_same_bits(again, rows, "threads");
    // The second sample alone, as another rank would draw it.
    Array part(dtype, {1, 17, 31, 23});
    draw(on(1), part.view(), key(half));
    for (int64_t i = 0; i < half; ++i) EXPECT_EQ(part.get(i), rows.get(half + i)) << i;
    Array other(dtype, shape);
    int64_t step = 1;
    draw(on(1), other.view(), {42, 7, &step, 0});
    int64_t equal = 0;
    for (int64_t i = 0; i < rows.numel(); ++i) equal += rows.get(i) == other.get(i) ? 1 : 0;
    return equal;
  };
  EXPECT_LE(same_everywhere([](auto on, MutView y, RngKey k) { random_uniform(on, y, 0, 1, k); }), 3);
  EXPECT_LE(same_everywhere([](auto on, MutView y, RngKey k) { random_normal(on, y, 0, 1, 0, k); }), 3);
  EXPECT_LE(same_everywhere([](auto on, MutView y, RngKey k) { random_normal(on, y, 0, 1, 2, k); }), 3);
  const int64_t kept_or_dropped_alike = same_everywhere([](auto on, MutView y, RngKey k) {
    fill(on, y, 1);
    dropout(on, y, 0.25F, k, y);
  });
  EXPECT_NEAR(static_cast<double>(kept_or_dropped_alike), 0.625 * static_cast<double>(shape.numel()), 600);
}

struct Moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0, neighbours = 0;
};
Moments moments_of(const Array& y) {
  Moments m;
  const double n = static_cast<double>(y.numel());
  for (int64_t i = 0; i < y.numel(); ++i) m.mean += y.get(i) / n;
  for (int64_t i = 0; i < y.numel(); ++i) {
    const double d = y.get(i) - m.mean;
    m.variance += d * d / n;
    m.skewness += d * d * d / n;
    m.kurtosis += d * d * d * d / n;
    if (i > 0) m.neighbours += d * (y.get(i - 1) - m.mean) / n;
  }
  return m;
}

TEST_P(Random, MomentsOfUniformAndNormal) {
  Array y(dtype, {400000});  // standard error of a mean of unit variance: 0.0016
  random_uniform(on(), y.view(), 0, 1, key());
  Moments uniform = moments_of(y);
  EXPECT_NEAR(uniform.mean, 0.5, 0.003);
  EXPECT_NEAR(uniform.variance, 1.0 / 12, 0.001);
  EXPECT_NEAR(uniform.neighbours, 0, 0.001);

  random_normal(on(), y.view(), 0, 1, 0, key());
  Moments normal = moments_of(y);
  EXPECT_NEAR(normal.mean, 0, 0.008);
  EXPECT_NEAR(normal.variance, 1, 0.012);
  EXPECT_NEAR(normal.skewness, 0, 0.03);
  EXPECT_NEAR(normal.kurtosis, 3, 0.09);
  EXPECT_NEAR(normal.neighbours, 0, 0.008);

  // Cut at two deviations: the variance of the truncated normal distribution is 0.7737.
  random_normal(on(), y.view(), 3, 0.5, 2, key());
  Moments cut = moments_of(y);
  EXPECT_NEAR(cut.mean, 3, 0.004);
  EXPECT_NEAR(cut.variance, 0.25 * 0.77374, 0.003);
  for (int64_t i = 0; i < y.numel(); ++i) ASSERT_LE(std::abs(y.get(i) - 3), 1.0 + 1e-6);
}

// The share of numbers below x is Phi(x), also far out (Kolmogorov's distance, five times its usual size).
TEST_P(Random, NormalNumbersAreNormal) {
  const int64_t n = 200000;
  Array y(dtype, {n});
  random_normal(on(), y.view(), 0, 1, 0, key());
  std::vector<double> sorted;
  for (int64_t i = 0; i < n; ++i) sorted.push_back(y.get(i));
  std::sort(sorted.begin(), sorted.end());
  double distance = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double below = 0.5 * std::erfc(-sorted[static_cast<size_t>(i)] / std::sqrt(2.0));
    distance = std::max(distance, std::abs(below - static_cast<double>(i) / static_cast<double>(n)));
  }
  EXPECT_LE(distance, 1.95 / std::sqrt(static_cast<double>(n)));
  EXPECT_GT(sorted.back(), 3.8);
  EXPECT_LT(sorted.front(), -3.8);
}

TEST_P(Random, DropoutKeepsWhatTheUniformNumberSays) {
  const int64_t n = 100003;
  Array x = Array::random(dtype, {n}, 41), u(dtype, {n}), y(dtype, {n});
  random_uniform(on(), u.view(), 0, 1, key(5));
  for (float p : {0.0F, 0.1F, 0.5F, 1.0F}) {
    dropout(on(2), x.view(), p, key(5), y.view());
    for (int64_t i = 0; i < n; ++i) {
      const double want = u.get(i) >= static_cast<double>(p) ? x.get(i) / (1 - static_cast<double>(p)) : 0;
      ASSERT_NEAR(y.get(i), want, 1e-6) << i << " " << p;
    }
  }
  dropout(on(), x.view(), 0.3F, key(), y.view());
  dropout(on(3), x.view(), 0.3F, key(), x.view());
  expect_same_bits(x, y, "in place");
  EXPECT_THROW(dropout(on(), x.view(), 1.5F, key(), y.view()), Error);
}

TEST_P(Random, EmptyAndSingle) {
  Array none(dtype, {0, 3}), one(dtype, {});
  random_uniform(on(), none.view(), 0, 1, key());
  random_normal(on(), one.view(), 10, 0.001, 0, key());
  EXPECT_NEAR(one.get(0), 10, 0.01);
}

INSTANTIATE_TEST_SUITE_P(Kernels, Random, ::testing::Values(DType::f32, DType::f64),
                         [](const auto& at) { return std::string(name_of(at.param)); });

// 16-bit numbers are the f32 numbers of the same draw with fewer bits, inside the range, and spread evenly.
template <class S>
void check_half_draws(double step) {
  const int64_t n = 100003;
  const RngKey key{.seed = 3, .place = 4};
  std::vector<S> drawn(static_cast<size_t>(n));
  std::vector<float> wide(drawn.size()), exact(drawn.size());
  const MutView half{drawn.data(), dtype_of<S>, {n}, {1}}, as_float{wide.data(), DType::f32, {n}, {1}};
  const MutView f32{exact.data(), DType::f32, {n}, {1}};
  random_uniform(on(3), half, 0, 1, key);
  random_uniform(on(), f32, 0, 1, key);
  copy(on(), half, as_float);
  for (size_t i = 0; i < wide.size(); ++i)
    ASSERT_EQ(static_cast<double>(wide[i]), std::floor(static_cast<double>(exact[i]) / step) * step) << i;
  random_uniform(on(), half, -3, 5, key);
  copy(on(), half, as_float);
  for (float u : wide) ASSERT_TRUE(u >= -3.0F && u < 5.0F) << u;
  random_normal(on(2), half, 1, 2, 0, key);
  random_normal(on(), f32, 1, 2, 0, key);
  copy(on(), half, as_float);
  std::vector<S> rounded(drawn.size());
  copy(on(), f32, MutView{rounded.data(), dtype_of<S>, {n}, {1}});
  for (size_t i = 0; i < rounded.size(); ++i) ASSERT_EQ(drawn[i].bits, rounded[i].bits) << i;
}

TEST(Random, HalvesAreDrawnInF32) {
  check_half_draws<bf16>(0x1p-8);
  check_half_draws<f16>(0x1p-11);
}

TEST(Random, HalvesAreDroppedAsTheirUniformNumbersSay) {
  constexpr int64_t kCount = 5003;
  const RngKey key{.seed = 3, .place = 4, .first = 6};
  Array u(DType::f32, {kCount});
  random_uniform(on(), u.view(), 0, 1, key);
  for (DType dtype : {DType::bf16, DType::f16}) {
    Array x = Array::random(dtype, {kCount}, 9), y(dtype, {kCount});
    dropout(on(2), x.view(), 0.5F, key, y.view());
    for (int64_t i = 0; i < kCount; ++i) ASSERT_EQ(y.get(i), u.get(i) < 0.5 ? 0 : 2 * x.get(i)) << i;
  }
}

TEST(Random, BernoulliComesAsOftenAsAsked) {
  const int64_t n = 90000;
  for (float p : {0.0F, 0.25F, 1.0F}) {
    std::vector<float> chance(static_cast<size_t>(n), p);
    std::vector<uint8_t> once(chance.size()), again(chance.size());
    const View chances{chance.data(), DType::f32, {n}, {1}};
    const RngKey key{.seed = 5, .place = 6};
    random_bernoulli(on(), chances, key, MutView{once.data(), DType::boolean, {n}, {1}});
    random_bernoulli(on(3), chances, key, MutView{again.data(), DType::boolean, {n}, {1}});
    EXPECT_EQ(once, again);
    const double share =
        static_cast<double>(std::count(once.begin(), once.end(), 1)) / static_cast<double>(n);
    EXPECT_NEAR(share, static_cast<double>(p),
                5 * std::sqrt(0.25 * 0.75 / static_cast<double>(n)) * (p > 0 && p < 1));
  }
}

TEST(Random, IntegersFillTheirRangeEvenly) {
  const int64_t n = 70000, range = 7;
  std::vector<int64_t> once(static_cast<size_t>(n)), again(once.size());
  random_integers(on(), MutView{once.data(), DType::i64, {n}, {1}}, -3, range, {.seed = 7});
  random_integers(on(2), MutView{again.data(), DType::i64, {n}, {1}}, -3, range, {.seed = 7});
  EXPECT_EQ(once, again);
  for (int64_t value = -3; value < 4; ++value)
    EXPECT_NEAR(static_cast<double>(std::count(once.begin(), once.end(), value)), 10000, 5 * 93) << value;
  EXPECT_EQ(*std::min_element(once.begin(), once.end()), -3);
  EXPECT_EQ(*std::max_element(once.begin(), once.end()), 3);
}

}  // namespace
}  // namespace iskra::kernels::testing
