// Sorting pairs of a key and a place: what sort, topk and permutation share. Pairs differ from each other
// (places do), so there is one sorted order, whatever the threads do.
#pragma once

#include <cstdint>

#include <iskra/kernels/base.h>

namespace iskra::kernels {

/// A key of up to 32 bits above a place of 32 bits: one number to compare.
using NarrowPair = uint64_t;

/// Any key, any place.
struct WidePair {
  uint64_t key;
  int64_t place;
  bool operator<(const WidePair& b) const { return key != b.key ? key < b.key : place < b.place; }
};

/// Whether pairs of this many key bits and rows of this length fit into NarrowPair.
inline bool fits_narrow(int key_bits, int64_t length) {
  return key_bits <= 32 && length <= (int64_t{1} << 32);
}

inline NarrowPair make_pair(NarrowPair*, uint64_t key, int64_t place) {
  return key << 32 | static_cast<uint64_t>(place);
}
inline WidePair make_pair(WidePair*, uint64_t key, int64_t place) { return {key, place}; }
inline int64_t place_of(NarrowPair pair) { return static_cast<int64_t>(pair & 0xffffffffU); }
inline int64_t place_of(const WidePair& pair) { return pair.place; }

/// Rows up to this length are sorted by one thread.
inline constexpr int64_t kSortBlock = 65536;

/// Sorts pairs[0, n), n <= kSortBlock, whose places ascend. `spare` has room for n.
void sort_block(NarrowPair* pairs, NarrowPair* spare, int64_t n, int key_bits);
void sort_block(WidePair* pairs, WidePair* spare, int64_t n, int key_bits);
/// Sorts pairs[0, n), whose places ascend, on all threads; returns where the result is: `pairs` or `spare`.
NarrowPair* sort_long(const Cpu& on, NarrowPair* pairs, NarrowPair* spare, int64_t n, int key_bits);
WidePair* sort_long(const Cpu& on, WidePair* pairs, WidePair* spare, int64_t n, int key_bits);

}  // namespace iskra::kernels
