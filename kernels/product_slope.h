// The derivative of a product by one of its factors; the same on both devices.
#pragma once

#include <iskra/kernels/host_device.h>

namespace iskra::kernels {
namespace {

/// dy times the product of the other factors, where x is one of some factors of which `zeros` are 0 and the
/// rest multiply to q. Without branches, so that loops over it are vectorised.
template <class T>
ISKRA_HD inline T product_slope(T x, T dy, T q, T zeros) {
  const T zero = x == T(0) ? T(1) : T(0), alone = zeros == zero ? T(1) : T(0);
  return dy * (q / (x + zero)) * alone;
}

}  // namespace
}  // namespace iskra::kernels
