// What the ops on activations share: checks, and tensors seen as the matrices that kernels take.
#pragma once

#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra::detail {

inline void check_floating(const char* name, const Tensor& x) {
  ISKRA_CHECK(is_floating(x.dtype()), name, ": the input is ", x.str(),
              "; convert it to a floating dtype first");
}

/// f64 for f64, else f32: what kernels compute in, and what they save of 16-bit elements.
inline DType computing(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

inline Tensor empty_of(const Shape& shape, DType dtype, const Tensor& like) {
  return Tensor::empty(shape, {.dtype = dtype, .device = like.device()});
}

/// Dense row-major x as (rows, length), `length` the product of its last sizes; no part of any graph.
inline Tensor as_matrix(const Tensor& x, int64_t length) {
  const int64_t rows = length == 0 ? 0 : x.numel() / length;
  return view_of(x, {rows, length}, {length, 1});
}

/// x (N,C,...) as (N,...,C), dense in memory: a view of pictures that lie channels-last. No part of any
/// graph.
inline Tensor channels_inside(const Tensor& x) {
  if (x.rank() == 2) return x.detach().contiguous();
  Shape axes = {0};
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
  axes.push_back(1);
  return x.detach().permute(axes).contiguous();
}

/// The way back, a view: (N,...,C) as (N,C,...).
inline Tensor channels_first(const Tensor& x) {
  if (x.rank() == 2) return x;
  Shape axes = {0, x.rank() - 1};
  for (int i = 1; i + 1 < x.rank(); ++i) axes.push_back(i);
  return x.permute(axes);
}

/// Kernels on CUDA cannot throw: an index outside [0, size) gathers zeros and scatters nothing. Under
/// set_synchronous() this looks for one on the host, and throws what the CPU's kernels do; else it does
/// nothing.
void check_on_host(const char* op, const Tensor& index, int64_t size);

}  // namespace iskra::detail
