// Matrix products.
#include <iskra/core/autocast.h>
#include <iskra/core/fused.h>
#include <iskra/core/launch.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {

using detail::launch;

namespace {

// A matrix that kernels take as it is has unit stride in one of its last two axes.
Tensor readable(const Tensor& x) {
  const Shape& s = x.strides();
  if (x.numel() == 0) return detail::view_of(x, x.shape(), contiguous_strides(x.shape()));
  int r = x.rank();
  bool unit = (s[r - 1] == 1 || x.shape()[r - 1] == 1) || (s[r - 2] == 1 || x.shape()[r - 2] == 1);
  return unit ? x.detach() : x.detach().contiguous();
}

Tensor batched_to(const Tensor& x, const Shape& batch) {
  Shape shape = batch;
  shape.push_back(x.shape()[x.rank() - 2]);
  shape.push_back(x.shape()[x.rank() - 1]);
  return x.shape() == shape ? x : x.expand(shape);
}

Shape batch_of(const Tensor& x) {
  Shape batch;
  for (int i = 0; i + 2 < x.rank(); ++i) batch.push_back(x.shape()[i]);
  return batch;
}

// c = a b, not recorded.
Tensor product(const Tensor& a, const Tensor& b) {
  NoGrad no_grad;
  Shape shape = broadcast_shapes(batch_of(a), batch_of(b), "matmul");
  Tensor wide_a = batched_to(readable(a), shape);
  Tensor wide_b = batched_to(readable(b), shape);
  shape.push_back(a.shape()[a.rank() - 2]);
  shape.push_back(b.shape()[b.rank() - 1]);
  Tensor c = Tensor::empty(shape, {.dtype = a.dtype(), .device = a.device()});
  launch(a.device(), [&](auto on) { kernels::matmul(on, wide_a.view(), wide_b.view(), {}, c.mut(), 0); });
  return c;
}

// into = beta * into + a b for two-axis a and b.
void product_into(const Tensor& a, const Tensor& b, const Sink& sink) {
  Tensor left = readable(a);
  Tensor right = readable(b);
  detail::into_row_major(sink, [&](const Sink& to) {
    launch(left.device(),
           [&](auto on) { kernels::matmul(on, left.view(), right.view(), {}, to.into.mut(), to.beta); });
  });
}

void check_product(const char* name, const Tensor& a, const Tensor& b) {
  ISKRA_CHECK(is_floating(a.dtype()) && a.dtype() == b.dtype(), name, ": the operands are ", a.str(), " and ",
              b.str(), "; both must have the same floating dtype");
  ISKRA_CHECK(a.device() == b.device(), name, ": the operands are on ", a.device(), " and ", b.device(),
              "; move one with to(Device)");
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, Caller caller) {
  detail::OpScope scope("matmul", caller);
  if (auto cast = detail::Recast(detail::Precision::lower, {&a, &b})) return matmul(cast(a), cast(b), caller);
  check_product("matmul", a, b);
  ISKRA_CHECK(a.rank() >= 1 && b.rank() >= 1, "matmul: the shapes are ", a.shape(), " and ", b.shape(),
              "; both need an axis or more, use mul with a number");
  ISKRA_CHECK(a.size(-1) == b.size(b.rank() == 1 ? 0 : -2), "matmul: the shapes are ", a.shape(), " and ",
              b.shape(), "; the last axis of the first must equal the last but one of the second");
  // A vector is a row on the left and a column on the right; the axis that this adds goes again.
  if (a.rank() == 1) return matmul(a.unsqueeze(0), b).squeeze(b.rank() == 1 ? 0 : -2);
  if (b.rank() == 1) return matmul(a, b.unsqueeze(1)).squeeze(-1);
  Tensor c = product(a, b);
  return record("matmul", c, {a, b},
                [a_shape = a.shape(), b_shape = b.shape(), a = save_if(b.requires_grad(), a),
                 b = save_if(a.requires_grad(), b)](const Tensor& dc, Wanted wanted, Sinks& to) {
                  if (wanted[0]) to.give(0, sum_to(product(dc, b.transpose(-1, -2)), a_shape));
                  if (wanted[1]) to.give(1, sum_to(product(a.transpose(-1, -2), dc), b_shape));
                });
}

namespace {

void check_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_product("linear", x, weight);
  ISKRA_CHECK(weight.rank() == 2, "linear: the weight has shape ", weight.shape(),
              "; it must be (outputs, inputs)");
  ISKRA_CHECK(x.rank() >= 1 && x.size(-1) == weight.size(1), "linear: the input has shape ", x.shape(),
              ", the weight takes ", weight.size(1), " inputs; the last axes must agree");
  if (bias.defined()) {
    ISKRA_CHECK(bias.shape() == Shape({weight.size(0)}) && bias.dtype() == weight.dtype(),
                "linear: the bias is ", bias.str(), ", the weight ", weight.str(),
                "; the bias must have one value per output");
  }
}

// x (...,C) as rows (M,C).
Tensor as_rows(const Tensor& x) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.shape()[i];
  return x.detach().contiguous().reshape({rows, x.size(-1)});
}

// bias = beta * bias + the sum of dy's rows: of dy as pictures of one pixel.
void bias_gradient(const Tensor& dy, const Sink& sink) {
  Shape pixels = {dy.size(0), dy.size(1), 1, 1};
  Tensor pictures = detail::view_of(dy, pixels, channels_last_strides(pixels));
  detail::into_row_major(sink, [&](const Sink& to) {
    launch(dy.device(), [&](auto on) {
      kernels::conv2d_backward_weight(on, {}, {}, pictures.view(), {}, to.into.mut(), 0, to.beta);
    });
  });
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const FusedOptions& then,
              Caller caller) {
  detail::OpScope scope("linear", caller);
  if (auto cast = detail::Recast(detail::Precision::lower, {&x, &weight, &bias, &then.residual})) {
    FusedOptions fused = then;
    fused.residual = cast(then.residual);
    return linear(cast(x), cast(weight), cast(bias), fused, caller);
  }
  check_linear(x, weight, bias);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.size(0);
  detail::FusedPass pass("linear", then, shape, x, recording({&x, &weight, &bias, &then.residual}));
  Tensor flat = as_rows(x), w = readable(weight);
  Tensor y = Tensor::empty(shape, {.dtype = x.dtype(), .device = x.device()});
  Tensor b = bias.defined() ? bias.detach().contiguous() : Tensor();
  launch(x.device(), [&](auto on) {
    kernels::matmul(on, flat.view(), w.transpose(0, 1).view(), pass.epilogue(b, {flat.size(0), shape.back()}),
                    as_rows(y).mut(), 0);
  });
  return record("linear", y, {x, weight, bias, then.residual},
                [x_shape = x.shape(), pass = pass.saved(y), flat = save_if(weight.requires_grad(), flat),
                 weight = save_if(x.requires_grad(), weight)](const Tensor& dy, Wanted wanted, Sinks& to) {
                  if (wanted[3]) to.give(3, dy);
                  if (!wanted[0] && !wanted[1] && !wanted[2]) return;
                  Tensor dp = as_rows(pass.through_activation(dy));
                  if (wanted[0]) to.give(0, product(dp, weight).reshape(x_shape));
                  if (wanted[1]) product_into(dp.transpose(0, 1), flat, to.accumulate(1));
                  if (wanted[2]) bias_gradient(dp, to.accumulate(2));
                });
}

}  // namespace iskra
