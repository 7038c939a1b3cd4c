// The bricks of a report: escaped text, numbers as people read them, and the page around them. A page is one
// file: its style is inside, it loads nothing and runs no script.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iskra::zoo::html {

/// Text that is safe between tags and inside quoted attributes. Control characters and broken UTF-8 become
/// U+FFFD.
std::string escape(std::string_view text);

/// "0.1234", "1.2e-05", "12 345"; `digits` significant. Not finite: "not finite".
std::string number(double value, int digits = 4);
/// "83.4 %" from 0.834; "–" when not finite.
std::string percent(double fraction, int decimals = 1);
/// "12 345 678", with narrow spaces.
std::string grouped(int64_t value);
/// "1.4 GiB"
std::string bytes(double count);
/// "41 s", "3 min 20 s", "2 h 05 min"
std::string duration(double seconds);

/// A few big figures at the top of a page.
struct Fact {
  std::string name = {}, value = {}, note = {};  // plain text
};
std::string facts(const std::vector<Fact>& list);

/// `key` and `value` in two columns.
struct Pair {
  std::string key = {}, value = {};  // plain text
};
std::string pairs(const std::vector<Pair>& list);

/// A headed part of the page; `body` is HTML. Nothing when the body is empty.
std::string section(std::string_view heading, std::string_view note, std::string_view body);

/// The whole document; `body` is HTML, the rest plain text.
std::string page(std::string_view title, std::string_view subtitle, std::string_view body);

}  // namespace iskra::zoo::html
