// Running sums along one axis on CUDA: a team of threads for each line, or a thread alone where lines are
// very short or lie beside each other, so that neighbours read neighbours. Long lines are cut into chunks by
// shape alone: the sums of the chunks, their own running sums, then the chunks again from there on. Floats
// add up in f64.
#include <cstdlib>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_row_team.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kEach = 4;  // neighbours that a thread of a team adds up

DEV double term(const void* x, DType dtype, int64_t i, double) { return load_as<double>(x, dtype, i); }
/// Unsigned: overflow wraps around.
DEV uint64_t term(const void* x, DType dtype, int64_t i, uint64_t) {
  return static_cast<uint64_t>(load_as<int64_t>(x, dtype, i));
}
DEV void put(double sum, void* y, DType dtype, int64_t i) { store_as(sum, y, dtype, i); }
DEV void put(uint64_t sum, void* y, DType, int64_t i) {
  static_cast<int64_t*>(y)[i] = static_cast<int64_t>(sum);
}

/// Lines of `length` elements; chunk c of line l adds up from before[c - 1][l] on.
template <class Sum>
struct Lines {
  const void* x;
  DType dtype;
  void* y;
  DType y_dtype;
  Walk<2> lines;  ///< of x and y: where each line lies
  int64_t along[2], length, chunk, chunks;
  bool reverse;
  const Sum* before;  ///< (chunks, lines): the sums up to the end of each chunk, or null
  Sum* totals;        ///< (chunks, lines): only the sum of each chunk is wanted, or null

  DEV int64_t place(int64_t i) const { return reverse ? length - 1 - i : i; }
  DEV Sum load(const int64_t (&offset)[2], int64_t i) const {
    return term(x, dtype, offset[0] + place(i) * along[0], Sum{});
  }
  DEV void store(Sum sum, const int64_t (&offset)[2], int64_t i) const {
    put(sum, y, y_dtype, offset[1] + place(i) * along[1]);
  }
  DEV Sum start(int64_t line, int64_t c) const {
    return before == nullptr || c == 0 ? Sum(0) : before[(c - 1) * lines.numel + line];
  }
};

template <class Sum>
__global__ void __launch_bounds__(kThreads) scan_by_threads(Lines<Sum> at) {
  int64_t count = at.lines.numel, threads = int64_t{gridDim.x} * kThreads;
  for (int64_t job = int64_t{blockIdx.x} * kThreads + threadIdx.x; job < count * at.chunks; job += threads) {
    int64_t line = job % count, chunk = job / count, end = min((chunk + 1) * at.chunk, at.length);
    int64_t offset[2];
    at.lines.locate(line, offset);
    Sum sum = at.start(line, chunk);
    for (int64_t i = chunk * at.chunk; i < end; ++i) {
      sum += at.load(offset, i);
      if (at.totals == nullptr) at.store(sum, offset, i);
    }
    if (at.totals != nullptr) at.totals[job] = sum;
  }
}

/// What the threads of a team before this one have, and what all of them have, added up. What comes later
/// than a thread never enters its sum: it may be infinite.
template <class Sum>
struct TeamScan {
  Sum before, all;
  DEV TeamScan(const RowTeam& team, Sum own) {
    SHARED(of_warp, Sum[kTeamThreads / 32]);
    int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    Sum up_to = own;
    for (int distance = 1; distance < 32; distance *= 2) {
      Sum other = __shfl_up_sync(0xffffffffU, up_to, distance);
      if (lane >= distance) up_to += other;
    }
    Sum left = __shfl_up_sync(0xffffffffU, up_to, 1);
    before = 0;
    if (team.warp) {
      all = __shfl_sync(0xffffffffU, up_to, 31);
    } else {
      if (lane == 31) of_warp[warp] = up_to;
      __syncthreads();
      all = 0;
      for (int w = 0; w < kTeamThreads / 32; ++w) {
        if (w == warp) before = all;
        all += of_warp[w];
      }
      __syncthreads();  // before the next scan's sums
    }
    if (lane > 0) before += left;
  }
};

template <class Sum>
__global__ void __launch_bounds__(kTeamThreads, 4) scan_by_teams(RowTeam team, Lines<Sum> at) {
  int64_t count = at.lines.numel;
  for (int64_t job = team.first(); job < count * at.chunks; job += team.step()) {
    int64_t line = job % count, chunk = job / count, end = min((chunk + 1) * at.chunk, at.length);
    int64_t offset[2];
    at.lines.locate(line, offset);
    Sum start = at.start(line, chunk);
    for (int64_t first = chunk * at.chunk; first < end; first += team.threads() * kEach) {
      int64_t i = first + int64_t{team.lane()} * kEach;
      Sum up_to[kEach], own = 0;
      for (int e = 0; e < kEach; ++e) {
        if (i + e < end) own += at.load(offset, i + e);
        up_to[e] = own;
      }
      TeamScan<Sum> others(team, own);
      for (int e = 0; e < kEach; ++e) {
        if (i + e < end && at.totals == nullptr) at.store(start + others.before + up_to[e], offset, i + e);
      }
      start += others.all;
    }
    if (at.totals != nullptr && team.lane() == 0) at.totals[job] = start;
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class Sum>
void launch_lines(const Cuda& on, const Lines<Sum>& at, bool threads) {
  int64_t jobs = at.lines.numel * at.chunks;
  if (threads) return gpu::launch<scan_by_threads<Sum>>({blocks_for(jobs, kThreads), kThreads}, on, at);
  RowTeam team = team_of(at.length);
  gpu::launch<scan_by_teams<Sum>>(team.shape(jobs), on, team, at);
}

template <class Sum>
void scan(const Cuda& on, const View& x, int axis, bool reverse, const MutView& y) {
  constexpr int64_t kShortLine = 32;
  Shape others = x.shape;
  others[axis] = 1;
  StridedLoop loop(others, {&x.stride, &y.stride});
  Lines<Sum> at{x.data,
                x.dtype,
                y.data,
                y.dtype,
                make_walk<2>(loop),
                {x.stride[axis], y.stride[axis]},
                x.shape[axis],
                x.shape[axis],
                1,
                reverse,
                nullptr,
                nullptr};
  bool beside = loop.numel >= 32 && std::abs(loop.inner_stride(1)) < std::abs(at.along[1]);
  bool threads = at.length <= kShortLine || beside;
  // Chunks only where there are too few lines for a GPU.
  int64_t chunk = threads ? 1024 : 8192, enough = threads ? 32768 : 1024;
  if (at.length <= chunk || loop.numel >= enough) return launch_lines(on, at, threads);
  at.chunk = chunk;
  at.chunks = (at.length + chunk - 1) / chunk;
  at.totals = scratch_of(on, "cumsum").template of<Sum>(at.chunks * loop.numel);
  launch_lines(on, at, threads);
  MutView sums{at.totals,
               std::is_same_v<Sum, double> ? DType::f64 : DType::i64,
               {at.chunks, loop.numel},
               {loop.numel, 1}};
  scan<Sum>(on, sums, 0, false, sums);
  at.before = at.totals;
  at.totals = nullptr;
  launch_lines(on, at, threads);
}

}  // namespace

void cumsum(Cuda on, View x, int axis, bool reverse, MutView y) {
  if (x.numel() == 0) return;
  if (is_floating(x.dtype))
    scan<double>(on, x, axis, reverse, y);
  else
    scan<uint64_t>(on, x, axis, reverse, y);
}

}  // namespace iskra::kernels
