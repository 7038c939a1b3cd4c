// ISKRA_GPU_ARCH: the architecture that device code is being compiled for, 900 for sm_90. The emulator is
// one; nvcc's pass for the host is none, so 0.
#pragma once

#ifndef __CUDACC__
#define ISKRA_GPU_ARCH 900
#elif defined(__CUDA_ARCH__)
#define ISKRA_GPU_ARCH __CUDA_ARCH__
#else
#define ISKRA_GPU_ARCH 0
#endif
