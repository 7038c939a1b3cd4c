// Sorting, searching and running sums on rows longer than a block, and on 1, 2 and 3 threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <iskra/kernels/kernels.h>
#include "kernel_scratch.h"

namespace iskra::kernels::testing {
namespace {

constexpr int64_t kLong = 3 * 65536 + 4099;  // several blocks, the last a short one

template <class T>
MutView flat(std::vector<T>& v) {
  return {v.data(), dtype_of<T>, {static_cast<int64_t>(v.size())}, {1}};
}

// Numbers from -range to range with many ties, or with few.
template <class T>
std::vector<T> numbers(int64_t n, int64_t range, uint64_t seed) {
  std::vector<T> x(static_cast<size_t>(n));
  for (T& value : x) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    value = static_cast<T>(static_cast<int64_t>(seed >> 20) % range);
  }
  return x;
}

// The places of a stable sort.
template <class T>
std::vector<int64_t> sorted_places(const std::vector<T>& x, bool descending) {
  std::vector<int64_t> places(x.size());
  std::iota(places.begin(), places.end(), 0);
  // Not std::stable_sort: clang finds it deprecated in the library of g++ 12.
  std::sort(places.begin(), places.end(), [&](int64_t a, int64_t b) {
    const T va = x[static_cast<size_t>(a)], vb = x[static_cast<size_t>(b)];
    if (va == vb) return a < b;
    return descending ? vb < va : va < vb;
  });
  return places;
}

template <class T>
void check_long_sort(int64_t range, bool descending) {
  HeapScratch scratch;
  std::vector<T> x = numbers<T>(kLong, range, 5);
  const std::vector<int64_t> want = sorted_places(x, descending);
  for (int threads : {1, 2, 3}) {
    std::vector<T> values(x.size());
    std::vector<int64_t> places(x.size());
    sort(Cpu{.threads = threads, .scratch = &scratch}, flat(x), descending, flat(values), flat(places));
    ASSERT_EQ(places, want) << threads;
    for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(values[i], x[static_cast<size_t>(want[i])]);
    scratch.clear();
  }
}

TEST(Order, SortsLongRowsOfNarrowKeys) {
  check_long_sort<float>(int64_t{1} << 40, false);
  check_long_sort<float>(100, true);
  check_long_sort<int32_t>(int64_t{1} << 30, true);
}

TEST(Order, SortsLongRowsOfWideKeys) {
  check_long_sort<double>(int64_t{1} << 43, true);
  check_long_sort<int64_t>(1000, false);
}

TEST(Order, FindsTheBestOfLongRows) {
  HeapScratch scratch;
  std::vector<float> x = numbers<float>(kLong, 50000, 6);
  for (int64_t k : {7, 100, 70000}) {
    for (bool largest : {true, false}) {
      const std::vector<int64_t> order = sorted_places(x, largest);
      for (int threads : {1, 3}) {
        std::vector<float> values(static_cast<size_t>(k));
        std::vector<int64_t> places(values.size());
        topk(Cpu{.threads = threads, .scratch = &scratch}, flat(x), largest, flat(values), flat(places));
        ASSERT_TRUE(std::equal(places.begin(), places.end(), order.begin())) << k << " " << largest;
        scratch.clear();
      }
    }
  }
}

template <class T>
void check_long_extremes() {
  HeapScratch scratch;
  std::vector<T> x = numbers<T>(2 * kLong, 1000, 7);
  for (int threads : {1, 2}) {
    std::vector<int64_t> most(2), least(2);
    const Cpu on{.threads = threads, .scratch = &scratch};
    const View rows{x.data(), dtype_of<T>, {2, kLong}, {kLong, 1}};
    argmax(on, rows, flat(most));
    argmin(on, rows, flat(least));
    for (int64_t r = 0; r < 2; ++r) {
      auto begin = x.begin() + r * kLong;
      EXPECT_EQ(most[static_cast<size_t>(r)], std::max_element(begin, begin + kLong) - begin);
      EXPECT_EQ(least[static_cast<size_t>(r)], std::min_element(begin, begin + kLong) - begin);
    }
  }
}

TEST(Order, FindsExtremesOfLongRows) {
  check_long_extremes<float>();
  check_long_extremes<double>();
  check_long_extremes<int64_t>();
  check_long_extremes<int32_t>();
  check_long_extremes<uint8_t>();
}

// The place of an infinity or NaN anywhere in a row, among numbers that are all minus infinity.
TEST(Order, FindsExtremesAmongInfinities) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (float special : {nan, inf, 0.0F})
    for (size_t place : {0, 1, 2047, 2048, 4999}) {
      std::vector<float> x(5000, -inf);
      x[place] = special;
      std::vector<int64_t> most(1), least(1);
      argmax(Cpu{}, flat(x), flat(most));
      EXPECT_EQ(most[0], static_cast<int64_t>(place)) << special;
      argmin(Cpu{}, flat(x), flat(least));
      EXPECT_EQ(least[0], std::isnan(special) ? static_cast<int64_t>(place) : (place == 0 ? 1 : 0))
          << special;
    }
  std::vector<float> all(5000, -inf);
  std::vector<int64_t> most(1, -1);
  argmax(Cpu{}, flat(all), flat(most));
  EXPECT_EQ(most[0], 0);
}

TEST(Order, AddsUpLongLines) {
  HeapScratch scratch;
  std::vector<float> x = numbers<float>(2 * kLong, 1000, 8);
  for (bool reverse : {false, true})
    for (int axis : {0, 1}) {
      const Shape shape = axis == 0 ? Shape{kLong, 2} : Shape{2, kLong};
      const View from{x.data(), DType::f32, shape, contiguous_strides(shape)};
      std::vector<float> want(x.size());
      const int64_t along = axis == 0 ? 2 : 1, across = axis == 0 ? 1 : kLong;
      for (int64_t line = 0; line < 2; ++line) {
        double total = 0;  // whole numbers: exact in any order
        for (int64_t i = 0; i < kLong; ++i) {
          const auto at = static_cast<size_t>(line * across + (reverse ? kLong - 1 - i : i) * along);
          total += static_cast<double>(x[at]);
          want[at] = static_cast<float>(total);
        }
      }
      for (int threads : {1, 3}) {
        std::vector<float> y(x.size());
        cumsum(Cpu{.threads = threads, .scratch = &scratch}, from, axis, reverse,
               MutView{y.data(), DType::f32, shape, from.stride});
        ASSERT_EQ(y, want) << axis << " " << reverse << " " << threads;
        scratch.clear();
      }
    }
}

TEST(Order, PermutesTheSameOnAllThreads) {
  HeapScratch scratch;
  std::vector<int64_t> once(static_cast<size_t>(kLong)), again(once.size()), other(once.size());
  permutation(Cpu{.threads = 1, .scratch = &scratch}, {.seed = 1, .place = 2}, flat(once));
  permutation(Cpu{.threads = 3, .scratch = &scratch}, {.seed = 1, .place = 2}, flat(again));
  permutation(Cpu{.threads = 3, .scratch = &scratch}, {.seed = 1, .place = 3}, flat(other));
  EXPECT_EQ(once, again);
  EXPECT_NE(once, other);
  std::vector<int64_t> sorted = once;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) ASSERT_EQ(sorted[i], static_cast<int64_t>(i));
}

}  // namespace
}  // namespace iskra::kernels::testing
