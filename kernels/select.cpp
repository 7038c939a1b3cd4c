// Elements chosen by a condition or by their place: where, triangles, and the places of what is not zero.
#include <algorithm>
#include <atomic>
#include <cstring>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/lines.h>
#include <iskra/kernels/order.isa.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/runs.isa.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kGrain = 32768;

const OrderTable& table() {
  static const OrderTable& chosen = by_isa(v2::order_table, v3::order_table, v4::order_table);
  return chosen;
}

template <class T>
void where_any(const Cpu& on, const StridedLoop& loop, const View& mask, const View& a, const View& b,
               const MutView& y) {
  const auto row_kernel = table().where[log2_bytes(y.dtype)];
  const int64_t sm = loop.inner_stride(0), sa = loop.inner_stride(1), sb = loop.inner_stride(2),
                sy = loop.inner_stride(3);
  const bool dense = sm == 1 && sy == 1 && (sa == 0 || sa == 1) && (sb == 0 || sb == 1);
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& run) {
      for (int64_t row = 0; row < run.outer; ++row) {
        const auto* m = mask.as<uint8_t>() + run.offset[0] + row * loop.outer_stride(0);
        const T* from_a = a.as<T>() + run.offset[1] + row * loop.outer_stride(1);
        const T* from_b = b.as<T>() + run.offset[2] + row * loop.outer_stride(2);
        T* to = y.as<T>() + run.offset[3] + row * loop.outer_stride(3);
        if (dense) {
          row_kernel(m, from_a, sa, from_b, sb, to, run.inner);
        } else {
          for (int64_t i = 0; i < run.inner; ++i)
            to[i * sy] = m[i * sm] != 0 ? from_a[i * sa] : from_b[i * sb];
        }
      }
    });
  });
}

}  // namespace

void where(Cpu on, View mask, View a, View b, MutView y) {
  ISKRA_CHECK(size_of(mask.dtype) == 1 && a.dtype == y.dtype && b.dtype == y.dtype, "where: a ",
              name_of(mask.dtype), " mask chooses from ", name_of(a.dtype), " and ", name_of(b.dtype),
              " for ", name_of(y.dtype), "; it takes a bool mask and three equal types");
  const StridedLoop loop(y.shape, {&mask.stride, &a.stride, &b.stride, &y.stride});
  if (loop.numel == 0) return;
  with_bits_of(y.dtype, [&](auto bits) { where_any<decltype(bits)>(on, loop, mask, a, b, y); });
}

void triangle(Cpu on, View x, bool upper, int64_t k, MutView y) {
  const int last = x.rank() - 1;
  const int64_t rows = x.size(last - 1), cols = x.size(last);
  if (x.numel() == 0) return;
  Shape matrices = x.shape;
  matrices[last] = matrices[last - 1] = 1;
  const StridedLoop loop(matrices, {&x.stride, &y.stride});
  const int64_t sx = x.stride[last], sy = y.stride[last];
  const int64_t grain = std::max<int64_t>(1, kGrain / cols);
  const int64_t strips = (rows + grain - 1) / grain;
  with_bits_of(x.dtype, [&](auto bits) {
    using T = decltype(bits);
    auto part = [&](const T* from, T* to, int64_t begin, int64_t end, bool kept) {
      if (kept) {
        if (sx == 1 && sy == 1) {
          std::copy(from + begin, from + end, to + begin);
        } else {
          for (int64_t c = begin; c < end; ++c) to[c * sy] = from[c * sx];
        }
      } else {
        for (int64_t c = begin; c < end; ++c) to[c * sy] = 0;
      }
    };
    parallel_for(on, loop.numel * strips, 1, [&](int64_t item, int64_t) {
      loop.for_each_run(item / strips, item / strips + 1, [&](const StridedLoop::Run& run) {
        const int64_t first = item % strips * grain;
        for (int64_t r = first; r < std::min(first + grain, rows); ++r) {
          const T* from = x.as<T>() + run.offset[0] + r * x.stride[last - 1];
          T* to = y.as<T>() + run.offset[1] + r * y.stride[last - 1];
          // Column c lies above diagonal k where c >= r + k, below where c <= r + k.
          const int64_t cut = std::clamp<int64_t>(r + k + (upper ? 0 : 1), 0, cols);
          part(from, to, 0, cut, !upper);
          part(from, to, cut, cols, upper);
        }
      });
    });
  });
}

void value_range(Cpu on, View x, MutView y) {
  constexpr int64_t kMostPieces = 16;
  const int64_t n = x.numel(), length = std::max(kGrain, (n + kMostPieces - 1) / kMostPieces);
  const auto* from = x.as<int64_t>();
  int64_t least[kMostPieces], most[kMostPieces];
  std::fill_n(least, kMostPieces, from[0]);
  std::fill_n(most, kMostPieces, from[0]);
  parallel_for(on, n, length, [&](int64_t begin, int64_t end) {
    run_loops().range(from + begin, end - begin, least + begin / length, most + begin / length);
  });
  y.as<int64_t>()[0] = *std::min_element(least, least + kMostPieces);
  y.as<int64_t>()[1] = *std::max_element(most, most + kMostPieces);
}

void count_values(Cpu on, View x, MutView y) {
  const int64_t n = x.numel(), size = y.numel();
  const auto* id = x.as<int64_t>();
  // Pieces count for themselves, as long as their tables are small beside what they read.
  constexpr int64_t kMostPieces = 16, kBlock = 2048;
  const int64_t pieces = std::clamp<int64_t>(n / std::max<int64_t>(kGrain, 4 * size), 1, kMostPieces);
  const int64_t length = (n + pieces - 1) / pieces;
  int64_t* counts = pieces == 1 ? y.as<int64_t>() : scratch_of<int64_t>(on, pieces * size, "count_values");
  std::atomic<bool> good{true};
  parallel_for(on, pieces, 1, [&](int64_t piece, int64_t) {
    int64_t* count = counts + piece * size;
    std::fill_n(count, size, int64_t{0});
    const int64_t end = std::min(n, (piece + 1) * length);
    for (int64_t begin = piece * length; begin < end; begin += kBlock) {
      const int64_t block = std::min(kBlock, end - begin);
      if (!run_loops().inside(id + begin, block, size)) {
        good = false;
        return;
      }
      for (int64_t i = begin; i < begin + block; ++i) ++count[id[i]];
    }
  });
  ISKRA_CHECK(good, "count_values: a number is outside of [0, ", size, ")");
  if (pieces == 1) return;
  parallel_for(on, size, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t sum = 0;
      for (int64_t piece = 0; piece < pieces; ++piece) sum += counts[piece * size + i];
      y.as<int64_t>()[i] = sum;
    }
  });
}

void count_nonzero_blocks(Cpu on, View mask, MutView counts) {
  const int64_t n = mask.numel();
  parallel_for(on, n, kNonzeroBlock, [&](int64_t begin, int64_t end) {
    const auto* m = mask.as<uint8_t>();
    int64_t count = 0;
    for (int64_t i = begin; i < end; ++i) count += m[i] != 0 ? 1 : 0;
    counts.as<int64_t>()[begin / kNonzeroBlock] = count;
  });
}

void nonzero_places(Cpu on, View mask, const Shape& shape, View starts, MutView places) {
  const int rank = shape.rank();
  parallel_for(on, mask.numel(), kNonzeroBlock, [&](int64_t begin, int64_t end) {
    const auto* m = mask.as<uint8_t>();
    auto* to = places.as<int64_t>() + starts.as<int64_t>()[begin / kNonzeroBlock] * rank;
    for (int64_t i = begin; i < end; ++i) {
      if (m[i] == 0) continue;
      int64_t rest = i;
      for (int axis = rank - 1; axis > 0; --axis) {
        to[axis] = rest % shape[axis];
        rest /= shape[axis];
      }
      if (rank > 0) to[0] = rest;
      to += rank;
    }
  });
}

namespace {

// y[i] = start + (i - origin) * step for begin <= i < end, rounded to y's type.
void progression(const Cpu& on, const MutView& y, int64_t begin, int64_t end, double start, double step,
                 int64_t origin) {
  parallel_for(on, end - begin, kGrain, [&](int64_t first, int64_t last) {
    constexpr int64_t kBlock = 256;
    double block[kBlock];
    for (int64_t at = begin + first; at < begin + last; at += kBlock) {
      const auto count = static_cast<int32_t>(std::min(kBlock, begin + last - at));
      char* to = y.as<char>() + at * static_cast<int64_t>(size_of(y.dtype));
      double* values = y.dtype == DType::f64 ? reinterpret_cast<double*>(to) : block;
      // Counted in 32 bits, which every level converts in vectors.
      const auto before = static_cast<double>(at - origin);
      for (int32_t i = 0; i < count; ++i) values[i] = start + (before + static_cast<double>(i)) * step;
      const Shape shape{count};
      if (values == block) copy(Cpu{}, View{block, DType::f64, shape, {1}}, MutView{to, y.dtype, shape, {1}});
    }
  });
}

}  // namespace

void arange(Cpu on, double start, double step, MutView y) {
  progression(on, y, 0, y.numel(), start, step, 0);
}

void linspace(Cpu on, double start, double end, MutView y) {
  // Both halves count from their own end: both ends are exact, and the numbers lie symmetrically.
  const int64_t n = y.numel(), half = (n + 1) / 2;
  const double step = n > 1 ? (end - start) / static_cast<double>(n - 1) : 0;
  progression(on, y, 0, half, start, step, 0);
  progression(on, y, half, n, end, step, n - 1);
}

}  // namespace iskra::kernels
