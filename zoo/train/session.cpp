#include <algorithm>
#include <cmath>

#include <iskra/core/allocator.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/kernels/check.h>
#include <iskra/zoo/train/evaluate.h>
#include <iskra/zoo/train/json_line.h>
#include <iskra/zoo/train/report.h>
#include <iskra/zoo/train/session.h>
#include <iskra/zoo/train/throughput.h>
#include <iskra/zoo/weights/files.h>

namespace iskra::zoo {

namespace {

constexpr int64_t kMistakes = 48;

bool all_finite(const std::vector<nn::Named>& tensors) {
  for (const nn::Named& t : tensors) {
    if (!is_floating(t.tensor.dtype())) continue;
    std::vector<float> values = t.tensor.to(DType::f32).to_vector<float>();
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) return false;
  }
  return true;
}

int64_t count_correct(const Tensor& logits, const Tensor& labels) {
  std::vector<int64_t> said = argmax(logits.detach()).to_vector<int64_t>(),
                       truth = labels.to_vector<int64_t>();
  int64_t correct = 0;
  for (size_t i = 0; i < truth.size(); ++i) correct += said[i] == truth[i];
  return correct;
}

}  // namespace

TrainResult TrainSession::run() {
  reset_peak_memory(device_);
  model_.module->train();
  RngScope random({.seed = static_cast<uint64_t>(options_.seed), .step = state_.step});
  if (options_.graph) graph_.emplace(device_);
  while (state_.step < result_.steps) {
    step();
    random.advance();
    bool last = state_.step == result_.steps;
    bool stop = !last && control_.stop && control_.stop();
    if (last || state_.step % options_.log_every == 0) log_window();
    if (last || state_.step % eval_every_ == 0) evaluate_now();
    if (last || stop || state_.step % checkpoint_every_ == 0) save();
    if (stop) {
      result_.interrupted = true;
      break;
    }
  }
  return finish();
}

void TrainSession::step() {
  Clock::time_point begin = Clock::now();
  Batch batch;
  while (!loader_->next(batch)) {
  }
  double rate = schedule_.at(state_.step);
  optimizer_->set_learning_rate(rate);
  const int64_t pictures = batch.labels.numel();
  // An epoch's last batch may be smaller, and a graph is of one size.
  const bool whole = pictures == options_.batch;
  const auto [loss, correct] = graph_ && whole ? compute_by_graph(batch) : compute(batch);
  ++state_.step;
  state_.epoch = state_.step / result_.steps_per_epoch;
  state_.batch = state_.step % result_.steps_per_epoch;
  double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  step_seconds_.push_back(seconds);
  rates_.push_back(static_cast<double>(pictures) / seconds);
  window_rates_.push_back(rates_.back());
  TrainWindow& w = state_.window;
  w.loss += loss;
  w.correct += correct;
  w.pictures += pictures;
  ++w.steps;
  if (control_.on_step) {
    control_.on_step({.step = state_.step,
                      .epoch = epoch_now(),
                      .loss = loss,
                      .accuracy = static_cast<double>(correct) / static_cast<double>(pictures),
                      .learning_rate = rate,
                      .images_per_s = rates_.back()});
  }
}

TrainSession::StepResult TrainSession::compute(const Batch& batch) {
  Tensor logits = (*model_.module)(batch.images.to(device_));
  Tensor loss = cross_entropy(logits, batch.labels.to(device_), options_.label_smoothing);
  const double value = loss.item();
  check_finite_loss(value, "training");
  loss.backward();
  const int64_t correct = count_correct(logits, batch.labels);
  optimizer_->step();
  return {value, correct};
}

// The same work with one launch. The loss is looked at when the step is over.
TrainSession::StepResult TrainSession::compute_by_graph(const Batch& batch) {
  if (!fixed_.images.defined()) fixed_ = {batch.images.to(device_), batch.labels.to(device_)};
  fixed_.images.copy_from(batch.images);
  fixed_.labels.copy_from(batch.labels);
  optimizer_->prepare_step();
  graph_->run([&] {
    logits_ = (*model_.module)(fixed_.images);
    Tensor loss = cross_entropy(logits_, fixed_.labels, options_.label_smoothing);
    loss.backward();
    loss_ = loss.detach();
    logits_ = logits_.detach();
    optimizer_->step();
  });
  const double value = loss_.item();
  check_finite_loss(value, "training");
  return {value, count_correct(logits_, batch.labels)};
}

void TrainSession::check_finite_loss(double loss, const char* which) const {
  if (std::isfinite(loss)) return;
  std::string kept = "nothing was saved";
  if (folder_) {
    std::vector<std::string> checkpoints = list_checkpoints(folder_->checkpoints());
    if (!checkpoints.empty()) kept = checkpoints.back() + " is kept";
  }
  throw Error(text("the ", which, " loss is ", std::isnan(loss) ? "NaN" : "infinite", " at step ",
                   state_.step, " (learning rate ", json_number(optimizer_->learning_rate()), "); ", kept,
                   "; try a smaller --lr or a longer --warmup"));
}

void TrainSession::write_line(const JsonLine& line) {
  if (metrics_) metrics_->append(line.str());
  if (control_.on_line) control_.on_line(line.str());
}

void TrainSession::log_window() {
  TrainWindow& w = state_.window;
  TrainPoint point{.step = state_.step,
                   .epoch = epoch_now(),
                   .loss = w.loss / static_cast<double>(w.steps),
                   .accuracy = static_cast<double>(w.correct) / static_cast<double>(w.pictures),
                   .learning_rate = optimizer_->learning_rate(),
                   .images_per_s = median(window_rates_)};
  result_.train_curve.push_back(point);
  result_.peak_memory_bytes = static_cast<int64_t>(memory_stats(device_).peak_bytes);
  write_line(train_line(result_, point));
  w = {};
  window_rates_.clear();
  if (control_.on_log) control_.on_log(point);
}

void TrainSession::evaluate_now() {
  if (data_.validation.empty()) return;
  Evaluation e = evaluate(*model_.module, data_.validation,
                          {.mean = model_.info.mean, .std = model_.info.std, .device = device_});
  check_finite_loss(e.loss, "validation");
  EvalPoint point{.step = state_.step, .epoch = epoch_now(), .loss = e.loss, .accuracy = e.accuracy};
  bool best = !state_.has_best || point.accuracy > state_.best.accuracy;
  result_.validation_curve.push_back(point);
  if (best) {
    state_.has_best = true;
    state_.best = result_.best = point;
    result_.validation = std::move(e);
    keep_best();
  }
  write_line(eval_line(result_, point, best));
  if (control_.on_eval) control_.on_eval(point, best);
}

void TrainSession::keep_best() {
  best_weights_.clear();
  for (const nn::Named& t : model_.module->state())
    best_weights_.push_back({t.name, t.tensor.detach().clone()});
  if (folder_) save_weights(folder_->best());
}

void TrainSession::save_weights(const std::string& path) {
  ModelInfo info = model_.info;
  info.extra["step"] = std::to_string(state_.step);
  zoo::save(*model_.module, path, info);
}

void TrainSession::save() {
  if (!folder_) return;
  // An update can break the weights before a loss shows it; such a state must not push out a good one.
  if (!all_finite(model_.module->state())) check_finite_loss(std::nan(""), "next");
  state_.metrics_bytes = metrics_->sync();
  state_.seconds = seconds_now();
  Checkpoint checkpoint{.step = state_.step,
                        .model = model_.module->state(),
                        .optimizer = optimizer_->state(),
                        .state = state_.to_json(),
                        .metadata = to_metadata(model_.info)};
  save_checkpoint(folder_->checkpoints(), checkpoint, static_cast<int>(options_.keep));
}

double TrainSession::epoch_now() const {
  return static_cast<double>(state_.step) / static_cast<double>(result_.steps_per_epoch);
}

double TrainSession::seconds_now() const {
  return seconds_before_ + std::chrono::duration<double>(Clock::now() - begin_).count();
}

TrainResult TrainSession::finish() {
  result_.stopped_at = state_.step;
  result_.throughput = summarise_steps(step_seconds_, rates_);
  if (!result_.interrupted) evaluate_best();
  result_.seconds = seconds_now();
  if (!result_.interrupted) write_line(result_line(result_));
  if (metrics_) metrics_->sync();
  if (!result_.interrupted && folder_ && control_.report)
    atomic_write(folder_->report(), report_html(result_));
  return result_;
}

void TrainSession::evaluate_best() {
  if (folder_) save_weights(folder_->last());
  if (!state_.has_best) keep_best();  // no validation split: the last weights are the best that is known
  copy_state(best_weights_, model_.module->state(), "best weights");
  if (folder_) result_.best_weights = folder_->best();
  EvaluateOptions how{.mean = model_.info.mean, .std = model_.info.std, .device = device_};
  if (result_.validation.count == 0) result_.validation = evaluate(*model_.module, data_.validation, how);
  result_.test = evaluate(*model_.module, data_.test, how);
  bool on_test = result_.test.count > 0;
  result_.mistakes = worst_mistakes(on_test ? result_.test : result_.validation,
                                    on_test ? data_.test : data_.validation, kMistakes);
}

TrainResult train(const TrainOptions& options, const TrainData& data, const TrainControl& control) {
  check_options(options);
  return TrainSession(options, data, control).run();
}

TrainResult train(const TrainOptions& options, const TrainControl& control) {
  check_options(options);
  return TrainSession(options, read_train_data(options.data), control).run();
}

}  // namespace iskra::zoo
