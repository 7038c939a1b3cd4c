// Names that come out of files, made fit for a one-line message.
#pragma once

#include <string>
#include <string_view>

namespace iskra::zoo {

/// In double quotes, at most 100 bytes (never half a character), control bytes as \xNN.
inline std::string in_quotes(std::string_view name) {
  constexpr size_t kLimit = 100;
  size_t shown = name.size();
  if (shown > kLimit) {
    shown = kLimit;
    while (shown > 0 && (static_cast<unsigned char>(name[shown]) & 0xC0) == 0x80) --shown;
  }
  std::string out = "\"";
  for (char c : name.substr(0, shown)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += "0123456789abcdef"[byte >> 4];
      out += "0123456789abcdef"[byte & 15];
    } else {
      out += c;
    }
  }
  return out + (shown < name.size() ? "…\"" : "\"");
}

}  // namespace iskra::zoo
