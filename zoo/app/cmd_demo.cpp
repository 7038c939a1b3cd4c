// iskra demo: pre-trains a small ViT and a small VGG on five classes of Fashion-MNIST, fine-tunes each to the
// other five with few labels in every way, and shows what that bought.
#include <cmath>
#include <memory>
#include <string>

#include <iskra/kernels/check.h>
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/app/progress.h>
#include <iskra/zoo/data/idx.h>
#include <iskra/zoo/train/transfer.h>
#include <iskra/zoo/train/transfer_report.h>
#include <iskra/zoo/weights/files.h>

namespace iskra::zoo {
namespace {

constexpr int64_t kSeedsOfFull = 5;
constexpr const char* kMarker = "/demo.json";

/// "+2.4"
std::string points(double difference) {
  std::string out = fixed(100 * difference, 1);
  return difference < 0 ? out : "+" + out;
}

std::string interval_text(const Interval& i) {
  return std::isfinite(i.low) ? fixed(100 * i.low, 1) + " - " + fixed(100 * i.high, 1) : "";
}

std::string table_text(const TransferResult& result) {
  Table table({"model", "labels a class>", "way", "test accuracy %>", "95 % interval>", "lead, points>",
               "its interval>", "learning rate>", "steps>"});
  for (const TransferRow& row : result.rows) {
    std::string rates;
    for (double lr : row.learning_rates) {
      std::string one = json_number(lr);
      if (rates.find(one) == std::string::npos) rates += (rates.empty() ? "" : " ") + one;
    }
    table.row({row.model, std::to_string(row.labels_per_class), row.way, fixed(100 * row.accuracy.value, 1),
               interval_text(row.accuracy), row.reference ? "" : points(row.lead.value),
               row.reference ? "" : points(row.lead.low) + " - " + points(row.lead.high), rates,
               std::to_string(row.steps)});
  }
  return table.str();
}

/// Clears what an earlier demo left in its folder; refuses a folder that holds anything else.
void prepare_folder(const std::string& out, const TransferPlan& plan) {
  if (folder_exists(out) && !list_folder(out).empty()) {
    ISKRA_CHECK(file_exists(out + kMarker), "--out: ", out,
                " holds something that no demo made; choose another folder");
    for (const TransferModel& model : plan.models) remove_all(out + "/" + model.pretrain.arch);
    remove_all(out + "/report.html");
  }
  make_folders(out);
  atomic_write(out + kMarker, JsonLine()("data", plan.data)("seeds", plan.seeds).str() + "\n");
}

/// Follows a study: a bar on a terminal, a line for every finished run elsewhere, JSON lines with --json.
class Follower {
 public:
  explicit Follower(const Console& console) : console_(console) {}

  TransferControl control() {
    TransferControl c;
    c.on_step = [this](int64_t done, int64_t planned, const std::string& what) {
      if (!bar_) bar_ = std::make_unique<ProgressBar>(planned);
      bar_->show(done, what);
    };
    c.on_pretrained = [this](const TransferPretrained& run) { pretrained(run); };
    c.on_run = [this](const TransferRun& run) { finished(run); };
    c.stop = interrupted;
    return c;
  }

  void end() { bar_.reset(); }

 private:
  void pretrained(const TransferPretrained& run) {
    if (bar_) bar_->clear();
    if (console_.json()) return console_.object(transfer_json(run));
    console_.say(run.arch + " pre-trained: " + percent(run.test.accuracy) +
                 " of the test pictures of its classes, " + fixed(run.images_per_s_median, 0) +
                 " images/s, " + seconds_text(run.seconds));
  }

  void finished(const TransferRun& run) {
    if (bar_) bar_->clear();
    if (console_.json()) return console_.object(transfer_json(run));
    console_.say("  " + run.arch + ", " + std::to_string(run.labels_per_class) + " labels, " + run.strategy +
                 ", learning rate " + json_number(run.learning_rate) + ": validation accuracy " +
                 percent(run.best.accuracy) + " at step " + std::to_string(run.best.step) + ", " +
                 seconds_text(run.seconds) + (run.chosen ? "  (chosen)" : ""));
  }

  const Console& console_;
  std::unique_ptr<ProgressBar> bar_;
};

}  // namespace

int cmd_demo(const Arguments& arguments) {
  std::string data = "/usr/share/datasets/fashion-mnist", out = "runs/demo";
  bool full = false, json = false;
  int64_t seed = 0, threads = 0;
  Flags flags("demo",
              "Pre-trains, fine-tunes with few labels in several ways, and reports what transfer buys");
  flags.add("data", data, "folder with the IDX files of Fashion-MNIST (package dataset-fashion-mnist)");
  flags.add("out", out, "folder of the runs and of report.html; an earlier demo there is replaced");
  flags.add("full", full, "five seeds instead of one: means with their intervals");
  flags.add("seed", seed, "the (first) seed", 0, 1e9);
  flags.add("threads", threads, "0: all; results do not depend on it", 0, 4096);
  add_json(flags, json);
  if (!flags.parse(arguments)) return 0;
  ISKRA_CHECK(is_idx_folder(data) && is_idx_folder(data, "test"), "demo: ", data,
              " does not hold the IDX files of Fashion-MNIST; install the package dataset-fashion-mnist "
              "(apt-get install dataset-fashion-mnist), or name their folder with --data");
  TransferPlan plan = fashion_transfer_plan(data, out);
  plan.seeds.clear();
  for (int64_t s = 0; s < (full ? kSeedsOfFull : 1); ++s) plan.seeds.push_back(seed + s);
  plan.threads = threads;
  prepare_folder(out, plan);
  Console console(json);
  console.say("pre-training on five classes, then fine-tuning to the other five with few labels");
  Follower follower(console);
  catch_interrupts();
  TransferResult result;
  try {
    result = transfer_study(plan, follower.control());
  } catch (const Error&) {
    follower.end();
    if (!interrupted()) throw;
    console.note("interrupted; the runs so far are in " + out);
    return kExitInterrupted;
  }
  follower.end();
  std::string report = out + "/report.html";
  atomic_write(report, transfer_html(result, out));
  if (json) return console.object(transfer_json(result)), 0;
  console.say("\n" + table_text(result) + "\n" + interval_note(result) +
              "\nLearning rate and epoch were chosen on " + grouped(result.validation_pictures) +
              " validation pictures; all ways make the same number of steps.\nreport: " + report + "  (" +
              seconds_text(result.seconds) + ")");
  return 0;
}

}  // namespace iskra::zoo
