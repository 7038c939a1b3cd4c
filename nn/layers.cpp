#include <iskra/nn/layers.h>

#include <optional>

#include <iskra/core/random.h>
#include <iskra/nn/init.h>

namespace iskra::nn {
namespace {

// What `then` says, in passes of its own.
Tensor followed(const Tensor& y, const FusedOptions& then) {
  Tensor z = y;
  if (then.activation == Activation::relu) z = relu(y);
  if (then.activation == Activation::gelu) z = gelu(y);
  if (then.activation == Activation::gelu_tanh) z = gelu_tanh(y);
  return then.residual.defined() ? z + then.residual : z;
}

// A 16-bit product, of 16-bit parameters or under autocast, must not narrow a residual that is wider.
bool fits(const Tensor& x, const Tensor& residual) {
  return !residual.defined() || (residual.dtype() == x.dtype() && !context().autocast);
}

// layer(then), with the addition in a pass of its own where it does not fit.
template <class Layer>
Tensor fused(const Tensor& x, const FusedOptions& then, Layer layer) {
  if (fits(x, then.residual)) return layer(then);
  return layer(FusedOptions{.activation = then.activation}) + then.residual;
}

// Dropout stands between the sums and what follows, unless it does nothing.
Tensor dropped(Linear& last, Dropout& drop, const Tensor& x, const FusedOptions& then) {
  return drop.active() ? followed(drop(last(x)), then) : last(x, then);
}

std::optional<Activation> activation_of(const Module& module) {
  if (dynamic_cast<const ReLU*>(&module) != nullptr) return Activation::relu;
  if (dynamic_cast<const GELU*>(&module) != nullptr) return Activation::gelu;
  return {};
}

}  // namespace

Tensor Fusing::operator()(const Tensor& x, const FusedOptions& then) {
  name_children();
  RngPlace place(name());
  return forward(x, then);
}

Linear::Linear(int64_t in, int64_t out, bool with_bias) {
  ISKRA_CHECK(in > 0 && out > 0, "Linear: ", in, " inputs and ", out, " outputs; both must be positive");
  weight = parameter({out, in});
  init::fan_in_uniform(weight, in);
  if (!with_bias) return;
  bias = parameter({out});
  init::fan_in_uniform(bias, in);
}

Tensor Linear::forward(const Tensor& x, const FusedOptions& then) {
  return fused(x, then, [&](const FusedOptions& fits) { return linear(x, weight, bias, fits); });
}
void Linear::fields(Fields& f) { f("weight", weight)("bias", bias); }

Conv2d::Conv2d(const Conv2dConfig& c) {
  ISKRA_CHECK(c.in > 0 && c.out > 0 && c.kernel > 0 && c.groups > 0 && c.in % c.groups == 0, "Conv2d: ", c.in,
              " input channels, ", c.out, " outputs, kernel ", c.kernel, ", ", c.groups,
              " groups; all must be positive and the groups divide the channels");
  options_ = {.stride = {c.stride, c.stride},
              .padding = {c.padding, c.padding},
              .dilation = {c.dilation, c.dilation},
              .groups = c.groups};
  int64_t fan_in = c.in / c.groups * c.kernel * c.kernel;
  weight = parameter({c.out, c.in / c.groups, c.kernel, c.kernel});
  init::fan_in_uniform(weight, fan_in);
  if (!c.bias) return;
  bias = parameter({c.out});
  init::fan_in_uniform(bias, fan_in);
}

Tensor Conv2d::forward(const Tensor& x, const FusedOptions& then) {
  return fused(x, then, [&](const FusedOptions& fits) { return conv2d(x, weight, bias, options_, fits); });
}
void Conv2d::fields(Fields& f) { f("weight", weight)("bias", bias); }

LayerNorm::LayerNorm(int64_t width, double eps) : eps_(eps) {
  ISKRA_CHECK(width > 0, "LayerNorm: width ", width, " must be positive");
  weight = parameter({width});
  bias = parameter({width});
  init::ones(weight);
  init::zeros(bias);
}

Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, weight, bias, eps_); }
void LayerNorm::fields(Fields& f) { f("weight", weight)("bias", bias); }

Dropout::Dropout(double p) : p_(p) {
  ISKRA_CHECK(p >= 0 && p < 1, "Dropout: probability ", p, " must be in [0, 1)");
}

Tensor Dropout::forward(const Tensor& x) { return training() ? dropout(x, p_) : x; }

MaxPool2d::MaxPool2d(int64_t size, int64_t stride, int64_t padding) {
  int64_t step = stride > 0 ? stride : size;
  options_ = {.size = {size, size}, .stride = {step, step}, .padding = {padding, padding}};
}

Tensor MaxPool2d::forward(const Tensor& x) { return max_pool2d(x, options_); }

Attention::Attention(const AttentionConfig& c)
    : qkv(c.width, 3 * c.width, c.qkv_bias), proj(c.width, c.width), heads_(c.heads), drop_(c.dropout) {
  ISKRA_CHECK(c.heads > 0 && c.width % c.heads == 0, "Attention: width ", c.width, " does not divide into ",
              c.heads, " heads");
}

Tensor Attention::forward(const Tensor& x, const FusedOptions& then) {
  return dropped(proj, drop_, packed_attention(qkv(x), heads_), then);
}
void Attention::fields(Fields& f) { f("qkv", qkv)("proj", proj)("drop", drop_); }

Mlp::Mlp(const MlpConfig& c)
    : fc1(c.width, c.hidden), fc2(c.hidden, c.width), drop1_(c.dropout), drop2_(c.dropout) {}

Tensor Mlp::forward(const Tensor& x, const FusedOptions& then) {
  return dropped(fc2, drop2_, drop1_(fc1(x, {.activation = Activation::gelu})), then);
}
void Mlp::fields(Fields& f) { f("fc1", fc1)("fc2", fc2)("drop1", drop1_)("drop2", drop2_); }

TransformerBlock::TransformerBlock(const TransformerBlockConfig& c)
    : norm1(c.width),
      attn({.width = c.width, .heads = c.heads, .dropout = c.dropout}),
      norm2(c.width),
      mlp({.width = c.width, .hidden = c.hidden > 0 ? c.hidden : 4 * c.width, .dropout = c.dropout}) {}

Tensor TransformerBlock::forward(const Tensor& x) {
  Tensor h = attn(norm1(x), {.residual = x});
  return mlp(norm2(h), {.residual = h});
}

void TransformerBlock::fields(Fields& f) { f("norm1", norm1)("attn", attn)("norm2", norm2)("mlp", mlp); }

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (size_t i = 0; i < modules_.size(); ++i) {
    auto* fusing = dynamic_cast<Fusing*>(modules_[i].get());
    const auto activation = i + 1 < modules_.size() ? activation_of(*modules_[i + 1]) : std::nullopt;
    if (fusing != nullptr && activation) {
      y = (*fusing)(y, {.activation = *activation});
      ++i;
    } else {
      y = (*modules_[i])(y);
    }
  }
  return y;
}

void Sequential::fields(Fields& f) {
  for (size_t i = 0; i < modules_.size(); ++i) f(std::to_string(i), *modules_[i]);
}

}  // namespace iskra::nn
