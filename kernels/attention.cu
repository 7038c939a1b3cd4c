// Softmax attention on CUDA: P = softmax(scale * q k^T + mask), o = drop(P) v. A block of threads has some
// queries of one head and walks along the keys.
//
// attention_online takes any number of keys, in the way of Dao et al. 2022 (FlashAttention): with each tile
// the largest score so far and the sums grow, and what was summed is scaled down to the new largest one.
// attention_rows keeps all scores of its queries in shared memory, for few keys: tiles of k, one softmax,
// tiles of v.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include <iskra/kernels/attention_check.h>
#include <iskra/kernels/attention.cuh>

namespace iskra::kernels {
namespace {

template <class T>
struct Forward {
  Rules<T> rules;
  Heads q, k, v;
  MutHeads o;
  T* lse;
  DType type;
  int64_t heads, group;  ///< group: heads of queries that share one of keys
  int64_t row_blocks, slices;
};

/// What a block computes: rows first ... of one head, and D columns of o from `column` on.
struct Piece {
  int64_t item, n, h, key_head, first;
  int column;

  template <class T>
  DEV Piece(const Forward<T>& x, int rows, int width) {
    int64_t block = blockIdx.x;
    first = block % x.row_blocks * rows;
    block /= x.row_blocks;
    column = static_cast<int>(block % x.slices) * width;
    item = block / x.slices;
    n = item / x.heads, h = item % x.heads, key_head = h / x.group;
  }
  /// Keys that the block's queries see: 0 ... end - 1.
  template <class T>
  DEV int64_t end(const Rules<T>& rules, int rows) const {
    return rules.causal && first + rows < rules.keys ? first + rows : rules.keys;
  }
};

/// o = sums / sum, and lse. Sums are the lanes' own; a query that saw nothing gives zeros.
template <class T, int D, int R>
DEV void finish(const Forward<T>& x, const Piece& piece, const Seat& at,
                const T (&sums)[R][Columns<D>::kCount], const T (&largest)[R], const T (&sum)[R]) {
  T inverse[R];
#pragma unroll
  for (int r = 0; r < R; ++r) {
    T all = over_row<Sum>(sum[r]);
    inverse[r] = all == T(0) ? T(0) : T(1) / all;
    int64_t row = piece.first + at.y * R + r;
    if (piece.column == 0 && at.x == 0 && row < x.rules.queries)
      x.lse[piece.item * x.rules.queries + row] = largest[r] + math::log(all);
  }
  write_rows<T, D>(sums, inverse, x.o, x.type, x.o.start(piece.n, piece.h), piece.first, x.rules.queries,
                   piece.column, at);
}

template <class T>
DEV T shift_of(T largest) {
  return largest == kLeast<T> ? T(0) : largest;  // nothing to see: all become zero
}

// --- any number of keys
// --------------------------------------------------------------------------------------------------

template <class T, int D>
struct OnlineTile {
  static constexpr int kR = sizeof(T) == 8 ? 2 : 4, kC = sizeof(T) == 8 || D > 64 ? 2 : 4;
  static constexpr int kRows = kR * kSide, kKeys = kC * kSide, kPPitch = kPitch<T, kKeys>;
  static constexpr size_t kBytes = sizeof(T) * ((kRows + 2 * kKeys) * kPitch<T, D> + kRows * kPPitch);
  static_assert(kBytes <= kMostShared);
};

/// Scores of a tile of keys from j on, heads wider than a tile in pieces. Every thread calls; who is not
/// `live` has no queries.
template <class T, int D, int R, int C>
DEV void score_tile(const Forward<T>& x, const Piece& piece, int64_t j, int keys, bool live, const Seat& at,
                    T* q, T* k, T (&s)[R][C]) {
  int fill = round_up(keys, kSide), columns = fill / kSide;
  if (live && x.q.width <= D) add_scores<T, D>(q, k, x.q.width, columns, at, s);
  if (x.q.width > D) {
    for (int column = 0; column < x.q.width; column += D) {
      __syncthreads();
      load_tile<T, D>(x.q, x.type, x.q.start(piece.n, piece.h), piece.first, x.rules.queries, R * kSide,
                      column, q);
      load_tile<T, D>(x.k, x.type, x.k.start(piece.n, piece.key_head), j, x.rules.keys, fill, column, k);
      __syncthreads();
      if (live) add_scores<T, D>(q, k, x.q.width - column, columns, at, s);
    }
  }
  if (!live) return;
  make_scores<RowsAre::queries>(x.rules, x.rules.mask_start(piece.n, piece.h), piece.first, j, at, s);
}

/// s = e^(s - largest), with the largest of all so far; what was summed before shrinks with it.
template <class T, int R, int C, int W>
DEV void renew(T (&s)[R][C], int columns, T (&largest)[R], T (&sum)[R], T (&sums)[R][W]) {
#pragma unroll
  for (int r = 0; r < R; ++r) {
    T most = largest[r];
#pragma unroll
    for (int c = 0; c < C; ++c) {
      if (c < columns) most = Largest::both(most, s[r][c]);
    }
    most = over_row<Largest>(most);
    T shift = shift_of(most), shrink = math::exp_below(largest[r] - shift);
    largest[r] = most;
    sum[r] *= shrink;
#pragma unroll
    for (int i = 0; i < W; ++i) sums[r][i] *= shrink;
#pragma unroll
    for (int c = 0; c < C; ++c) {
      if (c >= columns) continue;
      s[r][c] = math::exp_below(s[r][c] - shift);
      sum[r] += s[r][c];
    }
  }
}

template <class T, int R, int C>
DEV void drop_tile(const Rules<T>& rules, uint64_t now, int64_t item, int64_t i, int64_t j, const Seat& at,
                   T (&p)[R][C]) {
  KeptInRows<R, C> kept(rules, now, item, i, j, at);
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int c = 0; c < C; ++c) p[r][c] = kept.at(r, c) ? p[r][c] * rules.kept_scale : T(0);
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) attention_online(Forward<T> x) {
  using Tile = OnlineTile<T, D>;
  constexpr int R = Tile::kR, C = Tile::kC;
  DYN_SHARED(T, q);
  T *k = q + Tile::kRows * kPitch<T, D>, *v = k + Tile::kKeys * kPitch<T, D>,
    *p = v + Tile::kKeys * kPitch<T, D>;
  Seat at;
  Piece piece(x, Tile::kRows, D);
  int64_t end = piece.end(x.rules, Tile::kRows);
  bool live = piece.first + at.warp_row<R>() < x.rules.queries;
  uint64_t now = x.rules.now();
  T sums[R][Columns<D>::kCount] = {}, largest[R], sum[R] = {};
#pragma unroll
  for (int r = 0; r < R; ++r) largest[r] = kLeast<T>;
  if (x.q.width <= D)
    load_tile<T, D>(x.q, x.type, x.q.start(piece.n, piece.h), piece.first, x.rules.queries, Tile::kRows, 0,
                    q);
  for (int64_t j = 0; j < end; j += Tile::kKeys) {
    int keys = rows_left(end, j, Tile::kKeys), fill = round_up(keys, kSide), columns = fill / kSide;
    __syncthreads();  // whoever still reads the tiles before
    if (x.q.width <= D)
      load_tile<T, D>(x.k, x.type, x.k.start(piece.n, piece.key_head), j, x.rules.keys, fill, 0, k);
    load_tile<T, D>(x.v, x.type, x.v.start(piece.n, piece.key_head), j, x.rules.keys, fill, piece.column, v);
    __syncthreads();
    T s[R][C] = {};
    score_tile<T, D>(x, piece, j, keys, live, at, q, k, s);
    if (!live) continue;
    renew(s, columns, largest, sum, sums);
    if (x.rules.drops) drop_tile(x.rules, now, piece.item, piece.first, j, at, s);
    write_scores(s, columns, at, p, Tile::kPPitch);
    __syncwarp();
    add_weighted<T, D>(p, Tile::kPPitch, v, round_up(keys, 4), at, sums);
    __syncwarp();
  }
  if (live) finish<T, D>(x, piece, at, sums, largest, sum);
}

// --- few keys
// --------------------------------------------------------------------------------------------------

template <class T, int D>
struct RowsTile {
  static constexpr int kR = sizeof(T) == 8 || D > 64 ? 2 : 4, kC = sizeof(T) == 8 ? 2 : 4;
  static constexpr int kRows = kR * kSide, kKeys = kC * kSide, kMostKeys = 256;
  /// Elements from row to row of the scores.
  static constexpr int pitch(int64_t keys) {
    return static_cast<int>(pieces(keys, kSide)) * kSide + kPitch<T, 0>;
  }
  static constexpr size_t bytes(int64_t keys) {
    return sizeof(T) * static_cast<size_t>((kRows + kKeys) * kPitch<T, D> + kRows * pitch(keys));
  }
};

/// The thread's cells of the scores become e^(s - largest), dropped or not; sum of those before dropping.
template <class T, int R, int C>
DEV void exponentials(const Rules<T>& rules, const Piece& piece, int64_t end, const Seat& at, int pitch, T* p,
                      const T (&largest)[R], T (&sum)[R]) {
  uint64_t now = rules.now();
  for (int64_t j = 0; j < end; j += C * kSide) {
    int columns = round_up(rows_left(end, j, C * kSide), kSide) / kSide;
    T* first = p + at.y * R * pitch + j + at.x;
    T s[R][C] = {};
#pragma unroll
    for (int r = 0; r < R; ++r) {
#pragma unroll
      for (int c = 0; c < C; ++c) {
        if (c >= columns) continue;
        s[r][c] = math::exp_below(first[r * pitch + c * kSide] - shift_of(largest[r]));
        sum[r] += s[r][c];
      }
    }
    if (rules.drops) drop_tile(rules, now, piece.item, piece.first, j, at, s);
    write_scores(s, columns, at, p + j, pitch);
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) attention_rows(Forward<T> x, int pitch) {
  using Tile = RowsTile<T, D>;
  constexpr int R = Tile::kR, C = Tile::kC;
  DYN_SHARED(T, q);
  T *tile = q + Tile::kRows * kPitch<T, D>, *p = tile + Tile::kKeys * kPitch<T, D>;
  Seat at;
  Piece piece(x, Tile::kRows, D);
  int64_t end = piece.end(x.rules, Tile::kRows);
  bool live = piece.first + at.warp_row<R>() < x.rules.queries;
  T largest[R], sum[R] = {};
#pragma unroll
  for (int r = 0; r < R; ++r) largest[r] = kLeast<T>;
  load_tile<T, D>(x.q, x.type, x.q.start(piece.n, piece.h), piece.first, x.rules.queries, Tile::kRows, 0, q);
  for (int64_t j = 0; j < end; j += Tile::kKeys) {
    int keys = rows_left(end, j, Tile::kKeys), fill = round_up(keys, kSide), columns = fill / kSide;
    __syncthreads();  // whoever still reads the tile before
    load_tile<T, D>(x.k, x.type, x.k.start(piece.n, piece.key_head), j, x.rules.keys, fill, 0, tile);
    __syncthreads();
    if (!live) continue;
    T s[R][C] = {};
    score_tile<T, D>(x, piece, j, keys, live, at, q, tile, s);
    write_scores(s, columns, at, p + j, pitch);
#pragma unroll
    for (int r = 0; r < R; ++r) {
#pragma unroll
      for (int c = 0; c < C; ++c) {
        if (c < columns) largest[r] = Largest::both(largest[r], s[r][c]);
      }
    }
  }
  if (live) {
#pragma unroll
    for (int r = 0; r < R; ++r) largest[r] = over_row<Largest>(largest[r]);
    exponentials<T, R, C>(x.rules, piece, end, at, pitch, p, largest, sum);
    __syncwarp();
  }
  T sums[R][Columns<D>::kCount] = {};
  for (int64_t j = 0; j < end; j += Tile::kKeys) {
    int keys = rows_left(end, j, Tile::kKeys);
    __syncthreads();
    load_tile<T, D>(x.v, x.type, x.v.start(piece.n, piece.key_head), j, x.rules.keys, round_up(keys, 4), 0,
                    tile);
    __syncthreads();
    if (live) add_weighted<T, D>(p + j, pitch, tile, round_up(keys, 4), at, sums);
  }
  if (live) finish<T, D>(x, piece, at, sums, largest, sum);
}

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class T, int D>
void launch(const Cuda& on, Forward<T> x, int64_t items) {
  using Online = OnlineTile<T, D>;
  using Rows = RowsTile<T, D>;
  static_assert(Rows::bytes(Rows::kMostKeys) <= kMostShared);
  const int64_t queries = x.rules.queries, keys = x.rules.keys;
  const bool in_rows = keys <= Rows::kMostKeys && x.q.width <= D && x.v.width <= D;
  x.row_blocks = pieces(queries, in_rows ? Rows::kRows : Online::kRows);
  x.slices = std::max<int64_t>(pieces(x.v.width, D), 1);
  const unsigned blocks = checked_blocks(items * x.row_blocks * x.slices, "attention");
  if (in_rows)
    gpu::launch<attention_rows<T, D>>({blocks, kThreads, Rows::bytes(keys)}, on, x, Rows::pitch(keys));
  else
    gpu::launch<attention_online<T, D>>({blocks, kThreads, Online::kBytes}, on, x);
}

}  // namespace

void attention(Cuda on, const Attention& at, View q, View k, View v, MutView o, MutView lse) {
  check_attention(at, q, k, v, o, lse, "attention");
  if (lse.numel() == 0) return;
  const int64_t queries = q.size(2), keys = k.size(2), heads = q.size(1);
  if (keys == 0) {
    fill(on, o, 0);
    return fill(on, lse, -std::numeric_limits<double>::infinity());
  }
  with_tile(q.dtype, std::max(q.size(3), v.size(3)), [&]<class T, int D>(T, std::integral_constant<int, D>) {
    const Forward<T> x{rules_of<T>(at, queries, keys),
                       heads_of(q),
                       heads_of(k),
                       heads_of(v),
                       heads_of(o),
                       lse.as<T>(),
                       q.dtype,
                       heads,
                       heads / k.size(1),
                       0,
                       0};
    launch<T, D>(on, x, q.size(0) * heads);
  });
}

}  // namespace iskra::kernels
