// Loops of copies and conversions. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/half.h>
#include <iskra/kernels/memory.isa.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

// bool as it lies in memory: a byte, of which only zero is false.
struct Bool {
  uint8_t byte;
};

inline float value(bf16 x) { return to_float(x); }
inline float value(f16 x) { return to_float(x); }
inline uint8_t value(Bool x) { return x.byte != 0; }
template <class T>
inline T value(T x) {
  return x;
}

template <class T>
struct Limits;
template <>
struct Limits<uint8_t> {
  static constexpr uint8_t kMin = 0, kMax = 255;
};
template <>
struct Limits<int32_t> {
  static constexpr int32_t kMin = INT32_MIN, kMax = INT32_MAX;
};
template <>
struct Limits<int64_t> {
  static constexpr int64_t kMin = INT64_MIN, kMax = INT64_MAX;
};

template <class T>
inline constexpr bool kIsFloat = false;
template <>
inline constexpr bool kIsFloat<float> = true;
template <>
inline constexpr bool kIsFloat<double> = true;

template <class To>
struct Convert {
  template <class From>
  static inline To of(From x) {
    if constexpr (kIsFloat<From> && !kIsFloat<To>) {  // truncates and saturates; NaN becomes 0
      constexpr From kEnd = static_cast<From>(Limits<To>::kMax / 2 + 1) * 2;  // exact, unlike kMax
      if (!(x < kEnd)) return x != x ? To(0) : Limits<To>::kMax;
      return x <= static_cast<From>(Limits<To>::kMin) ? Limits<To>::kMin : static_cast<To>(x);
    } else {
      return static_cast<To>(x);
    }
  }
};
template <>
struct Convert<bf16> {
  static inline bf16 of(double x) { return to_bf16(x); }
  template <class From>
  static inline bf16 of(From x) {
    return to_bf16(static_cast<float>(x));
  }
};
template <>
struct Convert<f16> {
  static inline f16 of(double x) { return to_f16(x); }
  template <class From>
  static inline f16 of(From x) {
    return to_f16(static_cast<float>(x));
  }
};
template <>
struct Convert<Bool> {
  template <class From>
  static inline Bool of(From x) {
    return {static_cast<uint8_t>(x != From(0))};
  }
};

template <class From, class To, class F>
inline void each(const PointwiseRun& at, F f) {
  constexpr int kOut = PointwiseRun::kOut;
  for (int64_t row = 0; row < at.outer; ++row) {
    const From* x = static_cast<const From*>(at.in[0]) + row * at.outer_stride[0];
    To* y = static_cast<To*>(at.out) + row * at.outer_stride[kOut];
    int64_t sx = at.inner_stride[0], sy = at.inner_stride[kOut];
    if (sx == 1 && sy == 1) {
#pragma omp simd
      for (int64_t i = 0; i < at.inner; ++i) f(x[i], y[i]);
    } else if (sx == 0 && sy == 1) {
#pragma omp simd
      for (int64_t i = 0; i < at.inner; ++i) f(x[0], y[i]);
    } else {
      for (int64_t i = 0; i < at.inner; ++i) f(x[i * sx], y[i * sy]);
    }
  }
}

template <class From, class To>
void convert(const PointwiseRun& at) {
  each<From, To>(at, [](const From& x, To& y) { y = Convert<To>::of(value(x)); });
}

template <class T>
void add(const PointwiseRun& at) {
  each<T, T>(at, [](const T& x, T& y) { y = Convert<T>::of(value(y) + value(x)); });
}

template <class T>
void fill(const PointwiseRun& at) {
  each<T, T>(at, [](const T& x, T& y) { y = x; });
}

template <class T>
void transpose(const void* x_, int64_t x_stride, void* y_, int64_t y_stride, int64_t rows, int64_t cols) {
  constexpr int64_t kTile = 16;  // 16 rows of a cache line each, on both sides
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
  for (int64_t c0 = 0; c0 < cols; c0 += kTile) {
    int64_t c1 = c0 + kTile < cols ? c0 + kTile : cols;
    for (int64_t r0 = 0; r0 < rows; r0 += kTile) {
      int64_t r1 = r0 + kTile < rows ? r0 + kTile : rows;
      for (int64_t r = r0; r < r1; ++r)
        for (int64_t c = c0; c < c1; ++c) y[r * y_stride + c] = x[c * x_stride + r];
    }
  }
}

template <class T>
struct Arithmetic {
  using Type = float;
};
template <>
struct Arithmetic<double> {
  using Type = double;
};

template <class T>
void normalize(const uint8_t* x, const float* mean, const float* std, int64_t period, void* y_, int64_t n) {
  using Wide = typename Arithmetic<T>::Type;
  T* y = static_cast<T*>(y_);
  for (int64_t begin = 0; begin < n; begin += period) {
#pragma omp simd
    for (int64_t i = 0; i < period; ++i)
      y[begin + i] =
          Convert<T>::of((static_cast<Wide>(x[begin + i]) / Wide(255) - Wide(mean[i])) / Wide(std[i]));
  }
}

}  // namespace

#define ISKRA_FROM(From)                                                                          \
  {convert<From, float>,   convert<From, f16>,     convert<From, bf16>,    convert<From, double>, \
   convert<From, int64_t>, convert<From, int32_t>, convert<From, uint8_t>, convert<From, Bool>}

extern const MemoryTable memory_table = {
    {ISKRA_FROM(float), ISKRA_FROM(f16), ISKRA_FROM(bf16), ISKRA_FROM(double), ISKRA_FROM(int64_t),
     ISKRA_FROM(int32_t), ISKRA_FROM(uint8_t), ISKRA_FROM(Bool)},
    {add<float>, add<f16>, add<bf16>, add<double>, nullptr, nullptr, nullptr, nullptr},
    {fill<uint8_t>, fill<uint16_t>, fill<uint32_t>, fill<uint64_t>},
    {transpose<uint8_t>, transpose<uint16_t>, transpose<uint32_t>, transpose<uint64_t>},
    {normalize<float>, normalize<f16>, normalize<bf16>, normalize<double>, nullptr, nullptr, nullptr,
     nullptr}};

}  // namespace iskra::kernels::ISKRA_ISA
