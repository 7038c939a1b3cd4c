#include <iskra/zoo/train/interval.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <iskra/kernels/check.h>

namespace iskra::zoo {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kNormal975 = 1.959963984540054;

/// 97.5 % quantile of Student's t: tabulated for few degrees of freedom, the Cornish-Fisher expansion beyond,
/// where its error is below 1e-6.
double student_975(size_t degrees) {
  static constexpr double kTable[] = {12.70620474, 4.30265273, 3.18244631, 2.77644511, 2.57058184,
                                      2.44691185,  2.36462425, 2.30600414, 2.26215716, 2.22813885,
                                      2.20098516,  2.17881283, 2.16036866, 2.14478669, 2.13144955,
                                      2.11990530,  2.10981558, 2.10092204, 2.09302405, 2.08596345};
  if (degrees <= std::size(kTable)) return kTable[degrees - 1];
  double z = kNormal975, z2 = z * z, n = static_cast<double>(degrees);
  double g1 = (z2 + 1) * z / 4;
  double g2 = ((5 * z2 + 16) * z2 + 3) * z / 96;
  double g3 = (((3 * z2 + 19) * z2 + 17) * z2 - 15) * z / 384;
  double g4 = ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) * z / 92160;
  return z + (g1 + (g2 + (g3 + g4 / n) / n) / n) / n;
}

}  // namespace

Interval wilson_interval(int64_t correct, int64_t total) {
  if (total <= 0) return {kNan, kNan, kNan};
  double n = static_cast<double>(total), p = static_cast<double>(correct) / n, z2 = kNormal975 * kNormal975;
  double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  double half = kNormal975 * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
  return {p, std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

Interval mean_interval(const std::vector<double>& values) {
  if (values.empty()) return {kNan, kNan, kNan};
  double n = static_cast<double>(values.size()), mean = 0, squares = 0;
  for (double v : values) mean += v / n;
  if (values.size() == 1) return {mean, kNan, kNan};
  for (double v : values) squares += (v - mean) * (v - mean);
  double half = student_975(values.size() - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half};
}

Interval paired_interval(const std::vector<bool>& a, const std::vector<bool>& b) {
  ISKRA_CHECK(a.size() == b.size(), "paired interval: ", a.size(), " results against ", b.size(),
              "; both must be of the same pictures");
  if (a.empty()) return {kNan, kNan, kNan};
  double n = static_cast<double>(a.size()), mean = 0, squares = 0;
  for (size_t i = 0; i < a.size(); ++i) mean += (static_cast<double>(a[i]) - static_cast<double>(b[i])) / n;
  for (size_t i = 0; i < a.size(); ++i) {
    double d = static_cast<double>(a[i]) - static_cast<double>(b[i]) - mean;
    squares += d * d;
  }
  double half = kNormal975 * std::sqrt(squares / n / n);
  return {mean, mean - half, mean + half};
}

}  // namespace iskra::zoo
