// The ops that make, cut, join, choose and order elements. Part of ops.h. Names and meanings are PyTorch's
// unless a line says otherwise. They take every dtype unless a line says otherwise; axes may be negative and
// count from the end then. Indices are i64 or i32; one that is out of range is an error.
#pragma once

#include <optional>

#include <iskra/core/autograd.h>
#include <iskra/core/tensor.h>

namespace iskra {

// --- creation (ops_create.cpp)
// -------------------------------------------------------------------------------------
/// 0 … n-1 in i64.
Tensor arange(int64_t n, Caller caller = Caller::current());
/// start, start + step, … as long as they lie before `end`; computed in f64.
Tensor arange(double start, double end, double step, TensorOptions options = {},
              Caller caller = Caller::current());
/// `count` numbers from start to end, both included, at equal distances; computed in f64. Floating dtypes.
Tensor linspace(double start, double end, int64_t count, TensorOptions options = {},
                Caller caller = Caller::current());
/// Ones on the diagonal of a rows x columns matrix (square when columns is left out), zeros elsewhere.
Tensor eye(int64_t rows, std::optional<int64_t> columns = {}, TensorOptions options = {},
           Caller caller = Caller::current());
/// labels (...) in [0, classes): (..., classes) with a one at each label.
Tensor one_hot(const Tensor& labels, int64_t classes, DType dtype = DType::i64,
               Caller caller = Caller::current());

// --- joining and cutting (ops_join.cpp; views are methods of Tensor)
// -----------------------------------------------
/// Joins tensors that agree in all other axes; their dtypes are promoted. Pictures that are all channels-last
/// stay so.
Tensor cat(const std::vector<Tensor>& xs, int axis, Caller caller = Caller::current());
/// Joins tensors of one shape along a new axis.
Tensor stack(const std::vector<Tensor>& xs, int axis = 0, Caller caller = Caller::current());
/// Views of these sizes, which sum up to the axis.
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int axis = 0,
                          Caller caller = Caller::current());
/// Views of `size` elements; the last may be shorter.
std::vector<Tensor> split(const Tensor& x, int64_t size, int axis = 0, Caller caller = Caller::current());
/// At most `count` views of equal size; the last may be shorter.
std::vector<Tensor> chunk(const Tensor& x, int64_t count, int axis = 0, Caller caller = Caller::current());
/// x, counts[i] times along axis i; more counts than axes repeat along new first axes.
Tensor repeat(const Tensor& x, const std::vector<int64_t>& counts, Caller caller = Caller::current());
/// In reverse order along these axes.
Tensor flip(const Tensor& x, const std::vector<int>& axes, Caller caller = Caller::current());
/// Element i goes to i + shift, and what leaves at the end comes in at the front.
Tensor roll(const Tensor& x, const std::vector<int64_t>& shifts, const std::vector<int>& axes,
            Caller caller = Caller::current());
enum class Padding : uint8_t {
  constant,
  reflect,    ///< mirrored at the border element, which is not repeated
  replicate,  ///< the border element
  circular,   ///< from the other side
};
/// Adds elements before and after: {before, after} of the last axis, then of the one before it, and so on, as
/// PyTorch's F.pad. Negative numbers cut elements off. `value` is for constant padding.
Tensor pad(const Tensor& x, const std::vector<int64_t>& amounts, Padding mode = Padding::constant,
           double value = 0, Caller caller = Caller::current());
/// What lies on and below (tril) or on and above (triu) diagonal k of the last two axes; zero elsewhere.
Tensor tril(const Tensor& x, int64_t k = 0, Caller caller = Caller::current());
Tensor triu(const Tensor& x, int64_t k = 0, Caller caller = Caller::current());

// --- choosing (ops_index.cpp, ops_select.cpp)
// ----------------------------------------------------------------------
/// y[.., i, ..] = x[.., index[.., i, ..], ..] along `axis`; other axes of index are at most as long as x's.
Tensor gather(const Tensor& x, int axis, const Tensor& index, Caller caller = Caller::current());
/// gather where the other axes of x and index broadcast (PyTorch's take_along_dim).
Tensor take_along(const Tensor& x, const Tensor& index, int axis, Caller caller = Caller::current());
/// The slices index (R) of x along `axis`. Gradients of equal indices add up in ascending order.
Tensor index_select(const Tensor& x, int axis, const Tensor& index, Caller caller = Caller::current());
/// A copy of x with y[.., index[.., i, ..], ..] = source[.., i, ..]; source has index's shape (or broadcasts
/// to it) and x's dtype. Of equal indices the last along the axis wins; the gradient of source is right where
/// none are equal, as in PyTorch.
Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source,
               Caller caller = Caller::current());
/// The same with source added to x, in order along the axis. Not bool.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source,
                   Caller caller = Caller::current());
/// Rows of weight (V,C) for ids (...): (...,C). The gradient of row `padding` stays zero; equal ids add up in
/// ascending order.
Tensor embedding(const Tensor& ids, const Tensor& weight, std::optional<int64_t> padding = {},
                 Caller caller = Caller::current());
/// mask ? a : b; all three broadcast, a and b promote, mask is bool.
Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b, Caller caller = Caller::current());
/// A number is taken in the tensor's dtype.
Tensor where(const Tensor& mask, const Tensor& a, double b, Caller caller = Caller::current());
Tensor where(const Tensor& mask, double a, const Tensor& b, Caller caller = Caller::current());
/// x, or `value` where the bool mask is true; both broadcast.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value, Caller caller = Caller::current());
/// The elements of x (K) where the bool mask is true, in row-major order; both broadcast. Waits for the
/// device.
Tensor masked_select(const Tensor& x, const Tensor& mask, Caller caller = Caller::current());
/// Indices i64 (K, rank) of the elements that are not zero, in row-major order. Waits for the device.
Tensor nonzero(const Tensor& x, Caller caller = Caller::current());
/// How often each number occurs in integers x (n), none negative: i64, or sums of `weights` (n) in their
/// dtype; at least `length` long. Waits for the device.
Tensor bincount(const Tensor& x, const Tensor& weights = {}, int64_t length = 0,
                Caller caller = Caller::current());

// --- ordering (ops_order.cpp)
// --------------------------------------------------------------------------------------
/// NaN counts as larger than every number. Equal elements keep their order, or come in that of their indices.
struct Ordered {
  Tensor values;
  Tensor indices;  ///< i64
};
Ordered sort(const Tensor& x, int axis = -1, bool descending = false, Caller caller = Caller::current());
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false, Caller caller = Caller::current());
/// The k largest (or smallest), in descending (ascending) order.
Ordered topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true,
             Caller caller = Caller::current());
/// Place of the first largest (smallest) element, or of the first NaN, along an axis: i64, no gradient.
Tensor argmax(const Tensor& x, int axis = -1, bool keep = false, Caller caller = Caller::current());
Tensor argmin(const Tensor& x, int axis = -1, bool keep = false, Caller caller = Caller::current());
/// The largest (smallest) elements along an axis, and where they are: the first of equals, to which the
/// gradient goes; the first NaN, if there is one. amax and amin take several axes and share the gradient
/// among equals.
Ordered max(const Tensor& x, int axis, bool keep = false, Caller caller = Caller::current());
Ordered min(const Tensor& x, int axis, bool keep = false, Caller caller = Caller::current());
/// Running sums along an axis. Floats add up in f64 and are rounded once; integers and bool give i64.
Tensor cumsum(const Tensor& x, int axis, Caller caller = Caller::current());

}  // namespace iskra
