#include <iskra/kernels/product_batch.h>

#include <iskra/kernels/check.h>

namespace iskra::kernels {
namespace {

/// The stride of a leading axis of `x`, counted from the right as c's axis is; 0 where x is broadcast.
int64_t batch_stride(const View& x, const View& c, int axis) {
  const int at = axis - (c.rank() - x.rank());
  return at < 0 || x.size(at) == 1 ? 0 : x.stride[at];
}

/// Makes the last leading axis part of the rows, where b is shared and the rows of a and c go on evenly.
bool fold_batch_into_rows(ProductBatch& p) {
  if (p.batch.rank() == 0) return false;
  const int last = p.batch.rank() - 1;
  GemmShape& s = p.one;
  if (s.m == 1) {
    s.a_row = p.a_stride[last];
    s.c_row = p.c_stride[last];
  }
  if (p.b_stride[last] != 0 || p.a_stride[last] != s.m * s.a_row || p.c_stride[last] != s.m * s.c_row)
    return false;
  s.m *= p.batch[last];
  for (Shape* shape : {&p.batch, &p.a_stride, &p.b_stride, &p.c_stride}) shape->erase(last);
  return true;
}

bool has_unit_stride(const View& x) {
  const int r = x.rank();
  return x.stride[r - 1] == 1 || x.stride[r - 2] == 1 || x.size(r - 1) <= 1 || x.size(r - 2) <= 1;
}

void check_operands(const View& a, const View& b, const View& c) {
  ISKRA_CHECK(a.rank() >= 2 && b.rank() >= 2 && c.rank() >= 2, "matmul: operands need two axes or more, got ",
              a.shape, " and ", b.shape);
  const int64_t m = a.size(a.rank() - 2), k = a.size(a.rank() - 1), n = b.size(b.rank() - 1);
  ISKRA_CHECK(b.size(b.rank() - 2) == k, "matmul: inner sizes differ: a is ", a.shape, ", b is ", b.shape);
  ISKRA_CHECK(c.size(c.rank() - 2) == m && c.size(c.rank() - 1) == n, "matmul: c is ", c.shape, ", but a ",
              a.shape, " times b ", b.shape, " has last axes (", m, ", ", n, ")");
  ISKRA_CHECK(has_unit_stride(a), "matmul: a ", a.shape, " has strides ", a.stride,
              ", but one of its last two axes needs stride 1; make it contiguous first");
  ISKRA_CHECK(has_unit_stride(b), "matmul: b ", b.shape, " has strides ", b.stride,
              ", but one of its last two axes needs stride 1; make it contiguous first");
  ISKRA_CHECK(n <= 1 || c.stride.back() == 1, "matmul: c ", c.shape, " has strides ", c.stride,
              ", but its last axis needs stride 1");
}

/// Residual and preactivation are read and written at c's places.
void check_like_c(const View& x, const View& c, const char* name) {
  ISKRA_CHECK(!x.defined() || (x.dtype == c.dtype && x.shape == c.shape && x.stride == c.stride),
              "matmul: the ", name, " is ", name_of(x.dtype), " ", x.shape, " with strides ", x.stride,
              ", but c ", name_of(c.dtype), " ", c.shape, " with strides ", c.stride,
              "; they must lie alike");
}

void check_types(const View& a, const View& b, const View& c, float beta, const Epilogue& then) {
  const bool half = a.dtype == DType::bf16 || a.dtype == DType::f16;
  ISKRA_CHECK(
      is_floating(a.dtype) && b.dtype == a.dtype && (c.dtype == a.dtype || (half && c.dtype == DType::f32)),
      "matmul: a is ", name_of(a.dtype), ", b ", name_of(b.dtype), ", c ", name_of(c.dtype),
      "; they must be of one floating type (c may be f32 where a and b have 16 bits)");
  ISKRA_CHECK(beta == 0 || beta == 1, "matmul: beta is ", beta, ", but must be 0 or 1");
  ISKRA_CHECK(beta == 0 || (then.activation == Activation::none && !then.residual.defined() &&
                            !then.preactivation.defined()),
              "matmul: beta is 1, but adding to c goes with a bias only");
}

}  // namespace

Offsets offsets_of(const ProductBatch& p, int64_t item) {
  Offsets at;
  for (int axis = p.batch.rank() - 1; axis >= 0; --axis) {
    const int64_t i = item % p.batch[axis];
    item /= p.batch[axis];
    at.a += i * p.a_stride[axis];
    at.b += i * p.b_stride[axis];
    at.c += i * p.c_stride[axis];
  }
  return at;
}

ProductBatch product_batch(const View& a, const View& b, const View& c) {
  ProductBatch p;
  const auto last = [](const Shape& s, int from_end) { return s[s.rank() - from_end]; };
  p.one = {last(c.shape, 2),  last(c.shape, 1),  last(a.shape, 1),  last(a.stride, 2),
           last(a.stride, 1), last(b.stride, 2), last(b.stride, 1), last(c.stride, 2)};
  for (int axis = 0; axis < c.rank() - 2; ++axis) {
    if (c.size(axis) == 1) continue;
    p.batch.push_back(c.size(axis));
    p.a_stride.push_back(batch_stride(a, c, axis));
    p.b_stride.push_back(batch_stride(b, c, axis));
    p.c_stride.push_back(c.stride[axis]);
  }
  while (fold_batch_into_rows(p)) {
  }
  if (p.one.m == 1) p.one.c_row = p.one.n;  // whatever the only row's stride is
  if (p.one.k == 0) {  // a and b have no element, and may have no memory to take offsets in
    p.one.a_row = p.one.a_col = p.one.b_row = p.one.b_col = 0;
    p.a_stride = p.b_stride = Shape::filled(p.batch.rank(), 0);
  }
  return p;
}

void check_matmul(const View& a, const View& b, const Epilogue& then, const View& c, float beta) {
  check_operands(a, b, c);
  check_types(a, b, c, beta, then);
  check_bias(then.bias, c.shape.back(), a.dtype, "matmul");
  check_like_c(then.residual, c, "residual");
  check_like_c(then.preactivation, c, "preactivation");
}

}  // namespace iskra::kernels
