// Softmax cross-entropy with label smoothing.
#include <limits>

#include <iskra/kernels/kernels.h>
#include <iskra/kernels/reduce.isa.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/scratch.h>

namespace iskra::kernels {
namespace {

const ReduceTable& table() {
  static const ReduceTable& chosen = by_isa(v2::reduce_table, v3::reduce_table, v4::reduce_table);
  return chosen;
}

void check_labels(const View& labels, int64_t classes) {
  const int64_t* label = labels.as<int64_t>();
  for (int64_t r = 0; r < labels.numel(); ++r)
    ISKRA_CHECK(label[r] >= 0 && label[r] < classes, "cross_entropy: label ", label[r], " of row ", r,
                " is outside of the ", classes, " classes [0, ", classes, ")");
}

// Per row: (1 - s) (lse - x_label) + s (lse - mean x). Without smoothing the mean is left out, because a
// logit of minus infinity makes it so, too.
template <class T>
void forward(const Cpu& on, const View& logits, const View& labels, double smoothing, const MutView& loss,
             const MutView& lse) {
  const int64_t cols = logits.shape.back(), rows = row_count(logits.shape);
  T* sums = scratch_of(on, "cross_entropy").of<T>(rows);
  auto row_lse = table().row_lse[real_type_index(logits.dtype, "cross_entropy")];
  for_rows(on, rows, cols, [&](int64_t row, int64_t count) {
    row_lse(at(logits, row * cols), count, cols, at(lse, row), sums + row);
  });
  double total = 0;
  for (int64_t r = 0; r < rows; ++r) {
    double of_row = lse.as<T>()[r];
    double likely = of_row - static_cast<double>(logits.as<T>()[r * cols + labels.as<int64_t>()[r]]);
    if (smoothing != 0.0) {
      double even = of_row - static_cast<double>(sums[r]) / static_cast<double>(cols);
      likely += smoothing * (even - likely);
    }
    total += likely;
  }
  *loss.as<T>() =
      rows == 0 ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(total / static_cast<double>(rows));
}

template <class T>
void backward(const Cpu& on, const View& logits, const View& labels, const View& lse, double smoothing,
              const View& dloss, const MutView& dlogits) {
  const int64_t cols = logits.shape.back(), rows = row_count(logits.shape);
  const double scale = static_cast<double>(*dloss.as<T>()) / static_cast<double>(rows);
  const double off = smoothing / static_cast<double>(cols);
  auto softmax_minus = table().softmax_minus[real_type_index(logits.dtype, "cross_entropy_backward")];
  for_rows(on, rows, cols, [&](int64_t row, int64_t count) {
    softmax_minus(at(logits, row * cols), at(lse, row), count, cols, scale, off, at(dlogits, row * cols));
    for (int64_t r = row; r < row + count; ++r)
      dlogits.as<T>()[r * cols + labels.as<int64_t>()[r]] -= static_cast<T>(scale * (1.0 - smoothing));
  });
}

}  // namespace

void cross_entropy(Cpu on, View logits, View labels, float smoothing, MutView loss, MutView lse) {
  check_labels(labels, logits.shape.back());
  if (real_type_index(logits.dtype, "cross_entropy") == 0)
    forward<float>(on, logits, labels, smoothing, loss, lse);
  else
    forward<double>(on, logits, labels, smoothing, loss, lse);
}

void cross_entropy_backward(Cpu on, View logits, View labels, View lse, float smoothing, View dloss,
                            MutView dlogits) {
  if (real_type_index(logits.dtype, "cross_entropy_backward") == 0)
    backward<float>(on, logits, labels, lse, smoothing, dloss, dlogits);
  else
    backward<double>(on, logits, labels, lse, smoothing, dloss, dlogits);
}

}  // namespace iskra::kernels
