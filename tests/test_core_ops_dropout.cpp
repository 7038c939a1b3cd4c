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
  // Tiles of 64 pixels and 16 channels: less, more and a rest; picture sizes of any remainder by four.
  for (const Shape& shape : {Shape{2, 3, 4, 5}, {1, 1, 3, 3}, {3, 33, 9, 15}, {2, 16, 8, 8}, {1, 70, 1, 1}}) {
    RngScope::Options at{.seed = 8, .first_sample = 3};
    std::vector<float> plain = dropped(at, shape, 0.5);
    RngScope scope(at);
    Tensor x = Tensor::full(shape, 1, {.layout = Layout::channels_last});
    EXPECT_EQ(dropout(x, 0.5).to_vector<float>(), plain) << shape.str();
  }
}

TEST(Dropout, Of16BitElementsDropsTheSame) {
  std::vector<float> want = dropped({.seed = 4}, {7, 111}, 0.5);
  for (DType dtype : {DType::bf16, DType::f16, DType::f64}) {
    RngScope scope({.seed = 4});
    EXPECT_EQ(dropout(Tensor::ones({7, 111}, {.dtype = dtype}), 0.5).to_vector<float>(), want)
        << name_of(dtype);
  }
}

// Of ones: every sample whole or nothing, in the expected share.
TEST(StochasticDepth, KeepsWholeSamples) {
  RngScope scope({.seed = 3});
  std::vector<float> y = stochastic_depth(Tensor::ones({20000, 3, 2}), 0.25).to_vector<float>();
  double kept = 0;
  for (size_t n = 0; n < 20000; ++n) {
    for (size_t i = 1; i < 6; ++i) ASSERT_EQ(y[6 * n + i], y[6 * n]);
    ASSERT_TRUE(y[6 * n] == 0 || std::abs(y[6 * n] - 4.0F / 3) < 1e-6F) << y[6 * n];
    kept += y[6 * n] != 0;
  }
  EXPECT_NEAR(kept / 20000, 0.75, 5 * std::sqrt(0.75 * 0.25 / 20000));
}

TEST(StochasticDepth, ShardsOfABatchDrawWhatTheWholeBatchDraws) {
  for (auto op : {stochastic_depth, dropout2d}) {
    auto part = [op](int64_t first, int64_t count) {
      RngScope scope({.seed = 6, .step = 2, .first_sample = first});
      return op(Tensor::ones({count, 5, 3}), 0.5, Caller::current()).to_vector<float>();
    };
    std::vector<float> joined;
    for (auto [first, count] : {std::pair<int64_t, int64_t>{0, 20}, {20, 1}, {21, 43}}) {
      std::vector<float> shard = part(first, count);
      joined.insert(joined.end(), shard.begin(), shard.end());
    }
    EXPECT_EQ(joined, part(0, 64));
  }
}

TEST(StochasticDepth, BackwardUsesTheSameFactors) {
  for (DType dtype : {DType::f32, DType::bf16}) {
    RngScope scope({.seed = 2});
    Tensor x = Tensor::full({64, 3, 4, 5}, 2, {.dtype = dtype, .layout = Layout::channels_last});
    x.set_requires_grad();
    Tensor y = stochastic_depth(x, 0.5);
    EXPECT_EQ(y.dtype(), dtype);
    backward(y, Tensor::full(y.shape(), 2, {.dtype = dtype}));
    EXPECT_EQ(x.grad().to_vector<float>(), y.to_vector<float>());
  }
}

TEST(Dropout2d, KeepsWholeChannels) {
  RngScope scope({.seed = 3});
  Tensor x = Tensor::full({40, 50, 2, 3}, 1, {.layout = Layout::channels_last});
  std::vector<float> y = dropout2d(x, 0.5).to_vector<float>();
  double kept = 0;
  for (size_t n = 0; n < 2000; ++n) {
    for (size_t i = 1; i < 6; ++i) ASSERT_EQ(y[6 * n + i], y[6 * n]);
    kept += y[6 * n] != 0;
  }
  EXPECT_NEAR(kept / 2000, 0.5, 5 * 0.5 / std::sqrt(2000));
}

}  // namespace

}  // namespace iskra
