// Products on CUDA cores, whatever their operands are gathered from: what a block of 16 x 16 threads does for
// a tile of 64 x 64 results, 4 x 4 a thread. Tiles of 64 x 16 of a and 16 x 64 of b pass through shared
// memory, two in turn, so that one is loaded while the other is multiplied.
//
// A sum over k is made of parts, whose length follows from k alone: products are added in order within a
// part, and parts in order. So a result has the same bits whether one block adds all its parts, or several
// blocks one each and add_parts those, which is what few tiles of long sums need.
#pragma once

#include <algorithm>

#include <iskra/kernels/gemm_results.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/pointwise_ops.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/gpu_convert.cuh>

namespace iskra::kernels::simt {

inline constexpr int kTile = 64, kDepth = 16, kSide = 16, kEach = kTile / kSide;
inline constexpr int kThreads = kSide * kSide;

// --- what follows the sums
// ----------------------------------------------------------------------------------------

/// Where the sums go: `batch.items` matrices (m, n).
struct Results {
  Batch batch;
  int64_t m = 0, n = 0;
  void* c = nullptr;
  DType type = DType::f32;
  int64_t row = 0;        ///< from one row of c to the next
  int64_t bias_step = 0;  ///< from one item's bias to the next one's
  /// Columns are (tap, channel) and lie as (channel, tap) in c; 0 channels: they lie as they are.
  int64_t channels = 0, taps = 0;
  Finish then;

  DEV int64_t column(int64_t col) const {
    return channels == 0 ? col : col % channels * taps + col / channels;
  }
};

template <class T>
DEV T activated(Activation activation, T v) {
  switch (activation) {
    case Activation::none:
      return v;
    case Activation::relu:
      return ops::relu::f(v);
    case Activation::gelu:
      return ops::gelu::f(v);
    case Activation::gelu_tanh:
      return ops::gelu_tanh::f(v);
  }
  return v;
}

/// v, the sum for column `col`, becomes element `at` of c.
template <class T>
DEV void finish_one(const Finish& then, T v, int64_t col, int64_t at, void* c, DType type) {
  if (then.bias != nullptr) v += load_as<T>(then.bias, then.bias_type, col);
  if (then.preactivation != nullptr) store_as(v, then.preactivation, type, at);
  v = activated(then.activation, v);
  if (then.residual != nullptr) v += load_as<T>(then.residual, type, at);
  if (then.beta != 0) v += load_as<T>(c, type, at);
  store_as(v, c, type, at);
}

// --- parts of sums
// ------------------------------------------------------------------------------------------------

/// The length of a part, a multiple of kDepth. From k alone: neither the number of results nor the machine
/// may change a result's bits.
inline int64_t part_length(int64_t k) {
  constexpr int64_t kLeast = 512, kMostParts = 128;
  int64_t even = (k + kMostParts - 1) / kMostParts;
  return std::max(kLeast, (even + kDepth - 1) / kDepth * kDepth);
}

/// Which parts a launch sums: all, in every block, or `count` from `first` on, one a block.
struct Cut {
  int64_t k, length;
  int64_t first = 0, count = 1;
  void* partial = nullptr;  ///< (count, items, m, n) of the computed type; null: all parts at once

  DEV int64_t begin(int64_t part) const { return partial == nullptr ? 0 : (first + part) * length; }
  DEV int64_t end(int64_t part, int64_t all) const {
    return partial == nullptr ? all : min((first + part + 1) * length, all);
  }
};

/// The cut's partial sums, after `total` of the parts before them, are added in order: into `total`, or, the
/// `last` ones, into c.
template <class T>
void add_parts(const Cuda& on, const Cut& cut, T* total, bool last, const Results& to);

/// Calls launch(cut), whose grid has `tiles` blocks a part: once, or for some parts at a time where tiles
/// alone would leave most of a GPU idle.
template <class T, class F>
void in_parts(const Cuda& on, const Results& to, int64_t tiles, int64_t k, const char* op, F&& launch) {
  constexpr int64_t kEnough = 256, kWanted = 512;  // some blocks for each multiprocessor
  Cut cut{k, part_length(k)};
  int64_t parts = (k + cut.length - 1) / cut.length;
  if (parts <= 1 || tiles >= kEnough) return launch(cut);
  int64_t at_once = std::min(parts, kWanted / tiles), results = to.batch.items * to.m * to.n;
  Scratch& scratch = scratch_of(on, op);
  cut.partial = scratch.of<T>(at_once * results);
  T* total = at_once < parts ? scratch.of<T>(results) : nullptr;
  for (; cut.first < parts; cut.first += at_once) {
    cut.count = std::min(at_once, parts - cut.first);
    launch(cut);
    add_parts(on, cut, total, cut.first + cut.count == parts, to);
  }
}

// --- a block's work
// -----------------------------------------------------------------------------------------------

template <class T>
using Tile = T[kDepth][kTile + 1];

/// Two tiles of each operand while products are added up, the sums afterwards.
template <class T>
union Tiles {
  struct {
    Tile<T> a[2], b[2];
  } of;
  T sums[kTile * kTile];
};

/// Where a thread stands in a tile of results: rows ty + i * kSide, columns tx + j * kSide.
struct Seat {
  int thread = static_cast<int>(threadIdx.x), tx = thread % kSide, ty = thread / kSide;
};

template <class T>
DEV void multiply_add(const Tile<T>& a, const Tile<T>& b, const Seat& seat, T (&acc)[kEach][kEach]) {
#pragma unroll 4
  for (int k = 0; k < kDepth; ++k) {
    T of_a[kEach], of_b[kEach];
#pragma unroll
    for (int i = 0; i < kEach; ++i) of_a[i] = a[k][seat.ty + i * kSide], of_b[i] = b[k][seat.tx + i * kSide];
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) acc[i][j] += of_a[i] * of_b[j];
    }
  }
}

/// total = the sum over k in [begin, end), which begins with a part. `next.read(k)` takes this thread's
/// elements of the tiles at k, called for one tile after the other, and `next.write(a, b)` puts them into
/// shared memory.
template <class T, class Loader>
DEV void add_products(Loader& next, int64_t begin, int64_t end, int64_t length, const Seat& seat,
                      Tiles<T>& tiles, T (&total)[kEach][kEach]) {
  T acc[kEach][kEach] = {};
#pragma unroll
  for (int i = 0; i < kEach * kEach; ++i) total[i / kEach][i % kEach] = T(0);
  if (begin >= end) return;
  next.read(begin);
  next.write(tiles.of.a[0], tiles.of.b[0]);
  __syncthreads();
  int now = 0;
  int64_t until = begin + length;  // where the part ends
  for (int64_t k = begin + kDepth;; k += kDepth, now = 1 - now) {
    bool more = k < end;
    if (more) next.read(k);
    multiply_add(tiles.of.a[now], tiles.of.b[now], seat, acc);
    if (more) next.write(tiles.of.a[1 - now], tiles.of.b[1 - now]);
    if (k == until || !more) {
#pragma unroll
      for (int i = 0; i < kEach * kEach; ++i) {
        total[i / kEach][i % kEach] += acc[i / kEach][i % kEach];
        acc[i / kEach][i % kEach] = T(0);
      }
      until += length;
    }
    __syncthreads();
    if (!more) return;
  }
}

/// The block's sums for the results from (row, col) on of an item with `m` rows go where they belong; element
/// (r, 0) lies at place(r) in c. Through shared memory: neighbours then write neighbours, and what follows
/// the sums is there once, not 16 times.
template <class T, class Place>
DEV void store_tile(const T (&total)[kEach][kEach], int64_t row, int64_t col, int64_t m, int64_t item,
                    int64_t part, const Cut& cut, const Results& to, const Seat& seat, Tiles<T>& tiles,
                    const Place& place) {
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
#pragma unroll
    for (int j = 0; j < kEach; ++j)
      tiles.sums[(seat.ty + i * kSide) * kTile + seat.tx + j * kSide] = total[i][j];
  }
  __syncthreads();
  int64_t k = col + seat.thread % kTile;
  if (k < to.n) {
    auto* partial = static_cast<T*>(cut.partial);
    int64_t column = to.column(k), first = (part * to.batch.items + item) * to.m;
#pragma unroll 1
    for (int r = seat.thread / kTile; r < kTile && row + r < m; r += kThreads / kTile) {
      T sum = tiles.sums[r * kTile + seat.thread % kTile];
      if (partial != nullptr)
        partial[(first + row + r) * to.n + k] = sum;
      else
        finish_one(to.then, sum, k + item * to.bias_step, place(r) + column, to.c, to.type);
    }
  }
  __syncthreads();  // before the next tiles
}

inline int64_t tiles_of(int64_t n) { return (n + kTile - 1) / kTile; }

/// A grid of `tiles` blocks for each of `jobs` products; blocks take more than one where there are very many.
inline dim3 grid_of(int64_t tiles, int64_t jobs) {
  constexpr int64_t kMost = 1024;
  return dim3(static_cast<unsigned>(tiles), 1, static_cast<unsigned>(std::min(jobs, kMost)));
}

}  // namespace iskra::kernels::simt
