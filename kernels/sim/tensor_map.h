// Tensor maps: what the tensor memory accelerator knows of a tensor in global memory, and of the boxes that
// are copied of it. Dimensions are listed from the innermost, whose elements lie side by side.
#pragma once

#include <cstddef>
#include <cstdint>

namespace iskra::sim {

/// The emulator's own 128 bytes; on a GPU the driver fills as many.
struct alignas(64) TensorMap {
  uint64_t words[16];
};

enum class TensorType : uint8_t { u8, i32, i64, f16, bf16, f32, f64, tf32 };
/// How 16-byte units are exchanged in shared memory: within 32, 64 or 128 bytes, by the next higher bits of
/// the address. The box is then that wide.
enum class Swizzle : uint8_t { none, b32, b64, b128 };

/// What the elements outside of the tensor read as.
enum class Outside : uint8_t { zero, nan };

/// A tensor, and how it is copied.
struct TensorShape {
  TensorType type = TensorType::f32;
  int rank = 1;                   ///< 1 to 5
  const void* address = nullptr;  ///< aligned to 16 bytes
  uint64_t dims[5] = {};
  uint64_t strides[4] = {};  ///< bytes from one to the next in dims 1 to 4; multiples of 16
  Swizzle swizzle = Swizzle::none;
  Outside outside = Outside::zero;
};

/// Boxes: `box` elements in each dimension, of which every `steps`th is copied in dims 1 to 4.
struct TiledBox {
  uint32_t box[5] = {};
  uint32_t steps[5] = {1, 1, 1, 1, 1};
};

/// Columns of a convolution over (C, W, H, N): `pixels` pixels of `channels` each, from place to place in the
/// bounding box, which begins at lower and ends at W - 1 + upper (inclusive; index 0 is W, 1 is H), in steps.
struct Im2colBox {
  int lower[2] = {}, upper[2] = {};
  uint32_t channels = 0, pixels = 0;
  uint32_t steps[4] = {1, 1, 1, 1};
};

#ifndef __CUDACC__  // where the driver encodes
/// As cuTensorMapEncodeTiled, with the same demands; throws std::invalid_argument.
TensorMap encode_tiled(const TensorShape& tensor, const TiledBox& box);
/// As cuTensorMapEncodeIm2col, for rank 4.
TensorMap encode_im2col(const TensorShape& tensor, const Im2colBox& box);
#endif

}  // namespace iskra::sim
