// What depends on the order of elements: sort, topk, argmax and argmin, and random permutations.
#include <algorithm>
#include <cstring>

#include <iskra/kernels/half.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/lines.h>
#include <iskra/kernels/order.isa.h>
#include <iskra/kernels/order_keys.h>
#include <iskra/kernels/random_numbers.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/sort.h>

namespace iskra::kernels {
namespace {

const OrderTable& table() {
  static const OrderTable& chosen = by_isa(v2::order_table, v3::order_table, v4::order_table);
  return chosen;
}

// Place of a type in the tables of loops.
template <class T>
constexpr int kOrdered = std::is_same_v<T, float>     ? 0
                         : std::is_same_v<T, double>  ? 1
                         : std::is_same_v<T, bf16>    ? 2
                         : std::is_same_v<T, f16>     ? 3
                         : std::is_same_v<T, int64_t> ? 4
                         : std::is_same_v<T, int32_t> ? 5
                                                      : 6;

template <class T>
constexpr int kKeyBits = 8 * static_cast<int>(sizeof(Key<T>));

template <class T, class Pair>
void make_pairs(const T* x, int64_t begin, int64_t end, bool descending, Pair* pairs) {
  for (int64_t i = begin; i < end; ++i) pairs[i] = make_pair(pairs, sort_key(x[i], descending), i);
}

// The first n pairs of a row as its elements and their places.
template <class T, class Pair>
void write_pairs(const T* x, const Pair* pairs, int64_t begin, int64_t end, T* values, int64_t* places) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t place = place_of(pairs[i]);
    places[i] = place;
    if (values != nullptr) values[i] = x[place];
  }
}

template <class T, class Pair>
void sort_rows(const Cpu& on, const View& x, bool descending, const MutView& values, const MutView& places) {
  const int64_t cols = x.shape.back(), rows = row_count(x.shape);
  auto values_of = [&](int64_t row) { return values.defined() ? values.as<T>() + row * cols : nullptr; };
  if (cols <= kSortBlock) {
    const int64_t grain = std::max<int64_t>(1, 4096 / cols);
    const size_t bytes = sizeof(Pair) * static_cast<size_t>(cols) * 2;
    parallel_lanes(on, (rows + grain - 1) / grain, bytes, "sort", [&](Pieces& pieces, char* memory) {
      Pair* pairs = reinterpret_cast<Pair*>(memory);
      for (int64_t piece = 0; pieces.next(piece);)
        for (int64_t row = piece * grain; row < std::min(rows, (piece + 1) * grain); ++row) {
          const T* from = x.as<T>() + row * cols;
          make_pairs(from, 0, cols, descending, pairs);
          sort_block(pairs, pairs + cols, cols, kKeyBits<T>);
          write_pairs(from, pairs, 0, cols, values_of(row), places.as<int64_t>() + row * cols);
        }
    });
    return;
  }
  Pair* pairs = scratch_of<Pair>(on, 2 * cols, "sort");
  for (int64_t row = 0; row < rows; ++row) {
    const T* from = x.as<T>() + row * cols;
    parallel_for(on, cols, kSortBlock,
                 [&](int64_t begin, int64_t end) { make_pairs(from, begin, end, descending, pairs); });
    const Pair* sorted = sort_long(on, pairs, pairs + cols, cols, kKeyBits<T>);
    parallel_for(on, cols, kSortBlock, [&](int64_t begin, int64_t end) {
      write_pairs(from, sorted, begin, end, values_of(row), places.as<int64_t>() + row * cols);
    });
  }
}

// The k smallest of the pairs made from x[begin, end), sorted, into best; `room` has room for them all.
template <class T, class Pair>
void smallest(const T* x, int64_t begin, int64_t end, int64_t k, bool descending, Pair* room, Pair* best) {
  constexpr int64_t kInsertions = 32;  // above, selecting from all pairs is faster
  if (k > kInsertions) {
    Pair* pairs = room - begin;
    make_pairs(x, begin, end, descending, pairs);
    std::nth_element(room, room + k - 1, room + (end - begin));
    std::sort(room, room + k);
    std::copy_n(room, k, best);
    return;
  }
  int64_t kept = 0;
  const auto beyond = table().beyond[descending ? 0 : 1][kOrdered<T>];
  for (int64_t i = begin; i < end; ++i) {
    if (kept == k) i = beyond(x, i, end, place_of(best[k - 1]));
    if (i == end) break;
    const Pair pair = make_pair(best, sort_key(x[i], descending), i);
    int64_t at = kept < k ? kept++ : k - 1;
    for (; at > 0 && pair < best[at - 1]; --at) best[at] = best[at - 1];
    best[at] = pair;
  }
}

// Long rows in blocks first, then the best of the blocks' best.
template <class T, class Pair>
void top_rows(const Cpu& on, const View& x, int64_t k, bool largest, const MutView& values,
              const MutView& places) {
  const int64_t cols = x.shape.back(), rows = row_count(x.shape);
  const int64_t block = std::min(cols, std::max(kSortBlock, 8 * k)), blocks = (cols + block - 1) / block;
  Pair* best = scratch_of<Pair>(on, rows * blocks * k, "topk");
  auto length = [&](int64_t b) { return std::min(block, cols - b * block); };
  parallel_lanes(on, rows * blocks, sizeof(Pair) * static_cast<size_t>(block), "topk",
                 [&](Pieces& pieces, char* memory) {
                   Pair* room = reinterpret_cast<Pair*>(memory);
                   for (int64_t piece = 0; pieces.next(piece);) {
                     const int64_t b = piece % blocks, begin = b * block;
                     smallest(x.as<T>() + piece / blocks * cols, begin, begin + length(b),
                              std::min(k, length(b)), largest, room, best + piece * k);
                   }
                 });
  parallel_for(on, rows, std::max<int64_t>(1, 4096 / (blocks * k)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      Pair* all = best + row * blocks * k;
      Pair* last = all + (blocks - 1) * k + std::min(k, length(blocks - 1));
      if (blocks > 1) std::partial_sort(all, all + k, last);
      write_pairs(x.as<T>() + row * cols, all, 0, k, values.as<T>() + row * k,
                  places.as<int64_t>() + row * k);
    }
  });
}

}  // namespace

void sort(Cpu on, View x, bool descending, MutView values, MutView places) {
  if (x.numel() == 0) return;
  with_ordered(x.dtype, [&](auto element) {
    using T = decltype(element);
    if (fits_narrow(kKeyBits<T>, x.shape.back()))
      sort_rows<T, NarrowPair>(on, x, descending, values, places);
    else
      sort_rows<T, WidePair>(on, x, descending, values, places);
  });
}

void topk(Cpu on, View x, bool largest, MutView values, MutView places) {
  const int64_t k = places.shape.back();
  if (places.numel() == 0) return;
  with_ordered(x.dtype, [&](auto element) {
    using T = decltype(element);
    if (fits_narrow(kKeyBits<T>, x.shape.back()))
      top_rows<T, NarrowPair>(on, x, k, largest, values, places);
    else
      top_rows<T, WidePair>(on, x, k, largest, values, places);
  });
}

namespace {

// Element i of a tensor takes the words 2i and 2i + 1 of its stream.
class Bits64 {
 public:
  explicit Bits64(const RngKey& key)
      : key_(philox_key(key.seed, key.place)),
        step_(key.step != nullptr ? static_cast<uint64_t>(*key.step) : 0),
        first_(static_cast<uint64_t>(key.first)) {}
  uint64_t operator()(int64_t i) const {
    const uint64_t at = first_ + static_cast<uint64_t>(i);
    return bits_of_pair(philox(at / 2, step_, key_), at);
  }

 private:
  uint64_t key_, step_, first_;
};

}  // namespace

void random_integers(Cpu on, MutView y, int64_t low, uint64_t range, RngKey key) {
  const Bits64 bits(key);
  parallel_for(on, y.numel(), 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      y.as<int64_t>()[i] = static_cast<int64_t>(static_cast<uint64_t>(low) + high_product(bits(i), range));
    }
  });
}

void permutation(Cpu on, RngKey key, MutView y) {
  const int64_t n = y.numel();
  WidePair* pairs = scratch_of<WidePair>(on, 2 * n, "permutation");
  const Bits64 bits(key);
  parallel_for(on, n, kSortBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) pairs[i] = {bits(i), i};
  });
  const WidePair* sorted = sort_long(on, pairs, pairs + n, n, 64);
  for (int64_t i = 0; i < n; ++i) y.as<int64_t>()[i] = sorted[i].place;
}

namespace {

// The place of the first largest (or smallest) of x[0, n); a NaN comes before all.
template <class T>
int64_t first_extreme(const T* x, int64_t n, bool largest) {
  return table().extreme[largest ? 0 : 1][kOrdered<T>](x, n);
}

void first_extremes(const Cpu& on, const View& x, bool largest, const MutView& y) {
  constexpr int64_t kPiece = 65536;
  const int64_t cols = x.shape.back(), rows = row_count(x.shape), pieces = (cols + kPiece - 1) / kPiece;
  if (rows == 0) return;
  auto* places = y.as<int64_t>();
  with_ordered(x.dtype, [&](auto element) {
    using T = decltype(element);
    const T* from = x.as<T>();
    if (pieces == 1) {
      for_rows(on, rows, cols, [&](int64_t row, int64_t count) {
        for (int64_t r = row; r < row + count; ++r) places[r] = first_extreme(from + r * cols, cols, largest);
      });
      return;
    }
    auto* best = scratch_of<int64_t>(on, rows * pieces, largest ? "argmax" : "argmin");
    parallel_for(on, rows * pieces, 1, [&](int64_t item, int64_t) {
      const int64_t begin = item % pieces * kPiece;
      best[item] =
          begin + first_extreme(from + item / pieces * cols + begin, std::min(kPiece, cols - begin), largest);
    });
    for (int64_t r = 0; r < rows; ++r) {
      places[r] = best[r * pieces];
      for (int64_t p = 1; p < pieces; ++p) {
        const int64_t at = best[r * pieces + p];
        if (extreme_key(from[r * cols + at], largest) > extreme_key(from[r * cols + places[r]], largest))
          places[r] = at;
      }
    }
  });
}

}  // namespace

void argmax(Cpu on, View x, MutView y) { first_extremes(on, x, true, y); }
void argmin(Cpu on, View x, MutView y) { first_extremes(on, x, false, y); }

}  // namespace iskra::kernels
