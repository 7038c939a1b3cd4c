// Pictures in memory and their subsets.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include <iskra/zoo/data/dataset.h>

#include "zoo_files.h"

namespace iskra::zoo {
namespace {

using Labels = std::vector<int64_t>;

/// Pictures of 2x3x2 whose every pixel is the picture's number; labels go round.
Dataset numbered(int64_t count, int64_t classes) {
  std::vector<uint8_t> pixels;
  Labels labels;
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) {
    pixels.insert(pixels.end(), 12, static_cast<uint8_t>(i));
    labels.push_back(i % classes);
  }
  for (int64_t c = 0; c < classes; ++c) names.push_back("class " + std::to_string(c));
  return Dataset(pixels, 2, 3, 2, labels, names, "numbered");
}

std::vector<int> numbers(const Dataset& data) {
  std::vector<int> out;
  for (int64_t i = 0; i < data.size(); ++i) out.push_back(data.picture(i)[11]);
  return out;
}

TEST(Dataset, WhatItIs) {
  Dataset data = numbered(7, 3);
  EXPECT_EQ(data.size(), 7);
  EXPECT_EQ(data.picture_bytes(), 12);
  EXPECT_EQ(data.class_count(), 3);
  EXPECT_EQ(data.counts(), (Labels{3, 2, 2}));
  EXPECT_EQ(data.str(), "7 pictures 2x3x2, 3 classes, from numbered");
  Tensor pictures = data.pictures(5, 7);
  EXPECT_EQ(pictures.shape(), Shape({2, 2, 3, 2}));
  EXPECT_EQ(pictures.to_vector<uint8_t>(), ([] {
              std::vector<uint8_t> expected(12, 5);
              expected.insert(expected.end(), 12, 6);
              return expected;
            })());
  EXPECT_EQ(data.pictures(2, 2).shape(), Shape({0, 2, 3, 2}));
  EXPECT_TRUE(Dataset().empty());
  EXPECT_ERROR(data.picture(7), "numbered: no picture 7; there are 7");
  EXPECT_ERROR(data.pictures(3, 8), "numbered: no pictures 3 … 8; there are 7");
}

TEST(Dataset, WhatIsRefused) {
  std::vector<uint8_t> pixels(12);
  EXPECT_ERROR(Dataset(pixels, 2, 3, 2, {0, 0}, {"a"}, "x"),
               "x: 2 labels, but 12 bytes of pixels are no 2 pictures of 2x3x2");
  EXPECT_ERROR(
      Dataset(pixels, 2, 3, 2, {1}, {"a"}, "x"),
      "x: picture 0 has label 1, but there are 1 class names (labels 0 … 0); give a name for every label");
  EXPECT_ERROR(Dataset(pixels, 2, 3, 2, {-1}, {"a"}, "x"), "x: picture 0 has label -1");
  EXPECT_ERROR(Dataset(pixels, 0, 3, 2, {0}, {"a"}, "x"), "x: pictures of 0x3x2 have no pixels");
}

TEST(Dataset, SelectClassesRelabels) {
  Dataset chosen = numbered(10, 5).select_classes({4, 1});
  EXPECT_EQ(numbers(chosen), (std::vector<int>{1, 4, 6, 9}));
  EXPECT_EQ(chosen.labels(), (Labels{1, 0, 1, 0}));
  EXPECT_EQ(chosen.classes(), (std::vector<std::string>{"class 4", "class 1"}));
  EXPECT_ERROR(numbered(10, 5).select_classes({5}), "numbered: no class 5; there are 5 (0 … 4)");
  EXPECT_ERROR(numbered(10, 5).select_classes({1, 1}), "numbered: class 1 is chosen twice");
}

TEST(Dataset, SubsetsOfSubsetsSharePixels) {
  Dataset data = numbered(20, 4);
  Dataset even = data.subset({0, 2, 4, 6, 8, 10});
  EXPECT_EQ(numbers(even.subset({5, 0, 0})), (std::vector<int>{10, 0, 0}));
  EXPECT_EQ(even.picture(1), data.picture(2));
  EXPECT_ERROR(data.subset({20}), "numbered: no picture 20; there are 20");
}

TEST(Dataset, TakePerClass) {
  Dataset data = numbered(103, 5);
  Dataset taken = data.take_per_class(7, 1);
  EXPECT_EQ(taken.counts(), Labels(5, 7));
  std::vector<int> order = numbers(taken);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 35U) << "none twice";
  for (int64_t i = 0; i < taken.size(); ++i) EXPECT_EQ(taken.label(i), order[static_cast<size_t>(i)] % 5);
  EXPECT_EQ(numbers(data.take_per_class(7, 1)), order);
  EXPECT_NE(numbers(data.take_per_class(7, 2)), order);
  EXPECT_EQ(data.take_per_class(21, 1).counts(), (Labels{21, 21, 21, 20, 20}))
      << "all of a class that has fewer";
  EXPECT_TRUE(data.take_per_class(0, 1).empty());
}

/// Both parts together are the whole, and each keeps its order.
void expect_parts_of(const Dataset& whole, const std::pair<Dataset, Dataset>& parts) {
  std::vector<int> first = numbers(parts.first), second = numbers(parts.second), all = first;
  all.insert(all.end(), second.begin(), second.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, numbers(whole));
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()) && std::is_sorted(second.begin(), second.end()));
}

TEST(Dataset, Split) {
  Dataset data = numbered(100, 4);
  auto parts = data.split(0.2, 3);
  expect_parts_of(data, parts);
  EXPECT_EQ(parts.second.counts(), Labels(4, 5));
  EXPECT_EQ(numbers(data.split(0.2, 3).second), numbers(parts.second));
  EXPECT_NE(numbers(data.split(0.2, 4).second), numbers(parts.second));
  EXPECT_TRUE(data.split(0, 3).second.empty());
  EXPECT_EQ(numbered(7, 3).split(0.01, 1).second.counts(), Labels(3, 1)) << "at least one of each";
  EXPECT_EQ(numbered(7, 3).split(0.99, 1).first.counts(), Labels(3, 1));
  EXPECT_EQ(numbered(3, 3).split(0.5, 1).second.counts(), Labels(3, 0)) << "an only picture stays";
  EXPECT_ERROR(data.split(1, 1), "numbered: cannot split off a share of 1;");
  EXPECT_ERROR(data.split(-0.1, 1), "it must be at least 0 and below 1");
}

TEST(Dataset, SplitPerClass) {
  Dataset data = numbered(101, 4);
  auto parts = data.split_per_class(6, 3);
  expect_parts_of(data, parts);
  EXPECT_EQ(parts.second.counts(), Labels(4, 6));
  EXPECT_ERROR(data.split_per_class(26, 1),
               "numbered: cannot split off 26 pictures of class class 1, which has 25");
}

// Whether a picture is chosen is near to even and independent between seeds: 1000 draws of 2 out of 10
// pictures.
TEST(Dataset, ChoicesAreEven) {
  Dataset data = numbered(10, 1);
  std::vector<int> chosen(10);
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    for (int i : numbers(data.take_per_class(2, seed))) ++chosen[static_cast<size_t>(i)];
  }
  // Each count is binomial with mean 200 and standard deviation 12.6.
  for (int count : chosen) EXPECT_NEAR(count, 200, 60);
}

TEST(Dataset, WhatCannotBeTrainedOn) {
  check_trainable(numbered(4, 2));
  EXPECT_ERROR(check_trainable(numbered(0, 2)), "numbered: has no pictures to train on");
  EXPECT_ERROR(check_trainable(numbered(5, 1)),
               "numbered: has one class only; training needs at least two to tell apart");
  EXPECT_ERROR(
      check_trainable(numbered(6, 3).subset({1, 4})),
      "numbered: all 2 pictures are of one class (class 1); training needs at least two to tell apart");
  EXPECT_ERROR(check_trainable(numbered(6, 3).subset({0, 1})), "numbered: class class 2 has no pictures");
}

TEST(Dataset, PixelStatistics) {
  // Channel 0: 0 and 255 in equal parts; channel 1: 51 everywhere.
  Dataset data({0, 51, 255, 51}, 1, 2, 2, {0}, {"a"}, "two pixels");
  PixelStatistics statistics = pixel_statistics(data);
  EXPECT_EQ(statistics.mean, (std::vector<float>{0.5F, 0.2F}));
  EXPECT_NEAR(statistics.std[0], 0.5, 1e-6);
  EXPECT_NEAR(statistics.std[1], 0, 1e-6);
  EXPECT_ERROR(pixel_statistics(numbered(0, 2)), "no mean and no standard deviation");
}

}  // namespace
}  // namespace iskra::zoo
