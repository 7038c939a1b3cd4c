// Reductions over any axes.
//
// A reduction is a matrix of M kept by N reduced elements, each side with axes of any strides. N is cut into
// chunks by shape alone; each chunk is reduced by halving down to blocks (a sum's error grows with log N),
// and the chunks' partial results are put together by halving again. So the bits depend neither on threads
// nor on timing. Elements of types that the loops do not read, or that do not lie densely, pass through
// blocks of the type that is computed in.
#include <algorithm>

#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/pointwise_run.h>
#include <iskra/kernels/reduce_axes.isa.h>
#include <iskra/kernels/reduce_together.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kWidth = 512;            // columns reduced at a time
constexpr int64_t kColumnBlock = 64;       // rows taken one after the other
constexpr int64_t kRunBlock = 2048;        // elements of a run taken block after block
constexpr int64_t kChunk = 1 << 16;        // elements of a piece of work
constexpr int64_t kStage = 4096;           // elements converted at a time: they stay in the first cache
constexpr int kY = 0, kShift = 1, kX = 2;  // operands of the walk over kept elements

/// Joins rows [first, last) of `partial` (rows of length m) into row `first`, columns [begin, end), by
/// halving.
template <class T>
void join_halves(Together how, T* partial, int64_t m, int64_t first, int64_t last, int64_t begin,
                 int64_t end) {
  if (last - first < 2) return;
  const int64_t middle = first + (last - first + 1) / 2;
  join_halves(how, partial, m, first, middle, begin, end);
  join_halves(how, partial, m, middle, last, begin, end);
  for (int64_t c = begin; c < end; ++c)
    partial[first * m + c] = joined(how, partial[first * m + c], partial[middle * m + c]);
}

/// T: what is computed in, and partial results are of. What the loops read is T as well, or bytes (count);
/// `own` are loops that read x's own type, if there are any.
template <class T>
class AxesReduction {
 public:
  AxesReduction(ReduceOp op, const ReduceLoops& loops, const ReduceLoops* own, const View& x,
                const View& shift, double power, const StridedLoop& kept, const StridedLoop& reduced)
      : loops_(loops),
        how_(together(op)),
        x_(x),
        shift_(shift),
        power_(power),
        kept_(kept),
        reduced_(reduced),
        read_(op == ReduceOp::count ? DType::boolean : dtype_of<T>),
        convert_(convert_loop(x.dtype, read_)),
        bytes_(static_cast<int64_t>(size_of(x.dtype))) {
    // Runs along the reduced axis when x lies densest there, else columns side by side.
    along_ = kept.numel == 1 ||
             (reduced.size[0] >= 32 && reduced.inner_stride(0) < std::max<int64_t>(kept.inner_stride(kX), 1));
    width_ = along_ ? 1 : kWidth;
    block_ = along_ ? kRunBlock : kColumnBlock;
    const int64_t inner = along_ ? reduced.inner_stride(0) : kept.inner_stride(kX);
    direct_ = own != nullptr && (inner == 1 || (along_ ? reduced.size[0] : kept.size[0]) == 1);
    if (direct_) loops_ = *own;
  }

  void operator()(const Cpu& on, const MutView& y, double scale) const {
    const int64_t m = kept_.numel, n = reduced_.numel;
    // Enough columns are work for many threads by themselves; few are not.
    const int64_t chunk = m < 32 * kWidth ? std::max(block_, kChunk / std::min(m, kWidth) / block_ * block_)
                                          : std::max(block_, n);
    const int64_t chunks = std::max<int64_t>(1, (n + chunk - 1) / chunk);
    T* partial = scratch_of(on, "reduce").template of<T>(chunks * m);
    const int64_t grain_m = along_ ? std::max<int64_t>(1, kChunk / std::max<int64_t>(n, 1)) : kWidth;
    const int64_t tasks_m = (m + grain_m - 1) / grain_m;
    parallel_for(on, tasks_m * chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task)
        piece(task % tasks_m * grain_m, std::min(m, (task % tasks_m + 1) * grain_m), task / tasks_m * chunk,
              std::min(n, (task / tasks_m + 1) * chunk), partial + task / tasks_m * m);
    });
    parallel_for(on, m, kChunk, [&](int64_t begin, int64_t end) {
      join_halves(how_, partial, m, 0, chunks, begin, end);
      if (scale != 1.0)
        for (int64_t c = begin; c < end; ++c) partial[c] = static_cast<T>(scale) * partial[c];
      write(partial, begin, end, y);
    });
  }

 private:
  /// Reduced elements [r0, r1) of the kept ones [m0, m1).
  void piece(int64_t m0, int64_t m1, int64_t r0, int64_t r1, T* partial) const {
    alignas(64) T shift[kWidth];
    std::fill_n(shift, width_, T(0));
    int64_t column = m0;
    kept_.for_each_run(m0, m1, [&](const StridedLoop::Run& run) {
      for (int64_t row = 0; row < run.outer; ++row)
        for (int64_t i = 0; i < run.inner; i += width_) {
          const int64_t cols = std::min(width_, run.inner - i);
          auto offset = [&](int o) {
            return run.offset[o] + row * kept_.outer_stride(o) + i * kept_.inner_stride(o);
          };
          for (int64_t c = 0; shift_.defined() && c < cols; ++c)
            shift[c] = shift_.as<T>()[offset(kShift) + c * kept_.inner_stride(kShift)];
          range(offset(kX), cols, r0, r1, shift, partial + column);
          column += cols;
        }
    });
  }

  // total[c] = the reduced elements [begin, end) of `cols` columns from `offset` on.
  void range(int64_t offset, int64_t cols, int64_t begin, int64_t end, const T* shift, T* total) const {
    if (end - begin > block_) {
      int64_t middle = begin + ((end - begin) / 2 + block_ - 1) / block_ * block_;
      T second[kWidth];
      range(offset, cols, begin, middle, shift, total);
      range(offset, cols, middle, end, shift, second);
      for (int64_t c = 0; c < cols; ++c) total[c] = joined(how_, total[c], second[c]);
      return;
    }
    std::fill_n(total, cols, start_of<T>(how_));
    if (direct_ && along_ && reduced_.size[0] == reduced_.numel) {  // one run: nothing to look for
      loops_.run(x_.as<char>() + (offset + begin * reduced_.inner_stride(0)) * bytes_, end - begin, shift,
                 power_, total);
      return;
    }
    reduced_.for_each_run(begin, end, [&](const StridedLoop::Run& run) {
      for (int64_t row = 0; row < run.outer; ++row) {
        const int64_t at = offset + run.offset[0] + row * reduced_.outer_stride(0);
        const char* x = x_.as<char>() + at * bytes_;
        if (!direct_)
          staged(x, run.inner, cols, shift, total);
        else if (along_)
          loops_.run(x, run.inner, shift, power_, total);
        else
          loops_.rows(x, reduced_.inner_stride(0), run.inner, cols, shift, power_, total);
      }
    });
  }

  // `count` reduced elements of `cols` columns, through a buffer of the type that the loops read.
  void staged(const char* x, int64_t count, int64_t cols, const T* shift, T* total) const {
    alignas(64) T buffer[kStage];
    const int64_t stride = reduced_.inner_stride(0), step = kStage / cols;
    for (int64_t r = 0; r < count; r += step) {
      const int64_t rows = std::min(step, count - r);
      PointwiseRun run{};
      run.in[0] = x + r * stride * bytes_;
      run.inner = along_ ? rows : cols;
      run.outer = along_ ? 1 : rows;
      run.inner_stride[0] = along_ ? stride : kept_.inner_stride(kX);
      run.outer_stride[0] = stride;
      run.out = buffer;
      run.inner_stride[PointwiseRun::kOut] = 1;
      run.outer_stride[PointwiseRun::kOut] = cols;
      convert_(run);
      if (along_)
        loops_.run(buffer, rows, shift, power_, total);
      else
        loops_.rows(buffer, cols, rows, cols, shift, power_, total);
    }
  }

  void write(const T* partial, int64_t begin, int64_t end, const MutView& y) const {
    const PointwiseLoop convert = convert_loop(dtype_of<T>, y.dtype);
    int64_t column = begin;
    kept_.for_each_run(begin, end, [&](const StridedLoop::Run& at) {
      PointwiseRun run{};
      run.in[0] = partial + column;
      run.inner_stride[0] = 1;
      run.outer_stride[0] = at.inner;
      run.out = y.as<char>() + at.offset[kY] * static_cast<int64_t>(size_of(y.dtype));
      run.inner_stride[PointwiseRun::kOut] = kept_.inner_stride(kY);
      run.outer_stride[PointwiseRun::kOut] = kept_.outer_stride(kY);
      run.inner = at.inner;
      run.outer = at.outer;
      convert(run);
      column += at.inner * at.outer;
    });
  }

  ReduceLoops loops_;
  Together how_;
  const View& x_;
  const View& shift_;
  double power_;
  const StridedLoop& kept_;
  const StridedLoop& reduced_;
  DType read_;
  PointwiseLoop convert_;
  int64_t bytes_;
  bool along_, direct_;
  int64_t width_, block_;
};

const ReduceAxesTable& table() {
  static const ReduceAxesTable& chosen =
      by_isa(v2::reduce_axes_table, v3::reduce_axes_table, v4::reduce_axes_table);
  return chosen;
}

}  // namespace

void reduce(Cpu on, ReduceOp op, View x, View shift, MutView y, double scale, double power) {
  if (y.numel() == 0) return;
  const bool whole = !is_floating(x.dtype) || op == ReduceOp::count;
  const DType compute = whole ? DType::i64 : x.dtype == DType::f64 ? DType::f64 : DType::f32;
  ISKRA_CHECK(!shift.defined() || shift.dtype == compute, name_of(op), ": the shift is of ",
              name_of(shift.dtype), "; it must be of ", name_of(compute));
  Shape kept_shape = x.shape, reduced_shape = x.shape;
  for (int i = 0; i < x.rank(); ++i) (y.shape[i] == x.shape[i] ? reduced_shape : kept_shape)[i] = 1;
  const Shape& shift_stride = shift.defined() ? shift.stride : y.stride;
  // Sorted by x's strides (the last operand named), so that memory is read in order.
  const StridedLoop kept(kept_shape, {&y.stride, &shift_stride, &x.stride}),
      reduced(reduced_shape, {&x.stride});
  const int at = static_cast<int>(op);
  const ReduceLoops* loops = table().loops[at];
  if (compute == DType::i64) {
    const ReduceLoops& integer = table().integer[at];
    ISKRA_CHECK(integer.run != nullptr, name_of(op), ": elements are ", name_of(x.dtype),
                "; it takes floating types, convert first");
    const bool read = x.dtype == (op == ReduceOp::count ? DType::boolean : DType::i64);
    AxesReduction<int64_t>(op, integer, read ? &integer : nullptr, x, shift, power, kept, reduced)(on, y,
                                                                                                   scale);
  } else if (compute == DType::f64) {
    AxesReduction<double>(op, loops[1], &loops[1], x, shift, power, kept, reduced)(on, y, scale);
  } else {
    const ReduceLoops& own = loops[floating_type_index(x.dtype, name_of(op))];
    AxesReduction<float>(op, loops[0], &own, x, shift, power, kept, reduced)(on, y, scale);
  }
}

const char* name_of(ReduceOp op) {
#define ISKRA_NAME(name, doc) #name,
  static constexpr const char* kNames[] = {ISKRA_REDUCE_OPS(ISKRA_NAME)};
#undef ISKRA_NAME
  return kNames[static_cast<int>(op)];
}

}  // namespace iskra::kernels
