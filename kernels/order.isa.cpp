// Loops of searching and selecting. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/order.isa.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

// Blocks, so that a second look for the place reads what is in the cache still.
constexpr int64_t kBlock = 2048;

template <class T>
struct Signed;
template <>
struct Signed<float> {
  using Type = int32_t;
  static constexpr Type kMagnitude = INT32_MAX;
};
template <>
struct Signed<double> {
  using Type = int64_t;
  static constexpr Type kMagnitude = INT64_MAX;
};

// Integers in the order of the numbers (both zeros the same), because reductions of floating-point numbers
// are not vectorised, or by clang with a wrong start.
template <class T>
inline typename Signed<T>::Type ordered(T x) {
  using I = typename Signed<T>::Type;
  const I bits = __builtin_bit_cast(I, x + T(0));
  return bits ^ (bits < 0 ? Signed<T>::kMagnitude : 0);
}

template <class T>
inline bool any_nan(const T* x, int64_t n) {
  int found = 0;
#pragma omp simd reduction(| : found)
  for (int64_t i = 0; i < n; ++i) found |= x[i] != x[i] ? 1 : 0;
  return found != 0;
}

template <class T, bool kLargest>
int64_t extreme(const void* x_, int64_t n) {
  using I = typename Signed<T>::Type;
  const T* x = static_cast<const T*>(x_);
  int64_t place = -1;
  I best = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = n - begin < kBlock ? n - begin : kBlock;
    const T* at = x + begin;
    int64_t i = 0;
    if (any_nan(at, count)) {
      while (at[i] == at[i]) ++i;
      return begin + i;
    }
    I found = ordered(at[0]);
    if (kLargest) {
#pragma omp simd reduction(max : found)
      for (int64_t j = 0; j < count; ++j) found = ordered(at[j]) > found ? ordered(at[j]) : found;
    } else {
#pragma omp simd reduction(min : found)
      for (int64_t j = 0; j < count; ++j) found = ordered(at[j]) < found ? ordered(at[j]) : found;
    }
    if (place >= 0 && !(kLargest ? found > best : found < best)) continue;
    while (ordered(at[i]) != found) ++i;
    place = begin + i;
    best = found;
  }
  return place;
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

extern const OrderTable order_table = {
    {{extreme<float, true>, extreme<double, true>}, {extreme<float, false>, extreme<double, false>}},
    {where<uint8_t>, where<uint16_t>, where<uint32_t>, where<uint64_t>}};

}  // namespace iskra::kernels::ISKRA_ISA
