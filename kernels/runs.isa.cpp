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

template <class S>
void add_columns(const void* x_, const int64_t* index, int64_t n, void* acc_) {
  const S* x = static_cast<const S*>(x_);
  auto* acc = static_cast<Computed<S>*>(acc_);
  for (int64_t c = 0; c < n; ++c) acc[index[c] * n + c] += load(x[c]);
}

constexpr int64_t kScanBlock = 64;

// y = sums, each rounded once; n <= kScanBlock.
inline void round_block(const double* sum, int64_t n, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = sum[i];
}
inline void round_block(const double* sum, int64_t n, float* y) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(sum[i]);
}
// For 16 bits through float, rounded to odd (half.h): here in two loops, each of one width, since compilers
// make no vectors of comparisons in double that choose among floats. What the nearest float leaves is needed
// for its sign alone; the factor keeps it from vanishing.
template <class S>
inline void round_block(const double* sum, int64_t n, S* y) {
  float nearest[kScanBlock], rest[kScanBlock];
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    nearest[i] = static_cast<float>(sum[i]);
    rest[i] = static_cast<float>((sum[i] - static_cast<double>(nearest[i])) * 0x1p200);
  }
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, nearest[i]), r = __builtin_bit_cast(uint32_t, rest[i]);
    const uint32_t inexact = (r << 1) - 1U < 0xff000000U ? 1U : 0U;               // neither 0 nor NaN
    const uint32_t away = (bits << 1) != 0U ? ((bits ^ r) >> 31 & inexact) : 0U;  // beyond the sum
    store(__builtin_bit_cast(float, (bits - away) | inexact), y[i]);
  }
}

template <class S>
void scan_row(const void* x_, int64_t n, double* sum, void* y_) {
  const S* x = static_cast<const S*>(x_);
  S* y = static_cast<S*>(y_);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) sum[i] += static_cast<double>(load(x[i]));
  for (int64_t i = 0; i < n; i += kScanBlock)
    round_block(sum + i, n - i < kScanBlock ? n - i : kScanBlock, y + i);
}

// Sums first, of several lines at once because each waits for the one before it; then their rounding, in
// vectors.
template <class S, int64_t kLines>
void scan_some(const S* x, int64_t x_line, int64_t x_step, int64_t n, bool reverse, double* sum, S* y,
               int64_t y_line) {
  constexpr int64_t kBlock = kScanBlock;
  double block[kLines][kBlock], total[kLines];
  for (int64_t l = 0; l < kLines; ++l) total[l] = sum[l];
  for (int64_t done = 0; done < n; done += kBlock) {
    const int64_t count = n - done < kBlock ? n - done : kBlock, begin = reverse ? n - done - count : done;
    const S* from = x + begin * x_step;
    for (int64_t l = 0; l < kLines; ++l) {
      if (x_step == 1) {
#pragma omp simd
        for (int64_t i = 0; i < count; ++i) block[l][i] = static_cast<double>(load(from[l * x_line + i]));
      } else {
        for (int64_t i = 0; i < count; ++i)
          block[l][i] = static_cast<double>(load(from[l * x_line + i * x_step]));
      }
    }
    for (int64_t k = 0; k < count; ++k) {
      const int64_t i = reverse ? count - 1 - k : k;
      for (int64_t l = 0; l < kLines; ++l) block[l][i] = total[l] += block[l][i];
    }
    for (int64_t l = 0; l < kLines; ++l) round_block(block[l], count, y + l * y_line + begin);
  }
  for (int64_t l = 0; l < kLines; ++l) sum[l] = total[l];
}

template <class S>
void scan_lines(const void* x_, int64_t x_line, int64_t x_step, int64_t lines, int64_t n, bool reverse,
                double* sum, void* y_, int64_t y_line) {
  const S* x = static_cast<const S*>(x_);
  S* y = static_cast<S*>(y_);
  if (lines == kScanLines) return scan_some<S, kScanLines>(x, x_line, x_step, n, reverse, sum, y, y_line);
  for (int64_t l = 0; l < lines; ++l)
    scan_some<S, 1>(x + l * x_line, x_line, x_step, n, reverse, sum + l, y + l * y_line, y_line);
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

// A row of at least as many bytes as a piece, and at most twice as many, is two pieces, which may overlap.
template <class Piece>
void rows_of(const char* x, int64_t x_stride, char* y, int64_t y_stride, int64_t rows, int64_t size) {
  const int64_t second = size - static_cast<int64_t>(sizeof(Piece));
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    Piece a, b;
    __builtin_memcpy(&a, x, sizeof(Piece));
    __builtin_memcpy(&b, x + second, sizeof(Piece));
    __builtin_memcpy(y, &a, sizeof(Piece));
    __builtin_memcpy(y + second, &b, sizeof(Piece));
  }
}

template <int kBytes>
struct Vector {
  typedef uint8_t Type __attribute__((vector_size(kBytes)));
};

void small_rows(const void* x_, int64_t x_stride, void* y_, int64_t y_stride, int64_t rows, int64_t size) {
  const char* x = static_cast<const char*>(x_);
  char* y = static_cast<char*>(y_);
  if (size > 64 && size <= 128) return rows_of<Vector<64>::Type>(x, x_stride, y, y_stride, rows, size);
  if (size > 32 && size <= 64) return rows_of<Vector<32>::Type>(x, x_stride, y, y_stride, rows, size);
  if (size > 16 && size <= 32) return rows_of<Vector<16>::Type>(x, x_stride, y, y_stride, rows, size);
  if (size > 8 && size <= 16) return rows_of<uint64_t>(x, x_stride, y, y_stride, rows, size);
  if (size > 4 && size <= 8) return rows_of<uint32_t>(x, x_stride, y, y_stride, rows, size);
  if (size > 2 && size <= 4) return rows_of<uint16_t>(x, x_stride, y, y_stride, rows, size);
  for (int64_t r = 0; r < rows; ++r)
    __builtin_memcpy(y + r * y_stride, x + r * x_stride, static_cast<size_t>(size));
}

void range(const int64_t* x, int64_t n, int64_t* least_, int64_t* most_) {
  int64_t least = *least_, most = *most_;
#pragma omp simd reduction(min : least) reduction(max : most)
  for (int64_t i = 0; i < n; ++i) {
    least = x[i] < least ? x[i] : least;
    most = x[i] > most ? x[i] : most;
  }
  *least_ = least;
  *most_ = most;
}

bool inside(const int64_t* index, int64_t n, int64_t size) {
  uint64_t outside =
      0;  // the highest bit is set where an index or its distance to the last place is negative
#pragma omp simd reduction(| : outside)
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<uint64_t>(index[i]);
    outside |= at | (static_cast<uint64_t>(size) - 1 - at);
  }
  return outside >> 63 == 0;
}

}  // namespace

extern const RunTable run_table = {
    {widen_run<float>, widen_run<double>, widen_run<bf16>, widen_run<f16>},
    {add_run<float>, add_run<double>, add_run<bf16>, add_run<f16>},
    {narrow_run<float>, narrow_run<double>, narrow_run<bf16>, narrow_run<f16>},
    {add_at<float>, add_at<double>, add_at<bf16>, add_at<f16>},
    {add_columns<float>, add_columns<double>, add_columns<bf16>, add_columns<f16>},
    {scan_row<float>, scan_row<double>, scan_row<bf16>, scan_row<f16>},
    {scan_lines<float>, scan_lines<double>, scan_lines<bf16>, scan_lines<f16>},
    {reverse<uint8_t>, reverse<uint16_t>, reverse<uint32_t>, reverse<uint64_t>},
    {take<uint8_t>, take<uint16_t>, take<uint32_t>, take<uint64_t>},
    small_rows,
    inside,
    range};

}  // namespace iskra::kernels::ISKRA_ISA
