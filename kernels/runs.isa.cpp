// Loops over dense runs of elements. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/runs.isa.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

template <class S>
void widen_run(const void* x_, int64_t n, void* acc_) {
  const S* x = static_cast<const S*>(x_);
  auto* acc = static_cast<Computed<S>*>(acc_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) acc[i] = load(x[i]);
}

template <class S>
void add_run(const void* x_, int64_t n, void* acc_) {
  const S* x = static_cast<const S*>(x_);
  auto* acc = static_cast<Computed<S>*>(acc_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) acc[i] += load(x[i]);
}

template <class S>
void narrow_run(const void* acc_, int64_t n, void* y_) {
  const auto* acc = static_cast<const Computed<S>*>(acc_);
  S* y = static_cast<S*>(y_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) store(acc[i], y[i]);
}

template <class S>
void add_at(const void* x_, const int64_t* index, int64_t n, void* acc_) {
  const S* x = static_cast<const S*>(x_);
  auto* acc = static_cast<Computed<S>*>(acc_);
  for (int64_t i = 0; i < n; ++i) acc[index[i]] += load(x[i]);
}

template <class T>
void reverse(const void* x_, int64_t n, void* y_) {
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[n - 1 - i];
}

// Four by four: loads and stores of single elements are faster than gathers of whole vectors where those are
// made of single loads themselves, as they are on many processors.
template <class T>
void take(const void* x_, const int64_t* index, int64_t n, void* y_) {
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const T a = x[index[i]], b = x[index[i + 1]], c = x[index[i + 2]], d = x[index[i + 3]];
    y[i] = a;
    y[i + 1] = b;
    y[i + 2] = c;
    y[i + 3] = d;
  }
  for (; i < n; ++i) y[i] = x[index[i]];
}

// A row of at most 2 * kBytes and at least kBytes bytes is two pieces, which may overlap.
template <int kBytes>
void rows_of(const char* x, int64_t x_stride, char* y, int64_t y_stride, int64_t rows, int64_t size) {
  typedef uint8_t Piece __attribute__((vector_size(kBytes)));
  const int64_t second = size - kBytes;
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    Piece a, b;
    __builtin_memcpy(&a, x, kBytes);
    __builtin_memcpy(&b, x + second, kBytes);
    __builtin_memcpy(y, &a, kBytes);
    __builtin_memcpy(y + second, &b, kBytes);
  }
}

void small_rows(const void* x_, int64_t x_stride, void* y_, int64_t y_stride, int64_t rows, int64_t size) {
  const char* x = static_cast<const char*>(x_);
  char* y = static_cast<char*>(y_);
  if (size >= 64 && size <= 128) return rows_of<64>(x, x_stride, y, y_stride, rows, size);
  if (size >= 32 && size <= 64) return rows_of<32>(x, x_stride, y, y_stride, rows, size);
  if (size >= 16 && size <= 32) return rows_of<16>(x, x_stride, y, y_stride, rows, size);
  if (size >= 8 && size <= 16) return rows_of<8>(x, x_stride, y, y_stride, rows, size);
  if (size >= 4 && size <= 8) return rows_of<4>(x, x_stride, y, y_stride, rows, size);
  if (size >= 2 && size <= 4) return rows_of<2>(x, x_stride, y, y_stride, rows, size);
  for (int64_t r = 0; r < rows; ++r)
    __builtin_memcpy(y + r * y_stride, x + r * x_stride, static_cast<size_t>(size));
}

bool inside(const int64_t* index, int64_t n, int64_t size) {
  uint64_t outside = 0;  // the highest bit is set where an index or its distance to the last place is negative
#pragma omp simd reduction(| : outside)
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<uint64_t>(index[i]);
    outside |= at | (static_cast<uint64_t>(size) - 1 - at);
  }
  return outside >> 63 == 0;
}

}  // namespace

extern const RunTable run_table = {{widen_run<float>, widen_run<double>, widen_run<bf16>, widen_run<f16>},
                                   {add_run<float>, add_run<double>, add_run<bf16>, add_run<f16>},
                                   {narrow_run<float>, narrow_run<double>, narrow_run<bf16>, narrow_run<f16>},
                                   {add_at<float>, add_at<double>, add_at<bf16>, add_at<f16>},
                                   {reverse<uint8_t>, reverse<uint16_t>, reverse<uint32_t>, reverse<uint64_t>},
                                   {take<uint8_t>, take<uint16_t>, take<uint32_t>, take<uint64_t>},
                                   small_rows,
                                   inside};

}  // namespace iskra::kernels::ISKRA_ISA
