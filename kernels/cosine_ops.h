// Cosine similarity of two vectors from their three products; the same on both devices.
#pragma once

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels {
namespace {

template <class T>
struct Cosine {
  T dot, a, b;            // the product and the lengths, at least eps
  bool a_bound, b_bound;  // whether eps took a length's place
  ISKRA_HD Cosine(T ab, T aa, T bb, T eps) : dot(ab), a(math::sqrt(aa)), b(math::sqrt(bb)) {
    a_bound = a < eps;
    b_bound = b < eps;
    a = a_bound ? eps : a;
    b = b_bound ? eps : b;
  }
  ISKRA_HD T value() const { return dot / a / b; }
};

/// With s = a.b / (|a| |b|): ds/da = b / (|a| |b|) - s a / |a|^2, the last part only where |a| is not eps.
template <class T>
struct CosineSlopes {
  T cross, own_a, own_b;
  ISKRA_HD CosineSlopes(const Cosine<T>& of, T dy)
      : cross(dy / of.a / of.b),
        own_a(of.a_bound ? T(0) : dy * of.value() / of.a / of.a),
        own_b(of.b_bound ? T(0) : dy * of.value() / of.b / of.b) {}
  ISKRA_HD T da(T a, T b) const { return cross * b - own_a * a; }
  ISKRA_HD T db(T a, T b) const { return cross * a - own_b * b; }
};

}  // namespace
}  // namespace iskra::kernels
