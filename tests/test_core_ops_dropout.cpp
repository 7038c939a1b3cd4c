// Dropout with p above 0: what it promises about its random numbers.
#include <gtest/gtest.h>

#include <cmath>

#include <iskra/core/ops.h>
#include <iskra/core/random.h>

namespace iskra {

namespace {

std::vector<float> dropped(const RngScope::Options& at, const Shape& shape, double p) {
  RngScope scope(at);
  return dropout(Tensor::ones(shape), p).to_vector<float>();
}

TEST(Dropout, KeepsTheExpectedShare) {
  for (double p : {0.1, 0.5, 0.9}) {
    std::vector<float> y = dropped({.seed = 11}, {400, 250}, p);
    double kept = 0;
    for (float v : y) {
      if (v == 0) continue;
      EXPECT_FLOAT_EQ(v, static_cast<float>(1 / (1 - p)));
      ++kept;
    }
    auto n = static_cast<double>(y.size());
    EXPECT_NEAR(kept / n, 1 - p, 5 * std::sqrt(p * (1 - p) / n)) << "p " << p;
  }
}

TEST(Dropout, NeighboursAreIndependent) {
  std::vector<float> y = dropped({.seed = 5}, {100000}, 0.5);
  auto n = static_cast<double>(y.size());
  for (size_t distance : {1, 2, 3, 4, 8, 1024}) {
    double together = 0;
    for (size_t i = 0; i + distance < y.size(); ++i) together += y[i] != 0 && y[i + distance] != 0;
    EXPECT_NEAR(together / n, 0.25, 0.25 * 0.04) << "distance " << distance;
  }
}

TEST(Dropout, BackwardUsesTheSameMask) {
  for (DType dtype : {DType::f32, DType::f64}) {
    RngScope scope({.seed = 2, .step = 9});
    Tensor x = normal({37, 53}, 3, 0.5, {.dtype = dtype});
    Tensor dy = normal({37, 53}, 3, 0.5, {.dtype = dtype});
    x.set_requires_grad();
    Tensor y = dropout(x, 0.25);
    backward(y, dy);
    auto ys = y.to_vector<double>(), xs = x.to_vector<double>(), dys = dy.to_vector<double>();
    auto dxs = x.grad().to_vector<double>();
    for (size_t i = 0; i < ys.size(); ++i) {
      double factor = ys[i] == 0 ? 0 : 1 / 0.75;
      ASSERT_NEAR(ys[i], xs[i] * factor, 1e-6 * std::abs(xs[i])) << i;
      ASSERT_NEAR(dxs[i], dys[i] * factor, 1e-6 * std::abs(dys[i])) << i;
    }
  }
}

TEST(Dropout, DependsOnSeedStepAndCallAlone) {
  const Shape shape = {1000};
  auto base = dropped({.seed = 1}, shape, 0.5);
  EXPECT_EQ(base, dropped({.seed = 1}, shape, 0.5));
  EXPECT_NE(base, dropped({.seed = 2}, shape, 0.5));
  EXPECT_NE(base, dropped({.seed = 1, .step = 1}, shape, 0.5));
  RngScope scope({.seed = 1});
  Tensor ones = Tensor::ones(shape);
  EXPECT_EQ(dropout(ones, 0.5).to_vector<float>(), base);
  EXPECT_NE(dropout(ones, 0.5).to_vector<float>(), base) << "the second call at one place";
}

TEST(Dropout, PlaceKeysTheMask) {
  auto at_place = [](const char* outer, const char* inner) {
    RngScope scope({.seed = 1});
    RngPlace a(outer), b(inner);
    return dropout(Tensor::ones({1000}), 0.5).to_vector<float>();
  };
  EXPECT_EQ(at_place("blocks.0", "drop"), at_place("blocks.0", "drop"));
  EXPECT_NE(at_place("blocks.0", "drop"), at_place("blocks.1", "drop"));
  EXPECT_NE(at_place("a", "b"), at_place("b", "a"));
}

TEST(Dropout, ShardsOfABatchDrawWhatTheWholeBatchDraws) {
  std::vector<float> whole = dropped({.seed = 6, .step = 2}, {7, 5, 3}, 0.5), joined;
  for (auto [first, count] : {std::pair<int64_t, int64_t>{0, 2}, {2, 4}, {6, 1}}) {
    std::vector<float> shard = dropped({.seed = 6, .step = 2, .first_sample = first}, {count, 5, 3}, 0.5);
    joined.insert(joined.end(), shard.begin(), shard.end());
  }
  EXPECT_EQ(joined, whole);
}

TEST(Dropout, OfChannelsLastMemoryDrawsTheSameNumbers) {
  RngScope::Options at{.seed = 8};
  std::vector<float> plain = dropped(at, {2, 3, 4, 5}, 0.5);
  RngScope scope(at);
  Tensor x = Tensor::full({2, 3, 4, 5}, 1, {.layout = Layout::channels_last});
  EXPECT_EQ(dropout(x, 0.5).to_vector<float>(), plain);
}

}  // namespace

}  // namespace iskra
