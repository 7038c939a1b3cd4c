// Places of extremes, and random permutations, on CUDA.
#include <algorithm>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/random_numbers.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/sort.h>
#include <iskra/kernels/gpu_keys.cuh>
#include <iskra/kernels/gpu_row_team.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kChunk = 16384;  // elements of a row that one block searches

DEV WidePair smaller(const WidePair& a, const WidePair& b) { return b < a ? b : a; }

/// The smallest pair of all threads of the team.
DEV WidePair smallest_of(const RowTeam& team, WidePair best) {
  SHARED(of_warp, WidePair[kMaxWarps]);
  for (int distance = 16; distance > 0; distance /= 2) {
    best = smaller(best, {__shfl_xor_sync(0xffffffffU, best.key, distance),
                          __shfl_xor_sync(0xffffffffU, best.place, distance)});
  }
  if (team.warp) return best;
  __syncthreads();  // whoever still reads the pairs before
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = best;
  __syncthreads();
  for (unsigned w = 0; w < blockDim.x / 32; ++w) best = smaller(best, of_warp[w]);
  return best;
}

/// Rows of elements, or of the best pairs of their chunks: a smaller key is more extreme.
struct Search {
  const void* x;
  DType dtype;
  bool largest;
  const WidePair* pairs;  ///< or null
  int64_t rows, length, chunk, chunks;
  WidePair* best;   ///< (rows, chunks), or null …
  int64_t* places;  ///< … (rows)
  DEV WidePair at(int64_t i, int64_t place) const {
    if (pairs != nullptr) return pairs[i];
    return {~load_extreme_key(x, dtype, i, largest), place};
  }
};

__global__ void __launch_bounds__(kTeamThreads) first_extremes(RowTeam team, Search at) {
  for (int64_t job = team.first(); job < at.rows * at.chunks; job += team.step()) {
    int64_t row = job / at.chunks, begin = job % at.chunks * at.chunk, end = min(begin + at.chunk, at.length);
    WidePair best{~uint64_t{0}, INT64_MAX};
    for (int64_t i = begin + team.lane(); i < end; i += team.threads())
      best = smaller(best, at.at(row * at.length + i, i));
    best = smallest_of(team, best);
    if (team.lane() > 0) continue;
    if (at.best != nullptr)
      at.best[job] = best;
    else
      at.places[row] = best.place;
  }
}

/// The random bits of each place.
__global__ void __launch_bounds__(kThreads)
    draw_pairs(uint64_t key, const int64_t* step, int64_t first, int64_t n, WidePair* pairs) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  uint64_t now = step != nullptr ? static_cast<uint64_t>(*step) : 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += threads) {
    auto index = static_cast<uint64_t>(first + i);
    pairs[i] = {bits_of_pair(philox(index / 2, now, key), index), i};
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

void search(const Cuda& on, const View& x, bool largest, const MutView& y, const char* op) {
  if (x.numel() == 0) return;
  int64_t length = x.shape.back();
  Search at{x.data, x.dtype, largest, nullptr, x.numel() / length, length, kChunk, 1, nullptr, nullptr};
  while (at.length > kChunk) {
    at.chunks = (at.length + kChunk - 1) / kChunk;
    at.best = scratch_of(on, op).of<WidePair>(at.rows * at.chunks);
    RowTeam team{false};
    gpu::launch<first_extremes>(team.shape(at.rows * at.chunks), on, team, at);
    at.pairs = at.best;
    at.length = at.chunks;
    at.best = nullptr;
  }
  at.chunks = 1;
  at.places = y.as<int64_t>();
  RowTeam team = team_of(at.length);
  gpu::launch<first_extremes>(team.shape(at.rows), on, team, at);
}

}  // namespace

void argmax(Cuda on, View x, MutView y) { search(on, x, true, y, "argmax"); }
void argmin(Cuda on, View x, MutView y) { search(on, x, false, y, "argmin"); }

void permutation(Cuda on, RngKey key, MutView y) {
  int64_t n = y.numel();
  if (n == 0) return;
  auto* pairs = scratch_of(on, "permutation").of<WidePair>(n);
  gpu::launch<draw_pairs>({blocks_for(n, kThreads), kThreads}, on, philox_key(key.seed, key.place), key.step,
                          key.first, n, pairs);
  sort_places(on, pairs, n, y.as<int64_t>());
}

}  // namespace iskra::kernels
