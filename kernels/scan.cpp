// Running sums along one axis. Floats add up in f64, so that a long sum is as good as its rounding; long
// lines are cut into fixed chunks whose sums are added up first.
#include <algorithm>

#include <iskra/kernels/half.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/lines.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/runs.isa.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kChunk = 65536;  // elements of a line that are added in one go
constexpr int64_t kWidth = 64;     // columns that walk along the axis together

inline double value(double x) { return x; }
inline double value(float x) { return static_cast<double>(x); }
inline double value(bf16 x) { return static_cast<double>(to_float(x)); }
inline double value(f16 x) { return static_cast<double>(to_float(x)); }
inline uint64_t value(int64_t x) { return static_cast<uint64_t>(x); }  // unsigned: overflow wraps
inline uint64_t value(int32_t x) { return static_cast<uint64_t>(static_cast<int64_t>(x)); }
inline uint64_t value(uint8_t x) { return x; }
inline uint64_t value(bool x) { return x ? 1 : 0; }

inline void put(double sum, double& y) { y = sum; }
inline void put(double sum, float& y) { y = static_cast<float>(sum); }
inline void put(double sum, bf16& y) { y = to_bf16(sum); }
inline void put(double sum, f16& y) { y = to_f16(sum); }
inline void put(uint64_t sum, int64_t& y) { y = static_cast<int64_t>(sum); }

template <class X, class Y>
class Scan {
 public:
  using Sum = decltype(value(X{}));
  static constexpr bool kFloating = std::is_same_v<Sum, double>;

  Scan(const View& x, int axis, bool reverse, const MutView& y)
      : x_(x.as<X>()), y_(y.as<Y>()), lines_(x.shape, axis, {&x.stride, &y.stride}), reverse_(reverse) {}

  void operator()(const Cpu& on) const {
    const int64_t chunks = (lines_.length + kChunk - 1) / kChunk, columns = lines_.columns.numel;
    if (chunks == 1) {
      const int64_t fit = std::clamp<int64_t>(32768 / lines_.length, 1, kWidth);
      // Lines in groups that are scanned together, columns in whole lines of the cache.
      const int64_t grain = lines_.along[1] != 1 ? kWidth
                            : fit < kScanLines   ? fit
                                                 : fit / kScanLines * kScanLines;
      parallel_for(on, columns, grain, [&](int64_t begin, int64_t end) { run(0, begin, end, nullptr); });
      return;
    }
    // The sum of every chunk, the sum of the chunks before it, then the chunks again from there on.
    Sum* sums = scratch_of<Sum>(on, columns * chunks, "cumsum");
    const int64_t groups = (columns + kWidth - 1) / kWidth;
    auto each = [&](bool totals) {
      parallel_for(on, groups * chunks, 1, [&](int64_t item, int64_t) {
        const int64_t chunk = item % chunks, begin = item / chunks * kWidth,
                      end = std::min(begin + kWidth, columns);
        if (totals)
          total(chunk, begin, end, sums + chunk * columns);
        else
          run(chunk, begin, end, sums + chunk * columns);
      });
    };
    each(true);
    for (int64_t column = 0; column < columns; ++column) {
      Sum before = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const Sum sum = sums[chunk * columns + column];
        sums[chunk * columns + column] = before;
        before += sum;
      }
    }
    each(false);
  }

 private:
  // Place of the i-th element that is added.
  int64_t place(int64_t i) const { return reverse_ ? lines_.length - 1 - i : i; }

  // Calls f(offsets, strides, column, n) for groups of the columns [begin, end).
  template <class F>
  void groups(int64_t begin, int64_t end, F f) const {
    int64_t column = begin;
    lines_.for_each_group(begin, end, kWidth, [&](const int64_t* offset, const int64_t* step, int64_t n) {
      f(offset, step, column, n);
      column += n;
    });
  }

  void total(int64_t chunk, int64_t begin, int64_t end, Sum* sums) const {
    const int64_t first = chunk * kChunk, last = std::min(first + kChunk, lines_.length);
    groups(begin, end, [&](const int64_t* offset, const int64_t* step, int64_t column, int64_t n) {
      std::fill_n(sums + column, n, Sum(0));
      for (int64_t i = first; i < last; ++i) {
        const X* x = x_ + offset[0] + place(i) * lines_.along[0];
        for (int64_t c = 0; c < n; ++c) sums[column + c] += value(x[c * step[0]]);
      }
    });
  }

  void run(int64_t chunk, int64_t begin, int64_t end, const Sum* start) const {
    const int64_t first = chunk * kChunk, last = std::min(first + kChunk, lines_.length);
    groups(begin, end, [&](const int64_t* offset, const int64_t* step, int64_t column, int64_t n) {
      Sum sum[kWidth] = {};
      if (start != nullptr) std::copy_n(start + column, n, sum);
      if constexpr (kFloating) {
        const bool lines = lines_.along[1] == 1;
        if (lines || (step[0] == 1 && step[1] == 1)) {
          floating(offset, step, lines, first, last, n, sum);
          return;
        }
      }
      // Along the lines where they lie densely, four at a time, else all columns of the group at once.
      if (lines_.along[1] == 1) {
        int64_t c = 0;
        for (; c + 4 <= n; c += 4) along<4>(offset, step, c, first, last, sum);
        for (; c < n; ++c) along<1>(offset, step, c, first, last, sum);
        return;
      }
      for (int64_t i = first; i < last; ++i) {
        const X* x = x_ + offset[0] + place(i) * lines_.along[0];
        Y* y = y_ + offset[1] + place(i) * lines_.along[1];
        for (int64_t c = 0; c < n; ++c) {
          sum[c] += value(x[c * step[0]]);
          put(sum[c], y[c * step[1]]);
        }
      }
    });
  }

  // Elements [first, last) of n columns: line by line where y's lie densely, else row by row.
  void floating(const int64_t* offset, const int64_t* step, bool lines, int64_t first, int64_t last,
                int64_t n, double* sum) const {
    const int type = floating_type_index(dtype_of<X>, "cumsum");
    if (lines) {
      const int64_t begin = reverse_ ? lines_.length - last : first;
      for (int64_t c = 0; c < n; c += kScanLines)
        run_loops().scan_lines[type](x_ + offset[0] + c * step[0] + begin * lines_.along[0], step[0],
                                     lines_.along[0], std::min(kScanLines, n - c), last - first, reverse_,
                                     sum + c, y_ + offset[1] + c * step[1] + begin, step[1]);
      return;
    }
    for (int64_t i = first; i < last; ++i)
      run_loops().scan_row[type](x_ + offset[0] + place(i) * lines_.along[0], n, sum,
                                 y_ + offset[1] + place(i) * lines_.along[1]);
  }

  // kCount lines from column c on, their sums in registers.
  template <int kCount>
  void along(const int64_t* offset, const int64_t* step, int64_t c, int64_t first, int64_t last,
             const Sum* start) const {
    Sum sum[kCount];
    for (int j = 0; j < kCount; ++j) sum[j] = start[c + j];
    for (int64_t i = first; i < last; ++i) {
      const X* x = x_ + offset[0] + place(i) * lines_.along[0];
      Y* y = y_ + offset[1] + place(i) * lines_.along[1];
      for (int j = 0; j < kCount; ++j) {
        sum[j] += value(x[(c + j) * step[0]]);
        put(sum[j], y[(c + j) * step[1]]);
      }
    }
  }

  const X* x_;
  Y* y_;
  Lines lines_;
  bool reverse_;
};

}  // namespace

void cumsum(Cpu on, View x, int axis, bool reverse, MutView y) {
  if (x.numel() == 0) return;
  switch (x.dtype) {
    case DType::f32:
      return Scan<float, float>(x, axis, reverse, y)(on);
    case DType::f64:
      return Scan<double, double>(x, axis, reverse, y)(on);
    case DType::bf16:
      return Scan<bf16, bf16>(x, axis, reverse, y)(on);
    case DType::f16:
      return Scan<f16, f16>(x, axis, reverse, y)(on);
    case DType::i64:
      return Scan<int64_t, int64_t>(x, axis, reverse, y)(on);
    case DType::i32:
      return Scan<int32_t, int64_t>(x, axis, reverse, y)(on);
    case DType::u8:
      return Scan<uint8_t, int64_t>(x, axis, reverse, y)(on);
    default:
      return Scan<bool, int64_t>(x, axis, reverse, y)(on);
  }
}

}  // namespace iskra::kernels
