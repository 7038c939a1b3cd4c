// The gradients of attention on CUDA. The probabilities are computed again from lse, the dropped elements
// drawn again:
//   P = exp(scale * q k^T + mask - lse)   dv = drop(P)^T do
//   dP = drop(do v^T)                     dS = scale * P * (dP - delta) with delta = rowsum(do * o)
//   dq = dS k                             dk = dS^T q
// One kernel walks with some queries along the keys, for dq; another with some keys along the queries, for dk
// and dv, which are so sums of one block in a fixed order, over all heads of queries that share the keys. In
// the second, tiles lie on their side: rows are keys.
#include <algorithm>

#include <iskra/kernels/attention_check.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/attention.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

template <class T>
struct Backward {
  Rules<T> rules;
  Heads q, k, v, d_o;
  MutHeads dq, dk, dv;
  const T *lse, *delta;
  DType type;
  int64_t heads, key_heads;
  int64_t row_blocks, slices;
};

/// Two operands of a side and the rows of them that a tile has: q and do, or k and v.
struct Side {
  const Heads &scores, &values;
  int64_t scores_start, values_start, first, rows;
};

template <class T, int D>
struct GradientTile {
  static constexpr int kEach = sizeof(T) == 8 || D > 64 ? 2 : 4, kRows = kEach * kSide;
  static constexpr int kElements = kRows * kPitch<T, D>, kPPitch = kPitch<T, kRows>;
  static constexpr size_t kBytes = sizeof(T) * (4 * kElements + kRows * kPPitch);
  static_assert(kBytes <= kMostShared);
  T *own_scores, *own_values, *other_scores, *other_values, *p;
  DEV explicit GradientTile(T* memory)
      : own_scores(memory),
        own_values(memory + kElements),
        other_scores(memory + 2 * kElements),
        other_values(memory + 3 * kElements),
        p(memory + 4 * kElements) {}
};

template <class T, int D>
DEV void load_scores(const Side& side, DType type, int fill, int column, T* to) {
  load_tile<T, D>(side.scores, type, side.scores_start, side.first, side.rows, fill, column, to);
}
template <class T, int D>
DEV void load_values(const Side& side, DType type, int fill, int column, T* to) {
  load_tile<T, D>(side.values, type, side.values_start, side.first, side.rows, fill, column, to);
}

/// Whether the heads fit into tiles; the block's own are then loaded once.
template <int D>
DEV bool fits(const Side& side) {
  return side.scores.width <= D && side.values.width <= D;
}

/// s = own q k^T and dp = do v^T of two tiles, whose `column` ... stay in shared memory. Every thread calls;
/// who is not `live` has no rows.
template <class T, int D, int E>
DEV void multiply(const Side& own, const Side& other, DType type, int column, bool live, const Seat& at,
                  const GradientTile<T, D>& tile, T (&s)[E][E], T (&dp)[E][E]) {
  constexpr int kRows = GradientTile<T, D>::kRows;
  int fill = round_up(rows_left(other.rows, other.first, kRows), kSide), columns = fill / kSide;
  int scores_width = own.scores.width, values_width = own.values.width;
  __syncthreads();  // whoever still reads the tiles before
  if (!fits<D>(own)) {
    for (int from = 0; from < scores_width; from += D) {
      load_scores<T, D>(own, type, kRows, from, tile.own_scores);
      load_scores<T, D>(other, type, fill, from, tile.other_scores);
      __syncthreads();
      if (live) add_scores<T, D>(tile.own_scores, tile.other_scores, scores_width - from, columns, at, s);
      __syncthreads();
    }
    for (int from = 0; from < values_width; from += D) {
      load_values<T, D>(own, type, kRows, from, tile.own_values);
      load_values<T, D>(other, type, fill, from, tile.other_values);
      __syncthreads();
      if (live) add_scores<T, D>(tile.own_values, tile.other_values, values_width - from, columns, at, dp);
      __syncthreads();
    }
  }
  load_scores<T, D>(other, type, fill, column, tile.other_scores);
  load_values<T, D>(other, type, fill, column, tile.other_values);
  __syncthreads();
  if (!live || !fits<D>(own)) return;
  add_scores<T, D>(tile.own_scores, tile.other_scores, scores_width, columns, at, s);
  add_scores<T, D>(tile.own_values, tile.other_values, values_width, columns, at, dp);
}

/// What a query's scores and their gradients are measured against; a query that is not there has none.
template <class T>
struct QueryRow {
  T shift, delta;
  DEV QueryRow(const Backward<T>& x, int64_t item, int64_t i) {
    bool there = i < x.rules.queries;
    int64_t row = item * x.rules.queries + (there ? i : 0);
    T lse = x.lse[row];
    shift = lse == kLeast<T> ? T(0) : lse;
    delta = there ? x.delta[row] : T(0);
  }
};

/// Of one element: the score s becomes drop(P), dp becomes dS.
template <class T>
DEV void differentiate(const Rules<T>& rules, const QueryRow<T>& row, bool kept, T& s, T& dp) {
  T p = math::exp_below(s - row.shift);
  s = kept ? p * rules.kept_scale : T(0);
  dp = rules.scale * (p * ((kept ? dp * rules.kept_scale : T(0)) - row.delta));
}

/// Rows are queries.
template <class T, int E>
DEV void differentiate_rows(const Backward<T>& x, int64_t item, int64_t mask_at, int64_t i, int64_t j,
                            uint64_t now, const Seat& at, T (&s)[E][E], T (&dp)[E][E]) {
  make_scores<RowsAre::queries>(x.rules, mask_at, i, j, at, s);
  KeptInRows<E, E> kept(x.rules, now, item, i, j, at);
#pragma unroll
  for (int r = 0; r < E; ++r) {
    QueryRow<T> row(x, item, i + at.y * E + r);
#pragma unroll
    for (int c = 0; c < E; ++c) differentiate(x.rules, row, kept.at(r, c), s[r][c], dp[r][c]);
  }
}

/// Rows are keys.
template <class T, int E>
DEV void differentiate_columns(const Backward<T>& x, int64_t item, int64_t mask_at, int64_t i, int64_t j,
                               uint64_t now, const Seat& at, T (&s)[E][E], T (&dp)[E][E]) {
  make_scores<RowsAre::keys>(x.rules, mask_at, i, j, at, s);
  KeptInColumns<E, E> kept(x.rules, now, item, i, j, at);
#pragma unroll
  for (int c = 0; c < E; ++c) {
    QueryRow<T> row(x, item, i + at.x + c * kSide);
#pragma unroll
    for (int r = 0; r < E; ++r) differentiate(x.rules, row, kept.at(r, c), s[r][c], dp[r][c]);
  }
}

/// sums += p v for a thread's own p, by way of its warp's rows of shared memory.
template <class T, int D, int E>
DEV void add_gradient(const T (&p)[E][E], int others, const T* v, const Seat& at, T* memory,
                      T (&sums)[E][Columns<D>::kCount]) {
  constexpr int kPPitch = GradientTile<T, D>::kPPitch;
  __syncwarp();  // whoever still reads the rows before
  write_scores(p, round_up(others, kSide) / kSide, at, memory, kPPitch);
  __syncwarp();
  add_weighted<T, D>(memory, kPPitch, v, round_up(others, 4), at, sums);
}

template <class T, int R>
DEV void fill_ones(T (&ones)[R]) {
#pragma unroll
  for (int r = 0; r < R; ++r) ones[r] = T(1);
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) attention_query_gradient(Backward<T> x) {
  using Tile = GradientTile<T, D>;
  constexpr int E = Tile::kEach;
  DYN_SHARED(T, memory);
  Tile tile(memory);
  Seat at;
  int64_t i = blockIdx.x % x.row_blocks * Tile::kRows, rest = blockIdx.x / x.row_blocks;
  int column = static_cast<int>(rest % x.slices) * D;
  int64_t item = rest / x.slices, n = item / x.heads, h = item % x.heads;
  int64_t key_head = h / (x.heads / x.key_heads), mask_at = x.rules.mask_start(n, h);
  int64_t end = x.rules.causal && i + Tile::kRows < x.rules.keys ? i + Tile::kRows : x.rules.keys;
  uint64_t now = x.rules.now();
  bool live = i + at.warp_row<E>() < x.rules.queries;
  Side own{x.q, x.d_o, x.q.start(n, h), x.d_o.start(n, h), i, x.rules.queries};
  Side other{x.k, x.v, x.k.start(n, key_head), x.v.start(n, key_head), 0, end};
  if (fits<D>(own)) {
    load_scores<T, D>(own, x.type, Tile::kRows, 0, tile.own_scores);
    load_values<T, D>(own, x.type, Tile::kRows, 0, tile.own_values);
  }
  T sums[E][Columns<D>::kCount] = {}, ones[E];
  fill_ones(ones);
  for (; other.first < end; other.first += Tile::kRows) {
    T s[E][E] = {}, dp[E][E] = {};
    multiply(own, other, x.type, column, live, at, tile, s, dp);
    if (!live) continue;
    differentiate_rows(x, item, mask_at, i, other.first, now, at, s, dp);
    int keys = rows_left(end, other.first, Tile::kRows);
    add_gradient<T, D>(dp, keys, tile.other_scores, at, tile.p, sums);
  }
  if (live) write_rows<T, D>(sums, ones, x.dq, x.type, x.dq.start(n, h), i, x.rules.queries, column, at);
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) attention_key_gradients(Backward<T> x) {
  using Tile = GradientTile<T, D>;
  constexpr int E = Tile::kEach;
  DYN_SHARED(T, memory);
  Tile tile(memory);
  Seat at;
  int64_t j = blockIdx.x % x.row_blocks * Tile::kRows, rest = blockIdx.x / x.row_blocks;
  int column = static_cast<int>(rest % x.slices) * D;
  int64_t key_item = rest / x.slices, n = key_item / x.key_heads, key_head = key_item % x.key_heads;
  int64_t group = x.heads / x.key_heads,
          begin = x.rules.causal ? j : 0;  // queries before j see none of j ...
  uint64_t now = x.rules.now();
  bool live = j + at.warp_row<E>() < x.rules.keys;
  Side own{x.k, x.v, x.k.start(n, key_head), x.v.start(n, key_head), j, x.rules.keys};
  if (fits<D>(own)) {
    load_scores<T, D>(own, x.type, Tile::kRows, 0, tile.own_scores);
    load_values<T, D>(own, x.type, Tile::kRows, 0, tile.own_values);
  }
  T dk[E][Columns<D>::kCount] = {}, dv[E][Columns<D>::kCount] = {}, ones[E];
  fill_ones(ones);
  for (int64_t h = key_head * group; h < (key_head + 1) * group; ++h) {
    int64_t item = n * x.heads + h, mask_at = x.rules.mask_start(n, h);
    Side other{x.q, x.d_o, x.q.start(n, h), x.d_o.start(n, h), begin, x.rules.queries};
    for (; other.first < x.rules.queries; other.first += Tile::kRows) {
      T s[E][E] = {}, dp[E][E] = {};
      multiply(own, other, x.type, column, live, at, tile, s, dp);
      if (!live) continue;
      differentiate_columns(x, item, mask_at, other.first, j, now, at, s, dp);
      int queries = rows_left(x.rules.queries, other.first, Tile::kRows);
      add_gradient<T, D>(s, queries, tile.other_values, at, tile.p, dv);
      add_gradient<T, D>(dp, queries, tile.other_scores, at, tile.p, dk);
    }
  }
  if (!live) return;
  write_rows<T, D>(dk, ones, x.dk, x.type, x.dk.start(n, key_head), j, x.rules.keys, column, at);
  write_rows<T, D>(dv, ones, x.dv, x.type, x.dv.start(n, key_head), j, x.rules.keys, column, at);
}

/// delta = rowsum(do * o), a warp for each query.
template <class T>
__global__ void __launch_bounds__(kThreads)
    attention_delta(Heads o, Heads d_o, DType type, int64_t rows, int64_t heads, int64_t queries, T* delta) {
  constexpr int kWarps = kThreads / 32;
  int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < rows;
       row += int64_t{gridDim.x} * kWarps) {
    int64_t i = row % queries, item = row / queries, n = item / heads, h = item % heads;
    int64_t at_o = o.start(n, h) + i * o.row, at_d_o = d_o.start(n, h) + i * d_o.row;
    T sum = 0;
    for (int d = lane; d < o.width; d += 32)
      sum += load_floating<T>(o.data, type, at_o + d) * load_floating<T>(d_o.data, type, at_d_o + d);
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, distance);
    if (lane == 0) delta[row] = sum;
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class T, int D>
void launch(const Cuda& on, Backward<T> x, int64_t pictures) {
  using Tile = GradientTile<T, D>;
  const char* op = "attention_backward";
  const auto in_tiles = [](int64_t width) { return std::max<int64_t>(pieces(width, D), 1); };
  x.row_blocks = pieces(x.rules.queries, Tile::kRows);
  x.slices = in_tiles(x.q.width);
  unsigned blocks = checked_blocks(pictures * x.heads * x.row_blocks * x.slices, op);
  gpu::launch<attention_query_gradient<T, D>>({blocks, kThreads, Tile::kBytes}, on, x);
  x.row_blocks = pieces(x.rules.keys, Tile::kRows);
  x.slices = in_tiles(std::max(x.q.width, x.v.width));
  blocks = checked_blocks(pictures * x.key_heads * x.row_blocks * x.slices, op);
  gpu::launch<attention_key_gradients<T, D>>({blocks, kThreads, Tile::kBytes}, on, x);
}

}  // namespace

void attention_backward(Cuda on, const Attention& at, View q, View k, View v, View o, View lse, View do_,
                        MutView dq, MutView dk, MutView dv) {
  check_attention_backward(at, q, k, v, o, lse, do_, dq, dk, dv);
  const int64_t pictures = q.size(0), heads = q.size(1), queries = q.size(2), keys = k.size(2);
  if (lse.numel() == 0 || keys == 0) return fill(on, dq, 0), fill(on, dk, 0), fill(on, dv, 0);
  with_tile(q.dtype, std::max(q.size(3), v.size(3)), [&]<class T, int D>(T, std::integral_constant<int, D>) {
    const int64_t rows = lse.numel();
    T* delta = scratch_of(on, "attention_backward").of<T>(rows);
    gpu::launch<attention_delta<T>>({blocks_for(rows, kThreads / 32), kThreads}, on, heads_of(o),
                                    heads_of(do_), q.dtype, rows, heads, queries, delta);
    const Backward<T> x{rules_of<T>(at, queries, keys),
                        heads_of(q),
                        heads_of(k),
                        heads_of(v),
                        heads_of(do_),
                        heads_of(dq),
                        heads_of(dk),
                        heads_of(dv),
                        lse.as<T>(),
                        delta,
                        q.dtype,
                        heads,
                        k.size(1),
                        0,
                        0};
    launch<T, D>(on, x, pictures);
  });
}

}  // namespace iskra::kernels
