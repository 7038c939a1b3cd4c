#include <iskra/kernels/sim/tensor_map.h>

#include <initializer_list>
#include <stdexcept>
#include <string>

#include <iskra/kernels/sim/tensor_walk.h>

namespace iskra::sim {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument("tensor map: " + why); }

void check_range(const std::string& what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return;
  refuse(what + " is " + std::to_string(value) + "; want " + std::to_string(low) + " to " +
         std::to_string(high));
}

std::string indexed(const char* name, int i) { return std::string(name) + "[" + std::to_string(i) + "]"; }

EncodedTensor encode_shape(const TensorShape& tensor, int lowest_rank, int highest_rank) {
  check_range("the rank", tensor.rank, lowest_rank, highest_rank);
  if (tensor.address == nullptr || reinterpret_cast<uintptr_t>(tensor.address) % 16 != 0) {
    refuse("the address is not aligned to 16 bytes");
  }
  EncodedTensor map{};
  for (int i = 0; i < tensor.rank; ++i) {
    check_range(indexed("dims", i), static_cast<int64_t>(tensor.dims[i]), 1, int64_t{1} << 32);
    map.dims[i] = tensor.dims[i];
    if (i == 0) continue;
    uint64_t stride = tensor.strides[i - 1];
    if (stride % 16 != 0 || stride >= uint64_t{1} << 40) {
      refuse(indexed("strides", i - 1) + " is " + std::to_string(stride) +
             "; want a multiple of 16 bytes below 2^40");
    }
    map.strides[i - 1] = stride;
  }
  bool floats =
      tensor.type != TensorType::u8 && tensor.type != TensorType::i32 && tensor.type != TensorType::i64;
  if (tensor.outside == Outside::nan && !floats) refuse("integers cannot be NaN outside of the tensor");
  map.address = static_cast<const char*>(tensor.address);
  map.type = tensor.type;
  map.rank = static_cast<uint8_t>(tensor.rank);
  map.swizzle = tensor.swizzle;
  map.outside = tensor.outside;
  map.magic = kTensorMagic;
  return map;
}

// The driver lets a box be narrower than its swizzle; then rows share a line, which nobody needs.
void check_width(const EncodedTensor& map, const char* what) {
  int64_t bytes = map.box[0] * element_bytes(map.type);
  if (bytes % kTensorUnit != 0) {
    refuse(std::string(what) + " is " + std::to_string(bytes) + " bytes wide; want a multiple of 16");
  }
  constexpr int64_t kWidths[] = {0, 32, 64, 128};
  int64_t width = kWidths[static_cast<int>(map.swizzle)];
  if (width != 0 && bytes != width) {
    refuse(std::string(what) + " is " + std::to_string(bytes) + " bytes wide; its swizzle is of " +
           std::to_string(width));
  }
}

void encode_steps(EncodedTensor& map, const uint32_t* steps) {
  for (int i = 0; i < map.rank; ++i) {
    check_range(indexed("steps", i), steps[i], 1, 8);
    map.steps[i] = static_cast<uint8_t>(steps[i]);
  }
}

TensorMap packed(const EncodedTensor& map) {
  TensorMap result{};
  std::memcpy(&result, &map, sizeof map);
  return result;
}

}  // namespace

TensorMap encode_tiled(const TensorShape& tensor, const TiledBox& box) {
  EncodedTensor map = encode_shape(tensor, 1, 5);
  for (int i = 0; i < tensor.rank; ++i) {
    check_range(indexed("box", i), box.box[i], 1, 256);
    map.box[i] = static_cast<uint16_t>(box.box[i]);
  }
  encode_steps(map, static_cast<const uint32_t*>(box.steps));
  check_width(map, "the box");
  return packed(map);
}

TensorMap encode_im2col(const TensorShape& tensor, const Im2colBox& box) {
  EncodedTensor map = encode_shape(tensor, 4, 4);
  map.im2col = true;
  check_range("channels", box.channels, 1, 256);
  check_range("pixels", box.pixels, 1, 1024);
  map.box[0] = static_cast<uint16_t>(box.channels);
  map.box[1] = static_cast<uint16_t>(box.pixels);
  for (int i = 0; i < 2; ++i) {
    check_range(indexed("lower", i), box.lower[i], -128, 127);
    check_range(indexed("upper", i), box.upper[i], -128, 127);
    if (box.lower[i] >= static_cast<int64_t>(tensor.dims[i + 1]) + box.upper[i]) {
      refuse("the bounding box is empty in dimension " + std::to_string(i + 1));
    }
    map.lower[i] = static_cast<int16_t>(box.lower[i]);
    map.upper[i] = static_cast<int16_t>(box.upper[i]);
  }
  encode_steps(map, static_cast<const uint32_t*>(box.steps));
  check_width(map, "a pixel");
  return packed(map);
}

}  // namespace iskra::sim
