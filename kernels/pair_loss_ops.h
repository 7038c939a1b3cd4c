// Losses of a prediction x and a target t, element by element: f, and its derivatives by both. p weighs the
// positive targets of a binary cross-entropy, b is the loss's own parameter.
#pragma once

#include <iskra/kernels/host_device.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels {
namespace {
namespace pair_losses {

template <class T>
ISKRA_HD inline T magnitude(T x) {
  return x < T(0) ? -x : x;
}
template <class T>
ISKRA_HD inline T sign(T x) {
  return x > T(0) ? T(1) : x < T(0) ? T(-1) : x;  // NaN stays
}
/// log(1 + e^x): the logarithm's argument is rounded, and what it lost is added back.
template <class T>
ISKRA_HD inline T softplus(T x) {
  const T e = math::exp(-magnitude(x)), u = T(1) + e;
  return (x > T(0) ? x : T(0)) + (math::log(u) + (e - (u - T(1))) / u);
}

struct mse {
  template <class T>
  ISKRA_HD static T f(T x, T t, T, T) {
    return (x - t) * (x - t);
  }
  template <class T>
  ISKRA_HD static T dx(T x, T t, T, T) {
    return T(2) * (x - t);
  }
  template <class T>
  ISKRA_HD static T dt(T x, T t, T, T) {
    return T(2) * (t - x);
  }
};

struct l1 {
  template <class T>
  ISKRA_HD static T f(T x, T t, T, T) {
    return magnitude(x - t);
  }
  template <class T>
  ISKRA_HD static T dx(T x, T t, T, T) {
    return sign(x - t);
  }
  template <class T>
  ISKRA_HD static T dt(T x, T t, T, T) {
    return sign(t - x);
  }
};

/// Quadratic within b of the target. Girshick 2015.
struct smooth_l1 {
  template <class T>
  ISKRA_HD static T f(T x, T t, T, T b) {
    const T a = magnitude(x - t);
    return a < b ? T(0.5) * a * a / b : a - T(0.5) * b;
  }
  template <class T>
  ISKRA_HD static T dx(T x, T t, T, T b) {
    const T d = x - t;
    return magnitude(d) < b ? d / b : sign(d);
  }
  template <class T>
  ISKRA_HD static T dt(T x, T t, T p, T b) {
    return dx(t, x, p, b);
  }
};

/// b times smooth_l1. Huber 1964.
struct huber {
  template <class T>
  ISKRA_HD static T f(T x, T t, T, T b) {
    const T a = magnitude(x - t);
    return a <= b ? T(0.5) * a * a : b * (a - T(0.5) * b);
  }
  template <class T>
  ISKRA_HD static T dx(T x, T t, T, T b) {
    const T d = x - t;
    return magnitude(d) <= b ? d : b * sign(d);
  }
  template <class T>
  ISKRA_HD static T dt(T x, T t, T p, T b) {
    return dx(t, x, p, b);
  }
};

struct bce_with_logits {
  template <class T>
  ISKRA_HD static T f(T x, T t, T p, T) {
    return (T(1) - t) * x + (T(1) + (p - T(1)) * t) * softplus(-x);
  }
  template <class T>
  ISKRA_HD static T dx(T x, T t, T p, T) {
    return (T(1) - t) - (T(1) + (p - T(1)) * t) * math::sigmoid(-x);
  }
  template <class T>
  ISKRA_HD static T dt(T x, T, T p, T) {
    return (p - T(1)) * softplus(-x) - x;
  }
};

/// t log(t / e^x), nothing where t is 0. Kullback & Leibler 1951.
struct kl_div {
  template <class T>
  ISKRA_HD static T f(T x, T t, T, T) {
    return (t == T(0) ? T(0) : t * math::log(t)) - t * x;
  }
  template <class T>
  ISKRA_HD static T dx(T, T t, T, T) {
    return -t;
  }
  template <class T>
  ISKRA_HD static T dt(T x, T t, T, T) {
    return t == T(0) ? T(0) : math::log(t) + T(1) - x;
  }
};

/// The same where the target is a logarithm.
struct kl_div_log {
  template <class T>
  ISKRA_HD static T f(T x, T t, T, T) {
    return math::exp(t) * (t - x);
  }
  template <class T>
  ISKRA_HD static T dx(T, T t, T, T) {
    return -math::exp(t);
  }
  template <class T>
  ISKRA_HD static T dt(T x, T t, T, T) {
    return math::exp(t) * (t - x + T(1));
  }
};

}  // namespace pair_losses
}  // namespace
}  // namespace iskra::kernels
