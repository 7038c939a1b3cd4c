#include <algorithm>
#include <cmath>
#include <utility>

#include <iskra/core/autograd.h>
#include <iskra/core/ops.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {
namespace {

using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

// Weights of a fixed, irregular pattern: the gradient of sum(weights * y) mixes every output element
// differently.
Tensor pattern_like(const Tensor& y) {
  std::vector<double> w(static_cast<size_t>(y.numel()));
  for (size_t i = 0; i < w.size(); ++i) w[i] = std::sin(1.0 + 2.399963 * static_cast<double>(i)) + 0.1;
  return Tensor::of(w, y.shape(), y.device());
}

double weighted(const Tensor& y, const std::vector<double>& weights) {
  std::vector<double> values = y.to_vector<double>();
  double total = 0;
  for (size_t i = 0; i < values.size(); ++i) total += values[i] * weights[i];
  return total;
}

// A copy with the strides of x, holes included; dense where elements of x share memory.
Tensor copy_with_strides(const Tensor& x) {
  int64_t span = x.numel() > 0 ? 1 : 0;
  bool shared = false;
  for (int i = 0; i < x.rank(); ++i) {
    shared = shared || (x.strides()[i] == 0 && x.shape()[i] > 1);
    span += std::max<int64_t>(x.shape()[i] - 1, 0) * x.strides()[i];
  }
  if (shared || x.numel() == 0) return x.detach().clone();
  Tensor y = detail::view_of(Tensor::zeros({span}, {.dtype = x.dtype(), .device = x.device()}), x.shape(),
                             x.strides());
  y.copy_from(x);
  return y;
}

std::vector<Tensor> leaves_of(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& x : inputs) {
    Tensor leaf = copy_with_strides(x.detach());
    if (is_floating(x.dtype())) {
      ISKRA_CHECK(x.dtype() == DType::f64, "gradcheck: an input is ", x.str(),
                  "; finite differences need f64");
      leaf.set_requires_grad(x.requires_grad());
    }
    leaves.push_back(leaf);
  }
  return leaves;
}

struct Output {
  size_t number;
  std::vector<double> weights;
};

// Runs the tape; says which outputs count and how.
std::vector<Output> run_tape(const Function& f, const std::vector<Tensor>& leaves) {
  std::vector<Tensor> roots, patterns;
  std::vector<Output> outputs;
  std::vector<Tensor> ys = f(leaves);
  for (size_t i = 0; i < ys.size(); ++i) {
    if (!ys[i].requires_grad()) continue;
    roots.push_back(ys[i]);
    patterns.push_back(pattern_like(ys[i]));
    outputs.push_back({i, patterns.back().to_vector<double>()});
  }
  ISKRA_CHECK(!roots.empty(), "gradcheck: no output of f depends on an input that requires a gradient");
  backward(roots, patterns);
  return outputs;
}

void check_leaf(const Function& f, const std::vector<Tensor>& leaves, size_t i,
                const std::vector<Output>& outputs, const GradcheckOptions& options) {
  Tensor tape = leaves[i].grad().defined() ? leaves[i].grad() : Tensor::zeros_like(leaves[i].detach());
  std::vector<double> analytic = tape.to_vector<double>();
  std::vector<double> at = leaves[i].to_vector<double>();
  for (size_t k = 0; k < at.size(); ++k) {
    auto moved = [&](double by) {
      std::vector<double> values = at;
      values[k] += by;
      std::vector<Tensor> trial = leaves;
      trial[i] = copy_with_strides(leaves[i]);
      trial[i].copy_from(Tensor::of(values, leaves[i].shape(), Device::cpu()));
      std::vector<Tensor> ys = f(trial);
      double total = 0;
      for (const Output& output : outputs) total += weighted(ys[output.number], output.weights);
      return total;
    };
    double numeric = (moved(options.eps) - moved(-options.eps)) / (2 * options.eps);
    double error = std::abs(numeric - analytic[k]);
    ISKRA_CHECK(error <= options.atol + options.rtol * std::abs(numeric), "gradcheck: input ", i,
                ", element ", k, ": the tape says ", analytic[k], ", finite differences say ", numeric);
  }
}

}  // namespace

void gradcheck(const Function& f, const std::vector<Tensor>& inputs, GradcheckOptions options) {
  const std::vector<Tensor> leaves = leaves_of(inputs);
  const std::vector<Output> outputs = run_tape(f, leaves);
  NoGrad no_grad;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].requires_grad()) check_leaf(f, leaves, i, outputs, options);
  }
}

void gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
               GradcheckOptions options) {
  gradcheck(Function([&](const std::vector<Tensor>& xs) { return std::vector<Tensor>{f(xs)}; }), inputs,
            options);
}

}  // namespace iskra
