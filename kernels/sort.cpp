// Sorts pairs of key and place: blocks by radix (Knuth, TAOCP 3, 5.2.5), long rows by merging sorted blocks
// in segments of fixed size, found by binary search (Odeh et al., "Merge path", 2012).
#include <algorithm>
#include <cstring>
#include <utility>

#include <iskra/kernels/parallel.h>
#include <iskra/kernels/sort.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kComparisons = 192;  // below, comparing is faster than counting digits
constexpr int kDigits = 256;

inline uint64_t digit(NarrowPair pair, int byte) { return pair >> (32 + 8 * byte) & 0xffU; }
inline uint64_t digit(const WidePair& pair, int byte) { return pair.key >> (8 * byte) & 0xffU; }

template <class Pair>
void radix_sort(Pair* pairs, Pair* spare, int64_t n, int bytes) {
  uint32_t count[8][kDigits] = {};
  for (int64_t i = 0; i < n; ++i)
    for (int b = 0; b < bytes; ++b) ++count[b][digit(pairs[i], b)];
  Pair *from = pairs, *to = spare;
  for (int b = 0; b < bytes; ++b) {
    if (count[b][digit(from[0], b)] == n) continue;  // all have the same digit
    uint32_t place = 0;
    for (uint32_t& c : count[b]) place += std::exchange(c, place);
    for (int64_t i = 0; i < n; ++i) to[count[b][digit(from[i], b)]++] = from[i];
    std::swap(from, to);
  }
  if (from != pairs) std::copy_n(from, n, pairs);
}

template <class Pair>
void sort_any_block(Pair* pairs, Pair* spare, int64_t n, int key_bits) {
  if (n < kComparisons)
    std::sort(pairs, pairs + n);
  else
    radix_sort(pairs, spare, n, key_bits / 8);
}

template <class Pair>
Pair* sort_any_long(const Cpu& on, Pair* pairs, Pair* spare, int64_t n, int key_bits) {
  parallel_for(on, n, kSortBlock, [&](int64_t begin, int64_t end) {
    sort_any_block(pairs + begin, spare + begin, end - begin, key_bits);
  });
  Pair *from = pairs, *to = spare;
  for (int64_t run = kSortBlock; run < n; run *= 2) {
    // Runs are whole blocks, so a segment of one block never leaves its pair of runs.
    parallel_for(on, n, kSortBlock, [&](int64_t begin, int64_t end) {
      const int64_t first = begin / (2 * run) * (2 * run);
      const int64_t middle = std::min(first + run, n), last = std::min(middle + run, n);
      const Pair *a = from + first, *b = from + middle;
      const int64_t na = middle - first, nb = last - middle;
      const int64_t ia = merge_split(a, na, b, nb, begin - first),
                    ja = merge_split(a, na, b, nb, end - first);
      std::merge(a + ia, a + ja, b + (begin - first - ia), b + (end - first - ja), to + begin);
    });
    std::swap(from, to);
  }
  return from;
}

}  // namespace

void sort_block(NarrowPair* pairs, NarrowPair* spare, int64_t n, int key_bits) {
  sort_any_block(pairs, spare, n, key_bits);
}
void sort_block(WidePair* pairs, WidePair* spare, int64_t n, int key_bits) {
  sort_any_block(pairs, spare, n, key_bits);
}
NarrowPair* sort_long(const Cpu& on, NarrowPair* pairs, NarrowPair* spare, int64_t n, int key_bits) {
  return sort_any_long(on, pairs, spare, n, key_bits);
}
WidePair* sort_long(const Cpu& on, WidePair* pairs, WidePair* spare, int64_t n, int key_bits) {
  return sort_any_long(on, pairs, spare, n, key_bits);
}

}  // namespace iskra::kernels
