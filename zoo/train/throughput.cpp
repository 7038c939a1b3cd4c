#include <iskra/zoo/train/throughput.h>

#include <algorithm>

namespace iskra::zoo {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Throughput summarise_steps(std::vector<double> seconds, std::vector<double> images_per_s) {
  if (seconds.empty()) return {};
  if (seconds.size() > 1) {
    seconds.erase(seconds.begin());
    images_per_s.erase(images_per_s.begin());
  }
  double best = *std::max_element(images_per_s.begin(), images_per_s.end());
  return {.images_per_s_median = median(images_per_s),
          .images_per_s_best = best,
          .seconds_median = median(seconds)};
}

}  // namespace iskra::zoo
