#include <iskra/zoo/train/transfer.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <iskra/core/context.h>
#include <iskra/kernels/check.h>
#include <iskra/zoo/train/evaluate.h>
#include <iskra/zoo/train/model_setup.h>
#include <iskra/zoo/train/report.h>
#include <iskra/zoo/train/train_data.h>
#include <iskra/zoo/train/trainer.h>
#include <iskra/zoo/weights/files.h>

namespace iskra::zoo {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// For names of folders: 0.001 is "0.001", 0.00001 is "1e-05".
std::string short_number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", value);
  return buffer;
}

/// What one way reached with one seed: the chosen run on the test pictures.
struct Outcome {
  TransferRun run;
  std::vector<bool> correct;  // one a test picture, in the dataset's order
  double accuracy() const {
    double sum = 0;
    for (bool c : correct) sum += c ? 1 : 0;
    return sum / static_cast<double>(correct.size());
  }
};

class Study {
 public:
  Study(const TransferPlan& plan, const TransferControl& control) : plan_(plan), control_(control) {
    all_ = read_train_data(plan.data);
    ISKRA_CHECK(!all_.test.empty(), "transfer: ", plan.data, " has no test pictures to compare the ways on");
    source_test_ = choose_classes(all_.test, plan.source_classes);
    target_test_ = choose_classes(all_.test, plan.target_classes);
    result_.source_names = source_test_.classes();
    result_.target_names = target_test_.classes();
    result_.seeds = plan.seeds;
    result_.validation_pictures =
        plan.validation_per_class * static_cast<int64_t>(plan.target_classes.size());
    for (const TransferModel& m : plan.models) {
      planned_ += m.pretrain.steps;
      for (const TransferWay& way : m.ways) {
        planned_ +=
            m.target.steps * static_cast<int64_t>(way.learning_rates.size() * plan.labels_per_class.size());
      }
    }
    planned_ *= static_cast<int64_t>(plan.seeds.size());
  }

  TransferResult run() {
    Clock::time_point begin = Clock::now();
    for (const TransferModel& model : plan_.models) run_model(model);
    result_.seconds = seconds_since(begin);
    return std::move(result_);
  }

 private:
  void run_model(const TransferModel& model) {
    std::vector<std::vector<std::vector<Outcome>>> outcomes(  // labels, way, seed
        plan_.labels_per_class.size(), std::vector<std::vector<Outcome>>(model.ways.size()));
    for (int64_t seed : plan_.seeds) {
      std::string weights = pretrain(model, seed);
      for (size_t l = 0; l < plan_.labels_per_class.size(); ++l) {
        for (size_t w = 0; w < model.ways.size(); ++w) {
          outcomes[l][w].push_back(best_of(model, model.ways[w], plan_.labels_per_class[l], seed, weights));
        }
      }
    }
    for (size_t l = 0; l < plan_.labels_per_class.size(); ++l) {
      for (size_t w = 0; w < model.ways.size(); ++w) {
        result_.rows.push_back(row(model, model.ways[w], outcomes[l][w], outcomes[l][0]));
      }
    }
  }

  std::string pretrain(const TransferModel& model, int64_t seed) {
    TrainOptions o = with_data(model.pretrain, plan_.source_classes, seed);
    o.out = folder(o.arch, seed) + "/pretrained";
    TrainResult trained = train_without_test(o, model.name + ", pre-training");
    TransferPretrained p{.arch = o.arch,
                         .seed = seed,
                         .steps = trained.steps,
                         .test = test(trained, source_test_),
                         .seconds = trained.seconds,
                         .images_per_s_median = trained.throughput.images_per_s_median,
                         .folder = o.out,
                         .weights = trained.best_weights};
    if (control_.on_pretrained) control_.on_pretrained(p);
    result_.pretrained.push_back(p);
    return trained.best_weights;
  }

  /// Trains with every learning rate, chooses on the validation split, and looks at the test pictures once.
  Outcome best_of(const TransferModel& model, const TransferWay& way, int64_t labels, int64_t seed,
                  const std::string& weights) {
    std::vector<TrainResult> trained;
    std::vector<TransferRun> runs;
    size_t best = 0;
    for (double lr : way.learning_rates) {
      TrainOptions o = with_data(model.target, plan_.target_classes, seed);
      o.strategy = way.strategy;
      o.weights = way.strategy == "scratch" ? "" : weights;
      o.per_class = labels;
      o.lr = lr;
      o.out = folder(o.arch, seed) + "/" + std::to_string(labels) + "-labels/" + way.name + "/lr-" +
              short_number(lr);
      for (char& c : o.out) c = c == ' ' ? '-' : c;
      trained.push_back(
          train_without_test(o, model.name + ", " + std::to_string(labels) + " labels, " + way.name));
      runs.push_back(essentials(trained.back(), o));
      if (better(runs.back().best, runs[best].best)) best = runs.size() - 1;
    }
    runs[best].chosen = true;
    for (const TransferRun& r : runs) {
      if (control_.on_run) control_.on_run(r);
      result_.runs.push_back(r);
    }
    Outcome out{runs[best], {}};
    for (const Prediction& p : test(trained[best], target_test_).predictions) {
      out.correct.push_back(p.predicted == p.label);
    }
    return out;
  }

  /// Higher validation accuracy; among equals the lower validation loss.
  static bool better(const EvalPoint& a, const EvalPoint& b) {
    return a.accuracy > b.accuracy || (a.accuracy == b.accuracy && a.loss < b.loss);
  }

  TrainOptions with_data(TrainOptions o, const std::vector<int64_t>& classes, int64_t seed) const {
    o.data = plan_.data;
    o.classes = classes;
    o.seed = seed;
    o.threads = plan_.threads;
    o.val_per_class = plan_.validation_per_class;
    return o;
  }

  TrainResult train_without_test(const TrainOptions& options, const std::string& what) {
    TrainControl control;
    control.on_step = [&](const TrainPoint&) {
      ++done_;
      if (control_.on_step) control_.on_step(done_, planned_, what);
    };
    control.stop = control_.stop;
    control.report = false;
    TrainResult trained = train(options, TrainData{all_.train, {}, {}}, control);
    remove_all(trained.folder + "/checkpoints");  // the study keeps weights and metrics; it is not continued
    ISKRA_CHECK(!trained.interrupted, "transfer: stopped; nothing of a study can be continued");
    return trained;
  }

  /// Test pictures through the best weights of a run; its report shows them then.
  Evaluation test(TrainResult& trained, const Dataset& pictures) {
    constexpr int64_t kMistakes = 40;
    ZooModel model = open_model(trained.arch, trained.best_weights);
    Context before = context();
    set_threads(static_cast<int>(plan_.threads));
    trained.test = evaluate(*model.module, pictures, {.mean = model.info.mean, .std = model.info.std});
    context() = before;
    trained.test_pictures = trained.test.count;
    trained.mistakes = worst_mistakes(trained.test, pictures, kMistakes);
    atomic_write(trained.folder + "/report.html", report_html(trained));
    return trained.test;
  }

  static TransferRun essentials(const TrainResult& t, const TrainOptions& o) {
    return {.arch = t.arch,
            .strategy = t.strategy,
            .labels_per_class = o.per_class,
            .seed = o.seed,
            .steps = t.steps,
            .learning_rate = o.lr,
            .best = t.best,
            .trainable_parameters = t.trainable_parameters,
            .seconds = t.seconds,
            .images_per_s_median = t.throughput.images_per_s_median,
            .folder = t.folder};
  }

  std::string folder(const std::string& arch, int64_t seed) const {
    std::string out = plan_.out + "/" + arch;
    return plan_.seeds.size() > 1 ? out + "/seed-" + std::to_string(seed) : out;
  }

  static TransferRow row(const TransferModel& model, const TransferWay& way,
                         const std::vector<Outcome>& outcomes, const std::vector<Outcome>& reference) {
    const TransferRun& first = outcomes[0].run;
    TransferRow row{.model = model.name,
                    .arch = first.arch,
                    .way = way.name,
                    .strategy = way.strategy,
                    .labels_per_class = first.labels_per_class,
                    .steps = first.steps,
                    .trainable_parameters = first.trainable_parameters,
                    .test_pictures = static_cast<int64_t>(outcomes[0].correct.size()),
                    .reference = &outcomes == &reference};
    std::vector<double> leads;
    for (size_t s = 0; s < outcomes.size(); ++s) {
      row.learning_rates.push_back(outcomes[s].run.learning_rate);
      row.validation_accuracies.push_back(outcomes[s].run.best.accuracy);
      row.folders.push_back(outcomes[s].run.folder);
      row.accuracies.push_back(outcomes[s].accuracy());
      leads.push_back(row.accuracies[s] - reference[s].accuracy());
    }
    if (outcomes.size() > 1) {
      row.accuracy = mean_interval(row.accuracies);
      row.lead = mean_interval(leads);
    } else {
      const std::vector<bool>& correct = outcomes[0].correct;
      row.accuracy = wilson_interval(std::count(correct.begin(), correct.end(), true), row.test_pictures);
      row.lead = paired_interval(correct, reference[0].correct);
    }
    return row;
  }

  const TransferPlan& plan_;
  const TransferControl& control_;
  TrainData all_;
  Dataset source_test_, target_test_;
  int64_t done_ = 0, planned_ = 0;
  TransferResult result_;
};

}  // namespace

TransferResult transfer_study(const TransferPlan& plan, const TransferControl& control) {
  ISKRA_CHECK(!plan.seeds.empty() && !plan.models.empty() && !plan.labels_per_class.empty(),
              "transfer: a study needs at least one seed, one model and one number of labels");
  for (const TransferModel& m : plan.models) {
    ISKRA_CHECK(!m.ways.empty(), "transfer: no way to train ", m.name, " is given");
    for (const TransferWay& w : m.ways) {
      ISKRA_CHECK(!w.learning_rates.empty(), "transfer: no learning rate is given for ", m.name, ", ",
                  w.name);
    }
  }
  return Study(plan, control).run();
}

}  // namespace iskra::zoo
