#include <iskra/zoo/train/evaluate.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <iskra/core/context.h>
#include <iskra/core/ops.h>
#include <iskra/zoo/data/loader.h>

namespace iskra::zoo {

namespace {

class EvaluationMode {
 public:
  explicit EvaluationMode(nn::Module& model) : model_(model), before_(model.training()) { model.eval(); }
  ~EvaluationMode() { model_.train(before_); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  nn::Module& model_;
  bool before_;
};

/// Probabilities of one row of logits, in f64.
std::vector<double> probabilities(const float* logits, int64_t classes) {
  std::vector<double> p(logits, logits + classes);
  double highest = *std::max_element(p.begin(), p.end()), sum = 0;
  for (double& v : p) sum += v = std::exp(v - highest);
  for (double& v : p) v /= sum;
  return p;
}

/// Cross-entropy of one row; accurate also where the probability underflows.
double row_loss(const float* logits, int64_t classes, int64_t label) {
  double highest = *std::max_element(logits, logits + classes), sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - highest);
  return std::log(sum) + highest - logits[label];
}

void add_row(Evaluation& to, const float* logits, int64_t label) {
  int64_t classes = to.classes();
  int64_t predicted = std::max_element(logits, logits + classes) - logits;
  std::vector<double> p = probabilities(logits, classes);
  to.predictions.push_back({.index = to.count,
                            .label = label,
                            .predicted = predicted,
                            .probability = p[static_cast<size_t>(predicted)],
                            .label_probability = p[static_cast<size_t>(label)]});
  to.loss += row_loss(logits, classes, label);
  to.accuracy += predicted == label ? 1 : 0;
  ++to.confusion[static_cast<size_t>(label * classes + predicted)];
  ++to.count;
}

}  // namespace

Evaluation evaluate(nn::Module& model, const Dataset& data, const EvaluateOptions& options) {
  EvaluationMode mode(model);
  NoGrad no_grad;
  Evaluation result;
  result.class_names = data.classes();
  int64_t classes = data.class_count();
  result.confusion.assign(static_cast<size_t>(classes * classes), 0);
  if (data.empty()) return result;
  Loader loader(data, {.batch = options.batch, .mean = options.mean, .std = options.std});
  for (auto& [images, labels] : loader) {
    Tensor logits = model(images.to(options.device)).to(Device::cpu()).to(DType::f32);
    ISKRA_CHECK(logits.rank() == 2 && logits.size(1) == classes, "evaluate: the model gives ",
                logits.size(-1), " classes, but ", data.source(), " has ", classes,
                "; choose matching --classes or weights");
    std::vector<float> rows = logits.to_vector<float>();
    std::vector<int64_t> truth = labels.to_vector<int64_t>();
    for (size_t i = 0; i < truth.size(); ++i) {
      add_row(result, rows.data() + static_cast<int64_t>(i) * classes, truth[i]);
    }
  }
  result.loss /= static_cast<double>(result.count);
  result.accuracy /= static_cast<double>(result.count);
  return result;
}

std::vector<Mistake> worst_mistakes(const Evaluation& evaluation, const Dataset& data, int64_t count) {
  std::vector<Prediction> wrong;
  for (const Prediction& p : evaluation.predictions) {
    if (p.predicted != p.label) wrong.push_back(p);
  }
  std::sort(wrong.begin(), wrong.end(), [](const Prediction& a, const Prediction& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.index < b.index;
  });
  if (static_cast<int64_t>(wrong.size()) > count) wrong.resize(static_cast<size_t>(count));
  std::vector<Mistake> out;
  for (const Prediction& p : wrong) {
    const uint8_t* pixels = data.picture(p.index);
    out.push_back(
        {p, {data.height(), data.width(), data.channels(), {pixels, pixels + data.picture_bytes()}}});
  }
  return out;
}

double Evaluation::class_accuracy(int64_t label) const {
  int64_t all = 0;
  for (int64_t c = 0; c < classes(); ++c) all += confusion[static_cast<size_t>(label * classes() + c)];
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(confusion[static_cast<size_t>(label * classes() + label)]) /
         static_cast<double>(all);
}

}  // namespace iskra::zoo
