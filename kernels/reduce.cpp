// Sums over any axes.
//
// A sum is a matrix of M kept by N reduced elements, each side with axes of any strides. N is cut into chunks
// by shape alone; each chunk is summed by halving down to blocks (error grows with log N), and the chunks'
// partial sums are added by halving again. So the bits depend neither on threads nor on timing.
#include <algorithm>

#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/reduce.isa.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

const ReduceTable& table() {
  static const ReduceTable& chosen = by_isa(v2::reduce_table, v3::reduce_table, v4::reduce_table);
  return chosen;
}

constexpr int64_t kWidth = 256;       // columns summed at a time
constexpr int64_t kColumnBlock = 64;  // rows added one after the other
constexpr int64_t kRunBlock = 2048;   // elements of a run added block after block
constexpr int64_t kChunk = 1 << 16;   // elements of a piece of work
constexpr int kY = 0, kX = 1;         // operands of the walk over kept elements

template <class T>
class Sum {
 public:
  Sum(const View& x, const StridedLoop& kept, const StridedLoop& reduced)
      : x_(x.as<T>()), kept_(kept), reduced_(reduced), type_(dtype_of<T> == DType::f32 ? 0 : 1) {
    // Runs along the reduced axis when x lies densest there, else columns side by side.
    along_ = kept.numel == 1 ||
             (reduced.size[0] >= 32 && reduced.inner_stride(0) < std::max<int64_t>(kept.inner_stride(kX), 1));
    width_ = along_ ? 1 : kWidth;
    block_ = along_ ? kRunBlock : kColumnBlock;
  }

  void operator()(const Cpu& on, const MutView& y, T scale) const {
    const int64_t m = kept_.numel, n = reduced_.numel;
    // Enough columns are work for many threads by themselves; few are not.
    const int64_t chunk = m < 32 * kWidth ? std::max(block_, kChunk / std::min(m, kWidth) / block_ * block_)
                                          : std::max(block_, n);
    const int64_t chunks = std::max<int64_t>(1, (n + chunk - 1) / chunk);
    T* partial = scratch_of(on, "reduce_sum").template of<T>(chunks * m);
    const int64_t grain_m = along_ ? std::max<int64_t>(1, kChunk / std::max<int64_t>(n, 1)) : kWidth;
    const int64_t tasks_m = (m + grain_m - 1) / grain_m;
    parallel_for(on, tasks_m * chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t r0 = task / tasks_m * chunk, m0 = task % tasks_m * grain_m;
        for_each_columns(m0, std::min(m, m0 + grain_m), [&](int64_t column, int64_t offset, int64_t cols) {
          range(offset, cols, r0, std::min(n, r0 + chunk), partial + task / tasks_m * m + column);
        });
      }
    });
    parallel_for(on, m, kChunk, [&](int64_t begin, int64_t end) {
      add_halves(partial, m, 0, chunks, begin, end);
      write(partial, begin, end, y, scale);
    });
  }

 private:
  // Calls f(column, offset in x, count) for columns [begin, end) in groups of at most width_ with one stride.
  template <class F>
  void for_each_columns(int64_t begin, int64_t end, F&& f) const {
    int64_t column = begin;
    kept_.for_each_run(begin, end, [&](const StridedLoop::Run& run) {
      for (int64_t row = 0; row < run.outer; ++row)
        for (int64_t i = 0; i < run.inner; i += width_) {
          int64_t cols = std::min(width_, run.inner - i);
          f(column, run.offset[kX] + row * kept_.outer_stride(kX) + i * kept_.inner_stride(kX), cols);
          column += cols;
        }
    });
  }

  // sum[c] = the sum of the reduced elements [begin, end) of `cols` columns from `offset` on.
  void range(int64_t offset, int64_t cols, int64_t begin, int64_t end, T* sum) const {
    if (end - begin > block_) {
      int64_t middle = begin + ((end - begin) / 2 + block_ - 1) / block_ * block_;
      T second[kWidth];
      range(offset, cols, begin, middle, sum);
      range(offset, cols, middle, end, second);
      for (int64_t c = 0; c < cols; ++c) sum[c] += second[c];
      return;
    }
    std::fill_n(sum, cols, T(0));
    reduced_.for_each_run(begin, end, [&](const StridedLoop::Run& run) {
      for (int64_t row = 0; row < run.outer; ++row) {
        const T* x = x_ + offset + run.offset[0] + row * reduced_.outer_stride(0);
        if (along_)
          table().add_run[type_](x, reduced_.inner_stride(0), run.inner, sum);
        else
          table().add_rows[type_](x, reduced_.inner_stride(0), run.inner, kept_.inner_stride(kX), cols, sum);
      }
    });
  }

  void write(const T* partial, int64_t begin, int64_t end, const MutView& y, T scale) const {
    int64_t column = begin;
    kept_.for_each_run(begin, end, [&](const StridedLoop::Run& run) {
      for (int64_t row = 0; row < run.outer; ++row)
        for (int64_t i = 0; i < run.inner; ++i)
          y.as<T>()[run.offset[kY] + row * kept_.outer_stride(kY) + i * kept_.inner_stride(kY)] =
              scale * partial[column++];
    });
  }

  const T* x_;
  const StridedLoop& kept_;
  const StridedLoop& reduced_;
  int type_;
  bool along_;
  int64_t width_, block_;
};

}  // namespace

void reduce_sum(Cpu on, View x, MutView y, double scale) {
  int type = real_type_index(x.dtype, "reduce_sum");
  if (y.numel() == 0) return;
  Shape kept_shape = x.shape, reduced_shape = x.shape;
  for (int i = 0; i < x.rank(); ++i) (y.shape[i] == x.shape[i] ? reduced_shape : kept_shape)[i] = 1;
  // Sorted by x's strides (the last operand named), so that memory is read in order.
  StridedLoop kept(kept_shape, {&y.stride, &x.stride}), reduced(reduced_shape, {&x.stride});
  if (type == 0)
    Sum<float>(x, kept, reduced)(on, y, static_cast<float>(scale));
  else
    Sum<double>(x, kept, reduced)(on, y, scale);
}

}  // namespace iskra::kernels
