#include <iskra/zoo/app/progress.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <iskra/zoo/app/console.h>

namespace iskra::zoo {

namespace {

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

bool is_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return is_terminal() && (no_colour == nullptr || *no_colour == '\0');
}

std::string ProgressBar::line(int64_t done, int64_t total, const std::string& what, double eta_seconds,
                              int columns, bool colour) {
  constexpr int64_t kCells = 24;
  int64_t filled = total > 0 ? std::clamp<int64_t>(kCells * done / total, 0, kCells) : kCells;
  std::string bar(static_cast<size_t>(filled), '#'), rest(static_cast<size_t>(kCells - filled), '-');
  std::string tail = " " + std::to_string(done) + "/" + std::to_string(total);
  if (!what.empty()) tail += "  " + what;
  if (eta_seconds >= 0) tail += "  ETA " + seconds_text(eta_seconds);
  // One column stays free: a full line would wrap.
  auto room = static_cast<size_t>(std::max<int64_t>(0, columns - kCells - 3));
  if (tail.size() > room) tail.resize(room);
  return colour ? "[\x1b[32m" + bar + "\x1b[0m" + rest + "]" + tail : "[" + bar + rest + "]" + tail;
}

void ProgressBar::show(int64_t done, const std::string& what) {
  if (!shown_) return;
  Clock::time_point now = Clock::now();
  if (first_ < 0) {
    first_ = done;
    start_ = now;
  } else if (now - last_ < std::chrono::milliseconds(100) && done < total_) {
    return;
  }
  last_ = now;
  double elapsed = std::chrono::duration<double>(now - start_).count();
  double eta =
      done > first_ ? elapsed * static_cast<double>(total_ - done) / static_cast<double>(done - first_) : -1;
  std::fprintf(stderr, "\r\x1b[2K%s",
               line(done, total_, what, eta, terminal_columns(), wants_colour()).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[2K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace iskra::zoo
