// One run of train(): the parts that its steps share. For the trainer's own files.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include <iskra/core/context.h>
#include <iskra/core/step_graph.h>
#include <iskra/nn/optim.h>
#include <iskra/zoo/data/loader.h>
#include <iskra/zoo/train/model_setup.h>
#include <iskra/zoo/train/run_folder.h>
#include <iskra/zoo/train/train_data.h>
#include <iskra/zoo/train/train_state.h>
#include <iskra/zoo/train/trainer.h>
#include <iskra/zoo/weights/checkpoint_files.h>

namespace iskra::zoo {

class TrainSession {
  // First, so that it ends last: this thread's settings are put back when the session ends, also by an
  // exception.
  struct ContextGuard {
    Context before = context();
    ~ContextGuard() { context() = before; }
  } guard_;

 public:
  /// Checks everything that can be checked before computing, the folder included.
  TrainSession(const TrainOptions& options, const TrainData& all, const TrainControl& control);
  TrainResult run();

 private:
  using Clock = std::chrono::steady_clock;

  // session_setup.cpp
  void plan();
  void make_optimizer();
  void start();
  void restore(const LoadedCheckpoint& loaded);
  void note(const std::string& line) const;

  // session.cpp
  void step();
  struct StepResult {
    double loss;
    int64_t correct;
  };
  StepResult compute(const Batch& batch);
  StepResult compute_by_graph(const Batch& batch);
  void write_line(const JsonLine& line);
  void log_window();
  void evaluate_now();
  void keep_best();
  void save_weights(const std::string& path);
  void save();
  double epoch_now() const;
  double seconds_now() const;
  void check_finite_loss(double loss, const char* which) const;
  void evaluate_best();
  TrainResult finish();

  TrainOptions options_;
  TrainControl control_;
  Device device_;
  TrainData data_;
  ZooModel model_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  std::optional<StepGraph> graph_;
  Batch fixed_;           // what the graph reads
  Tensor loss_, logits_;  // what it writes
  nn::WarmupCosine schedule_;
  std::optional<Loader> loader_;
  std::optional<RunFolder> folder_;
  std::optional<MetricsFile> metrics_;
  TrainState state_;
  TrainResult result_;
  std::vector<nn::Named> best_weights_;
  std::vector<double> step_seconds_, window_rates_, rates_;
  Clock::time_point begin_;
  double seconds_before_ = 0;
  int64_t eval_every_ = 0, checkpoint_every_ = 0;
};

/// Overwrites the tensors of `to` with those of `from`, by name; throws, naming `path`, unless both have the
/// same names and shapes.
void copy_state(const std::vector<nn::Named>& from, const std::vector<nn::Named>& to,
                const std::string& path);

}  // namespace iskra::zoo
