// iskra train and iskra finetune: the same run, from fresh weights or from a file.
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/app/progress.h>
#include <iskra/zoo/train/run_folder.h>
#include <iskra/zoo/train/trainer.h>

namespace iskra::zoo {

namespace {

/// Follows a run: a bar on a terminal, plain lines elsewhere, JSON lines with --json.
class Follower {
 public:
  explicit Follower(const Console& console) : console_(console) {}

  TrainControl control(bool resume) {
    TrainControl c;
    c.resume = resume;
    c.on_start = [this](const TrainResult& plan) { start(plan); };
    c.on_step = [this](const TrainPoint& point) { step(point); };
    c.on_log = [this](const TrainPoint& point) { log(point); };
    c.on_eval = [this](const EvalPoint& point, bool best) { evaluation(point, best); };
    c.on_line = [this](const std::string& json) { console_.line(json); };
    c.on_note = [this](const std::string& line) { say(line); };
    c.stop = interrupted;
    return c;
  }

  void say(const std::string& line) {
    if (bar_) bar_->clear();
    console_.note(line);
  }

  void end() { bar_.reset(); }

 private:
  void start(const TrainResult& plan) {
    plan_ = plan;
    bar_ = std::make_unique<ProgressBar>(plan.steps);
    if (console_.json()) return;
    say(plan.arch + ", " + std::to_string(plan.class_names.size()) + " classes, strategy " + plan.strategy +
        ": " + grouped(plan.trainable_parameters) + " of " + grouped(plan.parameters) +
        " parameters are trained");
    say(grouped(plan.train_pictures) + " training, " + grouped(plan.validation_pictures) + " validation, " +
        grouped(plan.test_pictures) + " test pictures; " + grouped(plan.steps) + " steps of " +
        std::to_string(plan.batch) + ", " + grouped(plan.steps_per_epoch) + " an epoch");
  }

  void step(const TrainPoint& point) {
    bar_->show(point.step,
               "loss " + fixed(point.loss, 3) + "  " + fixed(point.images_per_s, 0) + " images/s");
  }

  void log(const TrainPoint& point) {
    if (is_terminal() || console_.json()) return;
    console_.say("step " + std::to_string(point.step) + "/" + std::to_string(plan_.steps) + "  loss " +
                 fixed(point.loss, 4) + "  accuracy " + percent(point.accuracy) + "  " +
                 fixed(point.images_per_s, 0) + " images/s");
  }

  void evaluation(const EvalPoint& point, bool best) {
    if (console_.json()) return;
    say("step " + std::to_string(point.step) + "/" + std::to_string(plan_.steps) + "  epoch " +
        fixed(point.epoch, 2) + "  validation loss " + fixed(point.loss, 4) + "  accuracy " +
        percent(point.accuracy) + (best ? "  (best)" : ""));
  }

  const Console& console_;
  TrainResult plan_;
  std::unique_ptr<ProgressBar> bar_;
};

void print_result(const Console& console, const TrainResult& r) {
  if (r.test.count > 0) {
    console.say("test accuracy " + percent(r.test.accuracy) + ", loss " + fixed(r.test.loss, 4) + " on " +
                grouped(r.test.count) + " pictures");
  }
  console.say(fixed(r.throughput.images_per_s_median, 0) + " images/s, " + seconds_text(r.seconds) +
              ", peak memory " + bytes_text(static_cast<double>(r.peak_memory_bytes)));
  console.say("weights: " + r.best_weights + "\nreport:  " + r.folder + "/report.html");
}

/// Adds a flag for every option that this command offers.
void add_options(Flags& flags, TrainOptions& options, bool finetune) {
  visit_options(options, [&](auto& value, const OptionInfo& info) {
    bool only_finetune = &value == static_cast<const void*>(&options.weights) ||
                         &value == static_cast<const void*>(&options.strategy);
    if (only_finetune && !finetune) return;
    using T = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_same_v<T, std::string>) {
      flags.add(info.name, value, info.help, info.choices);
    } else if constexpr (std::is_same_v<T, bool>) {
      flags.add(info.name, value, info.help);
    } else {
      flags.add(info.name, value, info.help, info.low, info.high);
    }
  });
}

/// The flags that were given, on top of the options of the run that is continued.
TrainOptions continued(const Flags& flags, TrainOptions given, bool finetune) {
  TrainOptions run = read_run_options(given.out);
  std::vector<void*> members;
  visit_options(run, [&](auto& value, const OptionInfo&) { members.push_back(&value); });
  size_t i = 0;
  visit_options(given, [&](auto& value, const OptionInfo& info) {
    using T = std::remove_reference_t<decltype(value)>;
    bool offered = finetune || (std::string(info.name) != "weights" && std::string(info.name) != "strategy");
    if (offered && flags.given(info.name)) *static_cast<T*>(members[i]) = value;
    ++i;
  });
  run.out = given.out;
  return run;
}

int run_training(const char* name, const char* summary, bool finetune, const Arguments& arguments) {
  TrainOptions options;
  if (finetune) options.strategy = "full";
  bool resume = false, json = false;
  Flags flags(name, summary);
  add_options(flags, options, finetune);
  flags.add("resume", resume, "continue the run in --out; flags left out keep its values");
  add_json(flags, json);
  flags.require("out");
  if (!flags.parse(arguments)) return 0;
  check_arch(options.arch);
  if (flags.given("epochs") && flags.given("steps")) {
    throw UsageError("--epochs and --steps both say how long to train; give one of them");
  }
  if (resume) {
    options = continued(flags, options, finetune);
  } else {
    const char* wanted = finetune ? "weights" : "arch";
    if (options.data.empty()) throw UsageError("--data is missing");
    if (!flags.given(wanted)) throw UsageError(Flags::flag_name(wanted) + " is missing");
  }
  try {
    check_options(options);
  } catch (const Error& e) {
    throw UsageError(e.what());
  }
  Console console(json);
  Follower follower(console);
  catch_interrupts();
  TrainResult result = train(options, follower.control(resume));
  follower.end();
  if (result.interrupted) {
    console.object(result_line(result));
    console.note("interrupted at step " + std::to_string(result.stopped_at) + " of " +
                 std::to_string(result.steps) + "; continue with: iskra " + name + " --resume --out " +
                 options.out);
    return kExitInterrupted;
  }
  print_result(console, result);
  return 0;
}

}  // namespace

int cmd_train(const Arguments& arguments) {
  return run_training("train", "Trains a model from scratch on labelled pictures.", false, arguments);
}

int cmd_finetune(const Arguments& arguments) {
  return run_training("finetune", "Trains a model further, from weights, on labelled pictures.", true,
                      arguments);
}

}  // namespace iskra::zoo
