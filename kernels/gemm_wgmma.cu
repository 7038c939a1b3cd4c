// Matrix products on tensor cores by wgmma (sm_90): c = then(a b) of 16-bit operands in f32, batched,
// transposed in any way.
//
// A block has three warpgroups. One loads tiles by TMA into a ring of stages, and two multiply them where
// they lie, 64 rows of c each; of a stage they say that it is full and that it is empty by mbarriers. A block
// takes one tile of c after the other, and loads for the next one while the results of the last are written.
// Sums are made in ascending steps along k, whatever the tile.
#include <algorithm>
#include <numeric>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu_tma.h>
#include <iskra/kernels/gpu_wgmma.h>
#include <iskra/kernels/matmul_paths.h>
#include <iskra/kernels/gemm_tensor.cuh>

namespace iskra::kernels {
namespace tensor_cores {
namespace {

constexpr int kTileM = 128, kTileN = 128, kDepth = 64;  // a line's 64 places along k are 128 bytes
constexpr int kStages = 4, kGroup = 128, kGroupRows = 64, kThreads = 3 * kGroup;
/// What 64 lines, or 64 k of 64 lines, take; an operand's tile is two of them.
constexpr int kHalfBytes = 64 * 128, kOperandBytes = 2 * kHalfBytes, kStageBytes = 2 * kOperandBytes;
constexpr int kStagedFloats = kGroupRows * kSumsPitch<kTileN>;
constexpr int kSharedBytes = kStages * kStageBytes + 2 * kStagedFloats * 4;

struct Ring {
  uint64_t full[kStages], empty[kStages];
};

/// What a block does in turn: tiles of c, item by item of the batch.
struct Jobs {
  int64_t count;
  unsigned rows, columns;  // of tiles
};
struct Job {
  int64_t row, column, item;

  DEV Job(const Jobs& jobs, int64_t job) {
    int64_t tiles = int64_t{jobs.rows} * jobs.columns;
    Place at = place_of(static_cast<unsigned>(job % tiles), jobs.rows, jobs.columns);
    row = int64_t{at.row} * kTileM, column = int64_t{at.column} * kTileN, item = job / tiles;
  }
};

/// 128 lines from `line` on by 64 of k.
template <bool across_k>
DEV void load_tile(unsigned char* to, const gpu::TensorMap* map, int line, int k, int item, uint64_t* full) {
  if constexpr (across_k) {
    gpu::tma_load_3d(to, map, line, k, item, full);
    gpu::tma_load_3d(to + kHalfBytes, map, line + 64, k, item, full);
  } else {
    gpu::tma_load_3d(to, map, k, line, item, full);
  }
}

/// One thread loads everything that the block's tiles need.
template <int form>
DEV void load_tiles(const Gemm& gemm, const Jobs& jobs, const gpu::TensorMap* a, const gpu::TensorMap* b,
                    unsigned char* tiles, Ring& ring) {
  constexpr bool kAAcross = (form & gpu::kWgmmaAMnMajor) != 0, kBAcross = (form & gpu::kWgmmaBMnMajor) != 0;
  gpu::tma_prefetch(a);
  gpu::tma_prefetch(b);
  uint32_t turn = 0;
  for (int64_t i = blockIdx.x; i < jobs.count; i += gridDim.x) {
    Job job(jobs, i);
    auto row = static_cast<int>(job.row), column = static_cast<int>(job.column);
    auto of_a = static_cast<int>(gemm.batch.offset(job.item, gemm.batch.a));
    auto of_b = static_cast<int>(gemm.batch.offset(job.item, gemm.batch.b));
    for (int64_t k = 0; k < gemm.k; k += kDepth, ++turn) {
      uint32_t stage = turn % kStages;
      unsigned char* to = tiles + stage * kStageBytes;
      uint64_t* full = &ring.full[stage];
      gpu::mbarrier_wait(&ring.empty[stage], (turn / kStages + 1) % 2);  // at first at once
      gpu::mbarrier_arrive_expect(full, kStageBytes);
      load_tile<kAAcross>(to, a, row, static_cast<int>(k), of_a, full);
      load_tile<kBAcross>(to + kOperandBytes, b, column, static_cast<int>(k), of_b, full);
    }
  }
}

/// A warpgroup's 64 x 128 sums of a tile of c. The products of one stage are under way while those of the
/// next are begun; then the stage is empty, which one thread says for all.
template <class T, int form>
DEV void add_products(float (&sums)[kTileN / 2], int64_t steps, uint32_t& turn, unsigned char* tiles,
                      Ring& ring, int group, bool speaks) {
  constexpr bool kAAcross = (form & gpu::kWgmmaAMnMajor) != 0, kBAcross = (form & gpu::kWgmmaBMnMajor) != 0;
  constexpr uint64_t kUnits = 16, kStepAlong = 32 / kUnits, kStepAcross = 16 * 128 / kUnits;
  for (int64_t step = 0; step < steps; ++step, ++turn) {
    uint32_t stage = turn % kStages;
    unsigned char* at = tiles + stage * kStageBytes;
    gpu::mbarrier_wait(&ring.full[stage], turn / kStages % 2);
    uint64_t a = gpu::matrix_descriptor(at + group * kHalfBytes, kHalfBytes, 1024, gpu::Swizzle::b128);
    uint64_t b = gpu::matrix_descriptor(at + kOperandBytes, kHalfBytes, 1024, gpu::Swizzle::b128);
    gpu::hold(sums);
    gpu::wgmma_fence();
#pragma unroll
    for (uint64_t i = 0; i < kDepth / 16; ++i) {
      gpu::wgmma<T, form>(sums, a + i * (kAAcross ? kStepAcross : kStepAlong),
                          b + i * (kBAcross ? kStepAcross : kStepAlong), step > 0 || i > 0);
    }
    gpu::wgmma_commit();
    gpu::wgmma_wait<1>();
    gpu::hold(sums);
    if (step > 0 && speaks) gpu::mbarrier_arrive(&ring.empty[(turn + kStages - 1) % kStages]);
  }
  gpu::wgmma_wait<0>();
  gpu::hold(sums);
  if (speaks) gpu::mbarrier_arrive(&ring.empty[(turn + kStages - 1) % kStages]);
}

template <class T, int form>
DEV void make_results(const Gemm& gemm, const Jobs& jobs, unsigned char* tiles, Ring& ring, int group) {
  int thread = static_cast<int>(threadIdx.x) % kGroup;
  float* staged = reinterpret_cast<float*>(tiles + kStages * kStageBytes) + group * kStagedFloats;
  uint32_t turn = 0;
  for (int64_t i = blockIdx.x; i < jobs.count; i += gridDim.x) {
    Job job(jobs, i);
    float sums[kTileN / 2];
    add_products<T, form>(sums, pieces(gemm.k, kDepth), turn, tiles, ring, group, thread == 0);
#pragma unroll
    for (int j = 0; j < kTileN / 2; j += 2) {
      gpu::Element e = sim::c_of_m64(thread, j);
      *reinterpret_cast<float2*>(staged + e.row * kSumsPitch<kTileN> + e.column) =
          make_float2(sums[j], sums[j + 1]);
    }
    gpu::bar_sync(1 + group, kGroup);
    finish_tile<kGroupRows, kTileN, kGroup>(staged, gemm, job.row + group * kGroupRows, job.column,
                                            gemm.batch.offset(job.item, gemm.batch.c), thread);
    gpu::bar_sync(1 + group, kGroup);  // before the next sums are staged
  }
}

template <class T, int form>
__global__ void __launch_bounds__(kThreads, 1)
    gemm_wgmma(const __grid_constant__ Gemm gemm, const __grid_constant__ gpu::TensorMap a,
               const __grid_constant__ gpu::TensorMap b, Jobs jobs) {
  DYN_SHARED(unsigned char, tiles);
  SHARED(ring, Ring);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      gpu::mbarrier_init(&ring.full[i], 1);
      gpu::mbarrier_init(&ring.empty[i], 2);
    }
    gpu::fence_mbarrier_init();
  }
  __syncthreads();
  int group = static_cast<int>(threadIdx.x) / kGroup;
  if (group == 2) {
    gpu::setmaxnreg_dec<40>();
    if (threadIdx.x == 2 * kGroup) load_tiles<form>(gemm, jobs, &a, &b, tiles, ring);
  } else {
    gpu::setmaxnreg_inc<232>();
    make_results<T, form>(gemm, jobs, tiles, ring, group);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

/// The map of an operand. Its third dimension is whatever all strides of the batch are multiples of, in which
/// they then count.
gpu::TensorMap map_of(const Operand& x, DType type, int64_t lines, int64_t k, const Batch& batch,
                      int64_t (&stride)[Shape::kMaxRank]) {
  int64_t step = 0, last = 0;
  for (int axis = 0; axis < batch.rank; ++axis) step = std::gcd(step, stride[axis]);
  for (int axis = 0; axis < batch.rank && step != 0; ++axis) {
    stride[axis] /= step;
    last += stride[axis] * (batch.size[axis] - 1);
  }
  ISKRA_CHECK(last < INT32_MAX, "matmul: items of the batch lie too far apart for the strides they have");
  gpu::TensorShape shape;
  shape.type = type == DType::bf16 ? gpu::TensorType::bf16 : gpu::TensorType::f16;
  shape.rank = 3;
  shape.address = x.data;
  shape.swizzle = gpu::Swizzle::b128;
  shape.dims[0] = static_cast<uint64_t>(x.along_k ? k : lines);
  shape.dims[1] = static_cast<uint64_t>(x.along_k ? lines : k);
  shape.dims[2] = static_cast<uint64_t>(last + 1);
  shape.strides[0] = static_cast<uint64_t>(x.stride) * 2;
  shape.strides[1] = static_cast<uint64_t>(step == 0 ? x.stride : step) * 2;
  return gpu::encode_tiled(shape, {{64, x.along_k ? 128U : 64U, 1}});
}

template <class T>
void launch(const Cuda& on, Gemm gemm, DType type) {
  gpu::TensorMap a = map_of(gemm.a, type, gemm.m, gemm.k, gemm.batch, gemm.batch.a);
  gpu::TensorMap b = map_of(gemm.b, type, gemm.n, gemm.k, gemm.batch, gemm.batch.b);
  int64_t rows = pieces(gemm.m, kTileM), columns = pieces(gemm.n, kTileN);
  ISKRA_CHECK(rows * columns <= INT32_MAX, "matmul: ", gemm.m, " rows and ", gemm.n,
              " columns are too many for one product on CUDA");
  Jobs jobs{rows * columns * gemm.batch.items, static_cast<unsigned>(rows), static_cast<unsigned>(columns)};
  auto blocks = static_cast<unsigned>(std::min<int64_t>(jobs.count, gpu_of(on).multiprocessors));
  gpu::LaunchShape shape{blocks, kThreads, kSharedBytes};
  constexpr int kA = gpu::kWgmmaAMnMajor, kB = gpu::kWgmmaBMnMajor;
  if (gemm.a.along_k && gemm.b.along_k) return gpu::launch<gemm_wgmma<T, 0>>(shape, on, gemm, a, b, jobs);
  if (gemm.a.along_k) return gpu::launch<gemm_wgmma<T, kB>>(shape, on, gemm, a, b, jobs);
  if (gemm.b.along_k) return gpu::launch<gemm_wgmma<T, kA>>(shape, on, gemm, a, b, jobs);
  gpu::launch<gemm_wgmma<T, kA | kB>>(shape, on, gemm, a, b, jobs);
}

}  // namespace
}  // namespace tensor_cores

void native::matmul_wgmma(Cuda on, View a, View b, const Epilogue& then, MutView c, float beta) {
  using namespace tensor_cores;  // NOLINT(google-build-using-namespace)
  Gemm gemm = prepare(on, a, b, then, c, beta, Access::tma);
  return a.dtype == DType::bf16 ? launch<bf16>(on, gemm, a.dtype) : launch<f16>(on, gemm, a.dtype);
}

}  // namespace iskra::kernels
