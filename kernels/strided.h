// Walking several tensors of one shape and any strides together, in memory order and in runs as long as
// possible.
#pragma once

#include <algorithm>
#include <cstdint>

#include <iskra/kernels/base.h>

namespace iskra::kernels {

/// The axes of up to four operands, innermost first, after dropping axes of size 1, sorting by the strides of
/// the last operand (ties: the one before it, and so on) and merging axes that all operands walk as one.
/// Operands that share a dense layout, whatever it is, become one flat axis.
struct StridedLoop {
  static constexpr int kMaxOperands = 4;

  StridedLoop(const Shape& shape, std::initializer_list<const Shape*> strides);

  /// A piece of the walk: `outer` runs of `inner` elements; operand o starts at offset[o] elements.
  struct Run {
    int64_t offset[kMaxOperands];
    int64_t inner, outer;
  };

  /// Calls f(run) for runs that cover the elements [begin, end) of the walk, in order. Strides inside a run
  /// are inner_stride(o) and outer_stride(o).
  template <class F>
  void for_each_run(int64_t begin, int64_t end, F&& f) const {
    for (int64_t at = begin; at < end;) {
      Run run = locate(at);
      int64_t in_row = at % size[0];
      if (in_row != 0 || end - at < size[0]) {
        run.inner = std::min(size[0] - in_row, end - at);
        run.outer = 1;
      } else {
        run.inner = size[0];
        run.outer = std::min(size[1] - at / size[0] % size[1], (end - at) / size[0]);
      }
      f(run);
      at += run.inner * run.outer;
    }
  }

  int64_t inner_stride(int operand) const { return stride[operand][0]; }
  int64_t outer_stride(int operand) const { return stride[operand][1]; }

  int64_t numel = 1;
  int operands = 0;
  int rank = 0;                        ///< at least 2: missing axes have size 1 and stride 0
  int64_t size[Shape::kMaxRank] = {};  ///< innermost first
  int64_t stride[kMaxOperands][Shape::kMaxRank] = {};

 private:
  Run locate(int64_t at) const;
};

}  // namespace iskra::kernels
