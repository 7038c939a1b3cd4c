// Speed from measured steps.
#pragma once

#include <vector>

#include <iskra/zoo/train/result.h>

namespace iskra::zoo {

/// 0 when empty.
double median(std::vector<double> values);

/// Seconds and images/s of each step; the first step, which fills caches, is left out where there are others.
Throughput summarise_steps(std::vector<double> seconds, std::vector<double> images_per_s);

}  // namespace iskra::zoo
