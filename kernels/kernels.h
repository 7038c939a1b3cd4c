// Every kernel, on one page: two overloads each, Cpu in x.cpp and Cuda in x.cu, chosen by the tag.
//
// Legend: N batch, C channels, H W height and width, K output channels, R S filter height and width, OH OW
// output height and width; T tokens, NH heads, HD head dimension; rows R of length C for row-wise kernels.
// Contract of all: shapes and dtypes were checked by the caller (core/); outputs are allocated by the caller
// and overwritten, unless a `beta` says that 1 adds and 0 overwrites; outputs never alias inputs unless a
// line says so; results do not depend on the thread budget. bf16 and f16 are storage only: kernels compute in
// f32 and round once; f64 computes in f64. Row sums of f32 accumulate in f32 lanes, sums across rows in a
// fixed order. What is saved of a row for backward (mean, rstd, lse) is f32, and f64 for f64.
#pragma once

#include <iskra/kernels/base.h>
#include <iskra/kernels/loss_list.h>
#include <iskra/kernels/pointwise_list.h>
#include <iskra/kernels/reduce_list.h>

namespace iskra::kernels {

// --- pointwise (pointwise.cpp)
// ------------------------------------------------------------------------------------ y = f(x); any strides;
// y has x's shape; y may be x. Operands of pointwise ops may differ in type: they compute in f64 if one of
// them is f64; exactly, in i64, if all are integers or bool and the op takes them; else in f32.
void unary(Cpu on, UnaryOp op, View x, MutView y, const PointwiseParams& params = {});
void unary(Cuda on, UnaryOp op, View x, MutView y, const PointwiseParams& params = {});
// dx = dy * f'(x, y).
void unary_backward(Cpu on, UnaryOp op, View x, View y, View dy, MutView dx,
                    const PointwiseParams& params = {});
void unary_backward(Cuda on, UnaryOp op, View x, View y, View dy, MutView dx,
                    const PointwiseParams& params = {});
// y = f(a, b); a and b broadcast to y's shape with stride 0; y may be one of them.
void binary(Cpu on, BinaryOp op, View a, View b, MutView y);
void binary(Cuda on, BinaryOp op, View a, View b, MutView y);
// da = dy * df/da, db = dy * df/db, both of dy's (broadcast) shape; an undefined da or db is skipped.
void binary_backward(Cpu on, BinaryOp op, View a, View b, View dy, MutView da, MutView db);
void binary_backward(Cuda on, BinaryOp op, View a, View b, View dy, MutView da, MutView db);

// --- memory (memory.cpp)
// ------------------------------------------------------------------------------------------ y = x, converted
// to y's dtype; any strides on both sides, the same shape. Float to integer truncates, saturating.
void copy(Cpu on, View x, MutView y);
void copy(Cuda on, View x, MutView y);
// y = beta * y + x (beta 0 or 1); same shape and floating dtype, any strides.
void add_into(Cpu on, View x, MutView y, float beta);
void add_into(Cuda on, View x, MutView y, float beta);
void fill(Cpu on, MutView y, double value);
void fill(Cuda on, MutView y, double value);
// Pictures u8 x (N,H,W,C) dense -> floating y (N,C,H,W) channels-last: y = (x / 255 - mean[c]) / std[c].
void normalize_images(Cpu on, View x, const float* mean, const float* std, MutView y);
void normalize_images(Cuda on, View x, const float* mean, const float* std, MutView y);

// --- padding (pad.cpp)
// -------------------------------------------------------------------------------------------- y = x with
// before[i] elements before axis i and, where y is longer, others after it, all taken from x: mirrored at the
// border element without it, the border element, or from the other side (kernels reach once: reflect adds
// fewer elements than x has, circular at most as many). Elements of any type, any strides.
enum class PadMode : uint8_t { reflect, replicate, circular };
void pad(Cpu on, PadMode mode, View x, const Shape& before, MutView y);
void pad(Cuda on, PadMode mode, View x, const Shape& before, MutView y);
// Floating dx = at each element the sum of dy over where it went; any strides.
void pad_backward(Cpu on, PadMode mode, View dy, const Shape& before, MutView dx);
void pad_backward(Cuda on, PadMode mode, View dy, const Shape& before, MutView dx);

// --- reductions over axes (reduce_axes.cpp; reduce_list.h says what each computes)
// -------------------------------------------------------------------------------- y = scale * the elements
// of x put together over every axis where y's size is 1 and x's is not (same rank); any strides of x.
// Integers and bool compute in i64, which wraps around, and f16 and bf16 in f32; y may be of any type.
// `shift`, if defined, has y's shape and the type that is computed in. Nothing sums up to 0, multiplies to 1,
// and has the largest element -infinity.
void reduce(Cpu on, ReduceOp op, View x, View shift, MutView y, double scale = 1, double power = 0);
void reduce(Cuda on, ReduceOp op, View x, View shift, MutView y, double scale = 1, double power = 0);

// The gradient of a product over axes: floating x and dx of one shape; dy, of their type, and dense y = the
// product, of the type computed in, with 1 for each axis that is gone. dx = dy * the product of the others.
void product_backward(Cpu on, View x, View y, View dy, MutView dx);
void product_backward(Cuda on, View x, View y, View dy, MutView dx);

// --- softmax (softmax.cpp)
// ---------------------------------------------------------------------------------------- Along the middle
// axis of dense x (O,L,I).
void softmax(Cpu on, View x, MutView y);
void softmax(Cuda on, View x, MutView y);
// dx = y * (dy - sum(dy * y)).
void softmax_backward(Cpu on, View y, View dy, MutView dx);
void softmax_backward(Cuda on, View y, View dy, MutView dx);
void log_softmax(Cpu on, View x, MutView y);
void log_softmax(Cuda on, View x, MutView y);
// dx = dy - exp(y) * sum(dy).
void log_softmax_backward(Cpu on, View y, View dy, MutView dx);
void log_softmax_backward(Cuda on, View y, View dy, MutView dx);

// --- indices (index.cpp, select.cpp)
// ----------------------------------------------------------------------------------------- Indices are i64
// in [0, size of the indexed axis), checked on the CPU: the first one outside throws. Elements of any type.
// y[..,i,..] = x[..,index[..,i,..],..] along `axis`: index has y's shape (stride 0 where it is shared), x's
// other axes are at least y's; any strides.
void gather(Cpu on, View x, View index, int axis, MutView y);
void gather(Cuda on, View x, View index, int axis, MutView y);
// y[..,index[..,i,..],..] = x[..,i,..]: index has x's shape; of equal indices the last wins; other elements
// of y stay. Any strides, y's without overlaps.
void scatter(Cpu on, View x, View index, int axis, MutView y);
void scatter(Cuda on, View x, View index, int axis, MutView y);
// The same, added, in order along the axis; 16-bit floats add up in f32. Not bool.
void scatter_add(Cpu on, View x, View index, int axis, MutView y);
void scatter_add(Cuda on, View x, View index, int axis, MutView y);
// Dense x (O,R,C), index (R), dense floating y (O,V,C): y[o][v] = beta * y[o][v] + the sum of x[o][r] over
// ascending r where index[r] = v and v is not `skip`.
void index_add(Cpu on, View x, View index, int64_t skip, MutView y, float beta);
void index_add(Cuda on, View x, View index, int64_t skip, MutView y, float beta);
// y = mask ? a : b, element by element; bool mask, one type, one shape, any strides (0 broadcasts).
void where(Cpu on, View mask, View a, View b, MutView y);
void where(Cuda on, View mask, View a, View b, MutView y);
// Matrices x (...,M,N): y keeps what lies on and above (upper) or on and below diagonal k, and is 0
// elsewhere.
void triangle(Cpu on, View x, bool upper, int64_t k, MutView y);
void triangle(Cuda on, View x, bool upper, int64_t k, MutView y);
// Dense bool mask: counts i64 (ceil(n / kNonzeroBlock)) of what is true in each block of its n elements.
// Then, with starts i64 = the sums of the counts before each block, places i64 (all counts, rank of shape) =
// the indices, in a tensor of that shape, of what is true.
inline constexpr int64_t kNonzeroBlock = 16384;
void count_nonzero_blocks(Cpu on, View mask, MutView counts);
void count_nonzero_blocks(Cuda on, View mask, MutView counts);
void nonzero_places(Cpu on, View mask, const Shape& shape, View starts, MutView places);
void nonzero_places(Cuda on, View mask, const Shape& shape, View starts, MutView places);
// Dense y i64 (2): the smallest and the largest of dense x i64 (n), n > 0.
void value_range(Cpu on, View x, MutView y);
void value_range(Cuda on, View x, MutView y);
// Dense y i64 (V): how often each number of [0, V) stands in dense x i64 (n), which holds no others
// (checked).
void count_values(Cpu on, View x, MutView y);
void count_values(Cuda on, View x, MutView y);
// Dense y (n), computed in f64: start + i * step; or from start to end, both included.
void arange(Cpu on, double start, double step, MutView y);
void arange(Cuda on, double start, double step, MutView y);
void linspace(Cpu on, double start, double end, MutView y);
void linspace(Cuda on, double start, double end, MutView y);

// --- order (order.cpp, scan.cpp)
// -------------------------------------------------------------------------------------------- Row-wise over
// the last axis of dense x (R,C), C > 0, any type. NaN is larger than every number, 0 and -0 are equal, and
// of equal elements the one with the lowest place comes first.
// places i64 (R,C) sort each row, values (R,C) are its sorted elements; values may be undefined.
void sort(Cpu on, View x, bool descending, MutView values, MutView places);
void sort(Cuda on, View x, bool descending, MutView values, MutView places);
// The K largest (smallest) of each row, sorted: values (R,K) and places i64 (R,K), K <= C.
void topk(Cpu on, View x, bool largest, MutView values, MutView places);
void topk(Cuda on, View x, bool largest, MutView values, MutView places);
// y (R) i64: place of the first largest (smallest) element of each row; of the first NaN if there is one.
void argmax(Cpu on, View x, MutView y);
void argmax(Cuda on, View x, MutView y);
void argmin(Cpu on, View x, MutView y);
void argmin(Cuda on, View x, MutView y);
// y[i] = the sum of x[0 … i] along `axis` (of x[i …] if `reverse`), any strides; y may be x. Sums of floats
// add up in f64 and are rounded once each; sums of integers and bool are i64.
void cumsum(Cpu on, View x, int axis, bool reverse, MutView y);
void cumsum(Cuda on, View x, int axis, bool reverse, MutView y);

// --- losses (loss.cpp)
// -------------------------------------------------------------------------------------------- A loss is of
// x's dtype: () for mean and sum, or one for each row or element.
struct CrossEntropy {
  double smoothing = 0;         ///< share of the uniform distribution in the wanted one
  int64_t ignore_index = -100;  ///< rows with this label count nothing
  Reduction reduction = Reduction::mean;
};
// Dense logits (R,C); target: labels i64 (R) in [0, C), or distributions (R,C) of the logits' dtype; weight
// (C) of the classes, or undefined. loss of a row = -sum_c weight_c q_c log softmax(logits)_c, q = (1 -
// smoothing)
// * target + smoothing / C; lse (R) = log sum exp of each row; total () = what the mean divides by, the
// weights of the labels or the number of rows. With lse undefined the logits are logarithms already. Other
// labels throw on the CPU; on CUDA, which cannot throw, such a row's loss and gradient are NaN.
void cross_entropy(Cpu on, const CrossEntropy& at, View logits, View target, View weight, MutView loss,
                   MutView lse, MutView total);
void cross_entropy(Cuda on, const CrossEntropy& at, View logits, View target, View weight, MutView loss,
                   MutView lse, MutView total);
// An undefined gradient is skipped; dtarget is of distributions.
void cross_entropy_backward(Cpu on, const CrossEntropy& at, View logits, View target, View weight, View lse,
                            View total, View dloss, MutView dlogits, MutView dtarget);
void cross_entropy_backward(Cuda on, const CrossEntropy& at, View logits, View target, View weight, View lse,
                            View total, View dloss, MutView dlogits, MutView dtarget);
// Dense, of one shape and strides. Undefined weights are ones; pos_weight is read by bce_with_logits alone.
struct PairLossInputs {
  View x, target;
  View weight, pos_weight;
};
void pair_loss(Cpu on, PairLoss kind, double parameter, Reduction reduction, const PairLossInputs& in,
               MutView loss);
void pair_loss(Cuda on, PairLoss kind, double parameter, Reduction reduction, const PairLossInputs& in,
               MutView loss);
void pair_loss_backward(Cpu on, PairLoss kind, double parameter, Reduction reduction,
                        const PairLossInputs& in, View dloss, MutView dx, MutView dtarget);
void pair_loss_backward(Cuda on, PairLoss kind, double parameter, Reduction reduction,
                        const PairLossInputs& in, View dloss, MutView dx, MutView dtarget);
// Dense a and b (R,C): y (R) = a.b / (max(|a|, eps) max(|b|, eps)).
void cosine_similarity(Cpu on, View a, View b, double eps, MutView y);
void cosine_similarity(Cuda on, View a, View b, double eps, MutView y);
void cosine_similarity_backward(Cpu on, View a, View b, double eps, View dy, MutView da, MutView db);
void cosine_similarity_backward(Cuda on, View a, View b, double eps, View dy, MutView da, MutView db);

// --- norms over rows (norm.cpp)
// ---------------------------------------------------------------------------------- Dense x (R,C), weight
// (C), bias (C): y = (x - mean) * rstd * weight + bias; mean (R), rstd (R) saved. weight and bias may be
// undefined (1 and 0), and f32 beside 16-bit x. An undefined mean leaves the rows uncentred: RMS norm.
void layer_norm(Cpu on, View x, View weight, View bias, double eps, MutView y, MutView mean, MutView rstd);
void layer_norm(Cuda on, View x, View weight, View bias, double eps, MutView y, MutView mean, MutView rstd);
// An undefined dx, dweight or dbias is skipped; dweight and dbias = beta * itself + sum over rows.
void layer_norm_backward(Cpu on, View x, View weight, View mean, View rstd, View dy, MutView dx,
                         MutView dweight, MutView dbias, float weight_beta, float bias_beta);
void layer_norm_backward(Cuda on, View x, View weight, View mean, View rstd, View dy, MutView dx,
                         MutView dweight, MutView dbias, float weight_beta, float bias_beta);

// --- norms over channels (channel_norm.cpp)
// ---------------------------------------------------------------------- Dense x (S,R,C): S samples of R
// pixels with C channels. mean (S,G) and var (S,G; biased) of the R pixels of C/G channels in each of G
// groups. Batch norm is S = 1 and G = C, instance norm G = C.
void channel_statistics(Cpu on, View x, MutView mean, MutView var);
void channel_statistics(Cuda on, View x, MutView mean, MutView var);
// y = (x - mean) / sqrt(var + eps) * weight + bias; weight (C) and bias (C) as in layer_norm.
void channel_norm(Cpu on, View x, View mean, View var, View weight, View bias, double eps, MutView y);
void channel_norm(Cuda on, View x, View mean, View var, View weight, View bias, double eps, MutView y);
// As layer_norm_backward. `fixed` statistics do not depend on x; then dx alone
// does without x, which may be undefined.
void channel_norm_backward(Cpu on, View x, View mean, View var, bool fixed, View weight, View dy, double eps,
                           MutView dx, MutView dweight, MutView dbias, float weight_beta, float bias_beta);
void channel_norm_backward(Cuda on, View x, View mean, View var, bool fixed, View weight, View dy, double eps,
                           MutView dx, MutView dweight, MutView dbias, float weight_beta, float bias_beta);
// running = (1 - momentum) * running + momentum * factor * batch; dense, both of one computing type.
void blend_statistics(Cpu on, View batch, double momentum, double factor, MutView running);
void blend_statistics(Cuda on, View batch, double momentum, double factor, MutView running);

// --- products (matmul.cpp)
enum class Activation : uint8_t { none, relu, gelu, gelu_tanh };
// What follows a product or a convolution before its one rounding: p = sums + bias; y = activation(p) +
// residual. p itself is stored where a backward pass will want it.
struct Epilogue {
  View bias = {};  ///< dense (N) or (K), of y's type or f32; undefined: none
  Activation activation = Activation::none;
  View residual = {};          ///< y's shape, type and order in memory
  MutView preactivation = {};  ///< the same
};
// c (...,M,N) = beta * c + a (...,M,K) b (...,K,N), or c = then(a b); the leading axes of a and b broadcast
// to c's with stride 0; a and b need unit stride in one of their two last axes (transposes cost nothing), c
// in its last. All of one floating type; c may be f32 where a and b are f16 or bf16. beta 1 goes with a bias
// only. A row of c has the same bits however many rows a has.
// On the CPU f32 products and convolutions take subnormal numbers for zero. On CUDA f32 is exact to f32
// unless the tag allows tf32.
void matmul(Cpu on, View a, View b, const Epilogue& then, MutView c, float beta);
void matmul(Cuda on, View a, View b, const Epilogue& then, MutView c, float beta);

// --- convolution (conv.cpp)
struct Conv2d {
  int64_t stride[2] = {1, 1};
  int64_t padding[2] = {0, 0};
  int64_t dilation[2] = {1, 1};
  int64_t groups = 1;
};
// x (N,C,H,W) and y (N,K,OH,OW) channels-last in memory, w (K,C/groups,R,S) dense row-major, bias (K) or
// undefined. All of one floating type.
// On the CPU, `fastest` computes f32 convolutions of 3x3 filters with stride 1 in Winograd's way (winograd.h)
// in all three directions where that is faster, unless the tag forbids it. For normal random numbers and up
// to 512 channels the L2 error is then below 2e-6 of the result's norm and each error below 4e-6 of the
// largest value; direct convolution keeps 1.2e-6 and 3e-6, its weight gradients 2.5e-7 and 5e-7. An infinity
// or NaN reaches all 4 x 4 values of its tiles.
void conv2d(Cpu on, const Conv2d& at, View x, View w, const Epilogue& then, MutView y);
void conv2d(Cuda on, const Conv2d& at, View x, View w, const Epilogue& then, MutView y);
void conv2d_backward_data(Cpu on, const Conv2d& at, View w, View dy, MutView dx);
void conv2d_backward_data(Cuda on, const Conv2d& at, View w, View dy, MutView dx);
// The same as an op of its own, with a bias (K) or an undefined one: x (N,C,H,W) and y (N,K,OH,OW)
// channels-last, w (C,K/groups,R,S) dense; conv2d of y's size gives x's.
void conv_transpose2d(Cpu on, const Conv2d& at, View x, View w, View bias, MutView y);
void conv_transpose2d(Cuda on, const Conv2d& at, View x, View w, View bias, MutView y);
// dw = beta * dw + ...; dbias (K) likewise with its own beta; either may be undefined, and either may be f32
// where x and dy are f16 or bf16.
void conv2d_backward_weight(Cpu on, const Conv2d& at, View x, View dy, MutView dw, MutView dbias,
                            float weight_beta, float bias_beta);
void conv2d_backward_weight(Cuda on, const Conv2d& at, View x, View dy, MutView dw, MutView dbias,
                            float weight_beta, float bias_beta);

// --- pooling (pool.cpp)
// -------------------------------------------------------------------------------------------
struct Pool2d {
  int64_t size[2] = {2, 2};
  int64_t stride[2] = {2, 2};
  int64_t padding[2] = {0, 0};
  int64_t dilation[2] = {1, 1};   ///< of maxima
  bool ceil_mode = false;         ///< a last window may reach beyond the padding
  bool count_include_pad = true;  ///< means divide by the padding, too
  bool adaptive = false;  ///< output o of OH takes the rows floor(o H / OH) ... ceil((o + 1) H / OH) - 1
};
/// The output size of windows sliding along `axis` (0 height, 1 width); 0 when none fits.
int64_t pooled_size(const Pool2d& at, int axis, int64_t size);
// x (N,C,H,W), y (N,C,OH,OW) and place i32 (N,C,OH,OW) channels-last; place = h * W + w of the first largest
// value, -1 of a window that sees padding only. An undefined place is skipped.
void max_pool2d(Cpu on, const Pool2d& at, View x, MutView y, MutView place);
void max_pool2d(Cuda on, const Pool2d& at, View x, MutView y, MutView place);
void max_pool2d_backward(Cpu on, const Pool2d& at, View place, View dy, MutView dx);
void max_pool2d_backward(Cuda on, const Pool2d& at, View place, View dy, MutView dx);
void avg_pool2d(Cpu on, const Pool2d& at, View x, MutView y);
void avg_pool2d(Cuda on, const Pool2d& at, View x, MutView y);
void avg_pool2d_backward(Cpu on, const Pool2d& at, View dy, MutView dx);
void avg_pool2d_backward(Cuda on, const Pool2d& at, View dy, MutView dx);

// --- interpolation (interpolate.cpp)
// ------------------------------------------------------------------------------
enum class Interpolation : uint8_t { nearest, bilinear, bicubic };
struct Interpolate2d {
  Interpolation mode = Interpolation::nearest;
  bool align_corners = false;  ///< the corner pixels' centres meet, else the pictures' corners
  bool antialias = false;      ///< shrinking takes the mean over what a pixel covers
  double scale[2] = {0, 0};    ///< by which a user enlarged; 0: the quotient of the sizes
};
// x (N,C,H,W) to y (N,C,OH,OW), channels-last.
void interpolate(Cpu on, const Interpolate2d& at, View x, MutView y);
void interpolate(Cuda on, const Interpolate2d& at, View x, MutView y);
void interpolate_backward(Cpu on, const Interpolate2d& at, View dy, MutView dx);
void interpolate_backward(Cuda on, const Interpolate2d& at, View dy, MutView dx);

// --- attention (attention.cpp, attention_backward.cpp)
// The key of random numbers: see the section on them.
struct RngKey {
  uint64_t seed = 0;
  uint64_t place = 0;             ///< hash of module path and call number
  const int64_t* step = nullptr;  ///< lies on the device, so that a captured step stays right; null is 0
  int64_t first = 0;              ///< index of this tensor's first element in the unsharded tensor
};
struct Attention {
  double scale = 1;
  bool causal = false;  ///< query i sees keys 0 … i
  View mask = {};     ///< (N,NH,T,TK), any strides: floating, added to the scaled scores; bool, true is seen
  float dropout = 0;  ///< probability of dropping an element of P, the others grow by 1 / (1 - dropout)
  RngKey key = {};    ///< element ((n*NH + h)*T + i)*TK + j of P draws its number as dropout() does
};
// q (N,NH,T,HD), k (N,KH,TK,HD), v (N,KH,TK,VD), any strides with HD and VD unit; NH is a multiple of KH, and
// NH/KH heads of q in a row share one of k and v. o (N,NH,T,VD), any strides with VD unit: P = softmax(scale
// * q k^T + mask), o = drop(P) v; a query that sees no key gives zeros. lse (N,NH,T) dense, f64 for f64, else
// f32 = log sum exp of the masked scores, saved for backward. Scratch grows with T, not with T squared.
void attention(Cpu on, const Attention& at, View q, View k, View v, MutView o, MutView lse);
void attention(Cuda on, const Attention& at, View q, View k, View v, MutView o, MutView lse);
void attention_backward(Cpu on, const Attention& at, View q, View k, View v, View o, View lse, View do_,
                        MutView dq, MutView dk, MutView dv);
void attention_backward(Cuda on, const Attention& at, View q, View k, View v, View o, View lse, View do_,
                        MutView dq, MutView dk, MutView dv);

// --- random numbers (random.cpp; the generator itself is philox.h)
// ----------------------------------------------- Philox 4x32-10 (Salmon et al., SC'11). Element i of a
// tensor takes word (first + i) % 4 of the block with counter
// ((first + i) / 4, step) under the key (seed, place) mixed to 64 bits: i counts logical (row-major) order.
// y = x * keep / (1 - p), keep = uniform >= p. The backward pass is the same call on dy. y may be x; dense,
// equal strides, row-major element order counts.
void dropout(Cpu on, View x, float p, RngKey key, MutView y);
void dropout(Cuda on, View x, float p, RngKey key, MutView y);
// Dense y, uniform in [low, high), or normal (Box-Muller) redrawn inside +-cut standard deviations (cut 0:
// none).
void random_uniform(Cpu on, MutView y, double low, double high, RngKey key);
void random_uniform(Cuda on, MutView y, double low, double high, RngKey key);
void random_normal(Cpu on, MutView y, double mean, double std, double cut, RngKey key);
void random_normal(Cuda on, MutView y, double mean, double std, double cut, RngKey key);
// y = 1 where the element's uniform number lies below p (f32, y's shape and strides), else 0.
void random_bernoulli(Cpu on, View p, RngKey key, MutView y);
void random_bernoulli(Cuda on, View p, RngKey key, MutView y);
// y i64: low + a random number below `range`, from 64 random bits each (two words).
void random_integers(Cpu on, MutView y, int64_t low, uint64_t range, RngKey key);
void random_integers(Cuda on, MutView y, int64_t low, uint64_t range, RngKey key);
// y i64 (n): the numbers 0 … n-1 sorted by 64 random bits each.
void permutation(Cpu on, RngKey key, MutView y);
void permutation(Cuda on, RngKey key, MutView y);

// --- optimizers (optim.cpp)
// --------------------------------------------------------------------------------------- What changes from
// step to step lies on the device and is read there; no kernel takes it by value.
struct StepState {
  int64_t step = 0;  ///< number of this update, from 1
  double learning_rate = 0;
  int64_t skip = 0;  ///< not 0: this update changes nothing
};
// The next update: skip = `found`, which may be null (0); step += 1 unless it is skipped.
void begin_step(Cpu on, const int32_t* found, StepState* state);
void begin_step(Cuda on, const int32_t* found, StepState* state);
struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};
// One tensor of a parameter group; n elements, all dense and of equal strides. Moments are f64 for f64, else
// f32.
struct AdamWTensor {
  void* w;
  const void* dw;
  void* m;
  void* v;
  int64_t n;
  DType dtype;
  float weight_decay;
  float lr_scale;
};
// Loshchilov & Hutter 2019, as PyTorch computes it: w -= lr*decay*w; m, v; w -= lr/(1-b1^t) * m /
// (sqrt(v/(1-b2^t))+eps).
void adamw(Cpu on, const AdamWTensor* tensors, int64_t count, const AdamWOptions& options,
           const StepState* state);
void adamw(Cuda on, const AdamWTensor* tensors, int64_t count, const AdamWOptions& options,
           const StepState* state);
struct SgdTensor {
  void* w;
  const void* dw;
  void* velocity;  ///< null without momentum; as AdamW's moments
  int64_t n;
  DType dtype;
  float weight_decay;
  float lr_scale;
};
// g = dw + decay*w; velocity = momentum*velocity + g (velocity = g at step 1); w -= lr * (nesterov ? g +
// momentum*velocity : velocity).
void sgd(Cpu on, const SgdTensor* tensors, int64_t count, float momentum, bool nesterov,
         const StepState* state);
void sgd(Cuda on, const SgdTensor* tensors, int64_t count, float momentum, bool nesterov,
         const StepState* state);
// Loss scaling (Micikevicius et al. 2018). One gradient: n dense elements of any floating type.
struct ScaledTensor {
  void* dw;
  int64_t n;
  DType dtype;
};
// dw *= 1 / *scale for all tensors; *found = 1 if an element is then infinite or NaN, else it stays.
void unscale(Cpu on, const ScaledTensor* tensors, int64_t count, const float* scale, int32_t* found);
void unscale(Cuda on, const ScaledTensor* tensors, int64_t count, const float* scale, int32_t* found);
struct ScalerOptions {
  double growth = 2, backoff = 0.5;
  int64_t interval = 2000;
};
// The end of a step. If one of `count` flags is up, *scale *= backoff (not below the smallest normal number)
// and *good_steps = 0; else *good_steps += 1 and, at `interval`, *scale *= growth (unless that is infinite)
// and *good_steps = 0. The flags go down.
void update_scale(Cpu on, const ScalerOptions& options, int32_t* found, int64_t count, float* scale,
                  int64_t* good_steps);
void update_scale(Cuda on, const ScalerOptions& options, int32_t* found, int64_t count, float* scale,
                  int64_t* good_steps);

}  // namespace iskra::kernels
