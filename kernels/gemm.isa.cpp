// Our own matrix product, compiled once per ISA level: packed panels, and a register tile of kRows x kCols
// sums.
//
// Per block of kDepth of the inner axis, B is packed into slivers of kCols columns and A into slivers of
// kRows rows, both padded with zeros, so that the inner kernel knows no edges and no strides. Every element
// of c is the sum over blocks, in order, of sums over p, in order: its bits depend on k alone, never on where
// a partition cut. 16-bit operands become float as they are packed; nothing behind the packing knows of them.
#include <iskra/kernels/gemm.isa.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int64_t kVectorBytes = 64, kRows = 12;
#elif defined(__AVX2__)
constexpr int64_t kVectorBytes = 32, kRows = 6;
#else
constexpr int64_t kVectorBytes = 16, kRows = 4;
#endif
constexpr int64_t kVectors = 2;           // vectors in a row of the tile
constexpr int64_t kDepth = 128;           // a sliver of B stays in the first-level cache
constexpr int64_t kRowBlock = 8 * kRows;  // packed A stays in the second level
constexpr int64_t kColBytes = 4096;       // and so does packed B

template <class T>
struct Tile {
  typedef T Vec __attribute__((vector_size(kVectorBytes)));
  typedef T Unaligned __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
  static constexpr int64_t kLanes = kVectorBytes / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t kCols = kVectors * kLanes;
  static constexpr int64_t kColBlock = kColBytes / static_cast<int64_t>(sizeof(T));
};

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t round_up(int64_t v, int64_t to) { return (v + to - 1) / to * to; }

/// Packs `count` vectors of length `depth` into slivers of `Width`: to[sliver][p][i]; missing ones become
/// zero.
template <int64_t Width, class S, class T>
void pack(const S* from, int64_t across, int64_t along, int64_t count, int64_t depth, T* to) {
  for (int64_t first = 0; first < count; first += Width, to += Width * depth) {
    const S* at = from + first * across;
    const int64_t width = least(Width, count - first);
    if (width == Width && across == 1) {
      for (int64_t p = 0; p < depth; ++p)
        for (int64_t i = 0; i < Width; ++i) to[p * Width + i] = load(at[p * along + i]);
      continue;
    }
    for (int64_t i = 0; i < width; ++i)
      for (int64_t p = 0; p < depth; ++p) to[p * Width + i] = load(at[i * across + p * along]);
    for (int64_t p = 0; p < depth; ++p)
      for (int64_t i = width; i < Width; ++i) to[p * Width + i] = T(0);
  }
}

/// tile (kRows, kCols) = a sliver of A times a sliver of B.
template <class T>
inline void multiply_slivers(int64_t depth, const T* a, const T* b, T* tile) {
  using Vec = typename Tile<T>::Vec;
  constexpr int64_t kLanes = Tile<T>::kLanes;
  Vec acc[kRows][kVectors] = {};
  for (int64_t p = 0; p < depth; ++p, a += kRows, b += kVectors * kLanes) {
    // One load for each vector: a copy of the whole row would go through memory in narrower pieces.
    Vec row[kVectors];
#pragma GCC unroll 2
    for (int64_t j = 0; j < kVectors; ++j)
      row[j] = *reinterpret_cast<const typename Tile<T>::Unaligned*>(b + j * kLanes);
#pragma GCC unroll 12
    for (int64_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int64_t j = 0; j < kVectors; ++j) acc[i][j] += a[i] * row[j];
    }
  }
  __builtin_memcpy(tile, acc, sizeof(acc));
}

/// What happens to c when a tile is done: the first block of the inner axis applies beta, the last adds the
/// bias.
template <class T>
struct Finish {
  T beta;
  const T* bias;
};

template <class T>
inline void store_tile(const T* tile, int64_t rows, int64_t cols, Finish<T> finish, T* c, int64_t c_row) {
  constexpr int64_t kCols = Tile<T>::kCols;
  for (int64_t i = 0; i < rows; ++i, tile += kCols, c += c_row) {
    if (finish.beta == T(0))
      for (int64_t j = 0; j < cols; ++j) c[j] = tile[j];
    else
      for (int64_t j = 0; j < cols; ++j) c[j] = finish.beta * c[j] + tile[j];
    if (finish.bias != nullptr)
      for (int64_t j = 0; j < cols; ++j) c[j] += finish.bias[j];
  }
}

/// One packed block of A (m, depth) times one packed block of B (depth, n).
template <class T>
void multiply_blocks(int64_t m, int64_t n, int64_t depth, const T* a, const T* b, Finish<T> finish, T* c,
                     int64_t c_row) {
  constexpr int64_t kCols = Tile<T>::kCols;
  alignas(64) T tile[kRows * kCols];
  for (int64_t j = 0; j < n; j += kCols)
    for (int64_t i = 0; i < m; i += kRows) {
      multiply_slivers(depth, a + i * depth, b + j * depth, tile);
      const Finish<T> here{finish.beta, finish.bias == nullptr ? nullptr : finish.bias + j};
      store_tile(tile, least(kRows, m - i), least(kCols, n - j), here, c + i * c_row + j, c_row);
    }
}

/// k = 0: c = beta * c + bias.
template <class T>
void finish_only(const GemmShape& s, const T* bias, T* c, T beta) {
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j) {
      T& to = c[i * s.c_row + j];
      to = (beta == T(0) ? T(0) : beta * to) + (bias == nullptr ? T(0) : bias[j]);
    }
}

template <class T>
int64_t packed_a(const GemmShape& s) {
  const int64_t count = least(round_up(s.m, kRows), kRowBlock) * least(s.k, kDepth);
  return round_up(count, 64 / static_cast<int64_t>(sizeof(T)));
}

template <class T>
size_t scratch_bytes(const GemmShape& s) {
  const int64_t packed_b = least(round_up(s.n, Tile<T>::kCols), Tile<T>::kColBlock) * least(s.k, kDepth);
  return static_cast<size_t>(round_up((packed_a<T>(s) + packed_b) * static_cast<int64_t>(sizeof(T)), 64));
}

template <class S, class T>
void run(const GemmShape& s, const S* a, const S* b, const T* bias, T* c, T beta, void* scratch) {
  if (s.k == 0) return finish_only(s, bias, c, beta);
  constexpr int64_t kColBlock = Tile<T>::kColBlock;
  T* to_a = static_cast<T*>(scratch);
  T* to_b = to_a + packed_a<T>(s);
  for (int64_t j = 0; j < s.n; j += kColBlock) {
    const int64_t cols = least(kColBlock, s.n - j);
    for (int64_t p = 0; p < s.k; p += kDepth) {
      const int64_t depth = least(kDepth, s.k - p);
      const bool last = p + depth == s.k;
      const Finish<T> finish{p == 0 ? beta : T(1), last && bias != nullptr ? bias + j : nullptr};
      pack<Tile<T>::kCols>(b + p * s.b_row + j * s.b_col, s.b_col, s.b_row, cols, depth, to_b);
      for (int64_t i = 0; i < s.m; i += kRowBlock) {
        const int64_t rows = least(kRowBlock, s.m - i);
        pack<kRows>(a + i * s.a_row + p * s.a_col, s.a_row, s.a_col, rows, depth, to_a);
        multiply_blocks(rows, cols, depth, to_a, to_b, finish, c + i * s.c_row + j, s.c_row);
      }
    }
  }
}

}  // namespace

extern const GemmTables gemm_tables = {{scratch_bytes<float>, run<float, float>},
                                       {scratch_bytes<double>, run<double, double>},
                                       {scratch_bytes<float>, run<bf16, float>},
                                       {scratch_bytes<float>, run<f16, float>}};

}  // namespace iskra::kernels::ISKRA_ISA
