// Loops of losses. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/cosine_ops.h>
#include <iskra/kernels/loss.isa.h>
#include <iskra/kernels/loss_list.h>
#include <iskra/kernels/pair_loss_ops.h>
#include <iskra/kernels/row_loops.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

// ----------------------------------------------------------------------------------------------------
// cross-entropy

// Row r of a matrix in the computing type; null stays null.
template <class S, class T>
inline const T* row_of(const void* x, int64_t r, int64_t cols, T* buffer) {
  return x == nullptr ? nullptr : widen(static_cast<const S*>(x) + r * cols, cols, buffer);
}

template <class S>
void lse(const CrossEntropyRows& at) {
  using T = Computed<S>;
  T* buffer = static_cast<T*>(at.buffer);
  const int64_t padded = (at.cols + 15) / 16 * 16;
  for (int64_t c = at.cols; c < padded; ++c) buffer[c] = -static_cast<T>(__builtin_inff());
  for (int64_t r = 0; r < at.rows; ++r) {
    const S* x = static_cast<const S*>(at.x) + r * at.cols;
#pragma omp simd
    for (int64_t c = 0; c < at.cols; ++c) buffer[c] = load(x[c]);
    const T largest = row_max(buffer, padded);
    const T sum = row_sum<T>(padded, [=](int64_t c) { return math::exp_below(buffer[c] - largest); });
    static_cast<T*>(at.value)[r] = largest + math::log(sum);
  }
}

/// What a row's prediction is compared with: q(c) = weight[c] * (keep * t[c] + off), of which t and weight
/// may be missing. What is there is a matter of types, because loops that ask for it at every element are not
/// vectorised.
template <bool kTarget, bool kWeight, class T>
struct Wanted {
  const T *t, *weight;
  T keep, off;
  T weight_of(int64_t c) const { return kWeight ? weight[c] : T(1); }
  T operator()(int64_t c) const { return weight_of(c) * (kTarget ? keep * t[c] + off : off); }
};

template <class T, class F>
inline void with_wanted(const T* t, const T* weight, T keep, T off, F f) {
  if (t != nullptr && weight != nullptr) return f(Wanted<true, true, T>{t, weight, keep, off});
  if (t != nullptr) return f(Wanted<true, false, T>{t, weight, keep, off});
  if (weight != nullptr) return f(Wanted<false, true, T>{t, weight, keep, off});
  f(Wanted<false, false, T>{t, weight, keep, off});
}

template <class S>
void cross(const CrossEntropyRows& at) {
  using T = Computed<S>;
  T* buffer = static_cast<T*>(at.buffer);
  const T* weight = static_cast<const T*>(at.weight);
  const T keep = static_cast<T>(at.keep), off = static_cast<T>(at.off);
  for (int64_t r = 0; r < at.rows; ++r) {
    const T* x = row_of<S>(at.x, r, at.cols, buffer);
    const T* t = row_of<S>(at.t, r, at.cols, further(buffer, at.cols));
    const T lse = at.lse != nullptr ? static_cast<const T*>(at.lse)[r] : T(0);
    with_wanted(t, weight, keep, off, [&](auto q) {
      static_cast<T*>(at.value)[r] = row_sum<T>(at.cols, [=](int64_t c) { return q(c) * (lse - x[c]); });
    });
  }
}

template <class T, class Q>
inline void slope(const T* x, bool normalized, T lse, T total, T scale, Q q, int64_t cols, T* dx) {
  if (normalized) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) dx[c] = scale * (total * math::exp(x[c] - lse) - q(c));
  } else {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) dx[c] = -scale * q(c);
  }
}

// dx = scale * (sum(q) * softmax(x) - q), dt = scale * keep * weight * (lse - x); without lse dx = -scale *
// q.
template <class S>
void gradient(const CrossEntropyRows& at) {
  using T = Computed<S>;
  T* buffer = static_cast<T*>(at.buffer);
  const T* weight = static_cast<const T*>(at.weight);
  const T keep = static_cast<T>(at.keep), off = static_cast<T>(at.off);
  for (int64_t r = 0; r < at.rows; ++r) {
    const T* x = row_of<S>(at.x, r, at.cols, buffer);
    const T* t = row_of<S>(at.t, r, at.cols, further(buffer, at.cols));
    const T scale = static_cast<const T*>(at.scale)[r];
    const T lse = at.lse != nullptr ? static_cast<const T*>(at.lse)[r] : T(0);
    const int64_t label = t != nullptr ? 0 : at.labels[r];
    with_wanted(t, weight, keep, off, [&](auto q) {
      if (at.dx != nullptr) {
        S* to = static_cast<S*>(at.dx) + r * at.cols;
        T* dx = out_buffer(to, further(buffer, 2 * at.cols));
        if (t == nullptr && label == at.ignored) {
          for (int64_t c = 0; c < at.cols; ++c) dx[c] = T(0);
        } else {
          const T hot = t != nullptr ? T(0) : keep * q.weight_of(label);
          const T total = (off != T(0) || t != nullptr ? row_sum<T>(at.cols, q) : T(0)) + hot;
          slope(x, at.lse != nullptr, lse, total, scale, q, at.cols, dx);
          if (t == nullptr) dx[label] -= scale * hot;
        }
        narrow(dx, at.cols, to);
      }
      if (at.dt != nullptr) {
        S* dt = static_cast<S*>(at.dt) + r * at.cols;
        const T factor = scale * keep;
#pragma omp simd
        for (int64_t c = 0; c < at.cols; ++c) store(factor * q.weight_of(c) * (lse - x[c]), dt[c]);
      }
    });
  }
}

// ----------------------------------------------------------------------------------------------------
// pairs

constexpr int64_t kBlock = 256;

template <class F, class T>
inline void each(const T* x, const T* t, const T* p, T b, int64_t n, T* y) {
  if (p != nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = F::f(x[i], t[i], p[i], b);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = F::f(x[i], t[i], T(1), b);
  }
}

template <class F, bool kWeighted, class T>
inline void each_backward_of(const T* x, const T* t, const T* p, const T* dy, T b, int64_t n, T* dx, T* dt) {
  if (dx != nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) dx[i] = dy[i] * F::dx(x[i], t[i], kWeighted ? p[i] : T(1), b);
  }
  if (dt != nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) dt[i] = dy[i] * F::dt(x[i], t[i], kWeighted ? p[i] : T(1), b);
  }
}

template <class F, class T>
inline void each_backward(const T* x, const T* t, const T* p, const T* dy, T b, int64_t n, T* dx, T* dt) {
  if (p != nullptr) return each_backward_of<F, true>(x, t, p, dy, b, n, dx, dt);
  each_backward_of<F, false>(x, t, p, dy, b, n, dx, dt);
}

#define ISKRA_LOOPS(name, doc) each<pair_losses::name, T>,
template <class T>
constexpr void (*kEach[])(const T*, const T*, const T*, T, int64_t, T*) = {ISKRA_PAIR_LOSSES(ISKRA_LOOPS)};
#undef ISKRA_LOOPS
#define ISKRA_LOOPS(name, doc) each_backward<pair_losses::name, T>,
template <class T>
constexpr void (*kEachBackward[])(const T*, const T*, const T*, const T*, T, int64_t, T*,
                                  T*) = {ISKRA_PAIR_LOSSES(ISKRA_LOOPS)};
#undef ISKRA_LOOPS

// Elements [begin, begin + n) in the computing type.
template <class S, class T>
inline const T* block_of(const void* x, int64_t begin, int64_t n, T* buffer) {
  return x == nullptr ? nullptr : widen(static_cast<const S*>(x) + begin, n, buffer);
}

template <class T>
inline void multiply(T* y, const T* w, int64_t n) {
  if (w == nullptr) return;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] *= w[i];
}

template <class S>
double pairs(int kind, const PairLossRun& run) {
  using T = Computed<S>;
  T buffer[5][kBlock];
  double sum = 0;
  for (int64_t begin = 0; begin < run.n; begin += kBlock) {
    const int64_t n = run.n - begin < kBlock ? run.n - begin : kBlock;
    const T* x = block_of<S>(run.x, begin, n, buffer[0]);
    const T* t = block_of<S>(run.t, begin, n, buffer[1]);
    const T* p = block_of<S>(run.p, begin, n, buffer[2]);
    T* y = buffer[3];
    kEach<T>[kind](x, t, p, static_cast<T>(run.parameter), n, y);
    multiply(y, block_of<S>(run.w, begin, n, buffer[4]), n);
    if (run.y == nullptr) {
      sum += static_cast<double>(row_sum<T>(n, [=](int64_t i) { return y[i]; }));
      continue;
    }
    S* to = static_cast<S*>(run.y) + begin;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) store(y[i], to[i]);
  }
  return sum;
}

template <class S>
void pairs_backward(int kind, const PairLossRun& run) {
  using T = Computed<S>;
  T buffer[7][kBlock];
  const T scale = static_cast<T>(run.scale);
  for (int64_t begin = 0; begin < run.n; begin += kBlock) {
    const int64_t n = run.n - begin < kBlock ? run.n - begin : kBlock;
    const T* x = block_of<S>(run.x, begin, n, buffer[0]);
    const T* t = block_of<S>(run.t, begin, n, buffer[1]);
    const T* p = block_of<S>(run.p, begin, n, buffer[2]);
    const S* dy_ = static_cast<const S*>(run.dy) + (run.dy_each ? begin : 0);
    T* dy = buffer[3];
    for (int64_t i = 0; i < n; ++i) dy[i] = scale * load(dy_[run.dy_each ? i : 0]);
    multiply(dy, block_of<S>(run.w, begin, n, buffer[6]), n);
    S *dx_ = static_cast<S*>(run.dx), *dt_ = static_cast<S*>(run.dt);
    T* dx = dx_ != nullptr ? out_buffer(dx_ + begin, buffer[4]) : nullptr;
    T* dt = dt_ != nullptr ? out_buffer(dt_ + begin, buffer[5]) : nullptr;
    kEachBackward<T>[kind](x, t, p, dy, static_cast<T>(run.parameter), n, dx, dt);
    if (dx != nullptr) narrow(dx, n, dx_ + begin);
    if (dt != nullptr) narrow(dt, n, dt_ + begin);
  }
}

// ----------------------------------------------------------------------------------------------------
// cosine similarity

template <class T>
inline Cosine<T> cosine_of(const T* x, const T* y, int64_t n, double eps) {
  const T xy = row_sum<T>(n, [=](int64_t i) { return x[i] * y[i]; });
  const T xx = row_sum<T>(n, [=](int64_t i) { return x[i] * x[i]; });
  const T yy = row_sum<T>(n, [=](int64_t i) { return y[i] * y[i]; });
  return {xy, xx, yy, static_cast<T>(eps)};
}

template <class S>
void cosine(const CosineRows& at) {
  using T = Computed<S>;
  T* buffer = static_cast<T*>(at.buffer);
  for (int64_t r = 0; r < at.rows; ++r) {
    const T* x = row_of<S>(at.a, r, at.cols, buffer);
    const T* y = row_of<S>(at.b, r, at.cols, further(buffer, at.cols));
    store(cosine_of(x, y, at.cols, at.eps).value(), static_cast<S*>(at.y)[r]);
  }
}

template <class S>
void cosine_backward(const CosineRows& at) {
  using T = Computed<S>;
  T* buffer = static_cast<T*>(at.buffer);
  for (int64_t r = 0; r < at.rows; ++r) {
    const T* x = row_of<S>(at.a, r, at.cols, buffer);
    const T* y = row_of<S>(at.b, r, at.cols, further(buffer, at.cols));
    const CosineSlopes<T> of(cosine_of(x, y, at.cols, at.eps), load(static_cast<const S*>(at.dy)[r]));
    if (at.da != nullptr) {
      S* to = static_cast<S*>(at.da) + r * at.cols;
#pragma omp simd
      for (int64_t i = 0; i < at.cols; ++i) store(of.da(x[i], y[i]), to[i]);
    }
    if (at.db != nullptr) {
      S* to = static_cast<S*>(at.db) + r * at.cols;
#pragma omp simd
      for (int64_t i = 0; i < at.cols; ++i) store(of.db(x[i], y[i]), to[i]);
    }
  }
}

}  // namespace

#define ISKRA_TYPES(f) {f<float>, f<double>, f<bf16>, f<f16>}
extern const LossTable loss_table = {ISKRA_TYPES(lse),
                                     ISKRA_TYPES(cross),
                                     ISKRA_TYPES(gradient),
                                     ISKRA_TYPES(pairs),
                                     ISKRA_TYPES(pairs_backward),
                                     ISKRA_TYPES(cosine),
                                     ISKRA_TYPES(cosine_backward)};
#undef ISKRA_TYPES

}  // namespace iskra::kernels::ISKRA_ISA
