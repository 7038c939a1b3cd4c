// Writes one JSON object on one line, fields in the order they are given.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iskra::zoo {

/// "text" with quotes; control characters are escaped and invalid UTF-8 becomes U+FFFD.
std::string json_text(std::string_view text);
/// The shortest digits that read back as the same number; null for NaN and infinities.
std::string json_number(double value);

class JsonLine {
 public:
  template <class T>
  JsonLine& operator()(std::string_view name, const T& value) {
    return raw(name, to_json(value));
  }
  /// `json` is put in as it is.
  JsonLine& raw(std::string_view name, std::string_view json);
  /// "{…}" without a newline.
  std::string str() const { return std::string("{").append(body_).append("}"); }

  static std::string to_json(bool v) { return v ? "true" : "false"; }
  static std::string to_json(double v) { return json_number(v); }
  template <std::integral T>
  static std::string to_json(T v) {
    return std::to_string(v);
  }
  static std::string to_json(const char* v) { return json_text(v); }
  static std::string to_json(const std::string& v) { return json_text(v); }
  static std::string to_json(const JsonLine& v) { return v.str(); }
  template <class T>
  static std::string to_json(const std::vector<T>& values) {
    std::string out = "[";
    for (const T& v : values) (out += out.size() > 1 ? "," : "") += to_json(v);
    return out += "]";
  }

 private:
  std::string body_;
};

}  // namespace iskra::zoo
