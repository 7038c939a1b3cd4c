// Everything that decides what a training run computes. One list, visit_options(), names the options once:
// flags of the program, config.json, the checks and the comparison at --resume are all made from it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace iskra::zoo {

struct TrainOptions {
  // what is trained, on what
  std::string arch = {};              ///< "" takes it from the weights' metadata
  std::string data = {};              ///< folder with IDX or IDX.gz files
  std::vector<int64_t> classes = {};  ///< labels to use, renumbered 0, 1, … in this order; empty: all
  std::string weights = {};           ///< safetensors to start from; "" from scratch
  std::string strategy = "scratch";
  std::string out = {};  ///< folder of the run; "" writes nothing
  // how much data
  int64_t limit = 0;          ///< at most so many training pictures; 0: all
  int64_t per_class = 0;      ///< so many training pictures of each class; 0: all
  double val = 0.1;           ///< share of the training set held out for validation
  int64_t val_per_class = 0;  ///< so many validation pictures of each class; 0: all of that share
  // how long; both zero mean ten epochs
  int64_t epochs = 0;
  int64_t steps = 0;
  int64_t batch = 64;
  // optimizer and schedule (warm-up, then half a cosine)
  std::string optimizer = "adamw";
  double lr = 1e-3;
  double final_lr = 0;
  double warmup = 0.05;  ///< share of all steps
  double momentum = 0.9;
  double weight_decay = 0.05;
  // regularisation
  double label_smoothing = 0;
  double dropout = -1;  ///< -1: the architecture's own
  bool flip = false;
  int64_t shift = 0;  ///< pixels, up to so many in each direction
  // where and how
  std::string device = "cpu";
  std::string precision = "fp32";
  std::string provider = "fastest";
  bool exact_convolutions = false;  ///< see ExactConvolutions
  int64_t threads = 0;              ///< 0: all
  bool graph = false;               ///< each step as one CUDA graph, see StepGraph
  bool sync = false;                ///< see set_synchronous()
  int64_t seed = 0;
  // rhythm, in steps
  int64_t log_every = 10;
  int64_t eval_every = 0;        ///< 0: every epoch, or a hundredth of the run where that is more
  int64_t checkpoint_every = 0;  ///< 0: every epoch, or a hundredth of the run where that is more
  int64_t keep = 2;              ///< checkpoints
};

/// What is known of one option. Numbers lie in [low, high]; texts, where choices is not "", are one of
/// "a|b|c".
struct OptionInfo {
  const char* name;
  const char* help;
  double low = 0, high = 0;
  const char* choices = "";
  bool free_at_resume = false;  ///< changes neither weights nor metrics
};

/// Calls f(member, info) for every option, in a fixed order. Members are std::string, int64_t, double, bool
/// or std::vector<int64_t>.
template <class Options, class F>
void visit_options(Options& o, F&& f) {
  using I = OptionInfo;
  constexpr double kMany = 1e12;
  f(o.arch, I{.name = "arch", .help = "architecture; `iskra models` lists them"});
  f(o.data, I{.name = "data", .help = "folder with IDX files (train-images-idx3-ubyte[.gz] …)"});
  f(o.classes,
    I{.name = "classes", .help = "labels to use, in this order: 0,2,4; all when left out", .high = 1e6});
  f(o.weights, I{.name = "weights", .help = "safetensors file to start from"});
  f(o.strategy, I{.name = "strategy",
                  .help = "what is trained: full, head, last:K (head and last K blocks), or scratch"});
  f(o.out, I{.name = "out",
             .help = "folder of the run: config, metrics, checkpoints, weights, report",
             .free_at_resume = true});
  f(o.limit, I{.name = "limit", .help = "at most so many training pictures (0: all)", .high = kMany});
  f(o.per_class,
    I{.name = "per_class", .help = "so many training pictures of each class (0: all)", .high = kMany});
  f(o.val, I{.name = "val", .help = "share of the training set held out for validation", .high = 0.9});
  f(o.val_per_class, I{.name = "val_per_class",
                       .help = "so many validation pictures of each class (0: all of that share)",
                       .high = kMany});
  f(o.epochs, I{.name = "epochs",
                .help = "passes over the training set (10 when neither this nor steps is given)",
                .high = 1e6});
  f(o.steps, I{.name = "steps", .help = "updates, instead of epochs", .high = kMany});
  f(o.batch, I{.name = "batch", .help = "pictures a step", .low = 1, .high = 65536});
  f(o.optimizer, I{.name = "optimizer", .help = "adamw or sgd", .choices = "adamw|sgd"});
  f(o.lr, I{.name = "lr", .help = "highest learning rate", .high = 100});
  f(o.final_lr, I{.name = "final_lr", .help = "learning rate at the end", .high = 100});
  f(o.warmup, I{.name = "warmup", .help = "share of the steps with a growing learning rate", .high = 1});
  f(o.momentum, I{.name = "momentum", .help = "of sgd", .high = 0.9999});
  f(o.weight_decay, I{.name = "weight_decay",
                      .help = "decoupled for adamw, L2 for sgd; not on biases and norms",
                      .high = 10});
  f(o.label_smoothing,
    I{.name = "label_smoothing", .help = "share of the uniform distribution in the targets", .high = 0.999});
  f(o.dropout,
    I{.name = "dropout", .help = "probability (-1: the architecture's own)", .low = -1, .high = 0.99});
  f(o.flip, I{.name = "flip", .help = "mirror half of the training pictures"});
  f(o.shift, I{.name = "shift", .help = "move training pictures by up to so many pixels", .high = 1024});
  f(o.device, I{.name = "device", .help = "cpu or cuda"});
  f(o.precision, I{.name = "precision", .help = "number format", .choices = "fp32|bf16|fp16"});
  f(o.provider, I{.name = "provider",
                  .help = "who computes products and convolutions",
                  .choices = "fastest|native|vendor"});
  f(o.exact_convolutions, I{.name = "exact_convolutions",
                            .help = "no Winograd transforms: slower 3x3 convolutions, summed term by term"});
  f(o.threads, I{.name = "threads",
                 .help = "0: all; results do not depend on it",
                 .high = 4096,
                 .free_at_resume = true});
  f(o.graph, I{.name = "graph",
               .help = "record a step once, then launch it as one CUDA graph; the same bits",
               .free_at_resume = true});
  f(o.sync, I{.name = "sync",
              .help = "wait for every op on a CUDA device, so that an error names it",
              .free_at_resume = true});
  f(o.seed, I{.name = "seed",
              .help = "of initial weights, order, augmentation and dropout",
              .high = 9007199254740992.0});
  f(o.log_every,
    I{.name = "log_every", .help = "steps between two lines of training metrics", .low = 1, .high = kMany});
  f(o.eval_every,
    I{.name = "eval_every",
      .help = "steps between two evaluations (0: an epoch, or a hundredth of the run where that is more)",
      .high = kMany});
  f(o.checkpoint_every,
    I{.name = "checkpoint_every",
      .help = "steps between two checkpoints (0: an epoch, or a hundredth of the run where that is more)",
      .high = kMany,
      .free_at_resume = true});
  f(o.keep, I{.name = "keep", .help = "checkpoints kept", .low = 1, .high = 1e6, .free_at_resume = true});
}

/// Throws Error naming the option, its value and its range or choices.
void check_options(const TrainOptions& options);

/// A JSON object with every option; and back (missing keys keep their defaults, unknown keys are an error).
std::string options_to_json(const TrainOptions& options);
TrainOptions options_from_json(const std::string& json);

/// Name and value of every option as text.
std::vector<std::pair<std::string, std::string>> options_as_text(const TrainOptions& options);

/// Throws Error listing every option that differs between a run and what is asked now (those that cannot
/// change the result excepted), with both values and what to do.
void check_same_options(const TrainOptions& run, const TrainOptions& now);

}  // namespace iskra::zoo
