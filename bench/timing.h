// Seconds that one run of something takes.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace iskra::bench {

struct Seconds {
  double median = 0, best = 0;
  int samples = 0;
};

/// Runs it for about `budget` seconds, at least three times. What is over in microseconds is timed in
/// batches.
template <class F>
Seconds seconds_of(F&& run, double budget) {
  using Clock = std::chrono::steady_clock;
  auto timed = [&](int batch) {
    auto start = Clock::now();
    for (int i = 0; i < batch; ++i) run();
    return std::chrono::duration<double>(Clock::now() - start).count() / batch;
  };
  double once = timed(1);
  int batch = std::clamp(static_cast<int>(100e-6 / std::max(once, 1e-9)), 1, 1000);
  std::vector<double> samples;
  for (double left = budget; left > 0 || samples.size() < 3;) {
    samples.push_back(timed(batch));
    left -= samples.back() * batch;
  }
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples[0], static_cast<int>(samples.size())};
}

}  // namespace iskra::bench
