// The public ops; those that make, cut, join, choose and order elements are in ops_index.h. Shapes: N batch,
// C channels, H W image, K output channels, R S filter, T tokens, M rows. All ops broadcast and differentiate
// as NumPy and PyTorch do unless a line says otherwise; all are pure.
#pragma once

#include <optional>

#include <iskra/core/autograd.h>
#include <iskra/core/ops_index.h>
#include <iskra/core/tensor.h>
#include <iskra/kernels/kernels.h>

namespace iskra {

using Conv2dOptions = kernels::Conv2d;
using Pool2dOptions = kernels::Pool2d;
using Reduction = kernels::Reduction;
using Interpolation = kernels::Interpolation;

// --- pointwise (the lists in kernels/pointwise_list.h say what each computes)
// ---------------------------------------------------------------------------------
// Of one tensor: neg abs sign floor ceil round trunc, exp expm1 log log1p log2 sqrt rsqrt reciprocal square,
// sin cos tan tanh sigmoid erf, relu gelu gelu_tanh silu mish hardsigmoid hardswish. Integers stay integers
// where the result is whole (neg to trunc, square, relu, clamp, pow), else they give f32. logical_not is_nan
// is_inf is_finite give bool.
#define ISKRA_DECLARE_UNARY(name, doc) Tensor name(const Tensor& x, Caller caller = Caller::current());
ISKRA_UNARY_OPS(ISKRA_DECLARE_UNARY)
ISKRA_TEST_OPS(ISKRA_DECLARE_UNARY)
#undef ISKRA_DECLARE_UNARY
// Of two, in the type they promote to (core/promote.h): add sub mul div pow minimum maximum floor_divide
// remainder; to bool: eq ne lt le gt ge logical_and logical_or logical_xor. Integers are exact and wrap
// around; div of integers gives f32.
#define ISKRA_DECLARE_BINARY(name, doc) \
  Tensor name(const Tensor& a, const Tensor& b, Caller caller = Caller::current());
ISKRA_BINARY_OPS(ISKRA_DECLARE_BINARY)
ISKRA_COMPARE_OPS(ISKRA_DECLARE_BINARY)
#undef ISKRA_DECLARE_BINARY
#define ISKRA_DECLARE_COMPARE(name, doc) \
  Tensor name(const Tensor& a, double b, Caller caller = Caller::current());
ISKRA_COMPARE_OPS(ISKRA_DECLARE_COMPARE)
#undef ISKRA_DECLARE_COMPARE

/// x where it is positive, else slope * x.
Tensor leaky_relu(const Tensor& x, double slope = 0.01, Caller caller = Caller::current());
/// x where it is positive, else alpha * (e^x - 1). Clevert, Unterthiner & Hochreiter 2015.
Tensor elu(const Tensor& x, double alpha = 1, Caller caller = Caller::current());
/// log(1 + e^(beta x)) / beta, and x itself where beta * x > threshold.
Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20, Caller caller = Caller::current());
/// x within [low, high]; an absent bound is none. NaN stays; gradients pass where x is within.
Tensor clamp(const Tensor& x, std::optional<double> low, std::optional<double> high = {},
             Caller caller = Caller::current());
Tensor pow(const Tensor& x, double exponent, Caller caller = Caller::current());
Tensor pow(double base, const Tensor& exponent, Caller caller = Caller::current());

Tensor operator-(Operand x);
Tensor operator+(const Tensor& a, Operand b);
Tensor operator-(const Tensor& a, Operand b);
Tensor operator*(const Tensor& a, Operand b);
Tensor operator/(const Tensor& a, Operand b);
/// A number is taken in the tensor's dtype; beside an integer tensor, a number with a fraction makes f32.
Tensor operator+(const Tensor& a, Number b);
Tensor operator-(const Tensor& a, Number b);
Tensor operator*(const Tensor& a, Number b);
Tensor operator/(const Tensor& a, Number b);
Tensor operator+(double a, Operand b);
Tensor operator-(double a, Operand b);
Tensor operator*(double a, Operand b);
Tensor operator/(double a, Operand b);
/// lt, le, gt and ge. (== and != would take equality away from containers and tests of tensors: see eq, ne.)
Tensor operator<(const Tensor& a, Operand b);
Tensor operator<=(const Tensor& a, Operand b);
Tensor operator>(const Tensor& a, Operand b);
Tensor operator>=(const Tensor& a, Operand b);
Tensor operator<(const Tensor& a, Number b);
Tensor operator<=(const Tensor& a, Number b);
Tensor operator>(const Tensor& a, Number b);
Tensor operator>=(const Tensor& a, Number b);
Tensor operator<(double a, Operand b);
Tensor operator<=(double a, Operand b);
Tensor operator>(double a, Operand b);
Tensor operator>=(double a, Operand b);

// --- reductions
// ----------------------------------------------------------------------------------------------------
/// All of them: over the given axes (all when empty); `keep` leaves axes of size 1. 16-bit types accumulate
/// in f32. Integers: sum, prod and count_nonzero give i64, amax and amin keep the type, any and all take
/// every type and give bool; the others take floating types.
Tensor sum(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
           Caller caller = Caller::current());
/// Of no elements: an error, as for var, std_dev, amax and amin.
Tensor mean(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
            Caller caller = Caller::current());
Tensor prod(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
            Caller caller = Caller::current());
/// Mean square distance from the mean, over count - correction.
Tensor var(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false, double correction = 1,
           Caller caller = Caller::current());
/// Its root.
Tensor std_dev(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false, double correction = 1,
               Caller caller = Caller::current());
std::pair<Tensor, Tensor> var_mean(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
                                   double correction = 1, Caller caller = Caller::current());
/// Largest and smallest; NaN wins. Ties share the gradient evenly.
Tensor amax(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
            Caller caller = Caller::current());
Tensor amin(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
            Caller caller = Caller::current());
/// Whether any, or every, element is not 0: bool.
Tensor any(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
           Caller caller = Caller::current());
Tensor all(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
           Caller caller = Caller::current());
Tensor count_nonzero(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
                     Caller caller = Caller::current());
/// log(sum e^x) without overflow.
Tensor logsumexp(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false,
                 Caller caller = Caller::current());
/// (sum |x|^p)^(1/p); p may be infinite (largest |x|), minus infinite (smallest |x|) or 0 (number of nonzero
/// x). Where the norm is 0, so is its gradient.
Tensor norm(const Tensor& x, double p = 2, const std::vector<int>& axes = {}, bool keep = false,
            Caller caller = Caller::current());
/// Sums x down to `shape`, undoing a broadcast.
Tensor sum_to(const Tensor& x, const Shape& shape, Caller caller = Caller::current());
/// Same shape and all elements equal; NaN equals nothing.
bool equal(const Tensor& a, const Tensor& b, Caller caller = Caller::current());
/// |a - b| <= absolute + relative * |b| for all elements; equal infinities are close, NaN is not.
bool all_close(const Tensor& a, const Tensor& b, double relative = 1e-5, double absolute = 1e-8,
               Caller caller = Caller::current());

// --- products
// ------------------------------------------------------------------------------------------------------
/// What linear and conv2d do in the pass that makes their sums, with one rounding: y = activation(sums +
/// bias) + residual. For the backward pass ReLU without a residual keeps y, any other activation sums + bias.
using kernels::Activation;  // none, relu, gelu (by erf), gelu_tanh
struct FusedOptions {
  Activation activation = Activation::none;
  Tensor residual = {};  ///< of the result's shape and dtype
};
/// a (...,M,K) times b (...,K,N); leading axes broadcast; transposed views cost nothing. A vector is a row on
/// the left, a column on the right, and that axis is not in the result.
Tensor matmul(const Tensor& a, const Tensor& b, Caller caller = Caller::current());
/// x (...,C) times weight (K,C) transposed, plus bias (K) or nothing: (...,K).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const FusedOptions& then = {},
              Caller caller = Caller::current());

// --- neural-network ops
// --------------------------------------------------------------------------------------------
/// x (N,C,H,W), weight (K,C/groups,R,S), bias (K) or nothing: (N,K,OH,OW), channels-last in memory.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dOptions& options = {}, const FusedOptions& then = {},
              Caller caller = Caller::current());
struct ConvTranspose2dOptions {
  int64_t stride[2] = {1, 1};
  int64_t padding[2] = {0, 0};
  int64_t output_padding[2] = {0, 0};  ///< less than the stride
  int64_t dilation[2] = {1, 1};
  int64_t groups = 1;
};
/// The data gradient of conv2d as an op: x (N,C,H,W), weight (C,K/groups,R,S), bias (K) or nothing:
/// (N,K,OH,OW) with OH = (H-1) * stride - 2 * padding + dilation * (R-1) + output_padding + 1.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose2dOptions& options = {}, Caller caller = Caller::current());
/// x (N,C,H,W), channels-last in memory, as in all pooling; gradients go to the first largest element of each
/// window.
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options = {}, Caller caller = Caller::current());
/// Means over windows.
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options = {}, Caller caller = Caller::current());
/// Windows so that the result has `height` x `width` pixels; 1 x 1 pools whole pictures.
Tensor adaptive_max_pool2d(const Tensor& x, int64_t height, int64_t width, Caller caller = Caller::current());
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width, Caller caller = Caller::current());
struct InterpolateOptions {
  int64_t size[2] = {0, 0};  ///< height and width of the result, or
  double scale[2] = {0, 0};  ///< what they are multiplied by
  Interpolation mode = Interpolation::nearest;
  bool align_corners = false;  ///< the corner pixels' centres meet, else the pictures' corners
  bool antialias = false;      ///< shrinking takes the mean over what a pixel covers
};
/// Resizes pictures (N,C,H,W), as torch.nn.functional.interpolate.
Tensor interpolate(const Tensor& x, const InterpolateOptions& options, Caller caller = Caller::current());
/// Over the last `axes` axes of x (0: as many as weight or bias has, else one); weight and bias have their
/// shape, or are nothing. In all norms parameters may be f32 beside a 16-bit input. Ba, Kiros & Hinton 2016.
Tensor layer_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-6,
                  int axes = 0, Caller caller = Caller::current());
/// x / sqrt(mean of squares + eps) * weight over the last `axes` axes, as in layer_norm. Zhang & Sennrich
/// 2019.
Tensor rms_norm(const Tensor& x, const Tensor& weight = {}, double eps = 1e-6, int axes = 0,
                Caller caller = Caller::current());
/// Each channel of x (N,C) or (N,C,...), its result channels-last in memory; weight (C) and bias (C) or
/// nothing. In training, statistics of the batch, of which running_mean (C) and running_var (C; unbiased),
/// when given, take a share in place; else by the running ones. Ioffe & Szegedy 2015.
struct BatchNormOptions {
  bool training = false;
  double momentum = 0.1;  ///< share of the new batch in the running statistics
  double eps = 1e-5;
};
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight = {}, const Tensor& bias = {}, const BatchNormOptions& options = {},
                  Caller caller = Caller::current());
/// Each sample's channels of x (N,C,...) in groups of C / groups. Wu & He 2018.
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5, Caller caller = Caller::current());
/// Each channel of each sample of x (N,C,...). Ulyanov, Vedaldi & Lempitsky 2016.
Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5,
                     Caller caller = Caller::current());
/// exp(x) / sum(exp(x)) along one axis, any dense memory layout without a copy.
Tensor softmax(const Tensor& x, int axis = -1, Caller caller = Caller::current());
/// x - log(sum(exp(x))) along one axis.
Tensor log_softmax(const Tensor& x, int axis = -1, Caller caller = Caller::current());
struct AttentionOptions {
  /// Broadcasts to (N,NH,T,TK): floating, added to the scaled scores; or bool, true where a key is seen.
  /// Takes no gradient.
  Tensor mask = {};
  bool causal = false;  ///< query i sees keys 0 … i (of a mask too, if there is one)
  double dropout = 0;   ///< on the probabilities; draws from the ambient RngScope
  double scale = 0;     ///< 0: 1/sqrt(width)
};
/// softmax(scale * q k^T + mask) v for q (N,NH,T,width), k (N,KH,TK,width), v (N,KH,TK,any width), KH a
/// divisor of NH: (N,NH,T,any width). Memory is linear in T, forward and backward. As in PyTorch 2.5, a query
/// that sees no key gives zeros, and so do its gradients.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {}, Caller caller = Caller::current());
/// The same on packed qkv (N,T,3C), rows [q|k|v] and head-major inside, as timm packs it: (N,T,C).
Tensor packed_attention(const Tensor& qkv, int64_t heads, const AttentionOptions& options = {},
                        Caller caller = Caller::current());
/// Zeroes elements with probability p and scales the others by 1/(1-p). Draws from the ambient RngScope. p 0:
/// itself.
Tensor dropout(const Tensor& x, double p, Caller caller = Caller::current());
/// The same of whole samples x[n]. Huang et al. 2016. Sample n of the unsharded batch draws the same number
/// whatever the batch is cut into.
Tensor stochastic_depth(const Tensor& x, double p, Caller caller = Caller::current());
/// The same of whole channels x[n,c]. Tompson et al. 2015.
Tensor dropout2d(const Tensor& x, double p, Caller caller = Caller::current());
/// Pictures u8 (N,H,W,C) to floating (N,C,H,W), channels-last: (x/255 - mean[c]) / std[c]. No gradient.
Tensor normalize_images(const Tensor& pictures, const std::vector<float>& mean, const std::vector<float>& std,
                        DType dtype = DType::f32, Caller caller = Caller::current());

// --- losses. Mean over all elements or rows by default
// ---------------------------------------------------------------------------------------------
struct CrossEntropyOptions {
  double smoothing = 0;         ///< in [0,1): share of the uniform distribution in the wanted one
  int64_t ignore_index = -100;  ///< rows with this label count nothing
  Tensor weight = {};           ///< (C), of the classes; the mean is then weighted, too
  Reduction reduction = Reduction::mean;
};
/// Of logits (M,C) or (N,C,...) and labels i64 (M) or (N,...) in [0,C), or distributions of the logits' shape
/// and dtype. The mean is over the labels that count. Reduction none gives a loss per label.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options = {},
                     Caller caller = Caller::current());
Tensor cross_entropy(const Tensor& logits, const Tensor& target, double smoothing,
                     Caller caller = Caller::current());
struct NllLossOptions {
  int64_t ignore_index = -100;
  Tensor weight = {};
  Reduction reduction = Reduction::mean;
};
/// The same of logarithms of probabilities, as log_softmax gives them, and labels.
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& labels, const NllLossOptions& options = {},
                Caller caller = Caller::current());
struct BinaryCrossEntropyOptions {
  Tensor weight = {};      ///< of the elements; broadcasts to the input
  Tensor pos_weight = {};  ///< of the positive targets; broadcasts to the input
  Reduction reduction = Reduction::mean;
};
/// -(pos_weight * t * log(sigmoid(x)) + (1 - t) * log(1 - sigmoid(x))) * weight of logits x and targets t.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        const BinaryCrossEntropyOptions& options = {},
                                        Caller caller = Caller::current());
/// (x - t)^2, for x and t of one shape and dtype, like the losses below.
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean,
                Caller caller = Caller::current());
/// |x - t|.
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean,
               Caller caller = Caller::current());
/// (x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2. Girshick 2015.
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta = 1,
                      Reduction reduction = Reduction::mean, Caller caller = Caller::current());
/// (x - t)^2 / 2 where |x - t| <= delta, else delta * (|x - t| - delta / 2). Huber 1964.
Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1,
                  Reduction reduction = Reduction::mean, Caller caller = Caller::current());
struct KlDivOptions {
  bool log_target = false;  ///< the target holds logarithms, too
  Reduction reduction = Reduction::mean;
};
/// t * (log t - x) of logarithms of probabilities x; nothing where t is 0. Sum and division by the number of
/// rows give the divergence itself.
Tensor kl_div(const Tensor& x, const Tensor& target, const KlDivOptions& options = {},
              Caller caller = Caller::current());
/// a.b / (max(|a|, eps) max(|b|, eps)) along one axis, for a and b of one shape and dtype.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis = 1, double eps = 1e-8,
                         Caller caller = Caller::current());

}  // namespace iskra
