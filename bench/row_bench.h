// One benchmark row of the table of op cases, ready to be timed.
#pragma once

#include "op_inputs.h"

namespace iskra::bench {

/// What one run has to do: floating-point operations where the op counts them, else 0 and it is bound by the
/// bytes of every tensor that must be read or written, each once.
struct Work {
  double flops = 0;
  double bytes = 0;
};

class RowBench {
 public:
  /// `step`: forward and backward (from ones) instead of forward alone. The first run is made here: it makes
  /// what is kept between runs, oneDNN's programs and the allocator's memory.
  RowBench(const testing::OpCase& row, DType dtype, bool step);
  void run();
  const Work& work() const { return work_; }

 private:
  testing::OpCase row_;
  bool step_;
  testing::Tensors inputs_;
  Tensor y_, dy_;
  Work work_;
};

/// Whether the row has a step to measure.
bool differentiable(const testing::OpCase& row);
/// f32 and bf16, as far as the row takes them; of rows that take neither the first dtype.
std::vector<DType> bench_dtypes(const testing::OpCase& row);

}  // namespace iskra::bench
