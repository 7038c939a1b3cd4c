// Pictures as PNG, in memory.
#pragma once

#include <string>
#include <string_view>

#include <iskra/zoo/train/result.h>

namespace iskra::zoo {

/// The bytes of a PNG file: 8 bits a channel, grey or RGB. Throws Error for other channel counts, an empty
/// picture, or pixels that do not match height * width * channels.
std::string encode_png(const Picture& picture);

/// RFC 4648, with padding, without line breaks.
std::string base64(std::string_view bytes);

}  // namespace iskra::zoo
