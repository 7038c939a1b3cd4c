// Layers. Options are aggregates with designated initialisers; every layer is a Module and a plain member.
#pragma once

#include <memory>
#include <vector>

#include <iskra/core/ops.h>
#include <iskra/nn/module.h>

namespace iskra::nn {

/// A module whose last step makes sums, and which can do what follows in the same pass: an activation, then
/// an addition. Sequential hands it the ReLU or GELU behind it, TransformerBlock its residual.
class Fusing : public Module {
 public:
  using Module::operator();
  Tensor operator()(const Tensor& x, const FusedOptions& then);
  Tensor forward(const Tensor& x) override { return forward(x, {}); }
  /// activation(what the module computes of x) + residual. The sum is as wide as the wider of its operands.
  virtual Tensor forward(const Tensor& x, const FusedOptions& then) = 0;
};

/// y = x weight^T + bias; weight (out,in), bias (out).
class Linear : public Fusing {
 public:
  Tensor weight, bias;
  Linear(int64_t in, int64_t out, bool with_bias = true);
  using Fusing::forward;
  Tensor forward(const Tensor& x, const FusedOptions& then) override;
  void fields(Fields& f) override;
};

struct Conv2dConfig {
  int64_t in = 0, out = 0, kernel = 3, stride = 1, padding = 0, dilation = 1, groups = 1;
  bool bias = true;
};
/// x (N,in,H,W); weight (out,in/groups,kernel,kernel), bias (out).
class Conv2d : public Fusing {
 public:
  Tensor weight, bias;
  explicit Conv2d(const Conv2dConfig& config);
  using Fusing::forward;
  Tensor forward(const Tensor& x, const FusedOptions& then) override;
  void fields(Fields& f) override;

 private:
  Conv2dOptions options_;
};

/// Normalises the last axis (width); weight, bias (width).
class LayerNorm : public Module {
 public:
  Tensor weight, bias;
  explicit LayerNorm(int64_t width, double eps = 1e-6);
  Tensor forward(const Tensor& x) override;
  void fields(Fields& f) override;

 private:
  double eps_;
};

/// Zeroes elements with probability p while training.
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) override;
  /// Whether it changes anything now.
  bool active() const { return training() && p_ > 0; }

 private:
  double p_;
};

class ReLU final : public Module {
 public:
  Tensor forward(const Tensor& x) override { return relu(x); }
};

class GELU final : public Module {
 public:
  Tensor forward(const Tensor& x) override { return gelu(x); }
};

class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(int64_t size, int64_t stride = 0, int64_t padding = 0);
  Tensor forward(const Tensor& x) override;

 private:
  Pool2dOptions options_;
};

struct AttentionConfig {
  int64_t width = 0, heads = 1;
  bool qkv_bias = true;
  double dropout = 0;  ///< on the output projection
};
/// Multi-head self-attention on x (N,T,width); names qkv and proj as timm's.
class Attention : public Fusing {
 public:
  Linear qkv, proj;
  explicit Attention(const AttentionConfig& config);
  using Fusing::forward;
  Tensor forward(const Tensor& x, const FusedOptions& then) override;
  void fields(Fields& f) override;

 private:
  int64_t heads_;
  Dropout drop_;
};

struct MlpConfig {
  int64_t width = 0, hidden = 0;
  double dropout = 0;
};
/// fc2(gelu(fc1(x))) with dropout after both.
class Mlp : public Fusing {
 public:
  Linear fc1, fc2;
  explicit Mlp(const MlpConfig& config);
  using Fusing::forward;
  Tensor forward(const Tensor& x, const FusedOptions& then) override;
  void fields(Fields& f) override;

 private:
  Dropout drop1_, drop2_;
};

struct TransformerBlockConfig {
  int64_t width = 0, heads = 1, hidden = 0;  ///< hidden 0: four times the width
  double dropout = 0;
};
/// Pre-norm encoder block: x + attn(norm1(x)), then + mlp(norm2(.)). Names as timm's.
class TransformerBlock : public Module {
 public:
  LayerNorm norm1;
  Attention attn;
  LayerNorm norm2;
  Mlp mlp;
  explicit TransformerBlock(const TransformerBlockConfig& config);
  Tensor forward(const Tensor& x) override;
  void fields(Fields& f) override;
};

/// Modules in a row, named "0", "1", …; owns them. A ReLU or GELU behind a layer that is Fusing is done in
/// that layer's own pass.
class Sequential : public Module {
 public:
  Sequential() = default;
  template <class M>
  M& add(M module) {
    auto owned = std::make_unique<M>(std::move(module));
    M& ref = *owned;
    modules_.push_back(std::move(owned));
    return ref;
  }
  size_t size() const { return modules_.size(); }
  Module& operator[](size_t i) { return *modules_[i]; }
  Tensor forward(const Tensor& x) override;
  void fields(Fields& f) override;

 private:
  std::vector<std::unique_ptr<Module>> modules_;
};

}  // namespace iskra::nn
