// Which device the tests of kernels run on: the same files are compiled into test_kernels for the CPU and,
// with ISKRA_TEST_CUDA, into test_kernels_cuda for CUDA kernels in the emulator, where device memory is plain
// memory.
#pragma once

#include <iskra/kernels/base.h>

namespace iskra::kernels::testing {

#ifdef ISKRA_TEST_CUDA
inline Cuda on(int /*threads*/ = 1, Scratch* scratch = nullptr) { return {.scratch = scratch}; }
inline constexpr bool kOnCuda = true;
#else
inline Cpu on(int threads = 1, Scratch* scratch = nullptr) {
  return {.threads = threads, .scratch = scratch};
}
inline constexpr bool kOnCuda = false;
#endif

}  // namespace iskra::kernels::testing
