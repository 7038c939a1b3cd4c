// 95 % intervals of measured accuracies.
#pragma once

#include <cstdint>
#include <vector>

namespace iskra::zoo {

struct Interval {
  double value = 0, low = 0, high = 0;
};

/// Share of successes with Wilson's score interval (Wilson 1927): what is known after one run on `total` test
/// pictures. NaN when total is 0.
Interval wilson_interval(int64_t correct, int64_t total);

/// Mean with Student's t interval, for values of independent runs. One value: low and high are NaN.
Interval mean_interval(const std::vector<double>& values);

/// Mean of `a - b`, picture by picture, where both say whether the same picture was recognised; normal
/// interval of paired differences. Throws Error when the lengths differ.
Interval paired_interval(const std::vector<bool>& a, const std::vector<bool>& b);

}  // namespace iskra::zoo
