#include <cmath>

#include <iskra/core/autograd.h>
#include <iskra/core/ops.h>

namespace iskra {
namespace {

// Weights of a fixed, irregular pattern: the gradient of sum(weights * y) mixes every output element
// differently.
Tensor pattern_like(const Tensor& y) {
  std::vector<double> w(static_cast<size_t>(y.numel()));
  for (size_t i = 0; i < w.size(); ++i) w[i] = std::sin(1.0 + 2.399963 * static_cast<double>(i)) + 0.1;
  return Tensor::of(w, y.shape());
}

double weighted(const Tensor& y, const std::vector<double>& weights) {
  std::vector<double> values = y.to_vector<double>();
  double total = 0;
  for (size_t i = 0; i < values.size(); ++i) total += values[i] * weights[i];
  return total;
}

}  // namespace

void gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
               GradcheckOptions options) {
  std::vector<Tensor> leaves;
  for (const Tensor& x : inputs) {
    Tensor leaf = x.detach().clone();
    if (is_floating(x.dtype())) {
      ISKRA_CHECK(x.dtype() == DType::f64, "gradcheck: an input is ", x.str(),
                  "; finite differences need f64");
      leaf.set_requires_grad(x.requires_grad());
    }
    leaves.push_back(leaf);
  }
  Tensor y = f(leaves);
  Tensor pattern = pattern_like(y);
  std::vector<double> weights = pattern.to_vector<double>();
  backward(y, pattern);

  NoGrad no_grad;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].requires_grad()) continue;
    Tensor tape = leaves[i].grad().defined() ? leaves[i].grad()
                                             : Tensor::zeros(leaves[i].shape(), {.dtype = DType::f64});
    std::vector<double> analytic = tape.to_vector<double>();
    std::vector<double> at = leaves[i].to_vector<double>();
    for (size_t k = 0; k < at.size(); ++k) {
      auto moved = [&](double by) {
        std::vector<double> values = at;
        values[k] += by;
        std::vector<Tensor> trial = leaves;
        trial[i] = Tensor::of(values, leaves[i].shape());
        return weighted(f(trial), weights);
      };
      double numeric = (moved(options.eps) - moved(-options.eps)) / (2 * options.eps);
      double error = std::abs(numeric - analytic[k]);
      ISKRA_CHECK(error <= options.atol + options.rtol * std::abs(numeric), "gradcheck: input ", i,
                  ", element ", k, ": the tape says ", analytic[k], ", finite differences say ", numeric);
    }
  }
}

}  // namespace iskra
