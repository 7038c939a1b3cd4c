// Matrix products.
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

// c = a b [+ bias], not recorded.
Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias) {
  NoGrad no_grad;
  Shape shape = broadcast_shapes(batch_of(a), batch_of(b), "matmul");
  Tensor wide_a = batched_to(readable(a), shape);
  Tensor wide_b = batched_to(readable(b), shape);
  shape.push_back(a.shape()[a.rank() - 2]);
  shape.push_back(b.shape()[b.rank() - 1]);
  Tensor c = Tensor::empty(shape, {.dtype = a.dtype(), .device = a.device()});
  launch(a.device(), [&](auto on) {
    kernels::matmul(on, wide_a.view(), wide_b.view(), {.bias = detail::view_or_none(bias)}, c.mut(), 0);
  });
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
  check_product("matmul", a, b);
  ISKRA_CHECK(a.rank() >= 2 && b.rank() >= 2, "matmul: the shapes are ", a.shape(), " and ", b.shape(),
              "; both need two axes or more, use unsqueeze on a vector");
  ISKRA_CHECK(a.size(-1) == b.size(-2), "matmul: the shapes are ", a.shape(), " and ", b.shape(),
              "; the last axis of the first must equal the last but one of the second");
  Tensor c = product(a, b, {});
  return record("matmul", c, {a, b},
                [a_shape = a.shape(), b_shape = b.shape(), a = save_if(b.requires_grad(), a),
                 b = save_if(a.requires_grad(), b)](const Tensor& dc, Wanted wanted, Sinks& to) {
                  if (wanted[0]) to.give(0, sum_to(product(dc, b.transpose(-1, -2), {}), a_shape));
                  if (wanted[1]) to.give(1, sum_to(product(a.transpose(-1, -2), dc, {}), b_shape));
                });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Caller caller) {
  detail::OpScope scope("linear", caller);
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
  int64_t rows = x.size(-1) == 0 ? 0 : x.numel() / x.size(-1);
  if (x.size(-1) == 0) {
    rows = 1;
    for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.shape()[i];
  }
  Tensor flat = x.detach().contiguous().reshape({rows, x.size(-1)});
  Tensor y =
      product(flat, weight.detach().transpose(0, 1), bias.defined() ? bias.detach().contiguous() : Tensor());
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.size(0);
  y = detail::view_of(y, shape, contiguous_strides(shape));
  return record("linear", y, {x, weight, bias},
                [x_shape = x.shape(), flat = save_if(weight.requires_grad(), flat),
                 weight = save_if(x.requires_grad(), weight)](const Tensor& dy, Wanted wanted, Sinks& to) {
                  Tensor rows_dy =
                      dy.contiguous().reshape({dy.size(-1) == 0 ? 0 : dy.numel() / dy.size(-1), dy.size(-1)});
                  if (wanted[0]) to.give(0, product(rows_dy, weight, {}).reshape(x_shape));
                  if (wanted[1]) product_into(rows_dy.transpose(0, 1), flat, to.accumulate(1));
                  if (wanted[2]) to.give(2, sum(rows_dy, {0}));
                });
}

}  // namespace iskra
