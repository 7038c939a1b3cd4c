// Compares tensors with goldens and with each other.
#pragma once

#include <gtest/gtest.h>

#include "golden_file.h"

namespace iskra::testing {

/// Shapes, then every element: |got - want| <= tolerance * (|want| + floor), the floor being the root mean
/// square of the expected values unless it is given. NaN equals NaN; what the dtype of `got` cannot hold is
/// expected as its infinity or zero. Integers have to be equal.
::testing::AssertionResult near(const Tensor& got, const Golden& want, double tolerance, double floor = -1);
::testing::AssertionResult same_bits(const Tensor& a, const Tensor& b);

}  // namespace iskra::testing
