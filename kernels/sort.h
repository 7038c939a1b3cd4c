// Sorting pairs of a key and a place: what sort, topk and permutation share. Pairs differ from each other
// (places do), so there is one sorted order, whatever the threads do.
#pragma once

#include <cstdint>

#include <iskra/kernels/base.h>
#include <iskra/kernels/host_device.h>

namespace iskra::kernels {

/// A key of up to 32 bits above a place of 32 bits: one number to compare.
using NarrowPair = uint64_t;

/// Any key, any place.
struct WidePair {
  uint64_t key;
  int64_t place;
  ISKRA_HD bool operator<(const WidePair& b) const { return key != b.key ? key < b.key : place < b.place; }
};

/// Whether pairs of this many key bits and rows of this length fit into NarrowPair.
inline bool fits_narrow(int key_bits, int64_t length) {
  return key_bits <= 32 && length <= (int64_t{1} << 32);
}

ISKRA_HD inline NarrowPair make_pair(NarrowPair*, uint64_t key, int64_t place) {
  return key << 32 | static_cast<uint64_t>(place);
}
ISKRA_HD inline WidePair make_pair(WidePair*, uint64_t key, int64_t place) { return {key, place}; }
ISKRA_HD inline int64_t place_of(NarrowPair pair) { return static_cast<int64_t>(pair & 0xffffffffU); }
ISKRA_HD inline int64_t place_of(const WidePair& pair) { return pair.place; }

/// Of sorted a (na) and b (nb), how many of the first k of the merged sequence come from a.
template <class Pair>
ISKRA_HD inline int64_t merge_split(const Pair* a, int64_t na, const Pair* b, int64_t nb, int64_t k) {
  int64_t low = k > nb ? k - nb : 0, high = k < na ? k : na;
  while (low < high) {
    const int64_t i = low + (high - low) / 2;
    if (a[i] < b[k - i - 1])
      low = i + 1;
    else
      high = i;
  }
  return low;
}

/// Rows up to this length are sorted by one thread of the CPU.
inline constexpr int64_t kSortBlock = 65536;

/// Sorts pairs[0, n), n <= kSortBlock, whose places ascend. `spare` has room for n.
void sort_block(NarrowPair* pairs, NarrowPair* spare, int64_t n, int key_bits);
void sort_block(WidePair* pairs, WidePair* spare, int64_t n, int key_bits);
/// Sorts pairs[0, n), whose places ascend, on all threads; returns where the result is: `pairs` or `spare`.
NarrowPair* sort_long(const Cpu& on, NarrowPair* pairs, NarrowPair* spare, int64_t n, int key_bits);
WidePair* sort_long(const Cpu& on, WidePair* pairs, WidePair* spare, int64_t n, int key_bits);
/// Sorts pairs[0, n) on CUDA and writes their places in that order; `pairs` is used up.
void sort_places(const Cuda& on, WidePair* pairs, int64_t n, int64_t* places);
/// Sorts pairs[0, n) on CUDA; they may be any numbers. Returns where the result is: `pairs`, which are used
/// up, or scratch memory.
const NarrowPair* sort_pairs(const Cuda& on, NarrowPair* pairs, int64_t n, const char* op);

}  // namespace iskra::kernels
