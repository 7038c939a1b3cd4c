// What meets in one place, side by side: pairs of a target and a place in the index, sorted. A run of pairs
// with one target is found by its first or its last, and has its places in ascending order, whatever the
// threads do.
#pragma once

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/sort.h>

namespace iskra::kernels {
namespace {

/// A target above a place of `bits` bits: one number to compare.
struct PairBits {
  int bits;
  int64_t targets;  ///< pairs with this target go nowhere, and are the last
  DEV NarrowPair pack(int64_t target, int64_t place) const {
    return static_cast<uint64_t>(target) << bits | static_cast<uint64_t>(place);
  }
  DEV int64_t target(NarrowPair pair) const { return static_cast<int64_t>(pair >> bits); }
  DEV int64_t place(NarrowPair pair) const {
    return static_cast<int64_t>(pair & ((uint64_t{1} << bits) - 1));
  }
};

inline PairBits pair_bits(int64_t targets, int64_t places, const char* op) {
  int bits = 0;
  while ((int64_t{1} << bits) < places) ++bits;
  ISKRA_CHECK(targets < INT64_MAX >> bits, op, ": ", targets, " elements and ", places,
              " indices are more than fit into 63 bits together");
  return {bits, targets};
}

/// n sorted pairs.
struct Runs {
  const NarrowPair* pairs;
  int64_t n;
  PairBits in;
  DEV int64_t target(int64_t p) const { return in.target(pairs[p]); }
  DEV bool ends_with(int64_t p) const { return p == n - 1 || target(p + 1) != target(p); }
  DEV bool begins_with(int64_t p) const { return p == 0 || target(p - 1) != target(p); }

  /// For the run that begins with p: gives each of its places to fetch(place, k), k < kAhead, then calls
  /// add(k) for as many of them, so that several fetches are on their way at a time and all is added in
  /// order.
  template <int kAhead, class Fetch, class Add>
  DEV void for_run(int64_t p, Fetch fetch, Add add) const {
    int64_t to = target(p);
    for (bool more = true; more; p += kAhead) {
      bool mine[kAhead];
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
        NarrowPair pair = p + k < n ? pairs[p + k] : ~NarrowPair{0};
        mine[k] = in.target(pair) == to;
        if (mine[k]) fetch(in.place(pair), k);
      }
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
        if (mine[k]) add(k);
      }
      more = mine[kAhead - 1];
    }
  }
};

}  // namespace
}  // namespace iskra::kernels
