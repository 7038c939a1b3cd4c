#include <cmath>
#include <cstdio>

#include <iskra/zoo/train/html.h>
#include <iskra/zoo/train/report_style.h>

namespace iskra::zoo::html {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

/// Length of the valid UTF-8 sequence that starts at text[at]; 0 when it is broken.
size_t sequence_length(std::string_view text, size_t at) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  auto tail = [&](size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  unsigned a = byte(at), b = byte(at + 1);
  if (a < 0x80) return 1;
  if (a >= 0xC2 && a <= 0xDF) return tail(at + 1) ? 2 : 0;
  if (a >= 0xE0 && a <= 0xEF) {
    bool overlong = a == 0xE0 && b < 0xA0, surrogate = a == 0xED && b > 0x9F;
    return tail(at + 1) && tail(at + 2) && !overlong && !surrogate ? 3 : 0;
  }
  if (a >= 0xF0 && a <= 0xF4) {
    bool overlong = a == 0xF0 && b < 0x90, too_large = a == 0xF4 && b > 0x8F;
    return tail(at + 1) && tail(at + 2) && tail(at + 3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

std::string formatted(const char* format, double value) {
  char buffer[64];
  int length = std::snprintf(buffer, sizeof buffer, format, value);
  return std::string(buffer, static_cast<size_t>(length));
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (size_t i = 0; i < text.size();) {
    size_t length = sequence_length(text, i);
    auto c = static_cast<unsigned char>(text[i]);
    bool control = c < 0x20 && c != '\n' && c != '\t';
    if (length == 0 || control || c == 0x7F) {
      out += kReplacement;
      ++i;
      continue;
    }
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += text.substr(i, length);
    }
    i += length;
  }
  return out;
}

std::string number(double value, int digits) {
  if (!std::isfinite(value)) return "not finite";
  double size = std::fabs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
    return buffer;
  }
  if (value == std::floor(value)) return grouped(static_cast<int64_t>(value));
  int decimals = digits - 1 - static_cast<int>(std::floor(std::log10(size)));
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals < 0 ? 0 : decimals, value);
  std::string out = buffer;
  if (out.find('.') != std::string::npos) {
    while (out.back() == '0') out.pop_back();
    if (out.back() == '.') out.pop_back();
  }
  return out;
}

std::string percent(double fraction, int decimals) {
  if (!std::isfinite(fraction)) return "\xE2\x80\x93";
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f\xC2\xA0%%", decimals, 100 * fraction);
  return buffer;
}

std::string grouped(int64_t value) {
  bool negative = value < 0;
  std::string digits = std::to_string(value);
  if (negative) digits.erase(0, 1);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, "\xE2\x80\xAF");
  }
  return negative ? "-" + digits : digits;
}

std::string bytes(double count) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (unit < 4 && count >= 1024) {
    count /= 1024;
    ++unit;
  }
  return formatted(unit == 0 || count >= 100 ? "%.0f" : "%.1f", count) + "\xC2\xA0" + kUnits[unit];
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "\xE2\x80\x93";
  if (seconds < 10) return formatted("%.1f s", seconds);
  auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return std::to_string(whole) + " s";
  char buffer[64];
  if (whole < 3600) {
    std::snprintf(buffer, sizeof buffer, "%d min %02d s", static_cast<int>(whole / 60),
                  static_cast<int>(whole % 60));
  } else {
    std::snprintf(buffer, sizeof buffer, "%lld h %02d min", static_cast<long long>(whole / 3600),
                  static_cast<int>(whole / 60 % 60));
  }
  return buffer;
}

std::string facts(const std::vector<Fact>& list) {
  if (list.empty()) return "";
  std::string out = "<dl class=\"facts\">\n";
  for (const Fact& f : list) {
    out += "<div><dt>" + escape(f.name) + "</dt><dd>" + escape(f.value);
    if (!f.note.empty()) out += "<small>" + escape(f.note) + "</small>";
    out += "</dd></div>\n";
  }
  return out + "</dl>\n";
}

std::string pairs(const std::vector<Pair>& list) {
  if (list.empty()) return "";
  std::string out = "<div class=\"scroll\"><table class=\"pairs\">\n";
  for (const Pair& p : list) {
    out += "<tr><th scope=\"row\">" + escape(p.key) + "</th><td>" + escape(p.value) + "</td></tr>\n";
  }
  return out + "</table></div>\n";
}

std::string section(std::string_view heading, std::string_view note, std::string_view body) {
  if (body.empty()) return "";
  std::string out = "<section>\n<h2>" + escape(heading) + "</h2>\n";
  if (!note.empty()) out += "<p class=\"note\">" + escape(note) + "</p>\n";
  return out.append(body) + "</section>\n";
}

std::string page(std::string_view title, std::string_view subtitle, std::string_view body) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
      escape(title) + "</title>\n<style>" + kReportStyle + "</style>\n</head>\n<body>\n<header>\n<h1>" +
      escape(title) + "</h1>\n";
  if (!subtitle.empty()) out += "<p class=\"note\">" + escape(subtitle) + "</p>\n";
  out += "</header>\n<main>\n";
  out.append(body);
  return out + "</main>\n<footer>made by iskra</footer>\n</body>\n</html>\n";
}

}  // namespace iskra::zoo::html
