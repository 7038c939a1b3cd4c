// Finishing loops of products and convolutions, compiled once per ISA level: raw pointers only.
#include <iskra/kernels/epilogue.isa.h>
#include <iskra/kernels/pointwise_ops.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

struct Nothing {
  template <class T>
  static inline T f(T x) {
    return x;
  }
};

/// The activation, for a result that is stored as S.
template <class Act, class S, class T>
inline T activated(T v) {
  if constexpr (sizeof(S) == 2 && requires { Act::f_short(v); })
    return Act::f_short(v);
  else
    return Act::template f<T>(v);
}

template <class Act, bool Bias, bool Residual, bool Keep, bool Accumulate, class S, class T>
inline void finish_row(int64_t n, const T* sums, const T* bias, const S* residual, S* preactivation, S* y) {
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) {
    T v = sums[j];
    if constexpr (Bias) v += bias[j];
    if constexpr (Keep) store(v, preactivation[j]);
    v = activated<Act, S>(v);
    if constexpr (Residual) v += load(residual[j]);
    if constexpr (Accumulate) v += load(y[j]);
    store(v, y[j]);
  }
}

template <class Act, bool Bias, bool Residual, bool Keep, class S, class T>
void finish_rows(const EpilogueRows& at, const T* sums, const T* bias, const S* residual, S* preactivation,
                 S* y) {
  for (int64_t i = 0; i < at.rows; ++i)
    finish_row<Act, Bias, Residual, Keep, false>(
        at.cols, sums + i * at.sums_row, bias, residual + (Residual ? i * at.residual_row : 0),
        preactivation + (Keep ? i * at.preactivation_row : 0), y + i * at.y_row);
}

template <class Act, class S, class T>
void finish_with(const EpilogueRows& at, const T* sums, const T* bias, const S* residual, S* kept, S* y) {
  const auto with_bias = [&]<bool Bias>() {
    if (residual != nullptr && kept != nullptr)
      finish_rows<Act, Bias, true, true>(at, sums, bias, residual, kept, y);
    else if (residual != nullptr)
      finish_rows<Act, Bias, true, false>(at, sums, bias, residual, kept, y);
    else if (kept != nullptr)
      finish_rows<Act, Bias, false, true>(at, sums, bias, residual, kept, y);
    else
      finish_rows<Act, Bias, false, false>(at, sums, bias, residual, kept, y);
  };
  if (bias != nullptr)
    with_bias.template operator()<true>();
  else
    with_bias.template operator()<false>();
}

template <class S, class T>
void finish(const EpilogueRows& at, const T* sums, const T* bias, const S* residual, S* kept, S* y) {
  if (at.accumulate) {
    for (int64_t i = 0; i < at.rows; ++i)
      if (bias != nullptr)
        finish_row<Nothing, true, false, false, true, S, T>(at.cols, sums + i * at.sums_row, bias, nullptr,
                                                            nullptr, y + i * at.y_row);
      else
        finish_row<Nothing, false, false, false, true, S, T>(at.cols, sums + i * at.sums_row, nullptr,
                                                             nullptr, nullptr, y + i * at.y_row);
    return;
  }
  switch (at.activation) {
    case Activation::none:
      return finish_with<Nothing>(at, sums, bias, residual, kept, y);
    case Activation::relu:
      return finish_with<ops::relu>(at, sums, bias, residual, kept, y);
    case Activation::gelu:
      return finish_with<ops::gelu>(at, sums, bias, residual, kept, y);
    case Activation::gelu_tanh:
      return finish_with<ops::gelu_tanh>(at, sums, bias, residual, kept, y);
  }
}

template <class S, class T>
void widen_all(int64_t n, const S* from, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = load(from[i]);
}

}  // namespace

extern const EpilogueTables epilogue_tables = {{finish<float, float>, widen_all<float, float>},
                                               {finish<double, double>, widen_all<double, double>},
                                               {finish<bf16, float>, widen_all<bf16, float>},
                                               {finish<f16, float>, widen_all<f16, float>}};

}  // namespace iskra::kernels::ISKRA_ISA
