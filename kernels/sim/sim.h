// All that a kernel file needs of the emulator; included by gpu.h in builds without nvcc.
#pragma once

#include <iskra/kernels/sim/builtins.h>
#include <iskra/kernels/sim/launch.h>
#include <iskra/kernels/sim/shared.h>

/// A variable in shared memory: SHARED(tile, float[16][17]). One for the block, undefined at its start.
#define SHARED(name, ...) auto& name = iskra::sim::shared_as<__VA_ARGS__>([] {})
/// Dynamic shared memory, aligned to 1024 bytes, as a pointer: DYN_SHARED(float, buffer).
#define DYN_SHARED(type, name) auto* name = static_cast<type*>(iskra::sim::dynamic_shared())
