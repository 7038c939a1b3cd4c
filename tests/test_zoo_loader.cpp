// Batches: what is in them, that it never depends on threads or timing, and that any place can be taken up
// again.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <thread>

#include <iskra/zoo/data/loader.h>

#include "zoo_files.h"

namespace iskra::zoo {
namespace {

constexpr int64_t kHeight = 5, kWidth = 4, kChannels = 2;

/// Pictures whose pixels tell picture, place and channel apart.
Dataset sample_data(int64_t count) {
  std::vector<uint8_t> pixels;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t p = 0; p < kHeight * kWidth * kChannels; ++p)
      pixels.push_back(static_cast<uint8_t>(1 + (i * 41 + p) % 255));
    labels.push_back(i);
  }
  std::vector<std::string> names;
  for (int64_t i = 0; i < std::max<int64_t>(count, 1); ++i) names.push_back(std::to_string(i));
  return Dataset(pixels, kHeight, kWidth, kChannels, labels, names, "sample");
}

/// A batch as plain values.
struct Plain {
  std::vector<float> images;
  std::vector<int64_t> labels;
  bool operator==(const Plain&) const = default;
};
Plain plain(const Batch& batch) {
  return {batch.images.to_vector<float>(), batch.labels.to_vector<int64_t>()};
}

std::vector<Plain> epoch_of(Loader& loader) {
  std::vector<Plain> batches;
  for (auto& batch : loader) batches.push_back(plain(batch));
  return batches;
}
std::vector<int64_t> labels_of(const std::vector<Plain>& batches) {
  std::vector<int64_t> labels;
  for (const Plain& batch : batches) labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
  return labels;
}

const LoaderOptions kAll = {.batch = 3, .shuffle = true, .seed = 5, .augment = {.flip = true, .shift = 2}};

TEST(Loader, BatchesInOrder) {
  Dataset data = sample_data(7);
  for (int workers : {0, 1}) {
    Loader loader(data, {.batch = 3, .mean = {0.25F, 0.5F}, .std = {0.5F, 2.0F}, .workers = workers});
    EXPECT_EQ(loader.batches(), 3);
    int64_t sample = 0;
    for (auto& [images, labels] : loader) {
      int64_t count = std::min<int64_t>(3, 7 - sample);
      ASSERT_EQ(images.shape(), Shape({count, kChannels, kHeight, kWidth}));
      EXPECT_EQ(images.dtype(), DType::f32);
      EXPECT_TRUE(images.is_channels_last());
      EXPECT_FALSE(images.requires_grad());
      std::vector<float> values = images.to_vector<float>();
      std::vector<int64_t> numbers = labels.to_vector<int64_t>();
      size_t at = 0;
      for (int64_t n = 0; n < count; ++n, ++sample) {
        EXPECT_EQ(numbers[static_cast<size_t>(n)], sample);
        for (int64_t c = 0; c < kChannels; ++c) {
          for (int64_t p = 0; p < kHeight * kWidth; ++p) {
            double mean = c == 0 ? 0.25 : 0.5, std = c == 0 ? 0.5 : 2;
            EXPECT_NEAR(values[at++], (data.picture(sample)[p * kChannels + c] / 255.0 - mean) / std, 1e-6);
          }
        }
      }
    }
    EXPECT_EQ(sample, 7);
  }
}

TEST(Loader, DropLastAndSmallData) {
  EXPECT_EQ(Loader(sample_data(7), {.batch = 3, .drop_last = true}).batches(), 2);
  EXPECT_EQ(Loader(sample_data(6), {.batch = 3, .drop_last = true}).batches(), 2);
  EXPECT_EQ(Loader(sample_data(6), {.batch = 3}).batches(), 2);
  Loader all(sample_data(2), {.batch = 64});
  EXPECT_EQ(labels_of(epoch_of(all)), (std::vector<int64_t>{0, 1}));
  Loader none(sample_data(2), {.batch = 3, .drop_last = true});
  EXPECT_TRUE(epoch_of(none).empty());
  Loader empty(sample_data(0), {.batch = 3});
  EXPECT_TRUE(epoch_of(empty).empty());
  Loader undefined(Dataset(), {.batch = 3});
  EXPECT_TRUE(epoch_of(undefined).empty());
}

TEST(Loader, EveryEpochShufflesAnew) {
  Loader loader(sample_data(50), {.batch = 7, .shuffle = true, .seed = 3});
  std::vector<int64_t> first = labels_of(epoch_of(loader)), second = labels_of(epoch_of(loader));
  EXPECT_EQ(loader.epoch(), 2);
  EXPECT_EQ(first, epoch_order(50, 3, 0));
  EXPECT_EQ(second, epoch_order(50, 3, 1));
  EXPECT_NE(first, second);
  EXPECT_NE(first, epoch_order(50, 4, 0));
  std::sort(first.begin(), first.end());
  for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(first[static_cast<size_t>(i)], i);
}

// Where sample 0 comes, over 2000 epochs of 8: every place equally often.
TEST(Loader, OrdersAreEven) {
  std::vector<int> places(8);
  for (int64_t epoch = 0; epoch < 2000; ++epoch) {
    std::vector<int64_t> order = epoch_order(8, 1, epoch);
    ++places[static_cast<size_t>(std::find(order.begin(), order.end(), 0) - order.begin())];
  }
  for (int count : places) EXPECT_NEAR(count, 250, 75);  // five standard deviations
}

TEST(Loader, ThreadsAndTimingChangeNothing) {
  Dataset data = sample_data(23);
  LoaderOptions options = kAll;
  options.workers = 0;
  Loader plain_loader(data, options);
  std::vector<std::vector<Plain>> expected = {epoch_of(plain_loader), epoch_of(plain_loader),
                                              epoch_of(plain_loader)};
  for (int workers : {1, 3}) {
    for (int prefetch : {1, 2, 5}) {
      options.workers = workers;
      options.prefetch = prefetch;
      // Early samples take longest, so that with several workers later batches are ready first.
      options.transform = [](uint8_t*, int64_t, int64_t sample) {
        std::this_thread::sleep_for(std::chrono::microseconds(200 - 8 * sample));
      };
      Loader loader(data, options);
      for (const auto& epoch : expected) EXPECT_EQ(epoch_of(loader), epoch);
    }
  }
}

TEST(Loader, SeekContinuesAnywhere) {
  Dataset data = sample_data(23);
  for (int workers : {0, 2}) {
    LoaderOptions options = kAll;
    options.workers = workers;
    Loader whole(data, options);
    std::vector<std::vector<Plain>> epochs = {epoch_of(whole), epoch_of(whole), epoch_of(whole)};
    Loader loader(data, options);
    for (int64_t epoch : {2, 0, 1}) {
      for (int64_t batch = 0; batch < whole.batches(); ++batch) {
        loader.seek(epoch, batch);
        EXPECT_EQ(loader.epoch(), epoch);
        EXPECT_EQ(loader.batch(), batch);
        const auto& all = epochs[static_cast<size_t>(epoch)];
        EXPECT_EQ(epoch_of(loader), std::vector<Plain>(all.begin() + batch, all.end()));
      }
    }
    loader.seek(0, whole.batches());
    EXPECT_EQ(loader.epoch(), 1);
    EXPECT_EQ(epoch_of(loader), epochs[1]);
    EXPECT_ERROR(loader.seek(0, whole.batches() + 1), "sample: no batch 9 in epoch 0; an epoch has 8");
    EXPECT_ERROR(loader.seek(-1), "sample: no batch 0 in epoch -1");
  }
}

TEST(Loader, ALoopThatWasLeftIsTakenUp) {
  Loader loader(sample_data(8), {.batch = 2});
  for (auto& batch : loader) {
    if (batch.labels.to_vector<int64_t>()[0] == 2) break;
  }
  EXPECT_EQ(loader.batch(), 2);
  EXPECT_EQ(labels_of(epoch_of(loader)), (std::vector<int64_t>{4, 5, 6, 7}));
  // Left after the last batch: the next loop walks the next epoch, not an empty rest.
  for (auto& batch : loader) {
    if (batch.labels.to_vector<int64_t>()[0] == 6) break;
  }
  EXPECT_EQ(loader.epoch(), 2);
  EXPECT_EQ(epoch_of(loader).size(), 4U);
  EXPECT_EQ(loader.epoch(), 3);
}

TEST(Loader, WorkersRunAheadByPrefetchOnly) {
  std::atomic<int> made{0};
  LoaderOptions options{.batch = 1, .workers = 2, .prefetch = 3};
  options.transform = [&](uint8_t*, int64_t, int64_t) { ++made; };
  Loader loader(sample_data(100), options);
  Batch batch;
  for (int taken = 1; taken <= 10; ++taken) {
    ASSERT_TRUE(loader.next(batch));
    EXPECT_GE(made.load(), taken);
    EXPECT_LE(made.load(), taken + 3);
  }
}

TEST(Loader, ErrorsOfWorkersReachTheCaller) {
  for (int workers : {0, 1, 3}) {
    std::atomic<bool> broken{true};
    LoaderOptions options{.batch = 2, .workers = workers};
    options.transform = [&](uint8_t*, int64_t, int64_t sample) {
      ISKRA_CHECK(sample != 5 || !broken, "picture ", sample, " is broken");
    };
    Loader loader(sample_data(8), options);
    Batch batch;
    EXPECT_TRUE(loader.next(batch));
    EXPECT_TRUE(loader.next(batch));
    EXPECT_ERROR(loader.next(batch), "picture 5 is broken");
    EXPECT_EQ(loader.batch(), 2) << "it stays at the batch that failed";
    EXPECT_ERROR(loader.next(batch), "picture 5 is broken");
    broken = false;
    EXPECT_TRUE(loader.next(batch));
    EXPECT_EQ(batch.labels.to_vector<int64_t>(), (std::vector<int64_t>{4, 5}));
  }
}

TEST(Loader, EndsCleanlyInTheMiddle) {
  Dataset data = sample_data(40);
  for (int i = 0; i < 50; ++i) {
    LoaderOptions options = kAll;
    options.workers = i % 4;
    Loader loader(data, options);
    Batch batch;
    for (int taken = 0; taken < i % 7; ++taken) loader.next(batch);
    if (i % 3 == 0) loader.seek(i, 1);
    Loader moved = std::move(loader);
    if (i % 2 == 0) moved.next(batch);
  }
}

TEST(Loader, WhatIsRefused) {
  Dataset data = sample_data(4);
  EXPECT_ERROR(Loader(data, {.batch = 0}), "sample: a batch of 0 pictures; it needs at least one");
  EXPECT_ERROR(Loader(data, {.workers = -1}), "sample: -1 loader threads; 0 … 64 are possible");
  EXPECT_ERROR(Loader(data, {.prefetch = 0}), "sample: prefetch is 0; it must be at least 1");
  EXPECT_ERROR(Loader(data, {.augment = {.shift = 4}}),
               "shifts by up to 4 pixels move pictures of 5x4 out of sight");
  EXPECT_ERROR(Loader(data, {.augment = {.shift = -1}}), "pictures cannot be shifted by up to -1 pixels");
  EXPECT_ERROR(
      Loader(data, {.mean = {0}, .std = {1}}),
      "sample: 1 means and 1 standard deviations for pictures with 2 channels; give one of each a channel");
  EXPECT_ERROR(Loader(data, {.mean = {0, 0}, .std = {1, 0}}), "it must be above 0");
}

TEST(Augment, MovesAndFlips) {
  Dataset data = sample_data(1);
  const uint8_t* from = data.picture(0);
  for (bool flip : {false, true}) {
    for (int64_t dx = -kWidth - 1; dx <= kWidth + 1; ++dx) {
      for (int64_t dy = -kHeight - 1; dy <= kHeight + 1; ++dy) {
        std::vector<uint8_t> to(kHeight * kWidth * kChannels, 0xCC);
        apply_augment({flip, dx, dy}, from, to.data(), kHeight, kWidth, kChannels);
        for (int64_t y = 0; y < kHeight; ++y) {
          for (int64_t x = 0; x < kWidth; ++x) {
            int64_t sy = y - dy, sx = x - dx;
            bool inside = sy >= 0 && sy < kHeight && sx >= 0 && sx < kWidth;
            if (flip) sx = kWidth - 1 - sx;
            for (int64_t c = 0; c < kChannels; ++c) {
              int expected = inside ? from[(sy * kWidth + sx) * kChannels + c] : 0;
              ASSERT_EQ(to[static_cast<size_t>((y * kWidth + x) * kChannels + c)], expected)
                  << "flip " << flip << " dx " << dx << " dy " << dy << " at " << y << ", " << x;
            }
          }
        }
      }
    }
  }
}

TEST(Augment, ChoicesAreEvenAndTheirOwn) {
  const Augment augment{.flip = true, .shift = 2};
  int flips = 0;
  std::vector<int> across(5), down(5);
  for (int64_t sample = 0; sample < 5000; ++sample) {
    AugmentChoice choice = choose_augment(augment, 9, 4, sample);
    flips += choice.flip;
    ++across.at(static_cast<size_t>(choice.dx + 2));
    ++down.at(static_cast<size_t>(choice.dy + 2));
  }
  EXPECT_NEAR(flips, 2500, 180);  // five standard deviations
  for (int i = 0; i < 5; ++i) {
    EXPECT_NEAR(across[static_cast<size_t>(i)], 1000, 142);
    EXPECT_NEAR(down[static_cast<size_t>(i)], 1000, 142);
  }
  // Another epoch, sample or seed is another choice; the same is the same; off is off.
  auto key = [&](uint64_t seed, int64_t epoch, int64_t sample) {
    AugmentChoice c = choose_augment({.flip = true, .shift = 1000}, seed, epoch, sample);
    return std::tuple(c.flip, c.dx, c.dy);
  };
  EXPECT_EQ(key(1, 2, 3), key(1, 2, 3));
  EXPECT_EQ((std::set{key(1, 2, 3), key(2, 1, 3), key(1, 3, 2), key(3, 2, 1), key(2, 2, 3)}.size()), 5U);
  AugmentChoice none = choose_augment({}, 1, 2, 3);
  EXPECT_TRUE(!none.flip && none.dx == 0 && none.dy == 0);
  EXPECT_EQ(choose_augment({.shift = 2}, 1, 2, 3).dx, choose_augment({.flip = true, .shift = 2}, 1, 2, 3).dx);
}

}  // namespace
}  // namespace iskra::zoo
