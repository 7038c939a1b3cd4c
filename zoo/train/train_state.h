// What a training run carries from step to step besides weights and moments: a checkpoint's state.json.
#pragma once

#include <cstdint>
#include <string>

#include <iskra/zoo/train/result.h>

namespace iskra::zoo {

/// Sums over the steps since the last line of metrics.
struct TrainWindow {
  double loss = 0;      ///< sum of the steps' losses
  int64_t correct = 0;  ///< pictures
  int64_t pictures = 0;
  int64_t steps = 0;
};

struct TrainState {
  int64_t step = 0;   ///< updates made
  int64_t epoch = 0;  ///< of the next batch
  int64_t batch = 0;  ///< of the next batch, within its epoch
  int64_t train_pictures = 0;
  bool has_best = false;
  EvalPoint best;
  TrainWindow window;
  uint64_t metrics_bytes = 0;  ///< length of metrics.jsonl
  double seconds = 0;          ///< wall time so far

  std::string to_json() const;
  /// Throws Error naming `path` and what is wrong.
  static TrainState from_json(const std::string& json, const std::string& path);
};

}  // namespace iskra::zoo
