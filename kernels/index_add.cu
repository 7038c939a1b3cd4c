// Rows added up by index on CUDA: the gradient of what was chosen by index. The index is sorted, so that the
// work is that of the rows there are, and every sum is taken in the order of its rows.
#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_row_team.cuh>
#include <iskra/kernels/gpu_walk.cuh>
#include <iskra/kernels/index_runs.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kFew = kThreads;  // indices that one block puts into order by counting
constexpr int kAhead = 8;       // rows that a thread has on their way at a time

/// An index of any stride; what is out of range or `skip` goes nowhere.
struct Index {
  const int64_t* data;
  int64_t stride, n, skip;
  PairBits in;
  DEV NarrowPair pair(int64_t r) const {
    int64_t v = data[r * stride];
    return in.pack(v >= 0 && v < in.targets && v != skip ? v : in.targets, r);
  }
};

__global__ void __launch_bounds__(kThreads) pair_rows(Index index, NarrowPair* pairs) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t r = int64_t{blockIdx.x} * kThreads + threadIdx.x; r < index.n; r += threads)
    pairs[r] = index.pair(r);
}

/// One block: every pair goes where the number of smaller ones says.
__global__ void __launch_bounds__(kFew) sort_few_rows(Index index, NarrowPair* pairs) {
  SHARED(all, NarrowPair[kFew]);
  int n = static_cast<int>(index.n), r = static_cast<int>(threadIdx.x);
  if (r < n) all[r] = index.pair(r);
  __syncthreads();
  if (r >= n) return;
  int rank = 0;
  for (int other = 0; other < n; ++other) rank += all[other] < all[r] ? 1 : 0;
  pairs[rank] = all[r];
}

/// Dense x (O,R,C) and y (O,V,C): a thread for 16 bytes of a row at each place of the sorted index; those
/// where runs begin add the rows of their run. The walk's operands: column, place in the sorted index, o.
template <class S>
__global__ void __launch_bounds__(kThreads)
    add_row_runs(const S* x, Runs runs, int64_t cols, S* y, bool add, Walk<3> walk) {
  using T = Computed<S>;
  constexpr int kEach = kPack<S>;
  int64_t threads = int64_t{gridDim.x} * kThreads, values = runs.in.targets;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < walk.numel; i += threads) {
    int64_t at[3];
    walk.locate(i, at);
    int64_t c = at[0], p = at[1], v = runs.target(p);
    if (v == values || !runs.begins_with(p)) continue;
    const S* from = x + at[2] * runs.n * cols;
    S* to = y + (at[2] * values + v) * cols;
    T sum[kEach] = {};
    S row[kAhead][kEach] = {};
    if (add) {
      load_pack(to, cols, c, row[0]);
      for (int j = 0; j < kEach; ++j) sum[j] = load(row[0][j]);
    }
    runs.for_run<kAhead>(
        p, [&](int64_t r, int k) { load_pack(from + r * cols, cols, c, row[k]); },
        [&](int k) {
          for (int j = 0; j < kEach; ++j) sum[j] += load(row[k][j]);
        });
    for (int j = 0; j < kEach; ++j) store(sum[j], row[0][j]);
    store_pack(to, cols, c, row[0]);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

/// Places of the index by value, then in their order.
Runs sorted_rows(const Cuda& on, const View& index, int64_t skip, int64_t values) {
  int64_t n = index.numel();
  Index from{index.as<int64_t>(), index.stride[0], n, skip, pair_bits(values, n, "index_add")};
  NarrowPair* pairs = scratch_of(on, "index_add").of<NarrowPair>(n);
  if (n <= kFew) {
    gpu::launch<sort_few_rows>({1, kFew}, on, from, pairs);
    return {pairs, n, from.in};
  }
  gpu::launch<pair_rows>({blocks_for(n, kThreads), kThreads}, on, from, pairs);
  return {sort_pairs(on, pairs, n, "index_add"), n, from.in};
}

/// Over packs of `each` of the columns, the places and what is outside of them.
Walk<3> walk_of(int64_t cols, int64_t places, int64_t outer, int64_t each) {
  Walk<3> walk{};
  int64_t size[3] = {(cols + each - 1) / each, places, outer};
  walk.numel = size[0] * size[1] * size[2];
  walk.rank = 3;
  for (int axis = 0; axis < 3; ++axis) {
    walk.size[axis] = size[axis];
    walk.stride[axis][axis] = axis == 0 ? each : 1;
  }
  return walk;
}

}  // namespace

void index_add(Cuda on, View x, View index, int64_t skip, MutView y, float beta) {
  ISKRA_CHECK(beta == 0.0F || beta == 1.0F, "index_add: beta is ", beta,
              "; only 0 (overwrite) and 1 (add) exist");
  ISKRA_CHECK(index.dtype == DType::i64, "index_add: indices are ", name_of(index.dtype),
              "; they must be i64");
  if (y.numel() == 0) return;
  with_floating(y.dtype, "index_add", [&]<class S>(S) {
    if (beta == 0) fill(on, y, 0);
    if (index.numel() == 0) return;
    Runs runs = sorted_rows(on, index, skip, y.size(1));
    Walk<3> walk = walk_of(y.size(2), runs.n, y.size(0), kPack<S>);
    gpu::launch<add_row_runs<S>>({blocks_for(walk.numel, kThreads), kThreads}, on, x.as<S>(), runs, y.size(2),
                                 y.as<S>(), beta != 0, walk);
  });
}

}  // namespace iskra::kernels
