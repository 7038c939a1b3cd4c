// Kernels with one bug each that only a sanitizer can see. `sim_planted NAME` runs one; the sanitizer must
// end it. `sim_planted right` runs the same kernels without their bugs, which must pass.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <iskra/kernels/sim/sim.h>

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

template <auto kernel, class... Arguments>
void go(const sim::LaunchShape& shape, Arguments... arguments) {
  sim::run_kernel<kernel>(shape, arguments...);
}

void run(const std::string& name, bool right) {
  std::vector<float> x(33);
  std::vector<int> y(64), parts(8);
  unsigned done = 0;
  int last = right ? 31 : 32;
  if (name == "over_shared") go<over_shared>({2, 32}, last);
  if (name == "over_dynamic") go<over_dynamic>({2, 32, 128}, last);
  if (name == "over_global") go<over_global>({1, 1}, x.data(), last + 1);
  if (name == "vector_load") go<vector_load>({1, 1}, x.data() + (right ? 0 : 1));
  if (name == "shift") go<shift>({1, 1}, last);
  if (name == "to_int") go<to_int>({1, 1}, right ? 3e5F : 3e9F);
  if (name == "same_value") go<same_value>({1, 32}, y.data(), right);
  if (name == "between_blocks") go<between_blocks>({2, 32}, y.data(), right);
  if (name == "no_fence") go<no_fence>({8, 32}, parts.data(), &done, y.data(), right);
  if (name == "no_warp_barrier") go<no_warp_barrier>({1, 32}, y.data(), right);
  if (name == "shuffle_is_no_barrier") go<shuffle_is_no_barrier>({1, 32}, y.data(), right);
  if (name == "write_after_read") go<write_after_read>({1, 64}, y.data(), right);
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
  for (const char* name :
       {"over_shared", "over_dynamic", "over_global", "vector_load", "shift", "to_int", "same_value",
        "between_blocks", "no_fence", "no_warp_barrier", "shuffle_is_no_barrier", "write_after_read"}) {
    iskra::testing::run(name, true);
  }
  std::puts("all passed");
  return 0;
}
