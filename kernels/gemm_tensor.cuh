// What kernels of products on tensor cores share: the order of their tiles, and how a tile of sums becomes
// results.
#pragma once

#include <iskra/kernels/gemm_tensor.h>
#include <iskra/kernels/host_device.h>
#include <iskra/kernels/pointwise_ops.h>
#include <iskra/kernels/gpu_channels.cuh>
#include <iskra/kernels/gpu_convert.cuh>

namespace iskra::kernels::tensor_cores {
namespace {

// --- the order of tiles
// -------------------------------------------------------------------------------------------

ISKRA_HD constexpr int64_t pieces(int64_t n, int64_t of) { return (n + of - 1) / of; }

struct Place {
  unsigned row, column;
};
/// The place of a tile among rows x columns of them: down eight rows of tiles, then on to the next column, so
/// that what runs at one time shares lines of both operands in L2.
DEV Place place_of(unsigned tile, unsigned rows, unsigned columns) {
  constexpr unsigned kGroup = 8;
  unsigned group = tile / (kGroup * columns), in_group = tile % (kGroup * columns);
  unsigned height = min(rows - group * kGroup, kGroup);
  return {group * kGroup + in_group % height, in_group / height};
}

// --- what follows the sums
// ----------------------------------------------------------------------------------------

/// Rows of sums in shared memory lie this many floats apart: the fragments of four rows fall into different
/// banks.
template <int columns>
inline constexpr int kSumsPitch = columns + 8;

/// Up to eight columns, from element `at` on.
struct Columns {
  int64_t at;
  int count;
  bool wide;  ///< eight, at a multiple of 16 bytes

  DEV void load(const void* data, DType type, float (&v)[kEight]) const {
    if (wide) return load_channels(data, type, at, v);
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      float one[1] = {};
      if (i < count) load_channels(data, type, at + i, one);
      v[i] = one[0];
    }
  }
  DEV void store(const float (&v)[kEight], void* data, DType type) const {
    if (wide) return store_channels(v, data, type, at);
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      const float one[1] = {v[i]};
      if (i < count) store_channels(one, data, type, at + i);
    }
  }
};

template <class Op>
DEV void apply(float (&v)[kEight]) {
#pragma unroll
  for (int i = 0; i < kEight; ++i) v[i] = Op::f(v[i]);
}
DEV void activate(Activation activation, float (&v)[kEight]) {
  switch (activation) {
    case Activation::none:
      return;
    case Activation::relu:
      return apply<ops::relu>(v);
    case Activation::gelu:
      return apply<ops::gelu>(v);
    case Activation::gelu_tanh:
      return apply<ops::gelu_tanh>(v);
  }
}

DEV void add(const float (&x)[kEight], float (&v)[kEight]) {
#pragma unroll
  for (int i = 0; i < kEight; ++i) v[i] += x[i];
}

/// Sums, to which the bias has been added, become elements of c.
DEV void finish(const Results& to, float (&v)[kEight], const Columns& here) {
  float other[kEight];
  if (to.then.preactivation != nullptr) here.store(v, to.then.preactivation, to.type);
  activate(to.then.activation, v);
  if (to.then.residual != nullptr) {
    here.load(to.then.residual, to.type, other);
    add(other, v);
  }
  if (to.then.beta != 0) {
    here.load(to.data, to.type, other);
    add(other, v);
  }
  here.store(v, to.data, to.type);
}

/// `threads` threads finish a tile of rows x columns sums in shared memory; `row` and `column` are the
/// tile's, `offset` is the item's in c. A thread has eight columns for itself.
template <int rows, int columns, int threads>
DEV void finish_tile(const float* sums, const Gemm& gemm, int64_t row, int64_t column, int64_t offset,
                     int thread) {
  constexpr int kGroups = columns / kEight;
  const Results& to = gemm.c;
  int group = thread % kGroups;
  column += group * kEight;
  if (column >= gemm.n) return;
  int count = static_cast<int>(min(gemm.n - column, int64_t{kEight}));
  float bias[kEight] = {};
  bool biased = to.then.bias != nullptr;
  if (biased) Columns{column, count, false}.load(to.then.bias, to.then.bias_type, bias);
  int left = static_cast<int>(min(gemm.m - row, int64_t{rows}));
#pragma unroll 1
  for (int r = thread / kGroups; r < left; r += threads / kGroups) {
    float v[kEight];
    load_channels(sums, DType::f32, r * kSumsPitch<columns> + group * kEight, v);
    if (biased) add(bias, v);
    finish(to, v, {offset + (row + r) * to.row + column, count, to.wide && count == kEight});
  }
}

}  // namespace
}  // namespace iskra::kernels::tensor_cores
