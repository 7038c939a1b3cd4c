// A progress bar on a terminal, nothing elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace iskra::zoo {

/// True when stderr is a terminal that can redraw a line.
bool is_terminal();
/// True when colours are wanted there: a terminal, and no NO_COLOR.
bool wants_colour();

/// Redraws one line of stderr at most ten times a second. The line vanishes in clear(), so that other lines
/// can be printed, and at the end.
class ProgressBar {
 public:
  explicit ProgressBar(int64_t total) : total_(total), shown_(is_terminal()) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `done` of the total; `what` is shown behind the bar ("loss 0.42  1234 images/s").
  void show(int64_t done, const std::string& what);
  void clear();

  /// The line itself, for a terminal of `columns`: "[#####-----] 50/100 (50 %)  loss 0.42  ETA 12.3 s".
  static std::string line(int64_t done, int64_t total, const std::string& what, double eta_seconds,
                          int columns, bool colour);

 private:
  using Clock = std::chrono::steady_clock;
  int64_t total_;
  bool shown_, drawn_ = false;
  int64_t first_ = -1;  // of this process: a resumed run does not start at 0
  Clock::time_point start_{}, last_{};
};

}  // namespace iskra::zoo
