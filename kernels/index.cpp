// Elements chosen by index along one axis: gather, scatter and their sums.
//
// A line is what lies along the axis. gather writes every element of y once, so lines may be cut; scatter
// and scatter_add keep a line's elements in their order, so equal indices meet in the same order always.
#include <atomic>
#include <cstring>

#include <iskra/kernels/check.h>
#include <iskra/kernels/half.h>
#include <iskra/kernels/index_check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/lines.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/runs.isa.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kGrain = 32768;
constexpr int64_t kStripBytes = 524288;    // half of a second-level cache
constexpr int64_t kIndex = 1, kOther = 2;  // operands of the walk; 0 is the tensor that is indexed

inline float value(bf16 x) { return to_float(x); }
inline float value(f16 x) { return to_float(x); }
template <class T>
inline T value(T x) {
  return x;
}

[[noreturn]] void throw_bad_index(const char* op, const View& index, int64_t size) {
  check_indices(op, index, size);
  throw Error(text(op, ": an index changed while it was read"));
}

template <class Target, class Other>
struct Walk {
  Target* target;
  const int64_t* index;
  Other* other;
  int64_t size;  // of the target's axis
  int64_t along[3];

  bool valid(int64_t i) const { return static_cast<uint64_t>(i) < static_cast<uint64_t>(size); }
  /// Whether lines lie densely in all three, so that `lines` takes them.
  bool dense() const { return along[0] == 1 && along[kIndex] == 1 && along[kOther] == 1; }

  // n columns, elements [begin, end) of the axis, by a loop that takes valid indices.
  template <class F>
  bool lines(const int64_t* at, const int64_t* step, int64_t n, int64_t begin, int64_t end, F f) const {
    bool good = true;
    for (int64_t c = 0; c < n; ++c) {
      const int64_t* i = index + at[kIndex] + c * step[kIndex] + begin;
      if (run_loops().inside(i, end - begin, size))
        f(target + at[0] + c * step[0], i, end - begin, other + at[kOther] + c * step[kOther] + begin);
      else
        good = false;
    }
    return good;
  }

  // n neighbouring columns that share their indices, elements [begin, end) of the axis.
  template <class F>
  bool shared(const int64_t* at, const int64_t* step, int64_t n, int64_t begin, int64_t end, F f) const {
    bool good = true;
    for (int64_t k = begin; k < end; ++k) {
      const int64_t i = index[at[kIndex] + k * along[kIndex]];
      good = good && valid(i);
      if (!valid(i)) continue;
      Target* t = target + at[0] + i * along[0];
      Other* o = other + at[kOther] + k * along[kOther];
      if (step[0] == 1 && step[kOther] == 1) {
        for (int64_t c = 0; c < n; ++c) f(t[c], o[c]);
      } else {
        for (int64_t c = 0; c < n; ++c) f(t[c * step[0]], o[c * step[kOther]]);
      }
    }
    return good;
  }

  template <class F>
  bool own(const int64_t* at, const int64_t* step, int64_t n, int64_t begin, int64_t end, F f) const {
    bool good = true;
    auto one = [&](int64_t c, int64_t k) {
      const int64_t i = index[at[kIndex] + c * step[kIndex] + k * along[kIndex]];
      good = good && valid(i);
      if (valid(i))
        f(target[at[0] + c * step[0] + i * along[0]],
          other[at[kOther] + c * step[kOther] + k * along[kOther]]);
    };
    if (along[kIndex] <= step[kIndex]) {
      for (int64_t c = 0; c < n; ++c)
        for (int64_t k = begin; k < end; ++k) one(c, k);
    } else {
      for (int64_t k = begin; k < end; ++k)
        for (int64_t c = 0; c < n; ++c) one(c, k);
    }
    return good;
  }
};

// Calls f(target element, other element) for every index, or line(target, index, n, other) where a line lies
// densely and its n indices are valid. `cut`: elements of one line may go to several threads.
template <class Target, class Other, class F, class Line>
void walk(const Cpu& on, const char* op, const MutView& target, const View& index, int axis,
          const MutView& other, bool cut, F f, Line line) {
  ISKRA_CHECK(index.dtype == DType::i64, op, ": indices are ", name_of(index.dtype), "; they must be i64");
  if (index.numel() == 0) return;
  const Lines lines(index.shape, axis, {&target.stride, &index.stride, &other.stride});
  const Walk<Target, Other> at{target.as<Target>(),
                               index.as<int64_t>(),
                               other.as<Other>(),
                               target.shape[axis],
                               {lines.along[0], lines.along[kIndex], lines.along[kOther]}};
  const int64_t columns = lines.columns.numel, length = lines.length;
  // Rows of shared indices stay whole, lines with indices of their own stay together.
  // Columns side by side go together in whole lines of the cache.
  const bool rows = cut && lines.columns.inner_stride(kIndex) == 0 && !at.dense();
  const int64_t unit = at.dense() ? 1 : columns < 512 ? 16 : 64;
  const int64_t width =
      rows ? std::min(columns, kGrain) : (std::max<int64_t>(1, kGrain / length) + unit - 1) / unit * unit;
  const int64_t part = cut ? std::max<int64_t>(1, kGrain / std::min(width, columns)) : length;
  const int64_t parts = (length + part - 1) / part, groups = (columns + width - 1) / width;
  std::atomic<bool> good{true};
  parallel_for(on, groups * parts, 1, [&](int64_t item, int64_t) {
    const int64_t begin = item % parts * part, end = std::min(begin + part, length);
    const int64_t first = item / parts * width;
    lines.for_each_group(first, std::min(first + width, columns), width,
                         [&](const int64_t* offset, const int64_t* step, int64_t n) {
                           bool ok = at.dense() ? at.lines(offset, step, n, begin, end, line)
                                     : n == 1 || step[kIndex] != 0
                                         ? at.own(offset, step, n, begin, end, f)
                                         : at.shared(offset, step, n, begin, end, f);
                           if (!ok) good = false;
                         });
  });
  if (!good) throw_bad_index(op, index, target.shape[axis]);
}

MutView writable(const View& v) { return {const_cast<void*>(v.data), v.dtype, v.shape, v.stride}; }

// y += x at the indices, in the type Sum: y's own, or f32 for 16-bit floats.
template <class Sum, class T>
void add_at(const Cpu& on, const MutView& y, const View& index, int axis, const View& x) {
  walk<Sum, const T>(
      on, "scatter_add", y, index, axis, writable(x), false,
      [](Sum& to, const T& from) { to = static_cast<Sum>(to + value(from)); },
      [](Sum* to, const int64_t* at, int64_t n, const T* from) {
        if constexpr (std::is_integral_v<T>) {
          for (int64_t i = 0; i < n; ++i) to[at[i]] = static_cast<Sum>(to[at[i]] + from[i]);
        } else {
          run_loops().add_at[floating_type_index(dtype_of<T>, "scatter_add")](from, at, n, to);
        }
      });
}

template <class T>
void add_at_half(const Cpu& on, const MutView& y, const View& index, int axis, const View& x) {
  const MutView wide{scratch_of<float>(on, y.numel(), "scatter_add"), DType::f32, y.shape,
                     contiguous_strides(y.shape)};
  copy(on, y, wide);
  add_at<float, T>(on, wide, index, axis, x);
  copy(on, wide, y);
}

// The type that sums of a floating type are of.
template <class T>
using SumOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

// Lines of y that lie side by side: a few at a time as a dense strip in the cache, where steps from row to
// row are short. False where lines lie densely themselves, or are too long for a strip.
template <class T>
bool add_in_strips(const Cpu& on, const MutView& y, const View& index, int axis, const View& x) {
  using Sum = SumOf<T>;
  const Lines lines(index.shape, axis, {&y.stride, &index.stride, &x.stride});
  const int64_t size = y.shape[axis], columns = lines.columns.numel;
  int64_t width = 64;
  while (width > 16 && size * width * static_cast<int64_t>(sizeof(Sum)) > kStripBytes) width /= 2;
  const int64_t steps =
      lines.columns.inner_stride(0) * lines.columns.inner_stride(kIndex) * lines.columns.inner_stride(kOther);
  if (index.dtype != DType::i64 || steps != 1 || lines.columns.size[0] < 16 ||
      size * width * static_cast<int64_t>(sizeof(Sum)) > kStripBytes || index.numel() < y.numel() / 4)
    return false;
  const int type = floating_type_index(y.dtype, "scatter_add");
  const RunTable& run = run_loops();
  std::atomic<bool> good{true};
  const size_t bytes = sizeof(Sum) * static_cast<size_t>(size * width);
  parallel_lanes(on, (columns + width - 1) / width, bytes, "scatter_add", [&](Pieces& pieces, char* memory) {
    Sum* strip = reinterpret_cast<Sum*>(memory);
    for (int64_t piece = 0; pieces.next(piece);)
      lines.for_each_group(
          piece * width, std::min(columns, (piece + 1) * width), width,
          [&](const int64_t* from, const int64_t*, int64_t n) {
            for (int64_t i = 0; i < size; ++i)
              run.widen[type](at(y, from[0] + i * lines.along[0]), n, strip + i * n);
            for (int64_t k = 0; k < lines.length; ++k) {
              const int64_t* id = index.as<int64_t>() + from[kIndex] + k * lines.along[kIndex];
              if (run.inside(id, n, size))
                run.add_columns[type](at(x, from[kOther] + k * lines.along[kOther]), id, n, strip);
              else
                good = false;
            }
            for (int64_t i = 0; i < size; ++i)
              run.narrow[type](strip + i * n, n, at(y, from[0] + i * lines.along[0]));
          });
  });
  if (!good) throw_bad_index("scatter_add", index, size);
  return true;
}

template <class T>
void add_floats(const Cpu& on, const MutView& y, const View& index, int axis, const View& x) {
  if (index.numel() == 0 || add_in_strips<T>(on, y, index, axis, x)) return;
  if constexpr (sizeof(T) == 2)
    add_at_half<T>(on, y, index, axis, x);
  else
    add_at<T, T>(on, y, index, axis, x);
}

// Whole rows of x, dense in both tensors, by indices that all columns share. False where that is not so.
bool gather_slices(const Cpu& on, const View& x, const View& index, int axis, const MutView& y) {
  const Lines lines(index.shape, axis, {&x.stride, &index.stride, &y.stride});
  const StridedLoop& columns = lines.columns;
  const int64_t n = columns.size[0], rows = columns.numel / std::max<int64_t>(n, 1);
  const int64_t bytes = static_cast<int64_t>(size_of(x.dtype)), length = lines.length;
  for (int i = 0; i < columns.rank; ++i)
    if (columns.stride[kIndex][i] != 0 && columns.size[i] > 1) return false;
  if (index.dtype != DType::i64 || index.numel() == 0 || n * bytes < 32 || columns.inner_stride(0) != 1 ||
      columns.inner_stride(kOther) != 1)
    return false;
  const int64_t part = std::max<int64_t>(1, kGrain / n), parts = (length + part - 1) / part;
  const int64_t size = x.shape[axis];
  std::atomic<bool> good{true};
  parallel_for(on, rows * parts, 1, [&](int64_t item, int64_t) {
    const int64_t begin = item % parts * part, end = std::min(begin + part, length);
    const int64_t* id = index.as<int64_t>();
    columns.for_each_run(item / parts * n, (item / parts + 1) * n, [&](const StridedLoop::Run& run) {
      for (int64_t k = begin; k < end; ++k) {
        const int64_t i = id[k * lines.along[kIndex]];
        if (static_cast<uint64_t>(i) >= static_cast<uint64_t>(size)) {
          good = false;
          continue;
        }
        // The processor sees where a row begins only when the copy is there already.
        const int64_t next = id[std::min(k + 1, end - 1) * lines.along[kIndex]];
        if (static_cast<uint64_t>(next) < static_cast<uint64_t>(size)) {
          const char* ahead = at(x, run.offset[0] + next * lines.along[0]);
          for (int64_t b = 0; b < std::min<int64_t>(n * bytes, 256); b += 64) __builtin_prefetch(ahead + b);
        }
        std::memcpy(at(y, run.offset[kOther] + k * lines.along[kOther]),
                    at(x, run.offset[0] + i * lines.along[0]), static_cast<size_t>(n * bytes));
      }
    });
  });
  if (!good) throw_bad_index("gather", index, size);
  return true;
}

}  // namespace

// Axes that the indices were repeated along are not the user's, nor is an op that another one is made of.
void check_indices(const char* op, const View& index, int64_t size) {
  const char* outermost = iskra::detail::current_call().op;
  View own = index;
  own.shape = own.stride = {};
  for (int i = 0; i < index.rank(); ++i) {
    if (index.stride[i] == 0 && index.shape[i] > 1) continue;
    own.shape.push_back(index.shape[i]);
    own.stride.push_back(index.stride[i]);
  }
  if (own.numel() == 0) return;
  Shape at = Shape::filled(own.rank(), 0);
  for (;;) {
    int64_t offset = 0;
    for (int i = 0; i < own.rank(); ++i) offset += at[i] * own.stride[i];
    const int64_t found = own.as<int64_t>()[offset];
    ISKRA_CHECK(found >= 0 && found < size, outermost != nullptr ? outermost : op, ": index ", found,
                " at position ", at, " is out of range; the indexed axis has size ", size,
                ", so indices lie in [0, ", size, ")");
    int axis = own.rank() - 1;
    for (; axis >= 0 && ++at[axis] == own.shape[axis]; --axis) at[axis] = 0;
    if (axis < 0) return;
  }
}

void gather(Cpu on, View x, View index, int axis, MutView y) {
  if (gather_slices(on, x, index, axis, y)) return;
  const auto take = run_loops().take[log2_bytes(x.dtype)];
  with_bits_of(x.dtype, [&](auto bits) {
    using T = decltype(bits);
    walk<const T, T>(
        on, "gather", writable(x), index, axis, y, true, [](const T& from, T& to) { to = from; },
        [take](const T* from, const int64_t* at, int64_t n, T* to) { take(from, at, n, to); });
  });
}

void scatter(Cpu on, View x, View index, int axis, MutView y) {
  with_bits_of(x.dtype, [&](auto bits) {
    using T = decltype(bits);
    walk<T, const T>(
        on, "scatter", y, index, axis, writable(x), false, [](T& to, const T& from) { to = from; },
        [](T* to, const int64_t* at, int64_t n, const T* from) {
          for (int64_t i = 0; i < n; ++i) to[at[i]] = from[i];
        });
  });
}

void scatter_add(Cpu on, View x, View index, int axis, MutView y) {
  switch (y.dtype) {
    case DType::f32:
      return add_floats<float>(on, y, index, axis, x);
    case DType::f64:
      return add_floats<double>(on, y, index, axis, x);
    case DType::bf16:
      return add_floats<bf16>(on, y, index, axis, x);
    case DType::f16:
      return add_floats<f16>(on, y, index, axis, x);
    case DType::i64:
      return add_at<uint64_t, uint64_t>(on, y, index, axis, x);  // unsigned: overflow wraps
    case DType::i32:
      return add_at<uint32_t, uint32_t>(on, y, index, axis, x);
    case DType::u8:
      return add_at<uint8_t, uint8_t>(on, y, index, axis, x);
    default:
      throw Error("scatter_add: elements are bool; sums of bool do not exist, convert to an integer first");
  }
}

namespace {

// Where the rows that go to each destination stand in `order`: destination v has order[start[v]] …
// order[start[v + 1]), ascending. A counting sort: stable.
struct RowsOf {
  int64_t* start;
  int64_t* order;
};

RowsOf sort_rows(const Cpu& on, const View& index, int64_t size, int64_t skip) {
  const int64_t rows = index.numel(), stride = index.stride[0];
  const auto* id = index.as<int64_t>();
  RowsOf at{scratch_of<int64_t>(on, size + 2, "index_add"), scratch_of<int64_t>(on, rows, "index_add")};
  std::memset(at.start, 0, sizeof(int64_t) * static_cast<size_t>(size + 2));
  int64_t* place = at.start + 1;  // place[v] becomes the next free place of v, and in the end start[v + 1]
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t v = id[r * stride];
    if (v < 0 || v >= size) throw_bad_index("index_add", index, size);
    if (v != skip) ++place[v + 1];
  }
  for (int64_t v = 0; v < size; ++v) place[v + 1] += place[v];
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t v = id[r * stride];
    if (v != skip) at.order[place[v]++] = r;
  }
  return at;
}

template <class T>
void add_rows(const Cpu& on, const View& x, const RowsOf& at, const MutView& y, float beta) {
  using Sum = SumOf<T>;
  constexpr int64_t kWidth = 1024;
  const int type = floating_type_index(y.dtype, "index_add");
  const RunTable& run = run_loops();
  const int64_t outer = y.shape[0], size = y.shape[1], cols = y.shape[2], rows = x.shape[1];
  const int64_t blocks = (cols + kWidth - 1) / kWidth;
  const int64_t grain = std::max<int64_t>(1, kGrain / std::min(cols, kWidth));
  const int64_t strips = (size + grain - 1) / grain;
  parallel_for(on, outer * strips * blocks, 1, [&](int64_t item, int64_t) {
    const int64_t c0 = item % blocks * kWidth, n = std::min(kWidth, cols - c0);
    const int64_t first = item / blocks % strips * grain, o = item / blocks / strips;
    alignas(64) Sum sum[kWidth];
    for (int64_t v = first; v < std::min(first + grain, size); ++v) {
      T* to = y.as<T>() + (o * size + v) * cols + c0;
      if (at.start[v] == at.start[v + 1]) {
        if (beta == 0) std::memset(static_cast<void*>(to), 0, sizeof(T) * static_cast<size_t>(n));
        continue;
      }
      if (beta == 0)
        std::fill_n(sum, n, Sum(0));
      else
        run.widen[type](to, n, sum);
      for (int64_t r = at.start[v]; r < at.start[v + 1]; ++r)
        run.add[type](x.as<T>() + (o * rows + at.order[r]) * cols + c0, n, sum);
      run.narrow[type](sum, n, to);
    }
  });
}

// Rows so short that sorting them costs more than it brings: added one after the other, in the same order,
// for each of the outer ones.
template <class T>
void add_short_rows(const Cpu& on, const View& x, const View& index, int64_t skip, const MutView& y,
                    float beta) {
  using Sum = SumOf<T>;
  const int type = floating_type_index(y.dtype, "index_add");
  const RunTable& run = run_loops();
  const int64_t outer = y.shape[0], size = y.shape[1], cols = y.shape[2], rows = x.shape[1];
  const int64_t *id = index.as<int64_t>(), stride = index.stride[0];
  for (int64_t r = 0; r < rows; ++r)
    if (id[r * stride] < 0 || id[r * stride] >= size) throw_bad_index("index_add", index, size);
  const bool wide = std::is_same_v<T, Sum>;
  const int64_t all = size * cols, grain = std::max<int64_t>(1, kGrain / std::max(all, rows * cols));
  parallel_lanes(on, (outer + grain - 1) / grain, wide ? 0 : sizeof(Sum) * static_cast<size_t>(all),
                 "index_add", [&](Pieces& pieces, char* memory) {
                   for (int64_t piece = 0; pieces.next(piece);)
                     for (int64_t o = piece * grain; o < std::min(outer, (piece + 1) * grain); ++o) {
                       T* to = y.as<T>() + o * all;
                       Sum* sum = wide ? reinterpret_cast<Sum*>(to) : reinterpret_cast<Sum*>(memory);
                       if (beta == 0)
                         std::fill_n(sum, all, Sum(0));
                       else if (!wide)
                         run.widen[type](to, all, sum);
                       const T* from = x.as<T>() + o * rows * cols;
                       if (cols == 1 && stride == 1 && skip < 0) {
                         run.add_at[type](from, id, rows, sum);
                       } else {
                         for (int64_t r = 0; r < rows; ++r)
                           for (int64_t c = 0, v = id[r * stride]; c < cols && v != skip; ++c)
                             sum[v * cols + c] += value(from[r * cols + c]);
                       }
                       if (!wide) run.narrow[type](sum, all, to);
                     }
                 });
}

template <class T>
void add_rows_of(const Cpu& on, const View& x, const View& index, int64_t skip, const MutView& y,
                 float beta) {
  constexpr int64_t kShort = 8;
  if (y.shape[2] > 0 && y.shape[2] <= kShort) return add_short_rows<T>(on, x, index, skip, y, beta);
  const RowsOf at = sort_rows(on, index, y.shape[1], skip);
  if (y.numel() > 0) add_rows<T>(on, x, at, y, beta);
}

}  // namespace

void index_add(Cpu on, View x, View index, int64_t skip, MutView y, float beta) {
  ISKRA_CHECK(beta == 0.0F || beta == 1.0F, "index_add: beta is ", beta,
              "; only 0 (overwrite) and 1 (add) exist");
  ISKRA_CHECK(index.dtype == DType::i64, "index_add: indices are ", name_of(index.dtype),
              "; they must be i64");
  if (y.numel() == 0 && x.numel() == 0) return;
  switch (y.dtype) {
    case DType::f32:
      return add_rows_of<float>(on, x, index, skip, y, beta);
    case DType::f64:
      return add_rows_of<double>(on, x, index, skip, y, beta);
    case DType::bf16:
      return add_rows_of<bf16>(on, x, index, skip, y, beta);
    case DType::f16:
      return add_rows_of<f16>(on, x, index, skip, y, beta);
    default:
      throw Error(text("index_add: elements are ", name_of(y.dtype),
                       "; it adds floating numbers, use scatter_add for integers"));
  }
}

}  // namespace iskra::kernels
