// Loops of copies and conversions. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/convert.h>
#include <iskra/kernels/memory.isa.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

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

// A square of as many vectors of 16 bytes as one holds elements. Interleaving the first half of the rows with
// the second, log2 of their number times, is the transpose: every level of the instruction set can do that.
template <class T>
struct Square {
  static constexpr int64_t kSide = 16 / static_cast<int64_t>(sizeof(T));
  typedef T Row __attribute__((vector_size(16)));
  Row row[kSide];
};

inline void interleave(Square<uint8_t>::Row a, Square<uint8_t>::Row b, Square<uint8_t>::Row* to) {
  to[0] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  to[1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
inline void interleave(Square<uint16_t>::Row a, Square<uint16_t>::Row b, Square<uint16_t>::Row* to) {
  to[0] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  to[1] = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
inline void interleave(Square<uint32_t>::Row a, Square<uint32_t>::Row b, Square<uint32_t>::Row* to) {
  to[0] = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  to[1] = __builtin_shufflevector(a, b, 2, 6, 3, 7);
}
inline void interleave(Square<uint64_t>::Row a, Square<uint64_t>::Row b, Square<uint64_t>::Row* to) {
  to[0] = __builtin_shufflevector(a, b, 0, 2);
  to[1] = __builtin_shufflevector(a, b, 1, 3);
}

template <class T>
inline void transpose_square(const T* x, int64_t x_stride, T* y, int64_t y_stride) {
  constexpr int64_t kSide = Square<T>::kSide;
  Square<T> a, b;
  for (int64_t i = 0; i < kSide; ++i) __builtin_memcpy(&a.row[i], x + i * x_stride, 16);
  for (int64_t step = 1; step < kSide; step *= 2) {
    for (int64_t i = 0; i < kSide / 2; ++i) interleave(a.row[i], a.row[i + kSide / 2], &b.row[2 * i]);
    a = b;
  }
  for (int64_t i = 0; i < kSide; ++i) __builtin_memcpy(y + i * y_stride, &a.row[i], 16);
}

template <class T>
void transpose(const void* x_, int64_t x_stride, void* y_, int64_t y_stride, int64_t rows, int64_t cols) {
  constexpr int64_t kSide = Square<T>::kSide;
  constexpr int64_t kTile = kSide < 16 ? 16 : kSide;  // whole cache lines of y, one after the other
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
  for (int64_t c0 = 0; c0 < cols; c0 += kTile) {
    const int64_t c1 = c0 + kTile < cols ? c0 + kTile : cols;
    for (int64_t r0 = 0; r0 < rows; r0 += kSide) {
      const int64_t r1 = r0 + kSide < rows ? r0 + kSide : rows;
      int64_t c = c0;
      if (r1 - r0 == kSide)
        for (; c + kSide <= c1; c += kSide)
          transpose_square(x + c * x_stride + r0, x_stride, y + r0 * y_stride + c, y_stride);
      for (; c < c1; ++c)
        for (int64_t r = r0; r < r1; ++r) y[r * y_stride + c] = x[c * x_stride + r];
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
