// ISKRA_GPU_ARCH: the architecture that device code is being compiled for, 900 for sm_90. The emulator is
// one; nvcc's pass for the host is none, so 0. ISKRA_GPU_WGMMA: whether it has what only sm_90a has, which
// are warpgroup products and setmaxnreg; no later architecture does.
#pragma once

#ifndef __CUDACC__
#define ISKRA_GPU_ARCH 900
#elif defined(__CUDA_ARCH__)
#define ISKRA_GPU_ARCH __CUDA_ARCH__
#else
#define ISKRA_GPU_ARCH 0
#endif

#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define ISKRA_GPU_WGMMA 1
#else
#define ISKRA_GPU_WGMMA 0
#endif
