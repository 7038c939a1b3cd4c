// How reductions put two elements together; the same on both devices.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/reduce_list.h>

namespace iskra::kernels {
namespace {

enum class Together : uint8_t { adding, multiplying, largest, smallest };

inline Together together(ReduceOp op) {
  switch (op) {
    case ReduceOp::product:
    case ReduceOp::nonzero_product:
      return Together::multiplying;
    case ReduceOp::maximum:
    case ReduceOp::abs_maximum:
      return Together::largest;
    case ReduceOp::minimum:
    case ReduceOp::abs_minimum:
      return Together::smallest;
    default:
      return Together::adding;
  }
}

/// What nothing gives.
template <class T>
T start_of(Together how) {
  using Limits = std::numeric_limits<T>;
  if (how == Together::adding) return T(0);
  if (how == Together::multiplying) return T(1);
  if (how == Together::largest) return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  return Limits::has_infinity ? Limits::infinity() : Limits::max();
}

/// Both put together; a NaN wins, integers wrap around.
template <class T>
ISKRA_HD inline T joined(Together how, T a, T b) {
  if constexpr (std::is_same_v<T, int64_t>) {
    auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
    if (how == Together::adding) return static_cast<int64_t>(ua + ub);
    if (how == Together::multiplying) return static_cast<int64_t>(ua * ub);
  } else {
    if (how == Together::adding) return a + b;
    if (how == Together::multiplying) return a * b;
  }
  if (how == Together::largest) return b > a || b != b ? b : a;
  return b < a || b != b ? b : a;
}

}  // namespace
}  // namespace iskra::kernels
