// Loops of searching and selecting. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/order.isa.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

// Blocks, so that a second look for the place reads what is in the cache still.
constexpr int64_t kBlock = 2048;

inline int64_t load(int64_t x) { return x; }
inline int32_t load(int32_t x) { return x; }
inline uint8_t load(uint8_t x) { return x; }
using kernels::load;

/// Passes over whole blocks of [begin, n) in which f(i) holds nowhere.
template <int64_t kCount, class F>
inline int64_t skip(int64_t begin, int64_t n, F f) {
  for (; begin + kCount <= n; begin += kCount) {
    int found = 0;
#pragma omp simd reduction(| : found)
    for (int64_t j = 0; j < kCount; ++j) found |= f(begin + j) ? 1 : 0;
    if (found != 0) break;
  }
  return begin;
}

/// The first i in [begin, n) for which f(i) holds, or n: in blocks, since loops that end early are not
/// vectorised.
template <class F>
inline int64_t first_where(int64_t begin, int64_t n, F f) {
  begin = skip<16>(skip<64>(begin, n, f), n, f);
  while (begin < n && !f(begin)) ++begin;
  return begin;
}

/// Whether a comes before b; NaN before all numbers.
template <bool kLargest, class T>
inline bool before(T a, T b) {
  return (kLargest ? a > b : a < b) | (a != a);
}

/// The extreme of x[0, n), n > 0; NaN if there is one. In lanes that stay in registers.
template <bool kLargest, class S>
inline auto extreme_value(const S* x, int64_t n) {
  using T = decltype(load(x[0]));
  constexpr int64_t kLanes = 128 / static_cast<int64_t>(sizeof(T));
  T lane[kLanes];
  for (int64_t j = 0; j < kLanes; ++j) lane[j] = load(x[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int64_t j = 0; j < kLanes; ++j)
      lane[j] = before<kLargest>(load(x[i + j]), lane[j]) ? load(x[i + j]) : lane[j];
  }
#pragma omp simd
  for (int64_t j = 0; j < n - i; ++j)
    lane[j] = before<kLargest>(load(x[i + j]), lane[j]) ? load(x[i + j]) : lane[j];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
#pragma omp simd
    for (int64_t j = 0; j < half; ++j)
      lane[j] = before<kLargest>(lane[j + half], lane[j]) ? lane[j + half] : lane[j];
  }
  return lane[0];
}

template <class S, bool kLargest>
int64_t extreme(const void* x_, int64_t n) {
  const S* x = static_cast<const S*>(x_);
  int64_t place = -1;
  auto best = load(x[0]);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = n - begin < kBlock ? n - begin : kBlock;
    const S* at = x + begin;
    const auto found = extreme_value<kLargest>(at, count);
    if (found != found)
      return begin + first_where(0, count, [=](int64_t i) { return load(at[i]) != load(at[i]); });
    if (place >= 0 && !before<kLargest>(found, best)) continue;
    place = begin + first_where(0, count, [=](int64_t i) { return load(at[i]) == found; });
    best = found;
  }
  return place;
}

// In the order of topk, NaN is larger than every number.
template <class S, bool kLargest>
int64_t beyond(const void* x_, int64_t begin, int64_t n, int64_t limit_place) {
  const S* x = static_cast<const S*>(x_);
  const auto limit = load(x[limit_place]);
  if (limit != limit) {
    if (kLargest) return n;
    return first_where(begin, n, [=](int64_t i) { return load(x[i]) == load(x[i]); });
  }
  return first_where(begin, n,
                     [=](int64_t i) { return kLargest ? !(load(x[i]) <= limit) : load(x[i]) < limit; });
}

template <class T>
void where(const uint8_t* mask, const void* a_, int64_t a_stride, const void* b_, int64_t b_stride, void* y_,
           int64_t n) {
  const T *a = static_cast<const T*>(a_), *b = static_cast<const T*>(b_);
  T* y = static_cast<T*>(y_);
  if (a_stride == 1 && b_stride == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = mask[i] != 0 ? a[i] : b[i];
  } else if (a_stride == 1) {
    const T other = b[0];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = mask[i] != 0 ? a[i] : other;
  } else if (b_stride == 1) {
    const T chosen = a[0];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = mask[i] != 0 ? chosen : b[i];
  } else {
    const T chosen = a[0], other = b[0];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = mask[i] != 0 ? chosen : other;
  }
}

}  // namespace

#define ISKRA_ORDERED(f, largest)                                                 \
  {f<float, largest>,   f<double, largest>,  f<bf16, largest>,   f<f16, largest>, \
   f<int64_t, largest>, f<int32_t, largest>, f<uint8_t, largest>}

extern const OrderTable order_table = {{ISKRA_ORDERED(extreme, true), ISKRA_ORDERED(extreme, false)},
                                       {ISKRA_ORDERED(beyond, true), ISKRA_ORDERED(beyond, false)},
                                       {where<uint8_t>, where<uint16_t>, where<uint32_t>, where<uint64_t>}};

}  // namespace iskra::kernels::ISKRA_ISA
