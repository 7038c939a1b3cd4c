#include <algorithm>
#include <cmath>
#include <cstdio>

#include <iskra/zoo/train/chart.h>
#include <iskra/zoo/train/html.h>

namespace iskra::zoo::html {
namespace {

constexpr double kWidth = 480, kHeight = 250;
constexpr double kLeft = 50, kRight = 16, kTop = 12, kBottom = 38;
constexpr size_t kMostPoints = 200;

/// A coordinate: one decimal is a tenth of a pixel.
std::string at(double v) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f", v);
  return buffer;
}

std::string line(const char* style, double x1, double y1, double x2, double y2) {
  return std::string("<line class=\"") + style + "\" x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" +
         at(x2) + "\" y2=\"" + at(y2) + "\"/>\n";
}

std::string label(double x, double y, const char* anchor, const std::string& value, const char* style = "") {
  return "<text" + (*style == 0 ? std::string() : std::string(" class=\"") + style + "\"") + " x=\"" + at(x) +
         "\" y=\"" + at(y) + "\" text-anchor=\"" + anchor + "\">" + escape(value) + "</text>\n";
}

/// Maps a range of values onto a range of pixels.
struct Scale {
  double low, high, from, to;
  double operator()(double v) const { return from + (v - low) / (high - low) * (to - from); }
};

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  bool empty() const { return low > high; }
};

bool drawable(const ChartPoint& p) { return std::isfinite(p.x) && std::isfinite(p.y); }

/// Means of at most kMostPoints pieces of equally many points; a piece with a value that is not finite stays
/// so, so that the gap is seen.
std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& points) {
  size_t n = points.size();
  if (n <= kMostPoints) return points;
  std::vector<ChartPoint> out;
  for (size_t piece = 0; piece < kMostPoints; ++piece) {
    size_t begin = piece * n / kMostPoints, end = (piece + 1) * n / kMostPoints;
    ChartPoint mean;
    for (size_t i = begin; i < end; ++i) {
      mean.x += points[i].x;
      mean.y += points[i].y;
    }
    auto count = static_cast<double>(end - begin);
    out.push_back({mean.x / count, mean.y / count});
  }
  return out;
}

std::string curve(const std::vector<ChartPoint>& points, const Scale& x, const Scale& y) {
  std::string path;
  bool pen_down = false;
  for (const ChartPoint& p : points) {
    if (drawable(p)) path += (pen_down ? "L" : "M") + at(x(p.x)) + " " + at(y(p.y));
    pen_down = drawable(p);
  }
  return path.empty() ? "" : "<path class=\"curve\" d=\"" + path + "\"/>\n";
}

std::string dots(const LineChart& chart, const Series& series, const std::vector<ChartPoint>& points,
                 const Scale& x, const Scale& y) {
  std::string out;
  const char* radius = points.size() <= 40 ? "2.6" : "0";
  for (const ChartPoint& p : points) {
    if (!drawable(p)) continue;
    std::string place = " cx=\"" + at(x(p.x)) + "\" cy=\"" + at(y(p.y)) + "\"";
    if (*radius != '0') out += "<circle class=\"dot\"" + place + " r=\"" + radius + "\"/>\n";
    out += "<circle class=\"hit\"" + place + " r=\"7\"><title>" +
           escape(series.name + ", " + chart.x_name + " " + number(p.x) + ": " +
                  (chart.percent ? percent(p.y, 2) : number(p.y))) +
           "</title></circle>\n";
  }
  return out;
}

/// Grid lines, ticks and the name of the x axis.
std::string axes(const LineChart& chart, const std::vector<double>& xs, const std::vector<double>& ys,
                 const Scale& x, const Scale& y) {
  std::string out;
  for (double v : ys) {
    out += line("grid", kLeft, y(v), kWidth - kRight, y(v));
    out += label(kLeft - 7, y(v) + 3.5, "end", tick_text(v, ys[1] - ys[0], chart.percent));
  }
  for (double v : xs) {
    if (v < x.low || v > x.high) continue;
    out += line("axis", x(v), kHeight - kBottom, x(v), kHeight - kBottom + 4);
    out += label(x(v), kHeight - kBottom + 17, "middle", tick_text(v, xs[1] - xs[0], false));
  }
  out += line("axis", kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom);
  return out + label((kLeft + kWidth - kRight) / 2, kHeight - 4, "middle", chart.x_name);
}

/// Makes room for a single value.
void widen(Range& r) {
  if (r.low < r.high) return;
  double by = r.low == 0 ? 1 : std::fabs(r.low) * 0.5;
  r.low -= by;
  r.high += by;
}

/// "7.5e-4"
std::string short_exponent(double value) {
  if (value == 0) return "0";
  int power = static_cast<int>(std::floor(std::log10(std::fabs(value)) + 1e-9));
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.3ge%d", value / std::pow(10, power), power);
  return buffer;
}

/// Pixels of an interval chart.
constexpr double kRowHeight = 30, kNames = 128, kValues = 58;

std::string interval_row(const Estimate& e, const Scale& x, double y) {
  std::string hover = e.name + ": " + percent(e.value, 2) + ", 95 % interval " + percent(e.low, 2) + " to " +
                      percent(e.high, 2);
  std::string out = label(kNames - 10, y + 4, "end", e.name, "name");
  out += std::string("<g class=\"") + (e.quiet ? "cq" : "c0") + "\"><title>" + escape(hover) + "</title>\n";
  if (std::isfinite(e.low) && std::isfinite(e.high)) out += line("whisker", x(e.low), y, x(e.high), y);
  if (std::isfinite(e.value)) {
    out += "<circle class=\"dot\" cx=\"" + at(x(e.value)) + "\" cy=\"" + at(y) + "\" r=\"5\"/>\n";
  }
  return out + "</g>\n" + label(kWidth - 4, y + 4, "end", percent(e.value), "value");
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int wanted) {
  double rough = (high - low) / std::max(1, wanted - 1);
  double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (double nice : {1.0, 2.0, 2.5, 5.0}) {
    if (nice * power >= rough * 0.999) {
      step = nice * power;
      break;
    }
  }
  auto first = static_cast<int64_t>(std::floor(low / step + 1e-9));
  auto last = static_cast<int64_t>(std::ceil(high / step - 1e-9));
  std::vector<double> ticks;
  for (int64_t i = first; i <= std::max(last, first + 1); ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::string tick_text(double value, double step, bool percent) {
  if (percent) {
    value *= 100;
    step *= 100;
  }
  char buffer[64];
  if (step < 1e-3 || step >= 1e6) return short_exponent(value);
  int decimals = 0;
  double rest = std::fabs(step);
  while (decimals < 6 && std::fabs(rest - std::round(rest)) > 1e-6 * std::max(1.0, rest)) {
    rest *= 10;
    ++decimals;
  }
  std::snprintf(buffer, sizeof buffer, "%.*f%s", decimals, value == 0 ? 0.0 : value,
                percent ? "\xC2\xA0%" : "");
  return buffer;
}

std::string line_chart(const LineChart& chart) {
  std::vector<std::vector<ChartPoint>> drawn;
  Range xr, yr;
  size_t points = 0, lost = 0;
  for (const Series& s : chart.series) {
    for (const ChartPoint& p : s.points) lost += drawable(p) ? 0 : 1;
    points += s.points.size();
    drawn.push_back(thinned(s.points));
    for (const ChartPoint& p : drawn.back()) {
      if (drawable(p)) xr.add(p.x), yr.add(p.y);
    }
  }
  if (points == 0) return "";
  std::string out = "<figure class=\"chart\">\n<figcaption>" + escape(chart.title);
  for (size_t i = 0; chart.series.size() > 1 && i < chart.series.size(); ++i) {
    out += " <span class=\"key c" + std::to_string(i) + "\"><span>" + escape(chart.series[i].name) +
           "</span></span>";
  }
  out += "</figcaption>\n";
  if (!yr.empty()) {
    if (xr.low > 0 && xr.low < 0.25 * xr.high) xr.low = 0;  // steps start at none
    widen(xr);
    widen(yr);
    std::vector<double> ys = axis_ticks(yr.low, yr.high, 5), xs = axis_ticks(xr.low, xr.high, 6);
    Scale x{xr.low, xr.high, kLeft, kWidth - kRight}, y{ys.front(), ys.back(), kHeight - kBottom, kTop};
    out += "<svg viewBox=\"0 0 480 250\" role=\"img\" aria-label=\"" + escape(chart.title) + "\">\n";
    out += axes(chart, xs, ys, x, y);
    for (size_t i = 0; i < drawn.size(); ++i) {
      out += "<g class=\"c" + std::to_string(i) + "\">\n" + curve(drawn[i], x, y) +
             dots(chart, chart.series[i], drawn[i], x, y) + "</g>\n";
    }
    out += "</svg>\n";
  }
  if (lost != 0) {
    out += "<p>" + grouped(static_cast<int64_t>(lost)) + " of " + grouped(static_cast<int64_t>(points)) +
           " values are not finite and cannot be drawn.</p>\n";
  }
  return out + "</figure>\n";
}

std::string interval_chart(const IntervalChart& chart) {
  if (chart.rows.empty()) return "";
  Range r;
  for (const Estimate& e : chart.rows) {
    for (double v : {e.value, e.low, e.high}) {
      if (std::isfinite(v)) r.add(v);
    }
  }
  if (r.empty()) r.add(0), r.add(1);
  if (chart.low < chart.high) r.low = chart.low, r.high = chart.high;
  widen(r);
  std::vector<double> ticks = axis_ticks(r.low, r.high, 5);
  double bottom = kRowHeight * static_cast<double>(chart.rows.size()) + 8;
  Scale x{ticks.front(), ticks.back(), kNames, kWidth - kValues - 12};
  std::string out = "<figure class=\"chart\">\n<figcaption>" + escape(chart.title) +
                    "</figcaption>\n<svg viewBox=\"0 0 480 " + at(bottom + 24) +
                    "\" role=\"img\" aria-label=\"" + escape(chart.title) + "\">\n";
  for (double v : ticks) {
    out += line("grid", x(v), 4, x(v), bottom);
    out += label(x(v), bottom + 17, "middle", tick_text(v, ticks[1] - ticks[0], true));
  }
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    out += interval_row(chart.rows[i], x, 4 + kRowHeight * (static_cast<double>(i) + 0.5));
  }
  return out + "</svg>\n</figure>\n";
}

}  // namespace iskra::zoo::html
