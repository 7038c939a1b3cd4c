// Reductions of integers and bool: sums, products and extremes in i64, which wrap around; and counting.
#include <iskra/kernels/reduce_axes.h>

namespace iskra::kernels {
namespace {

int64_t add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t multiply(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
int64_t larger(int64_t a, int64_t b) { return b > a ? b : a; }
int64_t smaller(int64_t a, int64_t b) { return b < a ? b : a; }

template <class T, auto both>
void run(const void* x_, int64_t n, const void*, double, void* total_) {
  const T* x = static_cast<const T*>(x_);
  int64_t total = *static_cast<int64_t*>(total_);
  for (int64_t i = 0; i < n; ++i) total = both(total, x[i]);
  *static_cast<int64_t*>(total_) = total;
}

template <class T, auto both>
void rows(const void* x_, int64_t row_stride, int64_t count, int64_t cols, const void*, double,
          void* total_) {
  const T* x = static_cast<const T*>(x_);
  auto* total = static_cast<int64_t*>(total_);
  for (int64_t r = 0; r < count; ++r, x += row_stride)
    for (int64_t c = 0; c < cols; ++c) total[c] = both(total[c], x[c]);
}

}  // namespace

ReduceLoops integer_reduce_loops(ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      return {run<int64_t, add>, rows<int64_t, add>};
    case ReduceOp::product:
      return {run<int64_t, multiply>, rows<int64_t, multiply>};
    case ReduceOp::maximum:
      return {run<int64_t, larger>, rows<int64_t, larger>};
    case ReduceOp::minimum:
      return {run<int64_t, smaller>, rows<int64_t, smaller>};
    case ReduceOp::count:  // of bytes that are 0 or 1
      return {run<uint8_t, add>, rows<uint8_t, add>};
    default:
      return {};
  }
}

}  // namespace iskra::kernels
