// What transfer buys: a model pre-trained on some classes is fine-tuned to others with few labels, in several
// ways, and compared with training from scratch. Every way gets the same labels, the same number of steps and
// the same choice of learning rate and epoch on a validation split; the test pictures are looked at once,
// with what was chosen.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <iskra/zoo/train/interval.h>
#include <iskra/zoo/train/options.h>
#include <iskra/zoo/train/result.h>

namespace iskra::zoo {

/// One way to train, with the learning rates to choose from.
struct TransferWay {
  std::string name;      ///< for people
  std::string strategy;  ///< scratch, head, last:K or full
  std::vector<double> learning_rates;
};

struct TransferModel {
  std::string name = {};  ///< for people
  TrainOptions pretrain = {};
  TrainOptions target = {};  ///< what all ways share; strategy, lr and the data are set by the study
  std::vector<TransferWay> ways = {};  ///< the first is the reference that the others are compared with
};

struct TransferPlan {
  std::string data = {};  ///< folder with IDX files
  std::string out = {};   ///< folder for all runs; must not hold any
  std::vector<int64_t> source_classes = {}, target_classes = {};
  std::vector<int64_t> labels_per_class = {};  ///< of the target classes
  std::vector<int64_t> seeds = {};             ///< each draws everything anew: weights, labels, splits, order
  int64_t validation_per_class = 100;
  int64_t threads = 0;
  std::vector<TransferModel> models = {};
};

/// The study that `iskra demo` runs, on Fashion-MNIST: classes 0 2 4 6 8, then 1 3 5 7 9 with 20 and 200
/// labels each.
TransferPlan fashion_transfer_plan(const std::string& data, const std::string& out);

struct TransferPretrained {
  std::string arch = {};
  int64_t seed = 0, steps = 0;
  Evaluation test = {};  ///< of the source classes
  double seconds = 0, images_per_s_median = 0;
  std::string folder = {}, weights = {};
};

/// One training run on the target classes.
struct TransferRun {
  std::string arch = {}, strategy = {};
  int64_t labels_per_class = 0, seed = 0, steps = 0;
  double learning_rate = 0;
  EvalPoint best = {};  ///< on the validation split
  int64_t trainable_parameters = 0;
  double seconds = 0, images_per_s_median = 0;
  std::string folder = {};
  bool chosen = false;  ///< best of its learning rates
};

/// One way, one model, one number of labels: what was chosen for each seed, and how it did on the test
/// pictures.
struct TransferRow {
  std::string model = {}, arch = {}, way = {}, strategy = {};
  int64_t labels_per_class = 0, steps = 0, trainable_parameters = 0, test_pictures = 0;
  std::vector<double> learning_rates = {}, accuracies = {}, validation_accuracies = {};  ///< one a seed
  std::vector<std::string> folders = {};                                                 ///< one a seed
  Interval accuracy =
      {};  ///< Wilson's of the test pictures with one seed, Student's t of the seeds with several
  Interval lead =
      {};  ///< over the reference: paired by picture with one seed, by seed with several; 0 for itself
  bool reference = false;
};

struct TransferResult {
  std::vector<std::string> source_names = {}, target_names = {};
  std::vector<int64_t> seeds = {};
  int64_t validation_pictures = 0;
  std::vector<TransferPretrained> pretrained = {};
  std::vector<TransferRun> runs = {};  ///< all of them, chosen or not
  std::vector<TransferRow> rows = {};  ///< model by model, few labels first, ways in the plan's order
  double seconds = 0;
};

struct TransferControl {
  /// After every step of every run: steps done and planned in the whole study, and what runs now.
  std::function<void(int64_t done, int64_t planned, const std::string& what)> on_step;
  std::function<void(const TransferPretrained& run)> on_pretrained;
  std::function<void(const TransferRun& run)> on_run;
  std::function<bool()> stop = {};  ///< true: give up; the study throws Error
};

/// Runs the study. Throws Error on bad data or an `out` that already holds something.
TransferResult transfer_study(const TransferPlan& plan, const TransferControl& control = {});

}  // namespace iskra::zoo
