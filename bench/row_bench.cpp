#include "row_bench.h"

#include <algorithm>

#include <iskra/core/autograd.h>

namespace iskra::bench {

namespace {

double bytes_of(const testing::Tensors& tensors) {
  double bytes = 0;
  for (const Tensor& x : tensors) bytes += static_cast<double>(x.bytes());
  return bytes;
}

}  // namespace

RowBench::RowBench(const testing::OpCase& row, DType dtype, bool step)
    : row_(row), step_(step), inputs_(testing::drawn_inputs(row, dtype)) {
  for (Tensor& x : inputs_) x.set_requires_grad(step && x.requires_grad());
  y_ = row_.run(inputs_)[0];
  if (step)
    dy_ = Tensor::full(y_.shape(), 1, {.dtype = y_.dtype()})
              .contiguous(y_.is_channels_last() ? Layout::channels_last : Layout::row_major);
  run();
  if (row.op->flops != nullptr) {
    std::vector<Shape> shapes;
    for (const auto& input : row.inputs) shapes.push_back(input.shape);
    work_.flops = row.op->flops(shapes, y_.shape(), row.attributes) * (step ? 1 + row.op->backward_flops : 1);
  }
  work_.bytes = bytes_of(inputs_) + bytes_of({y_});
  if (step) work_.bytes += bytes_of({dy_});
  for (const Tensor& x : inputs_) {
    if (x.grad().defined()) work_.bytes += bytes_of({x.grad()});
  }
}

void RowBench::run() {
  for (Tensor& x : inputs_) x.clear_grad();
  y_ = Tensor();  // its memory is the next result's
  y_ = row_.run(inputs_)[0];
  if (step_) backward(y_, dy_);
}

bool differentiable(const testing::OpCase& row) {
  return std::any_of(row.inputs.begin(), row.inputs.end(), [](const auto& x) { return x.gradient; });
}

std::vector<DType> bench_dtypes(const testing::OpCase& row) {
  std::vector<DType> taken = row.dtypes(), dtypes;
  for (DType dtype : {DType::f32, DType::bf16}) {
    if (std::find(taken.begin(), taken.end(), dtype) != taken.end()) dtypes.push_back(dtype);
  }
  return dtypes.empty() ? std::vector<DType>{taken.at(0)} : dtypes;
}

}  // namespace iskra::bench
