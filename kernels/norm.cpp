// Layer norm.
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/norm.isa.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/scratch.h>

namespace iskra::kernels {
namespace {

const NormTable& table() {
  static const NormTable& chosen = by_isa(v2::norm_table, v3::norm_table, v4::norm_table);
  return chosen;
}

constexpr int64_t kRowChunk = 64;  // rows whose share of dweight and dbias is summed one after the other

template <class T>
void store(const T* sum, const MutView& gradient, float beta) {
  T* to = gradient.as<T>();
  for (int64_t c = 0; c < gradient.numel(); ++c)
    to[c] = beta == 0.0F ? sum[c] : static_cast<T>(beta) * to[c] + sum[c];
}

template <class T>
void backward(const Cpu& on, int type, const View& x, const View& weight, const View& mean, const View& rstd,
              const View& dy, const MutView& dx, const MutView& dweight, const MutView& dbias,
              float weight_beta, float bias_beta) {
  const int64_t cols = x.shape.back(), rows = row_count(x.shape);
  const int64_t chunks = std::max<int64_t>(1, (rows + kRowChunk - 1) / kRowChunk);
  // One row for each chunk: its dweight, then its dbias, as far as wanted.
  const int64_t length = (dweight.defined() ? cols : 0) + (dbias.defined() ? cols : 0);
  T* partial = length > 0 ? scratch_of(on, "layer_norm_backward").of<T>(chunks * length) : nullptr;
  if (rows == 0) std::fill_n(partial, length, T(0));
  parallel_for(on, rows, kRowChunk, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * cols;
    if (dx.defined())
      table().backward[type](at(x, first), weight.data, at(mean, begin), at(rstd, begin), at(dy, first),
                             end - begin, cols, at(dx, first));
    if (length == 0) return;
    T* sums = partial + begin / kRowChunk * length;
    std::fill_n(sums, length, T(0));
    table().add_params[type](at(x, first), at(mean, begin), at(rstd, begin), at(dy, first), end - begin, cols,
                             dweight.defined() ? sums : nullptr,
                             dbias.defined() ? sums + length - cols : nullptr);
  });
  parallel_for(on, length, 256,
               [&](int64_t begin, int64_t end) { add_halves(partial, length, 0, chunks, begin, end); });
  if (dweight.defined()) store(partial, dweight, weight_beta);
  if (dbias.defined()) store(partial + length - cols, dbias, bias_beta);
}

}  // namespace

void layer_norm(Cpu on, View x, View weight, View bias, double eps, MutView y, MutView mean, MutView rstd) {
  auto body = table().forward[real_type_index(x.dtype, "layer_norm")];
  const int64_t cols = x.shape.back();
  for_rows(on, row_count(x.shape), cols, [&](int64_t row, int64_t rows) {
    body(at(x, row * cols), weight.data, bias.data, rows, cols, eps, at(y, row * cols), at(mean, row),
         at(rstd, row));
  });
}

void layer_norm_backward(Cpu on, View x, View weight, View mean, View rstd, View dy, MutView dx,
                         MutView dweight, MutView dbias, float weight_beta, float bias_beta) {
  int type = real_type_index(x.dtype, "layer_norm_backward");
  auto body = type == 0 ? backward<float> : backward<double>;
  body(on, type, x, weight, mean, rstd, dy, dx, dweight, dbias, weight_beta, bias_beta);
}

}  // namespace iskra::kernels
