#include <iskra/zoo/train/png.h>

#include <png.h>

#include <algorithm>

#include <iskra/kernels/check.h>

namespace iskra::zoo {

std::string encode_png(const Picture& picture) {
  constexpr int64_t kMost = 1 << 20;
  ISKRA_CHECK(picture.channels == 1 || picture.channels == 3, "png: a picture has ", picture.channels,
              " channels; 1 (grey) and 3 (RGB) can be written");
  ISKRA_CHECK(picture.height > 0 && picture.width > 0 && picture.height <= kMost && picture.width <= kMost,
              "png: a picture of ", picture.height, " x ", picture.width, " pixels cannot be written");
  auto expected = static_cast<size_t>(picture.height * picture.width * picture.channels);
  ISKRA_CHECK(picture.pixels.size() == expected, "png: a picture of ", picture.height, " x ", picture.width,
              " x ", picture.channels, " has ", picture.pixels.size(), " bytes of pixels instead of ",
              expected);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  int ok = png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr);
  ISKRA_CHECK(ok != 0, "png: libpng refused a picture: ", static_cast<const char*>(image.message));
  bytes.resize(size);
  return bytes;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t left = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < left ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (size_t j = 0; j < 4; ++j) out += j <= left ? kDigits[group >> (18 - 6 * j) & 63U] : '=';
  }
  return out;
}

}  // namespace iskra::zoo
