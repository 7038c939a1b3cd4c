// Walking tensors line by line along one axis: the columns of a StridedLoop over all other axes, each a line
// of elements along the axis.
#pragma once

#include <algorithm>

#include <iskra/kernels/parallel.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {

/// The columns are sorted by the last operand's strides, so name the operand that is written last.
struct Lines {
  Lines(const Shape& shape, int axis, std::initializer_list<const Shape*> strides)
      : length(shape[axis]), columns(without(shape, axis), strides) {
    int operand = 0;
    for (const Shape* stride : strides) along[operand++] = (*stride)[axis];
  }

  int64_t length;
  int64_t along[StridedLoop::kMaxOperands] = {};  ///< stride along the axis, by operand
  StridedLoop columns;

  /// Calls f(offsets, column strides, n) for groups of at most `width` neighbouring columns of [begin, end).
  template <class F>
  void for_each_group(int64_t begin, int64_t end, int64_t width, F f) const {
    columns.for_each_run(begin, end, [&](const StridedLoop::Run& run) {
      for (int64_t row = 0; row < run.outer; ++row)
        for (int64_t i = 0; i < run.inner; i += width) {
          int64_t offset[StridedLoop::kMaxOperands], stride[StridedLoop::kMaxOperands];
          for (int o = 0; o < columns.operands; ++o) {
            stride[o] = columns.inner_stride(o);
            offset[o] = run.offset[o] + row * columns.outer_stride(o) + i * stride[o];
          }
          f(offset, stride, std::min(width, run.inner - i));
        }
    });
  }

 private:
  static Shape without(Shape shape, int axis) {
    shape[axis] = 1;
    return shape;
  }
};

/// log2 of the bytes of an element: the place of its type in tables of kernels that only move data.
inline int log2_bytes(DType dtype) {
  switch (size_of(dtype)) {
    case 1:
      return 0;
    case 2:
      return 1;
    case 4:
      return 2;
    default:
      return 3;
  }
}

/// Calls f(T{}) with the unsigned integer that is as large as an element.
template <class F>
void with_bits_of(DType dtype, F f) {
  switch (size_of(dtype)) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

}  // namespace iskra::kernels
