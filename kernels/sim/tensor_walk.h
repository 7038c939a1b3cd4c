// How the emulator reads a tensor map, and the way through a box in units of 16 bytes. For its own sources.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <iskra/kernels/sim/tensor_map.h>

namespace iskra::sim {

inline constexpr uint32_t kTensorMagic = 0x7E4505A9;
inline constexpr int64_t kTensorUnit = 16;

/// What lies in the 128 bytes.
struct EncodedTensor {
  const char* address;
  uint64_t dims[5];
  uint64_t strides[4];
  uint16_t box[5];  ///< or channels, pixels
  uint8_t steps[5];
  TensorType type;
  uint8_t rank;
  Swizzle swizzle;
  Outside outside;
  bool im2col;
  int16_t lower[2], upper[2];
  uint32_t magic;
};
static_assert(sizeof(EncodedTensor) <= sizeof(TensorMap));

inline int64_t element_bytes(TensorType type) {
  constexpr int kBytes[] = {1, 4, 8, 2, 2, 4, 8, 4};
  return kBytes[static_cast<int>(type)];
}

/// Elements of the box along dimension i.
inline int64_t extent_of(const EncodedTensor& map, int i) {
  return i == 0 ? map.box[0] : (map.box[i] + map.steps[i] - 1) / map.steps[i];
}

/// Bytes of a whole box, be they in the tensor or not.
inline uint32_t box_bytes(const EncodedTensor& map) {
  int64_t bytes = element_bytes(map.type) * map.box[0];
  if (map.im2col) return static_cast<uint32_t>(bytes * map.box[1]);
  for (int i = 1; i < map.rank; ++i) bytes *= extent_of(map, i);
  return static_cast<uint32_t>(bytes);
}

/// Where the hardware puts what belongs to a shared address.
inline uint32_t swizzled(Swizzle swizzle, uint32_t offset) {
  constexpr uint32_t kBits[] = {0, 1, 3, 7};
  return offset ^ ((offset >> 7 & kBits[static_cast<int>(swizzle)]) << 4);
}

/// Where in the tensor a box begins.
struct BoxPlace {
  int32_t at[5];
  uint16_t offsets[2];  ///< im2col: of the filter's tap, W and H
};

/// The 16-byte units of one row of the box: f(place in the box, its global address, first and end of the
/// bytes of it that the tensor has). `row` is null where the tensor has none.
template <class F>
void walk_row(const EncodedTensor& map, int64_t first, const char* row, int64_t linear, F&& f) {
  int64_t bytes = element_bytes(map.type), each = kTensorUnit / bytes;
  for (int64_t i = 0; i < map.box[0]; i += each) {
    int64_t from = std::clamp<int64_t>(-(first + i), 0, each);
    int64_t to = std::clamp<int64_t>(static_cast<int64_t>(map.dims[0]) - (first + i), from, each);
    if (row == nullptr) from = to = 0;
    f(static_cast<uint32_t>(linear + i * bytes), row + (row == nullptr ? 0 : (first + i) * bytes),
      from * bytes, to * bytes);
  }
}

template <class F>
void walk_tiles(const EncodedTensor& map, const BoxPlace& place, F&& f) {
  int64_t width = map.box[0] * element_bytes(map.type), linear = 0, index[5] = {};
  for (;;) {
    const char* row = map.address;
    for (int i = 1; i < map.rank && row != nullptr; ++i) {
      int64_t at = place.at[i] + index[i] * map.steps[i];
      bool inside = at >= 0 && at < static_cast<int64_t>(map.dims[i]);
      row = inside ? row + at * static_cast<int64_t>(map.strides[i - 1]) : nullptr;
    }
    walk_row(map, place.at[0], row, linear, f);
    linear += width;
    int i = 1;
    while (i < map.rank && ++index[i] == extent_of(map, i)) index[i++] = 0;
    if (i >= map.rank) return;
  }
}

template <class F>
void walk_pixels(const EncodedTensor& map, const BoxPlace& place, F&& f) {
  int64_t width = map.box[0] * element_bytes(map.type);
  int64_t end[2], at[3] = {place.at[1], place.at[2], place.at[3]};
  for (int i = 0; i < 2; ++i) end[i] = static_cast<int64_t>(map.dims[i + 1]) + map.upper[i];
  for (int64_t pixel = 0; pixel < map.box[1]; ++pixel) {
    const char* row = map.address;
    for (int i = 0; i < 3 && row != nullptr; ++i) {
      int64_t p = at[i] + (i < 2 ? place.offsets[i] : 0);
      bool inside = p >= 0 && p < static_cast<int64_t>(map.dims[i + 1]);
      row = inside ? row + p * static_cast<int64_t>(map.strides[i]) : nullptr;
    }
    walk_row(map, place.at[0], row, pixel * width, f);
    at[0] += map.steps[1];
    if (at[0] < end[0]) continue;
    at[0] = map.lower[0];
    at[1] += map.steps[2];
    if (at[1] < end[1]) continue;
    at[1] = map.lower[1];
    ++at[2];
  }
}

/// All units of the box, in the order in which they lie in shared memory before the swizzle.
template <class F>
void walk_box(const EncodedTensor& map, const BoxPlace& place, F&& f) {
  if (map.im2col) {
    walk_pixels(map, place, f);
  } else {
    walk_tiles(map, place, f);
  }
}

}  // namespace iskra::sim
