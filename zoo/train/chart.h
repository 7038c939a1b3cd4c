// Charts as inline SVG: curves with axes and hover titles, and estimates with their intervals.
#pragma once

#include <string>
#include <vector>

namespace iskra::zoo::html {

struct ChartPoint {
  double x = 0, y = 0;
};
struct Series {
  std::string name = {};
  std::vector<ChartPoint> points = {};  // in order of x; where one is not finite the line breaks
};
struct LineChart {
  std::string title = {}, x_name = {};
  std::vector<Series> series = {};  // at most four
  bool percent = false;             // y is a fraction
};

/// A figure. Long series are thinned to means of equal pieces of the x axis; values that are not finite are
/// counted in a line below. Nothing when no series has a point.
std::string line_chart(const LineChart& chart);

/// One row of an interval chart; `quiet` draws it as the reference that others are compared with. Fractions.
struct Estimate {
  std::string name = {};
  double value = 0, low = 0, high = 0;
  bool quiet = false;
};
struct IntervalChart {
  std::string title = {};
  std::vector<Estimate> rows = {};
  double low = 0, high = 0;  // the axis, so that several charts agree; both 0 fits it to the rows
};
std::string interval_chart(const IntervalChart& chart);

/// Round numbers from at most `low` to at least `high`, about `wanted` of them; exposed for tests.
std::vector<double> axis_ticks(double low, double high, int wanted);
/// A tick as people read it, given the distance to the next.
std::string tick_text(double value, double step, bool percent);

}  // namespace iskra::zoo::html
