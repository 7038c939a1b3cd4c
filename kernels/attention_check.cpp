#include <iskra/kernels/attention_check.h>

#include <iskra/kernels/check.h>

namespace iskra::kernels {
namespace {

void check_head(const View& x, DType dtype, const char* op, const char* name) {
  ISKRA_CHECK(x.dtype == dtype, op, ": ", name, " is ", name_of(x.dtype), ", but q is ", name_of(dtype));
  ISKRA_CHECK(x.rank() == 4, op, ": ", name, " must have the axes (N,heads,T,head size), got ", x.shape);
  ISKRA_CHECK(x.size(3) <= 1 || x.stride[3] == 1, op, ": ", name, " ", x.shape, " has strides ", x.stride,
              ", but its last axis needs stride 1; make it contiguous first");
}

}  // namespace

void check_attention(const Attention& at, const View& q, const View& k, const View& v, const View& o,
                     const View& lse, const char* op) {
  ISKRA_CHECK(is_floating(q.dtype), op, ": q is ", name_of(q.dtype), "; it must be floating");
  check_head(q, q.dtype, op, "q");
  check_head(k, q.dtype, op, "k");
  check_head(v, q.dtype, op, "v");
  check_head(o, q.dtype, op, "o");
  const int64_t n = q.size(0), heads = q.size(1), key_heads = k.size(1);
  ISKRA_CHECK(k.size(0) == n && k.size(3) == q.size(3), op, ": q ", q.shape, " and k ", k.shape,
              " may differ in their tokens and, evenly, in their heads only");
  ISKRA_CHECK(heads == key_heads || (key_heads > 0 && heads % key_heads == 0), op, ": ", heads,
              " heads of q do not divide into ", key_heads, " of k");
  ISKRA_CHECK(v.size(0) == n && v.size(1) == key_heads && v.size(2) == k.size(2), op, ": k is ", k.shape,
              ", but v ", v.shape);
  ISKRA_CHECK(o.shape == Shape({n, heads, q.size(2), v.size(3)}), op, ": q is ", q.shape, " and v ", v.shape,
              ", but o ", o.shape);
  const DType sums = q.dtype == DType::f64 ? DType::f64 : DType::f32;
  ISKRA_CHECK(lse.dtype == sums && lse.contiguous() && lse.numel() == n * heads * q.size(2), op,
              ": lse must be dense (N,heads,T) ", name_of(sums), ", got ", name_of(lse.dtype), " ",
              lse.shape);
  ISKRA_CHECK(!at.mask.defined() || (at.mask.shape == Shape({n, heads, q.size(2), k.size(2)}) &&
                                     (is_floating(at.mask.dtype) || at.mask.dtype == DType::boolean)),
              op, ": the mask is ", name_of(at.mask.dtype), " ", at.mask.shape,
              "; it must be floating or bool, expanded to (N,heads,T,TK)");
  ISKRA_CHECK(at.dropout >= 0 && at.dropout < 1, op, ": dropout ", at.dropout, " must be in [0, 1)");
}

void check_attention_backward(const Attention& at, const View& q, const View& k, const View& v, const View& o,
                              const View& lse, const View& d_o, const View& dq, const View& dk,
                              const View& dv) {
  constexpr const char* kOp = "attention_backward";
  check_attention(at, q, k, v, o, lse, kOp);
  check_head(d_o, q.dtype, kOp, "do");
  check_head(dq, q.dtype, kOp, "dq");
  check_head(dk, q.dtype, kOp, "dk");
  check_head(dv, q.dtype, kOp, "dv");
  ISKRA_CHECK(d_o.shape == o.shape && dq.shape == q.shape && dk.shape == k.shape && dv.shape == v.shape, kOp,
              ": gradients must have the shapes of q ", q.shape, ", k ", k.shape, " and v ", v.shape);
}

}  // namespace iskra::kernels
