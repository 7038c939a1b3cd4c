// Kernels with one bug each that only a sanitizer can see. `sim_planted NAME` runs one; the sanitizer must
// end it. `sim_planted right` runs the same kernels without their bugs, which must pass.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <iskra/kernels/gpu_wgmma.h>

namespace iskra::testing {
namespace {

template <class T>
__device__ void keep(T value) {
  asm volatile("" : : "r"(value) : "memory");
}

// --- for AddressSanitizer and UBSan
// -------------------------------------------------------------------------------

__global__ void over_shared(int last) {
  SHARED(tile, float[32]);
  tile[threadIdx.x] = 1;
  __syncthreads();
  keep(__float_as_int(tile[last]));
}
__global__ void over_dynamic(int last) {
  DYN_SHARED(float, tile);
  tile[threadIdx.x] = 1;
  __syncthreads();
  keep(__float_as_int(tile[last]));
}
__global__ void over_global(const float* x, int last) { keep(__float_as_int(x[last])); }
__global__ void vector_load(const float* x) { keep(__float_as_int(reinterpret_cast<const float4*>(x)->w)); }
__global__ void shift(int by) { keep(1 << by); }
__global__ void to_int(float x) { keep(static_cast<int>(x)); }

// The accumulators are gone when the product is done.
__global__ void sums_out_of_scope(bool right) {
  SHARED(tile, uint64_t[256]);
  for (unsigned i = 0; i < 2; ++i) tile[threadIdx.x * 2 + i] = 0;
  gpu::fence_proxy_async();
  __syncthreads();
  uint64_t both = gpu::matrix_descriptor(&tile, 128, 256, gpu::Swizzle::none);
  gpu::wgmma_fence();
  {
    float sums[4] = {};
    gpu::wgmma<bf16>(sums, both, both, true);
    gpu::wgmma_commit();
    if (right) gpu::wgmma_wait<0>();
  }
  if (!right) gpu::wgmma_wait<0>();
}

// --- for ThreadSanitizer
// ------------------------------------------------------------------------------------------

__global__ void same_value(int* y, bool right) {
  if (!right || threadIdx.x == 0) *y = 1;  // a race even if all write the same
}
__global__ void between_blocks(int* y, bool right) {
  if (threadIdx.x == 0) {
    if (right)
      atomicAdd(y, 1);
    else
      *y += 1;
  }
}
__global__ void no_fence(int* parts, unsigned* done, int* y, bool right) {
  if (threadIdx.x != 0) return;
  parts[blockIdx.x] = 1;
  if (right) __threadfence();
  if (atomicAdd(done, 1U) == gridDim.x - 1) {
    for (unsigned i = 0; i < gridDim.x; ++i) *y += parts[i];
  }
}
__global__ void no_warp_barrier(int* y, bool right) {
  SHARED(values, int[32]);
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (right) __syncwarp();
  y[threadIdx.x] = values[31 - threadIdx.x];
}
__global__ void shuffle_is_no_barrier(int* y, bool right) {
  SHARED(values, int[32]);
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  keep(__shfl_xor_sync(0xffffffffU, 1, 1));
  if (right) __syncwarp();
  y[threadIdx.x] = values[31 - threadIdx.x];
}
// Written after it was read, without a barrier between: the next turn's write meets this turn's read.
__global__ void write_after_read(int* y, bool right) {
  SHARED(value, int);
  for (int turn = 0; turn < 2; ++turn) {
    if (threadIdx.x == 0) value = turn;
    __syncthreads();
    y[threadIdx.x] = value;
    if (right) __syncthreads();
  }
}

// A lane loads fragments of what others stored.
__global__ void no_barrier_before_ldmatrix(int* y, bool right) {
  SHARED(tile, int[8][4]);
  tile[threadIdx.x / 4][threadIdx.x % 4] = static_cast<int>(threadIdx.x);
  if (right) __syncwarp();
  uint32_t r[1];
  gpu::ldmatrix<1, true>(r, &tile[threadIdx.x % 8][0]);
  y[threadIdx.x] = static_cast<int>(r[0]);
}
// A lane reads what others stored of fragments.
__global__ void no_barrier_after_stmatrix(int* y, bool right) {
  SHARED(tile, int[8][4]);
  const uint32_t r[1] = {threadIdx.x};
  gpu::stmatrix<1>(&tile[threadIdx.x % 8][0], r);
  if (right) __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x % 8][threadIdx.x / 8];
}
// A warpgroup multiplies what its threads stored. They meet at the product, which orders nothing.
__global__ void no_barrier_before_wgmma(int* y, bool right) {
  SHARED(tile, uint64_t[256]);  // 64 x 16 of A, of which B is the beginning
  for (int i = 0; i < 2; ++i) tile[threadIdx.x * 2 + static_cast<unsigned>(i)] = 0;
  gpu::fence_proxy_async();
  if (right) __syncthreads();
  float sums[4] = {};
  uint64_t both = gpu::matrix_descriptor(&tile, 128, 256, gpu::Swizzle::none);
  gpu::wgmma_fence();
  gpu::wgmma<bf16>(sums, both, both, true);
  gpu::wgmma_commit();
  gpu::wgmma_wait<0>();
  y[threadIdx.x] = static_cast<int>(sums[0]);
}
// One thread says that the tile may be used again: before it knows that the product is over.
__global__ void no_wait_before_reuse(int* y, bool right) {
  SHARED(tile, uint64_t[256]);
  SHARED(over, uint64_t);
  if (threadIdx.x == 0) gpu::mbarrier_init(&over, 1);
  if (threadIdx.x < 128) {
    for (int i = 0; i < 2; ++i) tile[threadIdx.x * 2 + static_cast<unsigned>(i)] = 0;
  }
  gpu::fence_proxy_async();
  __syncthreads();
  if (threadIdx.x >= 128) {
    gpu::mbarrier_wait(&over, 0);
    tile[threadIdx.x] = 0;
    return;
  }
  float sums[4] = {};
  uint64_t both = gpu::matrix_descriptor(&tile, 128, 256, gpu::Swizzle::none);
  gpu::wgmma_fence();
  gpu::wgmma<bf16>(sums, both, both, true);
  gpu::wgmma_commit();
  if (!right && threadIdx.x == 5) gpu::mbarrier_arrive(&over);
  gpu::wgmma_wait<0>();
  if (right && threadIdx.x == 5) gpu::mbarrier_arrive(&over);
  y[threadIdx.x] = static_cast<int>(sums[0]);
}

template <auto kernel, class... Arguments>
void go(const sim::LaunchShape& shape, Arguments... arguments) {
  sim::run_kernel<kernel>(shape, arguments...);
}

void run(const std::string& name, bool right) {
  std::vector<float> x(33);
  std::vector<int> y(128), parts(8);
  unsigned done = 0;
  int last = right ? 31 : 32;
  if (name == "over_shared") go<over_shared>({2, 32}, last);
  if (name == "over_dynamic") go<over_dynamic>({2, 32, 128}, last);
  if (name == "over_global") go<over_global>({1, 1}, x.data(), last + 1);
  if (name == "vector_load") go<vector_load>({1, 1}, x.data() + (right ? 0 : 1));
  if (name == "shift") go<shift>({1, 1}, last);
  if (name == "to_int") go<to_int>({1, 1}, right ? 3e5F : 3e9F);
  if (name == "sums_out_of_scope") go<sums_out_of_scope>({1, 128}, right);
  if (name == "same_value") go<same_value>({1, 32}, y.data(), right);
  if (name == "between_blocks") go<between_blocks>({2, 32}, y.data(), right);
  if (name == "no_fence") go<no_fence>({8, 32}, parts.data(), &done, y.data(), right);
  if (name == "no_warp_barrier") go<no_warp_barrier>({1, 32}, y.data(), right);
  if (name == "shuffle_is_no_barrier") go<shuffle_is_no_barrier>({1, 32}, y.data(), right);
  if (name == "write_after_read") go<write_after_read>({1, 64}, y.data(), right);
  if (name == "no_barrier_before_ldmatrix") go<no_barrier_before_ldmatrix>({1, 32}, y.data(), right);
  if (name == "no_barrier_after_stmatrix") go<no_barrier_after_stmatrix>({1, 32}, y.data(), right);
  if (name == "no_barrier_before_wgmma") go<no_barrier_before_wgmma>({1, 128}, y.data(), right);
  if (name == "no_wait_before_reuse") go<no_wait_before_reuse>({1, 160}, y.data(), right);
}

}  // namespace
}  // namespace iskra::testing

int main(int count, char** arguments) {
  if (count != 2) return 2;
  if (std::strcmp(arguments[1], "right") != 0) {
    iskra::testing::run(arguments[1], false);
    std::puts("nothing was found");
    return 0;
  }
  for (const char* name : {"over_shared", "over_dynamic", "over_global", "vector_load", "shift", "to_int",
                           "sums_out_of_scope", "same_value", "between_blocks", "no_fence", "no_warp_barrier",
                           "shuffle_is_no_barrier", "write_after_read", "no_barrier_before_ldmatrix",
                           "no_barrier_after_stmatrix", "no_barrier_before_wgmma", "no_wait_before_reuse"}) {
    iskra::testing::run(name, true);
  }
  std::puts("all passed");
  return 0;
}
