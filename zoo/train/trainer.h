// Training a model of the zoo: from scratch, or from weights by one of the fine-tuning strategies.
#pragma once

#include <functional>
#include <string>

#include <iskra/zoo/train/options.h>
#include <iskra/zoo/train/result.h>
#include <iskra/zoo/train/train_data.h>

namespace iskra::zoo {

/// How a caller follows and steers a run. All are called on the training thread; each may be left empty.
struct TrainControl {
  bool resume = false;                                    ///< continue the run in options.out
  bool report = true;                                     ///< write report.html at the end (with a folder)
  std::function<void(const TrainResult& plan)> on_start;  ///< sizes, names and counts are filled in
  std::function<void(const TrainPoint& now)> on_step;     ///< after every step: that step alone
  std::function<void(const TrainPoint& mean)> on_log;     ///< every log_every steps
  std::function<void(const EvalPoint& point, bool best)> on_eval;
  std::function<void(const std::string& json)>
      on_line;  ///< every line of metrics.jsonl, also without a folder
  std::function<void(const std::string& line)> on_note;  ///< what a person should know: head replaced, …
  std::function<bool()> stop;                            ///< true: write a checkpoint and return
};

/// Runs (or with control.resume continues) what the options say. With options.out the folder then holds
/// config.json, metrics.jsonl, checkpoints/, best.safetensors, last.safetensors and report.html; an existing
/// run there is never overwritten. Weights, losses and metrics are a function of the options alone: not of
/// threads, not of interruptions. Throws Error on bad options, data or weights, before anything is computed;
/// and, naming the step, when the loss is no longer finite (the last checkpoint stays).
TrainResult train(const TrainOptions& options, const TrainControl& control = {});

/// The same on data that was read before (read_train_data), for several runs on it.
TrainResult train(const TrainOptions& options, const TrainData& data, const TrainControl& control = {});

}  // namespace iskra::zoo
