// Sorting rows on CUDA. Pairs of key and place differ from each other, so there is one sorted order, and any
// way of sorting is stable. Blocks sort tiles of pairs in shared memory (Batcher's bitonic network); longer
// rows are merged from sorted tiles, each block writing one tile of the result (Odeh et al., "Merge path",
// 2012). The few best of long rows are the best of the tiles' best.
#include <algorithm>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/sort.h>
#include <iskra/kernels/gpu_keys.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kTile = 2048;   // pairs sorted or merged by a block
constexpr int kShort = 1024;  // several rows share a block up to this many pairs
constexpr int kThreads = 256;
constexpr int kEach = kTile / kThreads;

/// What is sorted: rows of elements, or of pairs if there are any.
template <class Pair>
struct Source {
  const void* x;
  DType dtype;
  bool descending;
  const Pair* pairs;
  int64_t rows, length;
  DEV Pair at(int64_t row, int64_t place) const {
    if (pairs != nullptr) return pairs[row * length + place];
    return make_pair(static_cast<Pair*>(nullptr), load_sort_key(x, dtype, row * length + place, descending),
                     place);
  }
};

/// Where pairs go in the end: rows of `keep` places, and elements of the rows of x (rows, length) there.
struct Sorted {
  const void* x;
  int bytes;  ///< of an element
  int64_t length, keep;
  void* values;  ///< may be null
  int64_t* places;
  DEV void write(int64_t row, int64_t i, int64_t place) const {
    places[row * keep + i] = place;
    if (values != nullptr) copy_element(x, row * length + place, values, row * keep + i, bytes);
  }
};

/// Every tile is sorted, and its first `keep` written: as pairs, or to the end.
template <class Pair>
struct TileSort {
  Source<Pair> from;
  int64_t tiles;      ///< of a row
  int shift;          ///< a segment is 2^shift pairs
  int tiles_a_block;  ///< more than one only where a row is one tile
  int64_t keep;
  Pair* to;  ///< rows of what is kept of all their tiles, or null
  Sorted end;
};

// Larger than all others.
DEV NarrowPair last_pair(NarrowPair*) { return ~NarrowPair{0}; }
DEV WidePair last_pair(WidePair*) { return {~uint64_t{0}, INT64_MAX}; }

/// Sorts each segment of tile[0, count).
template <class Pair>
DEV void sort_segments(Pair* tile, int count, int segment) {
  int threads = static_cast<int>(blockDim.x);
  for (int size = 2; size <= segment; size *= 2) {
    for (int step = size / 2; step > 0; step /= 2) {
      for (int t = static_cast<int>(threadIdx.x); t < count / 2; t += threads) {
        int i = 2 * t - (t & (step - 1)), j = i + step;
        bool ascending = (i & (segment - 1) & size) == 0;
        Pair a = tile[i], b = tile[j];
        if ((b < a) == ascending) tile[i] = b, tile[j] = a;
      }
      __syncthreads();
    }
  }
}

template <class Pair>
__global__ void sort_tiles(TileSort<Pair> at) {
  DYN_SHARED(Pair, tile);
  int64_t jobs = at.from.rows * at.tiles, length = at.from.length;
  int threads = static_cast<int>(blockDim.x), segment = 1 << at.shift;
  int64_t step = int64_t{gridDim.x} * at.tiles_a_block;
  for (int64_t job = int64_t{blockIdx.x} * at.tiles_a_block; job < jobs; job += step) {
    int count = static_cast<int>(min(jobs - job, int64_t{at.tiles_a_block})) * segment;
    int64_t first_row = job / at.tiles, which = job % at.tiles, begin = which * segment;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
      int64_t row = first_row + (i >> at.shift), place = begin + (i & (segment - 1));
      tile[i] = place < length ? at.from.at(row, place) : last_pair(static_cast<Pair*>(nullptr));
    }
    __syncthreads();
    sort_segments(tile, count, segment);
    int64_t last = length - (at.tiles - 1) * segment, kept = (at.tiles - 1) * at.keep + min(last, at.keep);
    for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
      int64_t row = first_row + (i >> at.shift), rank = i & (segment - 1);
      if (rank >= at.keep || begin + rank >= length) continue;
      if (at.to != nullptr)
        at.to[row * kept + which * at.keep + rank] = tile[i];
      else
        at.end.write(row, rank, place_of(tile[i]));
    }
    __syncthreads();
  }
}

/// Rows whose runs of `run` pairs are sorted: every two neighbours become one.
template <class Pair>
__global__ void __launch_bounds__(kThreads, 3)
    merge_runs(const Pair* from, Pair* to, int64_t rows, int64_t length, int64_t run) {
  SHARED(tile, Pair[kTile]);
  SHARED(splits, int64_t[2]);
  int64_t tiles = (length + kTile - 1) / kTile;
  int thread = static_cast<int>(threadIdx.x);
  for (int64_t job = blockIdx.x; job < rows * tiles; job += gridDim.x) {
    // Runs are whole tiles, so a tile of the result never leaves its two runs.
    int64_t begin = job % tiles * kTile, end = min(begin + kTile, length), row = job / tiles * length;
    int64_t first = begin / (2 * run) * (2 * run), middle = min(first + run, length),
            last = min(middle + run, length);
    const Pair *a = from + row + first, *b = from + row + middle;
    if (thread < 2)
      splits[thread] = merge_split(a, middle - first, b, last - middle, (thread == 0 ? begin : end) - first);
    __syncthreads();
    a += splits[0];
    b += begin - first - splits[0];
    int n = static_cast<int>(end - begin), na = static_cast<int>(splits[1] - splits[0]), nb = n - na;
    for (int i = thread; i < n; i += kThreads) tile[i] = i < na ? a[i] : b[i - na];
    __syncthreads();
    Pair out[kEach];
    int k = thread * kEach;
    if (k < n) {
      int i = static_cast<int>(merge_split(tile, na, tile + na, nb, k)), j = k - i;
      for (int e = 0; e < kEach; ++e) {
        if (k + e >= n) break;
        bool from_a = j >= nb || (i < na && tile[i] < tile[na + j]);
        out[e] = tile[from_a ? i++ : na + j++];
      }
    }
    __syncthreads();
    for (int e = 0; e < kEach; ++e) {
      if (k + e < n) tile[k + e] = out[e];
    }
    __syncthreads();
    for (int i = thread; i < n; i += kThreads) to[row + begin + i] = tile[i];
    __syncthreads();
  }
}

template <class Pair>
__global__ void __launch_bounds__(kThreads)
    write_sorted(const Pair* pairs, int64_t rows, int64_t length, Sorted end) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows * end.keep; i += threads) {
    int64_t row = i / end.keep, rank = i % end.keep;
    end.write(row, rank, place_of(pairs[row * length + rank]));
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

/// Sorts the tiles of `from`; what is kept goes to `to`, or to the end.
template <class Pair>
void launch_tiles(const Cuda& on, const Source<Pair>& from, int64_t keep, Pair* to, const Sorted& end) {
  TileSort<Pair> at{from, (from.length + kTile - 1) / kTile, 0, 1, keep, to, end};
  while ((1 << at.shift) < std::min<int64_t>(from.length, kTile)) ++at.shift;
  if (at.tiles == 1)
    at.tiles_a_block = static_cast<int>(std::clamp<int64_t>(kShort >> at.shift, 1, from.rows));
  int pairs = at.tiles_a_block << at.shift;
  auto threads = static_cast<unsigned>(std::clamp((pairs / 4 + 31) / 32 * 32, 32, 512));
  gpu::launch<sort_tiles<Pair>>({blocks_for(from.rows * at.tiles, at.tiles_a_block), threads,
                                 sizeof(Pair) * static_cast<size_t>(pairs)},
                                on, at);
}

/// Sorts rows as pairs, and returns in which buffer they are. Either has room for all pairs, unless rows are
/// no longer than a tile: then the second is not used. The source may be the first.
template <class Pair>
Pair* sort_as_pairs(const Cuda& on, const Source<Pair>& source, Pair* from, Pair* to) {
  int64_t rows = source.rows, length = source.length;
  launch_tiles(on, source, kTile, from, {});
  unsigned blocks = blocks_for(rows * ((length + kTile - 1) / kTile), 1);
  for (int64_t run = kTile; run < length; run *= 2) {
    gpu::launch<merge_runs<Pair>>({blocks, kThreads}, on, from, to, rows, length, run);
    std::swap(from, to);
  }
  return from;
}

/// Sorts rows longer than a tile to the end.
template <class Pair>
void sort_long_rows(const Cuda& on, const Source<Pair>& source, Pair* from, Pair* to, const Sorted& end) {
  int64_t rows = source.rows, length = source.length;
  from = sort_as_pairs(on, source, from, to);
  gpu::launch<write_sorted<Pair>>({blocks_for(rows * end.keep, kThreads), kThreads}, on, from, rows, length,
                                  end);
}

const char* at(const void* data, int64_t bytes) { return static_cast<const char*>(data) + bytes; }
char* at(void* data, int64_t bytes) { return data == nullptr ? nullptr : static_cast<char*>(data) + bytes; }

/// The first `end.keep` of the sorted rows, whole rows sorted: some at a time where they are long.
template <class Pair>
void sort_rows(const Cuda& on, const Source<Pair>& source, const Sorted& end, const char* op) {
  constexpr int64_t kAtOnce = 1 << 24;  // pairs: enough for any GPU
  if (source.length <= kTile) return launch_tiles<Pair>(on, source, end.keep, nullptr, end);
  int64_t group = std::clamp<int64_t>(kAtOnce / source.length, 1, source.rows);
  Pair* pairs = scratch_of(on, op).template of<Pair>(group * source.length);
  Pair* spare = scratch_of(on, op).template of<Pair>(group * source.length);
  for (int64_t row = 0; row < source.rows; row += group) {
    Source<Pair> part = source;
    Sorted to = end;
    part.rows = std::min(group, source.rows - row);
    part.x = to.x = at(source.x, row * source.length * end.bytes);
    to.values = at(end.values, row * end.keep * end.bytes);
    to.places = end.places + row * end.keep;
    sort_long_rows(on, part, pairs, spare, to);
  }
}

/// The best few of each row: of every tile, then of what is left, until one tile holds it.
template <class Pair>
void best_of_rows(const Cuda& on, Source<Pair> source, const Sorted& end) {
  while (source.length > kTile) {
    int64_t tiles = (source.length + kTile - 1) / kTile,
            left = (tiles - 1) * end.keep + std::min(end.keep, source.length - (tiles - 1) * kTile);
    Pair* best = scratch_of(on, "topk").template of<Pair>(source.rows * left);
    launch_tiles<Pair>(on, source, end.keep, best, {});
    source.pairs = best;
    source.length = left;
  }
  launch_tiles<Pair>(on, source, end.keep, nullptr, end);
}

/// Calls f(Pair{}) with the smallest pair that keys and places fit into.
template <class F>
void with_pair(const View& x, F f) {
  if (fits_narrow(8 * static_cast<int>(size_of(x.dtype)), x.shape.back())) return f(NarrowPair{});
  f(WidePair{});
}

}  // namespace

void sort(Cuda on, View x, bool descending, MutView values, MutView places) {
  if (x.numel() == 0) return;
  int64_t length = x.shape.back(), rows = x.numel() / length;
  Sorted end{x.data, static_cast<int>(size_of(x.dtype)), length, length, values.data, places.as<int64_t>()};
  with_pair(x, [&]<class Pair>(Pair) {
    sort_rows<Pair>(on, {x.data, x.dtype, descending, nullptr, rows, length}, end, "sort");
  });
}

void topk(Cuda on, View x, bool largest, MutView values, MutView places) {
  if (places.numel() == 0) return;
  int64_t length = x.shape.back(), rows = x.numel() / length, k = places.shape.back();
  Sorted end{x.data, static_cast<int>(size_of(x.dtype)), length, k, values.data, places.as<int64_t>()};
  with_pair(x, [&]<class Pair>(Pair) {
    Source<Pair> source{x.data, x.dtype, largest, nullptr, rows, length};
    if (k <= kTile / 2)  // or the rounds would not shrink the rows
      best_of_rows<Pair>(on, source, end);
    else
      sort_rows<Pair>(on, source, end, "topk");
  });
}

void sort_places(const Cuda& on, WidePair* pairs, int64_t n, int64_t* places) {
  if (n == 0) return;
  Source<WidePair> source{nullptr, DType::i64, false, pairs, 1, n};
  Sorted end{nullptr, 8, n, n, nullptr, places};
  if (n <= kTile) return launch_tiles<WidePair>(on, source, n, nullptr, end);
  sort_long_rows(on, source, pairs, scratch_of(on, "permutation").of<WidePair>(n), end);
}

const NarrowPair* sort_pairs(const Cuda& on, NarrowPair* pairs, int64_t n, const char* op) {
  if (n == 0) return pairs;
  NarrowPair* spare = n > kTile ? scratch_of(on, op).of<NarrowPair>(n) : nullptr;
  return sort_as_pairs<NarrowPair>(on, {nullptr, DType::i64, false, pairs, 1, n}, pairs, spare);
}

}  // namespace iskra::kernels
