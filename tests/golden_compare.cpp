#include "golden_compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace iskra::testing {

namespace {

std::string place_of(const Shape& shape, size_t index) {
  auto rest = static_cast<int64_t>(index);
  Shape at = shape;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    at[i] = rest % shape[i];
    rest /= shape[i];
  }
  return at.str();
}

double root_mean_square(const std::vector<double>& values) {
  double total = 0;
  for (double v : values) total += v * v;
  return values.empty() ? 0 : std::sqrt(total / static_cast<double>(values.size()));
}

/// What a dtype can hold.
struct Range {
  double largest = std::numeric_limits<double>::max();
  double smallest = 0;  ///< what is smaller may be flushed to zero
};

Range range_of(DType dtype) {
  if (dtype == DType::f16) return {.largest = 65504, .smallest = 0x1p-23};  // two steps: it has subnormals
  if (dtype == DType::bf16) return {.largest = 0x1.FEp127, .smallest = std::numeric_limits<float>::min()};
  if (dtype == DType::f32) {
    return {.largest = std::numeric_limits<float>::max(), .smallest = std::numeric_limits<float>::min()};
  }
  return {};
}

bool close(double got, double want, double tolerance, double floor, const Range& range) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want) || std::isinf(got)) {
    // Where a dtype ends both its largest number and infinity are near.
    return got == want || (std::signbit(got) == std::signbit(want) &&
                           std::min(std::abs(got), std::abs(want)) >= range.largest * (1 - 2 * tolerance) &&
                           !std::isnan(got) && range.largest < std::numeric_limits<double>::max());
  }
  double distance = std::abs(got - want);
  return distance <= tolerance * (std::abs(want) + floor) || distance < range.smallest ||
         (std::abs(want) > range.largest && got == std::copysign(range.largest, want));
}

}  // namespace

::testing::AssertionResult near(const Tensor& got, const Golden& want, double tolerance, double floor) {
  if (!got.defined())
    return ::testing::AssertionFailure() << "undefined, expected shape " << want.shape.str();
  if (!(got.shape() == want.shape)) {
    return ::testing::AssertionFailure() << got.str() << ", expected shape " << want.shape.str();
  }
  if (!is_floating(got.dtype())) tolerance = floor = 0;
  std::vector<double> values = got.to_vector<double>();
  if (floor < 0) floor = root_mean_square(want.values);
  const Range range = range_of(got.dtype());
  size_t wrong = 0, worst = 0;
  double worst_ratio = -1;
  for (size_t i = 0; i < values.size(); ++i) {
    double expected = want.values[i];
    if (close(values[i], expected, tolerance, floor, range)) continue;
    ++wrong;
    double ratio = std::abs(values[i] - expected) / (std::abs(expected) + floor);
    if (!(ratio <= worst_ratio)) {
      worst_ratio = ratio;
      worst = i;
    }
  }
  if (wrong == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << got.str() << ": " << wrong << " of " << values.size() << " elements differ by more than "
         << tolerance << "; the worst is " << place_of(want.shape, worst) << ": " << values[worst]
         << ", expected " << want.values[worst] << " (relative " << worst_ratio << ")";
}

::testing::AssertionResult same_bits(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) {
    return ::testing::AssertionFailure() << a.str() << " and " << b.str();
  }
  Tensor left = a.contiguous().to(Device::cpu()), right = b.contiguous().to(Device::cpu());
  if (std::memcmp(left.raw_data(), right.raw_data(), left.bytes()) == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << a.str() << ": bits differ";
}

}  // namespace iskra::testing
