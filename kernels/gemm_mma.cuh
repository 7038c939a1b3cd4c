// The main loop of products on tensor cores by mma: a block sums a tile of c, over k in ascending steps of
// one instruction, so that a result's bits do not depend on which tile it is in.
//
// Lines of a and of b come by cp.async through a ring of stages in shared memory: 64 bytes of each line a
// stage, in units of 16. Where lines lie along k in memory they do so here, four units a line; where they lie
// across k, a row of the tile is one k and has a unit for every eight lines. Units are exchanged within 128
// bytes so that the eight that ldmatrix reads together fall into different banks.
#pragma once

#include <type_traits>

#include <iskra/kernels/gpu_matrix.h>
#include <iskra/kernels/gemm_tensor.cuh>

namespace iskra::kernels::tensor_cores {
namespace {

constexpr int kUnit = 16, kLineBytes = 64, kLineUnits = kLineBytes / kUnit;

/// Shapes of a block: a tile of c, and how its warps share it.
template <int m_, int n_, int warps_m_, int warps_n_, int stages_>
struct Blocking {
  static constexpr int m = m_, n = n_, warps_m = warps_m_, warps_n = warps_n_, stages = stages_;
  static constexpr int threads = warps_m * warps_n * 32;
  static constexpr int warp_m = m / warps_m, warp_n = n / warps_n;
  static constexpr int a_bytes = m * kLineBytes, b_bytes = n * kLineBytes, stage_bytes = a_bytes + b_bytes;
  static constexpr int sums_bytes = m * kSumsPitch<n> * 4;  // afterwards, in the stages' place
  static constexpr int shared_bytes = stages * stage_bytes > sums_bytes ? stages* stage_bytes : sums_bytes;
};
using Large = Blocking<128, 128, 2, 4, 4>;
using Small = Blocking<64, 64, 2, 2, 4>;

/// Where unit `unit` of a row of the tile lies, rows being `units` long.
template <int units>
DEV int place_in_row(int row, int unit) {
  if constexpr (units == kLineUnits) return unit ^ (row / 2 % 4);
  return unit ^ (row % 8);
}

/// A thread's part of copying the tiles of an operand, one after the other along k.
template <class T, int lines, int threads>
class Copier {
  static constexpr int kElements = kUnit / static_cast<int>(sizeof(T)), kDepth = kLineUnits * kElements;
  static constexpr int kRowUnits = lines / kElements;  // of a row that is one k
  static constexpr int kEach = lines * kLineUnits / threads;

 public:
  DEV Copier(const Operand& x, bool along_k, int64_t offset, int64_t first, int64_t all_lines, int thread)
      : x_(x), along_k_(along_k) {
    const T* data = static_cast<const T*>(x.data) + offset;
    if (along_k) {
      row_ = thread / kLineUnits, column_ = thread % kLineUnits * kElements;
      place_ = row_ * kLineBytes + place_in_row<kLineUnits>(row_, thread % kLineUnits) * kUnit;
      lines_ = static_cast<int>(min(all_lines - first, int64_t{lines}));
      from_ = data + (first + row_) * x.stride + column_;
    } else {
      row_ = thread / kRowUnits, column_ = thread % kRowUnits * kElements;
      place_ = row_ * kRowUnits * kUnit + place_in_row<kRowUnits>(row_, thread % kRowUnits) * kUnit;
      lines_ = static_cast<int>(max(min(all_lines - first - column_, int64_t{kElements}), int64_t{0}));
      from_ = data + row_ * x.stride + first + column_;
    }
  }

  /// The next tile, in which `depth` places along k exist. What is outside of the operand becomes zero.
  DEV void copy(unsigned char* to, int depth) {
    // Rows of this thread are this far apart, a multiple of eight: their units change places alike.
    constexpr int kLineStep = threads / kLineUnits, kRowStep = threads / kRowUnits;
    if (along_k_) {
      int elements = max(min(depth - column_, kElements), 0);
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        int valid = row_ + i * kLineStep < lines_ ? elements : 0;
        put(to + place_ + i * kLineStep * kLineBytes, from_ + i * kLineStep * x_.stride, valid);
      }
      from_ += kDepth;
    } else {
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        int valid = row_ + i * kRowStep < depth ? lines_ : 0;
        put(to + place_ + i * kRowStep * kRowUnits * kUnit, from_ + i * kRowStep * x_.stride, valid);
      }
      from_ += kDepth * x_.stride;
    }
  }

 private:
  DEV void put(unsigned char* to, const T* from, int elements) const {
    gpu::cp_async<kUnit>(to, elements > 0 ? from : x_.data, elements * static_cast<int>(sizeof(T)));
  }

  const Operand& x_;
  bool along_k_;
  int row_, column_;  // of the first unit: a line and a place along k, or a k and a line
  int place_;         // in the tile, bytes
  int lines_;         // of the tile that exist; or of the unit
  const T* from_;
};

/// 16 lines from `line` on of step `step` of the tile (32 bytes along k): a fragment of A, or two of B, which
/// are registers 0, 2 and 1, 3.
template <class T, int lines>
DEV void load_fragment(uint32_t (&to)[4], const unsigned char* tile, int line, int step, bool along_k,
                       int lane) {
  int upper = lane / 8 % 2, right = lane / 16;  // which of the four matrices this lane names a row of
  if (along_k) {
    int row = line + upper * 8 + lane % 8;
    gpu::ldmatrix<4>(to, tile + row * kLineBytes + place_in_row<kLineUnits>(row, step * 2 + right) * kUnit);
  } else if constexpr (sizeof(T) == 2) {
    constexpr int kRowUnits = lines / 8;
    int row = step * 16 + right * 8 + lane % 8;
    gpu::ldmatrix<4, true>(to,
                           tile + (row * kRowUnits + place_in_row<kRowUnits>(row, line / 8 + upper)) * kUnit);
  }
  if constexpr (std::is_same_v<T, float>) {
#pragma unroll
    for (uint32_t& x : to) x = gpu::to_tf32(__builtin_bit_cast(float, x));
  }
}

template <class B>
struct Sums {
  float of[B::warp_m / 16][B::warp_n / 8][4];
};

template <class T>
DEV void multiply(float (&sums)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  if constexpr (std::is_same_v<T, float>)
    gpu::mma_tf32(sums, a, b, sums);
  else
    gpu::mma<T>(sums, a, b, sums);
}

/// Adds the products of one stage.
template <class T, class B>
DEV void multiply_stage(Sums<B>& sums, const unsigned char* stage, bool a_along_k, bool b_along_k, int warp,
                        int lane) {
  int line_a = warp / B::warps_n * B::warp_m, line_b = warp % B::warps_n * B::warp_n;
#pragma unroll
  for (int step = 0; step < 2; ++step) {
    uint32_t a[B::warp_m / 16][4], b[B::warp_n / 16][4];
#pragma unroll
    for (int i = 0; i < B::warp_m / 16; ++i)
      load_fragment<T, B::m>(a[i], stage, line_a + i * 16, step, a_along_k, lane);
#pragma unroll
    for (int j = 0; j < B::warp_n / 16; ++j)
      load_fragment<T, B::n>(b[j], stage + B::a_bytes, line_b + j * 16, step, b_along_k, lane);
#pragma unroll
    for (int i = 0; i < B::warp_m / 16; ++i) {
#pragma unroll
      for (int j = 0; j < B::warp_n / 8; ++j) {
        const uint32_t of_b[2] = {b[j / 2][j % 2], b[j / 2][j % 2 + 2]};
        multiply<T>(sums.of[i][j], a[i], of_b);
      }
    }
  }
}

/// The sums of the block's tile; all stages are free again afterwards.
template <class T, class B>
DEV void add_products(Sums<B>& sums, Copier<T, B::m, B::threads> a, Copier<T, B::n, B::threads> b, int64_t k,
                      bool a_along_k, bool b_along_k, unsigned char* ring, int thread) {
  constexpr int kDepth = kLineBytes / static_cast<int>(sizeof(T));
  int64_t left = k;  // to fetch
  auto fetch = [&](int stage) {
    if (left > 0) {
      int depth = static_cast<int>(min(left, int64_t{kDepth}));
      a.copy(ring + stage * B::stage_bytes, depth);
      b.copy(ring + stage * B::stage_bytes + B::a_bytes, depth);
    }
    left -= kDepth;
    gpu::cp_async_commit();  // of nothing, too: waits count groups
  };
#pragma unroll
  for (auto& rows : sums.of)
#pragma unroll
    for (auto& tile : rows)
#pragma unroll
      for (float& sum : tile) sum = 0;
#pragma unroll
  for (int stage = 0; stage < B::stages - 1; ++stage) fetch(stage);
  int now = 0;
  while (left > -(B::stages - 1) * kDepth) {  // the rest is in the ring
    gpu::cp_async_wait<B::stages - 2>();
    __syncthreads();  // all have this stage, and none needs the one before it any more
    fetch(now == 0 ? B::stages - 1 : now - 1);
    multiply_stage<T, B>(sums, ring + now * B::stage_bytes, a_along_k, b_along_k, thread / 32, thread % 32);
    now = now == B::stages - 1 ? 0 : now + 1;
  }
  gpu::cp_async_wait<0>();
  __syncthreads();
}

/// The tile of sums becomes results, by way of the ring's memory.
template <class B>
DEV void finish_sums(const Sums<B>& sums, const Gemm& gemm, int64_t row, int64_t column, int64_t offset,
                     unsigned char* ring, int thread) {
  auto* staged = reinterpret_cast<float*>(ring);
  int warp = thread / 32, lane = thread % 32;
  float* mine = staged + warp / B::warps_n * B::warp_m * kSumsPitch<B::n> + warp % B::warps_n * B::warp_n;
#pragma unroll
  for (int i = 0; i < B::warp_m / 16; ++i) {
#pragma unroll
    for (int j = 0; j < B::warp_n / 8; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        gpu::Element e = sim::c_of_m16n8(lane, half * 2);
        float* to = mine + (i * 16 + e.row) * kSumsPitch<B::n> + j * 8 + e.column;
        *reinterpret_cast<float2*>(to) = make_float2(sums.of[i][j][half * 2], sums.of[i][j][half * 2 + 1]);
      }
    }
  }
  __syncthreads();
  finish_tile<B::m, B::n, B::threads>(staged, gemm, row, column, offset, thread);
}

}  // namespace
}  // namespace iskra::kernels::tensor_cores
