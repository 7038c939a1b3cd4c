// The vector types of CUDA that kernels name, for compilers that know nothing of CUDA: the same sizes,
// alignments and members. nvcc brings its own.
#pragma once

#include <cstdint>

struct uint3 {
  unsigned x, y, z;
};

/// Extents of a grid or a block; what is not given is 1.
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1)  // NOLINT(google-explicit-constructor)
      : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}  // NOLINT(google-explicit-constructor)
};

#define ISKRA_SIM_VECTOR(T, name, align2, align4)            \
  struct alignas(align2) name##2 { T x, y; };                \
  struct alignas(align4) name##4 { T x, y, z, w; };          \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
ISKRA_SIM_VECTOR(float, float, 8, 16)
ISKRA_SIM_VECTOR(int, int, 8, 16)
ISKRA_SIM_VECTOR(unsigned, uint, 8, 16)
ISKRA_SIM_VECTOR(short, short, 4, 8)
ISKRA_SIM_VECTOR(unsigned short, ushort, 4, 8)
ISKRA_SIM_VECTOR(unsigned char, uchar, 2, 4)
// CUDA 13 names the 16-byte aligned form of the wide ones explicitly.
ISKRA_SIM_VECTOR(double, double, 16, 16)
ISKRA_SIM_VECTOR(long long, longlong, 16, 16)
ISKRA_SIM_VECTOR(unsigned long long, ulonglong, 16, 16)
#undef ISKRA_SIM_VECTOR
