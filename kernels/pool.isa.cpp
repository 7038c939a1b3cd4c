// Channel loops of pooling, compiled once per ISA level: raw pointers only.
#include <iskra/kernels/pool.isa.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class S>
void first(int64_t channels, int32_t place, const void* x_, void* y_, int32_t* at) {
  const S* x = static_cast<const S*>(x_);
  S* y = static_cast<S*>(y_);
  for (int64_t c = 0; c < channels; ++c) y[c] = x[c];
  if (at == nullptr) return;
  for (int64_t c = 0; c < channels; ++c) at[c] = place;
}

template <class S>
void take_larger(int64_t channels, int32_t place, const void* x_, void* y_, int32_t* at) {
  const S* x = static_cast<const S*>(x_);
  S* y = static_cast<S*>(y_);
  if (at == nullptr) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const auto v = load(x[c]), best = load(y[c]);
      store(((v > best) | (v != v)) ? v : best, y[c]);
    }
    return;
  }
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const auto v = load(x[c]), best = load(y[c]);
    const bool take = (v > best) | (v != v);
    store(take ? v : best, y[c]);
    at[c] = take ? place : at[c];
  }
}

template <class S>
void lowest(int64_t channels, void* y_, int32_t* at) {
  S* y = static_cast<S*>(y_);
  for (int64_t c = 0; c < channels; ++c) store(-static_cast<Computed<S>>(__builtin_inff()), y[c]);
  for (int64_t c = 0; c < channels && at != nullptr; ++c) at[c] = -1;
}

template <class S>
void give_back(int64_t channels, int32_t place, const void* dy_, const int32_t* at, void* acc_) {
  using T = Computed<S>;
  const S* dy = static_cast<const S*>(dy_);
  T* acc = static_cast<T*>(acc_);
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) acc[c] += at[c] == place ? load(dy[c]) : T(0);
}

template <class S>
void add(int64_t channels, double scale_, const void* x_, void* acc_) {
  using T = Computed<S>;
  const S* x = static_cast<const S*>(x_);
  T* acc = static_cast<T*>(acc_);
  const T scale = static_cast<T>(scale_);
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) acc[c] += scale * load(x[c]);
}

template <class S>
void clear(int64_t channels, void* acc_) {
  auto* acc = static_cast<Computed<S>*>(acc_);
  for (int64_t c = 0; c < channels; ++c) acc[c] = 0;
}

template <class S>
void finish(int64_t channels, const void* acc_, double scale_, void* y_) {
  using T = Computed<S>;
  const T* acc = static_cast<const T*>(acc_);
  const T scale = static_cast<T>(scale_);
  S* y = static_cast<S*>(y_);
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) store(acc[c] * scale, y[c]);
}

}  // namespace

#define ISKRA_TYPES(f) {f<float>, f<double>, f<bf16>, f<f16>}
extern const PoolTable pool_table = {ISKRA_TYPES(first),     ISKRA_TYPES(take_larger), ISKRA_TYPES(lowest),
                                     ISKRA_TYPES(give_back), ISKRA_TYPES(add),         ISKRA_TYPES(clear),
                                     ISKRA_TYPES(finish)};
#undef ISKRA_TYPES

}  // namespace iskra::kernels::ISKRA_ISA
