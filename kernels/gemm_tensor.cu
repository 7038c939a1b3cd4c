// Which way a product goes on CUDA, and what the ways by tensor cores need of their operands.
#include <iskra/kernels/gemm_tensor.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include <iskra/kernels/device_api.h>
#include <iskra/kernels/matmul_paths.h>
#include <iskra/kernels/product_batch.h>
#include <iskra/kernels/scratch.h>

namespace iskra::kernels {
namespace tensor_cores {
namespace {

bool aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }
/// How many elements of this type 16 bytes hold.
int64_t in_unit(DType type) { return 16 / static_cast<int64_t>(size_of(type)); }
int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/// An operand as (batch …, lines, k).
View lines_of(const View& x, const Shape& batch, const Shape& stride, int64_t lines, int64_t k, int64_t line,
              int64_t along) {
  View all{x.data, x.dtype, batch, stride};
  all.shape.push_back(lines), all.shape.push_back(k);
  all.stride.push_back(line), all.stride.push_back(along);
  return all;
}

/// The operand where it lies, if the kernel can read it there.
std::optional<Operand> in_place(const View& x, Access access) {
  int64_t unit = in_unit(x.dtype);
  int k = x.rank() - 1, line = x.rank() - 2;
  bool tma = access == Access::tma;
  if (!aligned(x.data)) return {};
  for (int axis = 0; axis < line; ++axis)
    if (x.stride[axis] % unit != 0 || (tma && x.stride[axis] < 0)) return {};
  auto lies = [&](int inner, int outer) -> std::optional<Operand> {
    if (x.stride[inner] != 1 && x.size(inner) > 1) return {};
    // The stride of a single one does not count, but has to be one.
    int64_t stride = x.size(outer) == 1 ? rounded_up(x.size(inner), unit) : x.stride[outer];
    if (stride % unit != 0 || (tma && stride <= 0)) return {};
    return Operand{x.data, stride, inner == k};
  };
  auto along = lies(k, line);
  return along || access == Access::along_k ? along : lies(line, k);
}

/// A copy whose lines begin at multiples of 16 bytes; what is repeated along an axis of the batch is there
/// once.
View packed(const Cuda& on, const View& x, Access access) {
  int k = x.rank() - 1, line = x.rank() - 2;
  bool across = access != Access::along_k && x.stride[k] != 1 && x.stride[line] == 1;
  int inner = across ? line : k, outer = across ? k : line;
  MutView y{nullptr, x.dtype, x.shape, x.stride};
  y.stride[inner] = 1;
  y.stride[outer] = rounded_up(x.size(inner), in_unit(x.dtype));
  int64_t step = y.stride[outer] * x.size(outer);
  for (int axis = line - 1; axis >= 0; --axis) {
    if (x.stride[axis] == 0) {
      y.shape[axis] = 1;
      continue;
    }
    y.stride[axis] = step;
    step *= x.size(axis);
  }
  y.data = scratch_of(on, "matmul").bytes(static_cast<size_t>(step) * size_of(x.dtype));
  copy(on, {x.data, x.dtype, y.shape, x.stride}, y);
  return {y.data, y.dtype, x.shape, y.stride};
}

Operand operand_of(const Cuda& on, View& x, Access access) {
  if (auto found = in_place(x, access)) return *found;
  x = packed(on, x, access);
  return in_place(x, access).value();
}

Results results_of(const ProductBatch& p, const Epilogue& then, const MutView& c, float beta) {
  int64_t unit = in_unit(c.dtype);
  bool wide = aligned(c.data) && aligned(then.residual.data) && aligned(then.preactivation.data) &&
              p.one.c_row % unit == 0;
  for (int64_t stride : p.c_stride) wide = wide && stride % unit == 0;
  return {c.data, c.dtype, p.one.c_row, wide, finish_of(then, beta)};
}

}  // namespace

Gemm prepare(const Cuda& on, const View& a, const View& b, const Epilogue& then, const MutView& c, float beta,
             Access access) {
  ProductBatch p = product_batch(a, b, c);
  const GemmShape& s = p.one;
  View of_a = lines_of(a, p.batch, p.a_stride, s.m, s.k, s.a_row, s.a_col);
  View of_b = lines_of(b, p.batch, p.b_stride, s.n, s.k, s.b_col, s.b_row);
  const Operand in_a = operand_of(on, of_a, access), in_b = operand_of(on, of_b, access);  // may copy
  return {s.m, s.n, s.k, in_a, in_b, results_of(p, then, c, beta), batch_of(p, of_a.stride, of_b.stride)};
}

const Gpu& gpu_of(const Cuda& on) {
  constexpr int kMost = 64;
  static std::array<Gpu, kMost> known;
  static std::array<std::once_flag, kMost> asked;
  ISKRA_CHECK(on.device >= 0 && on.device < kMost, "matmul: there is no device ", on.device);
  auto i = static_cast<size_t>(on.device);
  std::call_once(asked[i], [&] {
    device::Properties p = device::properties(on.device);
    known[i] = {p.major == 9, p.multiprocessors};
  });
  return known[i];
}

}  // namespace tensor_cores

MatmulPath matmul_path(const Cuda& on, const View& a, const View& c) {
  constexpr int64_t kLeast = 64, kMost = INT32_MAX;
  int64_t n = c.shape.back(), k = a.shape.back();
  if (k == 0 || a.dtype == DType::f64) return MatmulPath::simt;
  if (a.dtype == DType::f32) return on.tf32 ? MatmulPath::mma : MatmulPath::simt;
  int64_t rows = c.numel() / n;
  bool large = n >= kLeast && k >= kLeast, countable = std::max({rows, n, k}) <= kMost;
  return large && countable && tensor_cores::gpu_of(on).has_wgmma ? MatmulPath::wgmma : MatmulPath::mma;
}

void matmul(Cuda on, View a, View b, const Epilogue& then, MutView c, float beta) {
  check_matmul(a, b, then, c, beta);
  if (c.numel() == 0) return;
  switch (matmul_path(on, a, c)) {
    case MatmulPath::simt:
      return native::matmul_simt(on, a, b, then, c, beta);
    case MatmulPath::mma:
      return native::matmul_mma(on, a, b, then, c, beta);
    case MatmulPath::wgmma:
      return native::matmul_wgmma(on, a, b, then, c, beta);
  }
}

}  // namespace iskra::kernels
