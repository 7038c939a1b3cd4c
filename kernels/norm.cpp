// Layer norm and RMS norm: each row for itself. Norms over channels are in channel_norm.cpp.
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/norm.isa.h>
#include <iskra/kernels/parameters.h>
#include <iskra/kernels/row_kernels.h>

namespace iskra::kernels {
namespace {

const NormTable& table() {
  static const NormTable& chosen = by_isa(v2::norm_table, v3::norm_table, v4::norm_table);
  return chosen;
}

constexpr int64_t kRowChunk = 64;  // rows whose share of dweight and dbias is summed one after the other

size_t row_bytes(const View& x, int rows) {
  const bool narrow = x.dtype == DType::bf16 || x.dtype == DType::f16;
  return narrow ? sizeof(float) * static_cast<size_t>(rows * x.shape.back()) : 0;
}

template <class T>
void backward(const Cpu& on, const View& x, const View& weight, const View& mean, const View& rstd,
              const View& dy, const MutView& dx, const MutView& dweight, const MutView& dbias,
              float weight_beta, float bias_beta) {
  constexpr const char* kName = "layer_norm_backward";
  auto body = table().backward[floating_type_index(x.dtype, kName)];
  const int64_t cols = x.shape.back(), rows = row_count(x.shape);
  const int64_t chunks = std::max<int64_t>(1, (rows + kRowChunk - 1) / kRowChunk);
  // One row for each chunk: its dweight, then its dbias, as far as wanted.
  const int64_t length = (dweight.defined() ? cols : 0) + (dbias.defined() ? cols : 0);
  T* partial = length > 0 ? scratch_of<T>(on, chunks * length, kName) : nullptr;
  if (rows == 0) std::fill_n(partial, length, T(0));
  NormRows base{};
  base.weight = computed_parameter(on, weight, x.dtype, kName);
  base.cols = cols;
  parallel_lanes(on, rows == 0 ? 0 : chunks, row_bytes(x, 3), kName, [&](Pieces& pieces, char* memory) {
    for (int64_t chunk = 0; pieces.next(chunk);) {
      const int64_t begin = chunk * kRowChunk, first = begin * cols;
      NormRows run = base;
      run.buffer = memory;
      run.rows = std::min(kRowChunk, rows - begin);
      run.x = at(x, first);
      run.dy = at(dy, first);
      // Only read: forward and backward share the struct.
      run.mean = mean.defined() ? const_cast<char*>(at(mean, begin)) : nullptr;
      run.rstd = const_cast<char*>(at(rstd, begin));
      run.dx = dx.defined() ? at(dx, first) : nullptr;
      T* sums = partial + chunk * length;
      std::fill_n(sums, length, T(0));
      run.dweight = dweight.defined() ? sums : nullptr;
      run.dbias = dbias.defined() ? sums + length - cols : nullptr;
      body(run);
    }
  });
  parallel_for(on, length, 256,
               [&](int64_t begin, int64_t end) { add_halves(partial, length, 0, chunks, begin, end); });
  if (dweight.defined()) store_gradient(partial, dweight, weight_beta);
  if (dbias.defined()) store_gradient(partial + length - cols, dbias, bias_beta);
}

}  // namespace

void layer_norm(Cpu on, View x, View weight, View bias, double eps, MutView y, MutView mean, MutView rstd) {
  constexpr const char* kName = "layer_norm";
  auto body = table().forward[floating_type_index(x.dtype, kName)];
  NormRows base{};
  base.weight = computed_parameter(on, weight, x.dtype, kName);
  base.bias = computed_parameter(on, bias, x.dtype, kName);
  base.cols = x.shape.back();
  base.eps = eps;
  for_rows(on, row_count(x.shape), base.cols, row_bytes(x, 2), kName,
           [&](int64_t row, int64_t rows, char* memory) {
             NormRows run = base;
             run.buffer = memory;
             run.rows = rows;
             run.x = at(x, row * base.cols);
             run.y = at(y, row * base.cols);
             run.mean = mean.defined() ? at(mean, row) : nullptr;
             run.rstd = at(rstd, row);
             body(run);
           });
}

void layer_norm_backward(Cpu on, View x, View weight, View mean, View rstd, View dy, MutView dx,
                         MutView dweight, MutView dbias, float weight_beta, float bias_beta) {
  auto body = x.dtype == DType::f64 ? backward<double> : backward<float>;
  body(on, x, weight, mean, rstd, dy, dx, dweight, dbias, weight_beta, bias_beta);
}

}  // namespace iskra::kernels
