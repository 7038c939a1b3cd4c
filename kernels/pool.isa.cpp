// Channel loops of pooling, compiled once per ISA level: raw pointers only.
#include <iskra/kernels/pool.isa.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class T>
void start(int64_t channels, int32_t place, T* y, int32_t* at) {
  for (int64_t c = 0; c < channels; ++c) {
    y[c] = -static_cast<T>(__builtin_inf());
    at[c] = place;
  }
}

template <class T>
void take_larger(int64_t channels, int32_t place, const T* x, T* y, int32_t* at) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const T v = x[c], best = y[c];
    const bool take = (v > best) | (v != v);
    y[c] = take ? v : best;
    at[c] = take ? place : at[c];
  }
}

template <class T>
void give_back(int64_t channels, int32_t place, const T* dy, const int32_t* at, T* dx) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) dx[c] += at[c] == place ? dy[c] : T(0);
}

}  // namespace

extern const PoolTables pool_tables = {{start<float>, take_larger<float>, give_back<float>},
                                       {start<double>, take_larger<double>, give_back<double>}};

}  // namespace iskra::kernels::ISKRA_ISA
