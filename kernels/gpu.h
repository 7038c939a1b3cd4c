// What every kernel file includes: CUDA C++ as it is under nvcc, or the emulator's stand-ins for it
// elsewhere. The rules for kernel files: shared memory by SHARED and DYN_SHARED, launches by gpu::launch and
// by nothing else, instructions that C++ does not have by the wrappers in gpu_async.h, gpu_tma.h,
// gpu_matrix.h and gpu_wgmma.h. `./dev lint` holds all other files to them.
#pragma once

#include <cstddef>
#include <cstdint>

#include <iskra/kernels/base.h>

#ifdef __CUDACC__

#include <cuda_runtime.h>

#include <string>
#include <type_traits>

#include <iskra/kernels/check.h>

#define DEV __device__ __forceinline__
/// A variable in shared memory: SHARED(tile, float[16][17]). One for the block, undefined at its start,
/// aligned to 16 bytes or more.
#define SHARED(name, ...) __shared__ __align__(16) std::type_identity_t<__VA_ARGS__> name
/// Dynamic shared memory, aligned to 1024 bytes, as a pointer: DYN_SHARED(float, buffer).
#define DYN_SHARED(type, name)                                            \
  extern __shared__ __align__(1024) unsigned char iskra_dynamic_shared[]; \
  auto* name = reinterpret_cast<type*>(iskra_dynamic_shared)

namespace iskra::gpu {

/// The shape of a launch.
struct LaunchShape {
  dim3 grid = 1, block = 1;
  size_t dynamic_shared = 0;  ///< bytes
  dim3 cluster = 1;
  bool cooperative = false;  ///< all blocks run at once, for grid barriers
};

inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw Error(std::string(what) + ": " + cudaGetErrorString(status));
}

/// Puts the kernel into the stream of `on`; its arguments are converted to its parameters' types.
template <auto kernel, class... Arguments>
void launch(const LaunchShape& shape, const kernels::Cuda& on, Arguments... arguments) {
  constexpr size_t kWithoutAsking = 48 << 10;
  if (shape.dynamic_shared > kWithoutAsking) {
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                               cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shape.dynamic_shared)),
          "asking for shared memory");
  }
  cudaLaunchAttribute attributes[2] = {};
  attributes[0].id = cudaLaunchAttributeClusterDimension;
  attributes[0].val.clusterDim = {shape.cluster.x, shape.cluster.y, shape.cluster.z};
  attributes[1].id = cudaLaunchAttributeCooperative;
  attributes[1].val.cooperative = 1;
  bool clusters = shape.cluster.x * shape.cluster.y * shape.cluster.z > 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.dynamic_shared;
  config.stream = static_cast<cudaStream_t>(on.stream);
  config.attrs = clusters ? attributes : attributes + 1;
  config.numAttrs = (clusters ? 1 : 0) + (shape.cooperative ? 1 : 0);
  check(cudaLaunchKernelEx(&config, kernel, arguments...), "launching a kernel");
}

}  // namespace iskra::gpu

#else

#include <iskra/kernels/sim/sim.h>
#include <iskra/kernels/sim/stream_launch.h>

#define DEV inline

namespace iskra::gpu {

using LaunchShape = sim::LaunchShape;

/// Puts the kernel into the stream of `on`; its arguments are converted to its parameters' types.
template <auto kernel, class... Arguments>
void launch(const LaunchShape& shape, const kernels::Cuda& on, Arguments... arguments) {
  sim::launch<kernel>(shape, static_cast<device::Stream>(on.stream), arguments...);
}

}  // namespace iskra::gpu

#endif
