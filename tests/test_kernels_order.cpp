// Sorting and searching: rows longer than a block, on 1, 2 and 3 threads; every type at the lengths where
// tiles and lanes end, with ties, NaN, infinities and both zeros. On both devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include <iskra/kernels/half.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/philox.h>
#include "kernel_arrays.h"
#include "kernel_scratch.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

constexpr int64_t kLong = kOnCuda ? 9 * 2048 + 77 : 3 * 65536 + 4099;  // several blocks, the last a short one

template <class T>
MutView flat(std::vector<T>& v) {
  return {v.data(), dtype_of<T>, {static_cast<int64_t>(v.size())}, {1}};
}

double to_double(float x) { return static_cast<double>(x); }
double to_double(double x) { return x; }
double to_double(bf16 x) { return static_cast<double>(to_float(x)); }
double to_double(f16 x) { return static_cast<double>(to_float(x)); }
template <class T>
T from_double(double x) {
  if constexpr (std::is_same_v<T, bf16>)
    return to_bf16(x);
  else if constexpr (std::is_same_v<T, f16>)
    return to_f16(x);
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<int64_t>(x));  // wraps around
  else
    return static_cast<T>(x);
}

// Numbers from -range to range with many ties, or with few.
template <class T>
std::vector<T> numbers(int64_t n, int64_t range, uint64_t seed) {
  std::vector<T> x(static_cast<size_t>(n));
  for (T& value : x) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    value = from_double<T>(static_cast<double>(static_cast<int64_t>(seed >> 20) % range));
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
    sort(on(threads, &scratch), flat(x), descending, flat(values), flat(places));
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
  for (int64_t k : {int64_t{7}, int64_t{100}, int64_t{1024}, kLong / 3}) {
    for (bool largest : {true, false}) {
      const std::vector<int64_t> order = sorted_places(x, largest);
      for (int threads : {1, 3}) {
        std::vector<float> values(static_cast<size_t>(k));
        std::vector<int64_t> places(values.size());
        topk(on(threads, &scratch), flat(x), largest, flat(values), flat(places));
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
    const auto tag = on(threads, &scratch);
    const View rows{x.data(), dtype_of<T>, {2, kLong}, {kLong, 1}};
    argmax(tag, rows, flat(most));
    argmin(tag, rows, flat(least));
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
      argmax(on(), flat(x), flat(most));
      EXPECT_EQ(most[0], static_cast<int64_t>(place)) << special;
      argmin(on(), flat(x), flat(least));
      EXPECT_EQ(least[0], std::isnan(special) ? static_cast<int64_t>(place) : (place == 0 ? 1 : 0))
          << special;
    }
  std::vector<float> all(5000, -inf);
  std::vector<int64_t> most(1, -1);
  argmax(on(), flat(all), flat(most));
  EXPECT_EQ(most[0], 0);
}

TEST(Order, PermutesTheSameOnAllThreads) {
  HeapScratch scratch;
  std::vector<int64_t> once(static_cast<size_t>(kLong)), again(once.size()), other(once.size());
  permutation(on(1, &scratch), {.seed = 1, .place = 2}, flat(once));
  permutation(on(3, &scratch), {.seed = 1, .place = 2}, flat(again));
  permutation(on(3, &scratch), {.seed = 1, .place = 3}, flat(other));
  EXPECT_EQ(once, again);
  EXPECT_NE(once, other);
  std::vector<int64_t> sorted = once;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) ASSERT_EQ(sorted[i], static_cast<int64_t>(i));
}

// The same places as those of a sort of the elements' 64 bits: two words of Philox each.
TEST(Order, PermutationSortsRandomBits) {
  for (int64_t n : {0, 1, 2, 33, 1025, 2048, 2049, 5003}) {
    const int64_t step = 5, first = 3;
    std::vector<uint64_t> bits(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<uint64_t>(first + i);
      const PhiloxBlock block = philox(at / 2, step, philox_key(1, 2));
      bits[static_cast<size_t>(i)] =
          uint64_t{block.word[at % 2 * 2 + 1]} << 32 | uint64_t{block.word[at % 2 * 2]};
    }
    const std::vector<int64_t> want = sorted_places(bits, false);
    std::vector<int64_t> got(bits.size(), -1);
    HeapScratch scratch;
    permutation(on(2, &scratch), {.seed = 1, .place = 2, .step = &step, .first = first}, flat(got));
    ASSERT_EQ(got, want) << n;
  }
}

// The numbers of a type that are hard to order, in a mix that is different in every row.
template <class T>
std::vector<T> mixed(int64_t n, uint64_t seed) {
  std::vector<T> x = numbers<T>(n, 40, seed);
  if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, int32_t>) {
    const T ends[] = {std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), T(0), T(-1)};
    for (size_t i = 0; i < x.size(); i += 5) x[i] = ends[i / 5 % 4];
  } else if constexpr (!std::is_same_v<T, uint8_t>) {
    const double inf = std::numeric_limits<double>::infinity(),
                 nan = std::numeric_limits<double>::quiet_NaN();
    const double ends[] = {inf, nan, -0.0, -inf, 0.0, -nan, 1e-7, -1e-7};
    for (size_t i = 0; i < x.size(); i += 5) x[i] = from_double<T>(ends[(i / 5 + seed) % 8]);
  }
  return x;
}

// The order of the contract: NaN above all numbers and equal to itself, the zeros equal.
template <class T>
bool below(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return a < b;
  } else {
    const double va = to_double(a), vb = to_double(b);
    return std::isnan(va) ? false : std::isnan(vb) || va < vb;
  }
}

template <class T>
std::vector<int64_t> ordered_places(const T* x, int64_t n, bool descending) {
  std::vector<int64_t> places(static_cast<size_t>(n));
  std::iota(places.begin(), places.end(), 0);
  std::sort(places.begin(), places.end(), [&](int64_t a, int64_t b) {
    if (below(x[a], x[b])) return !descending;
    if (below(x[b], x[a])) return descending;
    return a < b;
  });
  return places;
}

// Three rows: sorted, their best few, and their extremes.
template <class T>
void check_rows(DType dtype, int64_t n, bool descending) {
  const int64_t rows = 3;
  SCOPED_TRACE(std::string(name_of(dtype)) + " " + std::to_string(n) + (descending ? " descending" : ""));
  const std::vector<T> x = mixed<T>(rows * n, static_cast<uint64_t>(n));
  std::vector<std::vector<int64_t>> want;
  for (int64_t r = 0; r < rows; ++r) want.push_back(ordered_places(x.data() + r * n, n, descending));
  HeapScratch scratch;
  const auto tag = on(1, &scratch);
  const View from{x.data(), dtype, {rows, n}, {n, 1}};
  auto expect = [&](const std::vector<T>& values, const std::vector<int64_t>& places, int64_t k) {
    std::vector<int64_t> first;
    std::vector<T> chosen;
    for (int64_t i = 0; i < rows * k; ++i) {
      first.push_back(want[static_cast<size_t>(i / k)][static_cast<size_t>(i % k)]);
      chosen.push_back(x[static_cast<size_t>(i / k * n + first.back())]);
    }
    ASSERT_EQ(places, first) << "of " << k;
    if (values.empty()) return;
    ASSERT_EQ(std::memcmp(values.data(), chosen.data(), sizeof(T) * chosen.size()), 0) << k;
  };
  for (int64_t k : {n, (n + 1) / 2, std::min<int64_t>(n, 3), int64_t{0}}) {
    std::vector<T> values(static_cast<size_t>(rows * k));
    std::vector<int64_t> places(values.size(), -1);
    topk(tag, from, descending, MutView{values.data(), dtype, {rows, k}, {k, 1}},
         MutView{places.data(), DType::i64, {rows, k}, {k, 1}});
    expect(values, places, k);
  }
  std::vector<T> values(x.size());
  std::vector<int64_t> places(x.size(), -1), alone = places, first(static_cast<size_t>(rows), -1);
  const MutView to{places.data(), DType::i64, {rows, n}, {n, 1}};
  sort(tag, from, descending, MutView{values.data(), dtype, {rows, n}, {n, 1}}, to);
  expect(values, places, n);
  sort(tag, from, descending, MutView{}, MutView{alone.data(), DType::i64, {rows, n}, {n, 1}});
  expect({}, alone, n);
  descending ? argmax(tag, from, flat(first)) : argmin(tag, from, flat(first));
  for (int64_t r = 0; r < rows; ++r) {
    int64_t place = want[static_cast<size_t>(r)][0];
    if constexpr (!std::is_integral_v<T>) {  // argmin takes a NaN before all, too
      for (int64_t i = n - 1; i >= 0; --i)
        if (std::isnan(to_double(x[static_cast<size_t>(r * n + i)]))) place = i;
    }
    ASSERT_EQ(first[static_cast<size_t>(r)], place) << r;
  }
}

TEST(Order, EveryTypeWithTiesNanAndInfinities) {
  for (int64_t n : {1, 2, 31, 32, 33, 500, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4100})
    for (bool descending : {false, true}) {
      check_rows<float>(DType::f32, n, descending);
      if (kOnCuda && n > 33 && n != (descending ? 1025 : 2049)) continue;
      check_rows<double>(DType::f64, n, descending);
      check_rows<bf16>(DType::bf16, n, descending);
      check_rows<f16>(DType::f16, n, descending);
      check_rows<int64_t>(DType::i64, n, descending);
      check_rows<int32_t>(DType::i32, n, descending);
      check_rows<uint8_t>(DType::u8, n, descending);
      check_rows<uint8_t>(DType::boolean, n, descending);
    }
}

// A launch on CUDA has 1024 blocks at most, which then take several rows each.
TEST(Order, FindsExtremesOfMoreRowsThanBlocks) {
  const int64_t rows = 1024 + 31, cols = 513;
  std::vector<uint8_t> x(static_cast<size_t>(rows * cols), 1);
  std::vector<int64_t> most(static_cast<size_t>(rows), -1);
  auto want = [&](int64_t r) { return r * 37 % cols; };
  for (int64_t r = 0; r < rows; ++r) x[static_cast<size_t>(r * cols + want(r))] = 2;
  argmax(on(2), View{x.data(), DType::u8, {rows, cols}, {cols, 1}}, flat(most));
  for (int64_t r = 0; r < rows; ++r) ASSERT_EQ(most[static_cast<size_t>(r)], want(r)) << r;
}

TEST(Order, NoRows) {
  HeapScratch scratch;
  Array x(DType::f32, {0, 5}), values(DType::f32, {0, 5});
  const MutView places{nullptr, DType::i64, {0, 5}, {5, 1}};
  sort(on(1, &scratch), x.view(), false, values.view(), places);
  topk(on(1, &scratch), x.view(), true, values.view(), places);
  argmax(on(1, &scratch), x.view(), MutView{nullptr, DType::i64, {0}, {1}});
}

}  // namespace
}  // namespace iskra::kernels::testing
