#include "golden_compare.h"

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

bool close(double got, double want, double tolerance, double floor) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::abs(got - want) <= tolerance * (std::abs(want) + floor);
}

/// What is left of a float64 value in the range of f32.
double in_f32_range(double value) {
  if (std::abs(value) < std::numeric_limits<float>::min()) return 0;
  return std::isinf(static_cast<float>(value)) ? std::copysign(INFINITY, value) : value;
}

}  // namespace

::testing::AssertionResult near(const Tensor& got, const Golden& want, double tolerance, double floor) {
  if (!got.defined())
    return ::testing::AssertionFailure() << "undefined, expected shape " << want.shape.str();
  if (!(got.shape() == want.shape)) {
    return ::testing::AssertionFailure() << got.str() << ", expected shape " << want.shape.str();
  }
  std::vector<double> values = got.to_vector<double>();
  if (floor < 0) floor = root_mean_square(want.values);
  size_t wrong = 0, worst = 0;
  double worst_ratio = -1;
  for (size_t i = 0; i < values.size(); ++i) {
    double expected = got.dtype() == DType::f32 ? in_f32_range(want.values[i]) : want.values[i];
    double least = got.dtype() == DType::f32 ? std::numeric_limits<float>::min() : 0;
    if (close(values[i], expected, tolerance, floor) || std::abs(values[i] - expected) < least) continue;
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
  Tensor left = a.contiguous(), right = b.contiguous();
  if (std::memcmp(left.raw_data(), right.raw_data(), left.bytes()) == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << a.str() << ": bits differ";
}

}  // namespace iskra::testing
