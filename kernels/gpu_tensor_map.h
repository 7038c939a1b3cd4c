// Tensor maps on both sides: made by the driver for a GPU, by the emulator for itself. sim/tensor_map.h says
// what they are.
#pragma once

#include <iskra/kernels/gpu.h>
#include <iskra/kernels/sim/tensor_map.h>

namespace iskra::gpu {

using sim::Im2colBox;
using sim::Outside;
using sim::Swizzle;
using sim::TensorMap;
using sim::TensorShape;
using sim::TensorType;
using sim::TiledBox;

#ifdef __CUDACC__

/// The driver's number of a type (CUtensorMapDataType; its header is slow to compile).
inline int driver_type(TensorType type) {
  constexpr int kNumbers[] = {0, 3, 5, 6, 9, 7, 8, 11};
  return kNumbers[static_cast<int>(type)];
}

/// A function of the driver, by its name.
template <class Function>
Function* driver_function(const char* name) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
  check(cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &result), name);
  if (found == nullptr) throw Error(std::string(name) + ": the driver is too old; want CUDA 12 or newer");
  return reinterpret_cast<Function*>(found);
}

/// What L2 fetches at a time: CU_TENSOR_MAP_L2_PROMOTION_L2_256B.
inline constexpr int kPromoteTo256 = 3;

inline TensorMap encode_tiled(const TensorShape& t, const TiledBox& box) {
  using Encode = int(TensorMap*, int, uint32_t, void*, const uint64_t*, const uint64_t*, const uint32_t*,
                     const uint32_t*, int, int, int, int);
  static auto* encode = driver_function<Encode>("cuTensorMapEncodeTiled");
  TensorMap map;
  int status = encode(&map, driver_type(t.type), static_cast<uint32_t>(t.rank), const_cast<void*>(t.address),
                      t.dims, t.strides, box.box, box.steps, 0, static_cast<int>(t.swizzle), kPromoteTo256,
                      t.outside == Outside::nan ? 1 : 0);
  if (status != 0) throw Error("cuTensorMapEncodeTiled refuses: error " + std::to_string(status));
  return map;
}

// The manual lists corners as {D, H, W}, while dims and steps begin inside, with C, W: corners are taken to
// begin with W, too. Not seen on a GPU yet; it matters only where W and H differ in their corners.
inline TensorMap encode_im2col(const TensorShape& t, const Im2colBox& box) {
  using Encode = int(TensorMap*, int, uint32_t, void*, const uint64_t*, const uint64_t*, const int*,
                     const int*, uint32_t, uint32_t, const uint32_t*, int, int, int, int);
  static auto* encode = driver_function<Encode>("cuTensorMapEncodeIm2col");
  TensorMap map;
  int status = encode(&map, driver_type(t.type), static_cast<uint32_t>(t.rank), const_cast<void*>(t.address),
                      t.dims, t.strides, box.lower, box.upper, box.channels, box.pixels, box.steps, 0,
                      static_cast<int>(t.swizzle), kPromoteTo256, t.outside == Outside::nan ? 1 : 0);
  if (status != 0) throw Error("cuTensorMapEncodeIm2col refuses: error " + std::to_string(status));
  return map;
}

#else

using sim::encode_im2col;
using sim::encode_tiled;

#endif

}  // namespace iskra::gpu
