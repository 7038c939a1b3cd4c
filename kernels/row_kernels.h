// What the kernels that work row by row on dense (R,C) tensors share.
#pragma once

#include <algorithm>

#include <iskra/kernels/base.h>
#include <iskra/kernels/check.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/parallel.h>

namespace iskra::kernels {

/// 0 for f32, 1 for f64; throws, naming `op`, for other types.
inline int real_type_index(DType dtype, const char* op) {
  ISKRA_CHECK(dtype == DType::f32 || dtype == DType::f64, op, ": elements are ", name_of(dtype),
              "; it computes in f32 and f64, convert first");
  return dtype == DType::f32 ? 0 : 1;
}

/// Place of a floating type in the tables of inner loops: 0 f32, 1 f64, 2 bf16, 3 f16; throws, naming `op`,
/// for other types.
inline int floating_type_index(DType dtype, const char* op) {
  ISKRA_CHECK(is_floating(dtype), op, ": elements are ", name_of(dtype),
              "; convert them to a floating type first");
  if (dtype == DType::f64) return 1;
  return dtype == DType::f32 ? 0 : dtype == DType::bf16 ? 2 : 3;
}

/// Dense tensors of any rank as (R,C): C is the last size.
inline int64_t row_count(const Shape& shape) { return shape.back() == 0 ? 0 : shape.numel() / shape.back(); }

/// Calls body(first row, rows) for pieces of some 16k elements, in parallel.
template <class F>
void for_rows(const Cpu& on, int64_t rows, int64_t cols, F body) {
  int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(cols, 1));
  parallel_for(on, rows, grain, [&](int64_t begin, int64_t end) { body(begin, end - begin); });
}

/// The same where a piece needs memory of its thread's own: body(first row, rows, memory).
template <class F>
void for_rows(const Cpu& on, int64_t rows, int64_t cols, size_t bytes, const char* op, F body) {
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(cols, 1));
  parallel_lanes(on, (rows + grain - 1) / grain, bytes, op, [&](Pieces& pieces, char* memory) {
    for (int64_t piece = 0; pieces.next(piece);)
      body(piece * grain, std::min(grain, rows - piece * grain), memory);
  });
}

/// Adds rows [first, last) of `partial` (rows of length m) into row `first`, columns [begin, end), by
/// halving: the order depends on the number of rows alone, and the error grows with its logarithm.
template <class T>
void add_halves(T* partial, int64_t m, int64_t first, int64_t last, int64_t begin, int64_t end) {
  if (last - first < 2) return;
  int64_t middle = first + (last - first + 1) / 2;
  add_halves(partial, m, first, middle, begin, end);
  add_halves(partial, m, middle, last, begin, end);
  for (int64_t c = begin; c < end; ++c) partial[first * m + c] += partial[middle * m + c];
}

/// Element `offset` of a view, as bytes.
inline const char* at(const View& v, int64_t offset) {
  return v.as<char>() + offset * static_cast<int64_t>(size_of(v.dtype));
}
inline char* at(const MutView& v, int64_t offset) {
  return v.as<char>() + offset * static_cast<int64_t>(size_of(v.dtype));
}

}  // namespace iskra::kernels
