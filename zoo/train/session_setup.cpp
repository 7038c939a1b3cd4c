#include <algorithm>
#include <cmath>

#include <iskra/core/allocator.h>
#include <iskra/kernels/check.h>
#include <iskra/zoo/train/session.h>
#include <iskra/zoo/train/strategy.h>
#include <iskra/zoo/weights/files.h>
#include <iskra/zoo/weights/safetensors.h>

namespace iskra::zoo {

namespace {

Provider parse_provider(const std::string& name) {
  return name == "native" ? Provider::native : name == "vendor" ? Provider::vendor : Provider::fastest;
}

}  // namespace

void copy_state(const std::vector<nn::Named>& from, const std::vector<nn::Named>& to,
                const std::string& path) {
  ISKRA_CHECK(from.size() == to.size(), path, ": ", from.size(), " tensors, but the model has ", to.size());
  for (const nn::Named& t : to) {
    auto at = std::find_if(from.begin(), from.end(), [&](const nn::Named& f) { return f.name == t.name; });
    ISKRA_CHECK(at != from.end(), path, ": tensor ", t.name, " is missing");
    ISKRA_CHECK(at->tensor.shape() == t.tensor.shape(), path, ": ", t.name, " is ", at->tensor.shape(),
                ", but the model's is ", t.tensor.shape());
    Tensor target = t.tensor;
    target.copy_from(at->tensor);
  }
}

TrainSession::TrainSession(const TrainOptions& options, const TrainData& all, const TrainControl& control)
    : options_(options), control_(control), device_(Device::parse(options.device)), begin_(Clock::now()) {
  if (options_.epochs == 0 && options_.steps == 0) options_.epochs = 10;
  set_threads(static_cast<int>(options_.threads));
  context().provider = parse_provider(options_.provider);
  context().winograd = !options_.exact_convolutions;
  set_synchronous(options_.sync);
  data_ = cut_train_data(all, options_);
  model_ = model_for_training(options_, data_.train);
  options_.arch = model_.info.arch;
  model_.module->to(device_);
  plan();
  make_optimizer();
  start();
}

void TrainSession::plan() {
  const TrainOptions& o = options_;
  LoaderOptions loading{.batch = o.batch,
                        .shuffle = true,
                        .seed = static_cast<uint64_t>(o.seed),
                        .augment = {.flip = o.flip, .shift = o.shift},
                        .mean = model_.info.mean,
                        .std = model_.info.std,
                        .device = device_};
  loader_.emplace(data_.train, loading);
  result_.arch = o.arch;
  result_.strategy = o.strategy;
  result_.device = device_.str();
  result_.precision = o.precision;
  result_.parameters = model_.module->parameter_count();
  for (const nn::Named& p : model_.module->parameters()) {
    if (p.tensor.requires_grad()) result_.trainable_parameters += p.tensor.numel();
  }
  result_.train_pictures = data_.train.size();
  result_.validation_pictures = data_.validation.size();
  result_.test_pictures = data_.test.size();
  result_.batch = o.batch;
  result_.steps_per_epoch = loader_->batches();
  result_.steps = o.steps > 0 ? o.steps : o.epochs * result_.steps_per_epoch;
  result_.class_names = data_.train.classes();
  result_.config = options_as_text(o);
  result_.folder = o.out;
  // Short epochs (few labels) would otherwise be mostly evaluation.
  int64_t rhythm = std::max(result_.steps_per_epoch, result_.steps / 100);
  eval_every_ = o.eval_every > 0 ? o.eval_every : rhythm;
  checkpoint_every_ = o.checkpoint_every > 0 ? o.checkpoint_every : rhythm;
}

void TrainSession::make_optimizer() {
  const TrainOptions& o = options_;
  if (o.optimizer == "adamw") {
    optimizer_ = std::make_unique<nn::AdamW>(model_.module->parameters(),
                                             nn::AdamWConfig{.lr = o.lr, .weight_decay = o.weight_decay});
  } else {
    optimizer_ = std::make_unique<nn::SGD>(
        model_.module->parameters(),
        nn::SGDConfig{.lr = o.lr, .momentum = o.momentum, .weight_decay = o.weight_decay});
  }
  auto warmup = static_cast<int64_t>(std::llround(o.warmup * static_cast<double>(result_.steps)));
  schedule_ = {.peak = o.lr, .floor = o.final_lr, .warmup = warmup, .total = result_.steps};
}

void TrainSession::start() {
  state_.train_pictures = data_.train.size();
  if (options_.out.empty()) {
    ISKRA_CHECK(!control_.resume, "resume: no folder given");
  } else {
    folder_.emplace(options_.out);
    std::optional<LoadedCheckpoint> checkpoint;
    if (control_.resume) {
      check_same_options(folder_->options(), options_);
      checkpoint = load_latest_checkpoint(folder_->checkpoints());
    } else {
      folder_->create(options_, result_);
    }
    if (checkpoint) {
      restore(*checkpoint);
    } else {
      metrics_.emplace(folder_->metrics(), 0);
      make_folders(folder_->checkpoints());
    }
    clean_checkpoints(folder_->checkpoints());
  }
  for (const std::string& line : model_.notes) note(line);
  if (control_.on_start) control_.on_start(result_);
}

void TrainSession::restore(const LoadedCheckpoint& loaded) {
  for (const std::string& warning : loaded.warnings) note(warning);
  const Checkpoint& checkpoint = loaded.checkpoint;
  state_ = TrainState::from_json(checkpoint.state, loaded.path);
  ISKRA_CHECK(state_.train_pictures == data_.train.size() && state_.step == checkpoint.step &&
                  state_.step == state_.epoch * result_.steps_per_epoch + state_.batch,
              loaded.path, ": was made with ", state_.train_pictures, " training pictures, now there are ",
              data_.train.size(), "; the data in ", options_.data, " has changed, start a new run");
  metrics_.emplace(folder_->metrics(), state_.metrics_bytes);
  copy_state(checkpoint.model, model_.module->state(), loaded.path);
  optimizer_->load_state(checkpoint.optimizer, state_.step);
  loader_->seek(state_.epoch, state_.batch);
  seconds_before_ = state_.seconds;
  read_curves(folder_->metrics(), result_);
  if (state_.has_best) {
    best_weights_ = SafetensorsFile::open(folder_->best()).read_all();
    result_.best = state_.best;
  }
  model_.notes = {text("resumed at step ", state_.step, " of ", result_.steps)};
}

void TrainSession::note(const std::string& line) const {
  if (control_.on_note) control_.on_note(line);
}

}  // namespace iskra::zoo
