// Tensors made of nothing but numbers.
#include <cmath>

#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;

Tensor Tensor::full_like(const Tensor& like, double value) {
  Tensor y = empty_like(like);
  y.fill(value);
  return y;
}

Tensor arange(int64_t n, Caller caller) {
  detail::OpScope scope("arange", caller);
  ISKRA_CHECK(n >= 0, "arange: ", n, " numbers; the count must not be negative");
  return arange(0.0, static_cast<double>(n), 1.0, {.dtype = DType::i64});
}

Tensor arange(double start, double end, double step, TensorOptions options, Caller caller) {
  detail::OpScope scope("arange", caller);
  ISKRA_CHECK(step != 0 && std::isfinite(step) && std::isfinite(start) && std::isfinite(end), "arange: from ",
              start, " to ", end, " in steps of ", step, "; all must be finite, and the step not zero");
  ISKRA_CHECK((end - start) * step >= 0, "arange: steps of ", step, " do not lead from ", start, " to ", end,
              "; turn the sign of the step");
  ISKRA_CHECK(options.dtype != DType::boolean, "arange: bool cannot hold a range; ask for an integer dtype");
  const bool whole = start == std::trunc(start) && step == std::trunc(step);
  ISKRA_CHECK(whole || is_floating(options.dtype), "arange: from ", start, " in steps of ", step, " in ",
              name_of(options.dtype), "; ask for a floating dtype");
  const double count = std::ceil((end - start) / step);
  ISKRA_CHECK(count < 0x1p53, "arange: ", count, " numbers are too many; take larger steps");
  Tensor y = Tensor::empty({static_cast<int64_t>(count)}, options);
  launch(y.device(), [&](auto on) { kernels::arange(on, start, step, y.mut()); });
  return y;
}

Tensor linspace(double start, double end, int64_t count, TensorOptions options, Caller caller) {
  detail::OpScope scope("linspace", caller);
  ISKRA_CHECK(count >= 0, "linspace: ", count, " numbers; the count must not be negative");
  ISKRA_CHECK(is_floating(options.dtype), "linspace: in ", name_of(options.dtype),
              "; ask for a floating dtype");
  Tensor y = Tensor::empty({count}, options);
  launch(y.device(), [&](auto on) { kernels::linspace(on, start, end, y.mut()); });
  return y;
}

Tensor eye(int64_t rows, std::optional<int64_t> columns, TensorOptions options, Caller caller) {
  detail::OpScope scope("eye", caller);
  const int64_t wide = columns.value_or(rows);
  ISKRA_CHECK(rows >= 0 && wide >= 0, "eye: shape (", rows, ", ", wide, ") has a negative size");
  Tensor y = Tensor::zeros({rows, wide}, options);
  detail::view_of(y, {std::min(rows, wide)}, {wide + 1}).fill(1);
  return y;
}

Tensor one_hot(const Tensor& labels, int64_t classes, DType dtype, Caller caller) {
  detail::OpScope scope("one_hot", caller);
  ISKRA_CHECK(labels.dtype() == DType::i64 || labels.dtype() == DType::i32, "one_hot: the indices are ",
              labels.str(), "; they must be i64 or i32, convert them with to(DType::i64)");
  ISKRA_CHECK(classes >= 0 && labels.rank() < Shape::kMaxRank, "one_hot: labels are ", labels.str(), " of ",
              classes, " classes; there must be at least 0 classes and at most ", Shape::kMaxRank - 1,
              " axes");
  Shape shape = labels.shape();
  shape.push_back(classes);
  NoGrad no_grad;
  Tensor zeros = Tensor::zeros(shape, {.dtype = dtype, .device = labels.device()});
  Tensor one = Tensor::ones({}, {.dtype = dtype, .device = labels.device()});
  return scatter(zeros, -1, labels.unsqueeze(-1), one);
}

}  // namespace iskra
