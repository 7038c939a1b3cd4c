// What attention's kernels on CUDA share: operands, tiles in shared memory, the two products of tiles, masks
// and dropped elements.
//
// A block of 256 threads is a square of 16 x 16, (row, column). A thread has R rows in a row and every 16th
// column of a tile of scores, so that a warp has 2 R rows for itself: what it knows of a row passes between
// 16 lanes, and the tile of P that it multiplies is its own. Scores are sums over the heads' width, results
// are sums over a tile's columns; add_scores and add_weighted alone know how, for tensor cores to take their
// place.
#pragma once

#include <cmath>
#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/random_numbers.h>
#include <iskra/kernels/vector_math.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_rows.cuh>

namespace iskra::kernels {
namespace {

constexpr int kSide = 16, kThreads = kSide * kSide;
template <class T>
inline constexpr int kBlocks = sizeof(T) == 8 ? 1 : 2;  // blocks that a multiprocessor has registers for
constexpr size_t kMostShared = size_t{99} << 10;        // what a block may have on every GPU from sm_80 on

template <class T>
inline constexpr T kLeast = -static_cast<T>(__builtin_inff());

/// Four elements, which move together.
template <class T>
struct alignas(16) Four {
  T v[4];
};
struct alignas(8) FourShort {
  uint16_t v[4];
};

// Rows of a tile lie this far apart: neighbours' groups of four fall into different banks.
template <class T, int width>
inline constexpr int kPitch = width + 16 / static_cast<int>(sizeof(T));

// --- operands
// --------------------------------------------------------------------------------------------------

/// (N,heads,T,width) with any strides but that of the last axis. Vectors: four elements lie aligned wherever
/// their column is a multiple of four, and the width is one.
template <class Data>
struct HeadsIn {
  Data data;
  int64_t picture, head, row;
  int width;
  bool vectors;
  DEV int64_t start(int64_t n, int64_t h) const { return n * picture + h * head; }
};
using Heads = HeadsIn<const void*>;
using MutHeads = HeadsIn<void*>;

template <class T>
DEV T load_floating(const void* data, DType type, int64_t i) {
  if constexpr (sizeof(T) == 8) {
    return static_cast<const double*>(data)[i];
  } else {
    if (type == DType::bf16) return load(static_cast<const bf16*>(data)[i]);
    if (type == DType::f16) return load(static_cast<const f16*>(data)[i]);
    return static_cast<const float*>(data)[i];
  }
}
template <class T>
DEV void store_floating(T x, void* data, DType type, int64_t i) {
  if constexpr (sizeof(T) == 8) {
    static_cast<double*>(data)[i] = x;
  } else {
    if (type == DType::bf16) return store(x, static_cast<bf16*>(data)[i]);
    if (type == DType::f16) return store(x, static_cast<f16*>(data)[i]);
    static_cast<float*>(data)[i] = x;
  }
}

/// Elements i ... i+3, of which the first `count` are there and the others zero.
template <class T>
DEV Four<T> load_four(const void* data, DType type, int64_t i, int count, bool vectors) {
  Four<T> to{};
  if (count <= 0) return to;
  if (!vectors) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      if (e < count) to.v[e] = load_floating<T>(data, type, i + e);
    }
    return to;
  }
  if (sizeof(T) == 8 || type == DType::f32)
    return *reinterpret_cast<const Four<T>*>(static_cast<const T*>(data) + i);
  auto bits = *reinterpret_cast<const FourShort*>(static_cast<const uint16_t*>(data) + i);
#pragma unroll
  for (int e = 0; e < 4; ++e)
    to.v[e] = static_cast<T>(type == DType::bf16 ? load(bf16{bits.v[e]}) : load(f16{bits.v[e]}));
  return to;
}

/// Rows first ... of one head, `column` ... of their width, into a tile of `fill` rows of D elements; zeros
/// where there are none. Every thread of the block calls.
template <class T, int D>
DEV void load_tile(const Heads& from, DType type, int64_t start, int64_t first, int64_t rows, int fill,
                   int column, T* to) {
  constexpr int kUnits = D / 4, kLoads = 2;  // on their way at the same time
  int units = fill * kUnits;
  for (int base = static_cast<int>(threadIdx.x); base < units; base += kLoads * kThreads) {
    Four<T> held[kLoads];
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      int unit = base + i * kThreads, row = unit / kUnits, at = column + unit % kUnits * 4;
      bool there = unit < units && first + row < rows;
      held[i] = load_four<T>(from.data, type, start + (first + row) * from.row + at,
                             there ? from.width - at : 0, from.vectors);
    }
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      int unit = base + i * kThreads;
      if (unit < units)
        *reinterpret_cast<Four<T>*>(to + unit / kUnits * kPitch<T, D> + unit % kUnits * 4) = held[i];
    }
  }
}

DEV int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }
/// How many of `most` rows from `first` on there are.
DEV int rows_left(int64_t rows, int64_t first, int most) {
  int64_t left = rows - first;
  return left < most ? static_cast<int>(left > 0 ? left : 0) : most;
}

// --- products of tiles
// --------------------------------------------------------------------------------------------------

/// The place of a thread in its block.
struct Seat {
  int x = static_cast<int>(threadIdx.x) % kSide, y = static_cast<int>(threadIdx.x) / kSide;
  /// The warp's first row, of R a thread.
  template <int R>
  DEV int warp_row() const {
    return y / 2 * 2 * R;
  }
};

template <class T, int D, int L, int R, int C>
DEV void add_score_columns(const T* a, const T* b, int depth, T (&sums)[R][C]) {
#pragma unroll 1  // 4 R L multiplications are enough for one turn; two take more registers
  for (int d = 0; d < depth; d += 4) {
    Four<T> of_a[R], of_b[L];
#pragma unroll
    for (int r = 0; r < R; ++r) of_a[r] = *reinterpret_cast<const Four<T>*>(a + r * kPitch<T, D> + d);
#pragma unroll
    for (int c = 0; c < L; ++c) of_b[c] = *reinterpret_cast<const Four<T>*>(b + c * kSide * kPitch<T, D> + d);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
#pragma unroll
      for (int r = 0; r < R; ++r) {
#pragma unroll
        for (int c = 0; c < L; ++c) sums[r][c] += of_a[r].v[e] * of_b[c].v[e];
      }
    }
  }
}

/// sums += a b^T over the first `width` of D columns, for the first `live` of the thread's columns.
template <class T, int D, int R, int C>
DEV void add_scores(const T* a, const T* b, int width, int live, const Seat& at, T (&sums)[R][C]) {
  a += at.y * R * kPitch<T, D>, b += at.x * kPitch<T, D>;
  int depth = round_up(width < D ? width : D, 4);
  if (live == C) return add_score_columns<T, D, C>(a, b, depth, sums);
  if constexpr (C == 4) {
    if (live == 3) return add_score_columns<T, D, 3>(a, b, depth, sums);
    if (live == 2) return add_score_columns<T, D, 2>(a, b, depth, sums);
  }
  add_score_columns<T, D, 1>(a, b, depth, sums);
}

/// A thread's columns of D: groups of up to four that lie side by side.
template <int D>
struct Columns {
  static constexpr int kCount = D / kSide, kTogether = kCount < 4 ? kCount : 4;
  DEV static int at(int i, int x) {
    return i / kTogether * kTogether * kSide + x * kTogether + i % kTogether;
  }
};

/// sums += p v over `depth` columns of p, a multiple of 4, whose rows lie `pitch` apart.
template <class T, int D, int R>
DEV void add_weighted(const T* p, int pitch, const T* v, int depth, const Seat& at,
                      T (&sums)[R][Columns<D>::kCount]) {
  constexpr int kCount = Columns<D>::kCount, kTogether = Columns<D>::kTogether;
  struct alignas(kTogether * sizeof(T) < 16 ? kTogether * sizeof(T) : 16) Group {
    T v[kTogether];
  };
  p += at.y * R * pitch, v += at.x * kTogether;
#pragma unroll 1
  for (int k = 0; k < depth; k += 4) {
    Four<T> of_p[R];
#pragma unroll
    for (int r = 0; r < R; ++r) of_p[r] = *reinterpret_cast<const Four<T>*>(p + r * pitch + k);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
#pragma unroll
      for (int g = 0; g < kCount; g += kTogether) {
        auto of_v = *reinterpret_cast<const Group*>(v + (k + e) * kPitch<T, D> + g * kSide);
#pragma unroll
        for (int r = 0; r < R; ++r) {
#pragma unroll
          for (int c = 0; c < kTogether; ++c) sums[r][g + c] += of_p[r].v[e] * of_v.v[c];
        }
      }
    }
  }
}

/// A thread's scores into its warp's rows of a tile.
template <class T, int R, int C>
DEV void write_scores(const T (&s)[R][C], int live, const Seat& at, T* to, int pitch) {
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int c = 0; c < C; ++c) {
      if (c < live) to[(at.y * R + r) * pitch + at.x + c * kSide] = s[r][c];
    }
  }
}

/// A thread's results times `factor` into rows first ... of a head, from `column` on.
template <class T, int D, int R>
DEV void write_rows(const T (&sums)[R][Columns<D>::kCount], const T (&factor)[R], const MutHeads& to,
                    DType type, int64_t start, int64_t first, int64_t rows, int column, const Seat& at) {
#pragma unroll
  for (int r = 0; r < R; ++r) {
    int64_t row = first + at.y * R + r;
    if (row >= rows) continue;
#pragma unroll
    for (int i = 0; i < Columns<D>::kCount; ++i) {
      int d = column + Columns<D>::at(i, at.x);
      if (d < to.width) store_floating(sums[r][i] * factor[r], to.data, type, start + row * to.row + d);
    }
  }
}

/// Over the 16 lanes that share a row.
template <class How, class T>
DEV T over_row(T value) {
#pragma unroll
  for (int distance = kSide / 2; distance > 0; distance /= 2)
    value = How::both(value, __shfl_xor_sync(0xffffffffU, value, distance));
  return value;
}

// --- what happens to scores
// --------------------------------------------------------------------------------------------------

template <class T>
struct Rules {
  T scale;
  bool causal;
  const void* mask;  ///< null: none
  DType mask_type;
  int64_t mask_stride[4];
  int64_t queries, keys;
  bool drops;
  T kept_scale;
  uint32_t threshold;  ///< words' upper 24 bits from here on are kept
  uint64_t key;
  const int64_t* step;
  uint64_t first;

  /// Place in the mask of the first score of a head of queries.
  DEV int64_t mask_start(int64_t n, int64_t h) const { return n * mask_stride[0] + h * mask_stride[1]; }
  /// What is added to a score.
  DEV T masked(int64_t place) const {
    if (mask_type == DType::boolean)
      return value(static_cast<const Bool*>(mask)[place]) != 0 ? T(0) : kLeast<T>;
    return load_as<T>(mask, mask_type, place);
  }
  DEV uint64_t now() const { return drops && step != nullptr ? static_cast<uint64_t>(*step) : 0; }
  /// The index of an element of P, of `item` = n * NH + h.
  DEV uint64_t index(int64_t item, int64_t i, int64_t j) const {
    return first + static_cast<uint64_t>((item * queries + i) * keys + j);
  }
  /// Bit e: whether element index + e is kept, for e < count <= 4.
  DEV uint32_t kept(uint64_t index, uint64_t now, int count) const {
    int skip = static_cast<int>(index % 4);
    uint32_t bits = kept_of(philox(index / 4, now, key)) >> skip;
    if (skip + count > 4) bits |= kept_of(philox(index / 4 + 1, now, key)) << (4 - skip);
    return bits;
  }

 private:
  DEV uint32_t kept_of(const PhiloxBlock& block) const {
    uint32_t bits = 0;
#pragma unroll
    for (uint32_t e = 0; e < 4; ++e) bits |= ((block.word[e] >> 8) >= threshold ? 1U : 0U) << e;
    return bits;
  }
};

enum class RowsAre : uint8_t { queries, keys };

/// Products become scores, of queries i ... and keys j ...: scaled, masked, -infinity where a query sees
/// nothing.
template <RowsAre rows, class T, int R, int C>
DEV void make_scores(const Rules<T>& rules, int64_t mask_at, int64_t i, int64_t j, const Seat& at,
                     T (&s)[R][C]) {
  constexpr int kMost = (R > C ? R : C) * kSide;
  constexpr bool kQueries = rows == RowsAre::queries;
  int queries = rows_left(rules.queries, i, kMost), keys = rows_left(rules.keys, j, kMost);
  // Key k is seen by queries from k - ahead on.
  int64_t distance = i - j;
  int ahead =
      rules.causal && distance < kMost ? static_cast<int>(distance > -kMost ? distance : -kMost) : kMost;
  auto seen = [&](int row, int col) {
    int query = kQueries ? row : col, key = kQueries ? col : row;
    return query < queries && key < keys && key <= query + ahead;
  };
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int c = 0; c < C; ++c)
      s[r][c] = seen(at.y * R + r, at.x + c * kSide) ? s[r][c] * rules.scale : kLeast<T>;
  }
  if (rules.mask == nullptr) return;
  int64_t row_stride = rules.mask_stride[kQueries ? 2 : 3], col_stride = rules.mask_stride[kQueries ? 3 : 2];
  int64_t first = mask_at + i * rules.mask_stride[2] + j * rules.mask_stride[3];
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int c = 0; c < C; ++c) {
      int row = at.y * R + r, col = at.x + c * kSide;
      if (seen(row, col)) s[r][c] += rules.masked(first + row * row_stride + col * col_stride);
    }
  }
}

/// Which elements of a tile of P are kept, rows being queries; all where nothing is dropped. Neighbours in a
/// row lie in one block of Philox or two, so four lanes draw for each other: lane l every fourth group of
/// four elements.
template <int R, int C>
class KeptInRows {
 public:
  template <class T>
  DEV KeptInRows(const Rules<T>& rules, uint64_t now, int64_t item, int64_t i, int64_t j, const Seat& at)
      : lane_(at.x % 4) {
    uint32_t drawn = ~0U;
#pragma unroll 1  // drawing takes long, and several at a time many registers
    for (int g = 0; g < kGroups && rules.drops; ++g) {
      int group = g * 4 + lane_;
      uint64_t index = rules.index(item, i + at.y * R + group / C, j + at.x / 4 * 4 + group % C * kSide);
      drawn = drawn << 4 | (rules.kept(index, now, 4) & 15U);
    }
#pragma unroll
    for (int l = 0; l < 4; ++l) bits_[l] = __shfl_sync(0xffffffffU, drawn, l, 4);
  }
  DEV bool at(int r, int c) const {
    int group = r * C + c;
    return (bits_[group % 4] >> ((kGroups - 1 - group / 4) * 4 + lane_) & 1U) != 0;
  }

 private:
  static constexpr int kGroups = R * C / 4;
  static_assert(R * C % 4 == 0 && kGroups <= 8);
  int lane_;
  uint32_t bits_[4];
};

/// The same where rows are keys: a thread's rows are neighbours, and it draws for itself.
template <int R, int C>
class KeptInColumns {
 public:
  template <class T>
  DEV KeptInColumns(const Rules<T>& rules, uint64_t now, int64_t item, int64_t i, int64_t j, const Seat& at) {
#pragma unroll 1
    for (int c = 0; c < C && rules.drops; ++c) {
      uint64_t index = rules.index(item, i + at.x + c * kSide, j + at.y * R);
      bits_ = bits_ << 4 | (rules.kept(index, now, R) & 15U);
    }
  }
  DEV bool at(int r, int c) const { return (bits_ >> ((C - 1 - c) * 4 + r) & 1U) != 0; }

 private:
  static_assert(R <= 4 && C <= 8);
  uint32_t bits_ = ~0U;
};

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class Data, class V>
HeadsIn<Data> heads_in(const V& x) {
  const auto four = static_cast<int64_t>(4 * size_of(x.dtype));
  bool vectors = reinterpret_cast<uintptr_t>(x.data) % static_cast<uintptr_t>(four) == 0;
  for (int axis = 0; axis < 3; ++axis) vectors = vectors && (x.size(axis) == 1 || x.stride[axis] % 4 == 0);
  ISKRA_CHECK(x.size(3) <= (1 << 20), "attention: heads ", x.size(3), " wide; on CUDA at most ", 1 << 20);
  return {x.data,
          x.stride[0],
          x.stride[1],
          x.stride[2],
          static_cast<int>(x.size(3)),
          vectors && x.size(3) % 4 == 0};
}
inline Heads heads_of(const View& x) { return heads_in<const void*>(x); }
inline MutHeads heads_of(const MutView& x) { return heads_in<void*>(x); }

template <class T>
Rules<T> rules_of(const Attention& at, int64_t queries, int64_t keys) {
  const auto p = static_cast<double>(at.dropout);
  Rules<T> rules{};
  rules.scale = static_cast<T>(at.scale);
  rules.causal = at.causal;
  rules.mask = at.mask.data;
  rules.mask_type = at.mask.dtype;
  for (int axis = 0; axis < 4 && at.mask.defined(); ++axis) rules.mask_stride[axis] = at.mask.stride[axis];
  rules.queries = queries, rules.keys = keys;
  rules.drops = at.dropout > 0;
  rules.kept_scale = static_cast<T>(1.0 / (1.0 - p));
  // uniform >= p, compared as integers: uniform is a multiple of 2^-24, and p * 2^24 is exact.
  rules.threshold = static_cast<uint32_t>(std::ceil(p * 0x1p24));
  rules.key = philox_key(at.key.seed, at.key.place);
  rules.step = at.key.step;
  rules.first = static_cast<uint64_t>(at.key.first);
  return rules;
}

constexpr int64_t pieces(int64_t n, int64_t each) { return (n + each - 1) / each; }

/// f(T{}, std::integral_constant<int, D>{}) for the type computed in and the narrowest tile that kernels are
/// made for; heads that are wider pass in pieces of the widest.
template <class F>
void with_tile(DType type, int64_t width, F&& f) {
  if (type == DType::f64) return f(double{}, std::integral_constant<int, 64>{});
  if (width <= 32) return f(float{}, std::integral_constant<int, 32>{});
  if (width <= 64) return f(float{}, std::integral_constant<int, 64>{});
  f(float{}, std::integral_constant<int, 128>{});
}

inline unsigned checked_blocks(int64_t blocks, const char* op) {
  ISKRA_CHECK(blocks <= 0x7fffffff, op, ": ", blocks, " blocks of rows; on CUDA at most 2^31 - 1");
  return static_cast<unsigned>(blocks);
}

}  // namespace
}  // namespace iskra::kernels
