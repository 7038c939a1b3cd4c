// What commands print: one JSON object a line with --json, text for people otherwise.
#pragma once

#include <string>
#include <vector>

#include <iskra/zoo/train/json_line.h>

namespace iskra::zoo {

class Console {
 public:
  explicit Console(bool json) : json_(json) {}
  bool json() const { return json_; }
  /// With --json a line on stdout, else nothing.
  void object(const JsonLine& object) const { line(object.str()); }
  void line(const std::string& json) const;
  /// A line for people on stdout; nothing with --json.
  void say(const std::string& line) const;
  /// A line for people that is worth reading with --json too: then it goes to stderr.
  void note(const std::string& line) const;

 private:
  bool json_;
};

/// Columns as wide as their widest cell; those whose name ends in '>' are aligned to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  void row(std::vector<std::string> cells);
  std::string str() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

/// "91.25 %"
std::string percent(double share);
/// Fixed digits after the point.
std::string fixed(double value, int digits);
/// "1,234,567"
std::string grouped(int64_t value);
/// "12.3 MiB"
std::string bytes_text(double bytes);
/// "1 h 02 min", "3 min 05 s", "12.3 s"
std::string seconds_text(double seconds);
/// Shape as people read it: "3x224x224".
std::string picture_text(int64_t channels, int64_t height, int64_t width);

}  // namespace iskra::zoo
