// Whole runs of train(): that models learn, resume bit for bit, freeze what they should, and stop in an
// orderly way.
#include <iskra/nn/init.h>
#include <iskra/zoo/json.h>
#include <iskra/zoo/models/registry.h>
#include <iskra/zoo/train/strategy.h>
#include <iskra/zoo/train/trainer.h>
#include <iskra/zoo/weights/checkpoint_files.h>
#include <iskra/zoo/weights/safetensors.h>

#include <cmath>
#include <map>

#include "zoo_pictures.h"

using namespace iskra;
using namespace iskra::zoo;
using namespace iskra::testing;

namespace {

/// Everything that draws random numbers is switched on.
TrainOptions small_run(const Folder& folder, const std::string& name, const std::string& arch = "vit_mini") {
  TrainOptions o;
  o.arch = arch;
  o.data = write_pictures(folder / "data");
  if (!name.empty()) o.out = folder / name;
  o.steps = 14;
  o.batch = 16;
  o.val = 0.25;
  o.dropout = 0.1;
  o.flip = true;
  o.shift = 1;
  o.label_smoothing = 0.1;
  o.log_every = 3;
  o.eval_every = 4;
  o.checkpoint_every = 100;
  o.seed = 7;
  return o;
}

/// Lines of metrics.jsonl without the fields that tell of time and memory.
std::vector<std::string> metrics_of(const std::string& folder) {
  std::vector<std::string> lines;
  std::ifstream file(folder + "/metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    Json json = Json::parse(line);
    for (const char* name : {"images_per_s_median", "images_per_s_best", "seconds_median",
                             "peak_memory_bytes", "seconds", "out", "best_weights"}) {
      json.erase(name);
    }
    lines.push_back(json.dump());
  }
  return lines;
}

void expect_same_run(const std::string& a, const std::string& b) {
  EXPECT_EQ(metrics_of(a), metrics_of(b));
  EXPECT_FALSE(metrics_of(a).empty());
  for (const char* name : {"/best.safetensors", "/last.safetensors"}) {
    EXPECT_EQ(read_bytes(a + name), read_bytes(b + name)) << name;
    EXPECT_GT(read_bytes(a + name).size(), 1000U) << name;
  }
}

/// Stops after so many steps of this process.
TrainControl stop_after(int64_t steps, bool resume) {
  auto made = std::make_shared<int64_t>(0);
  TrainControl control;
  control.resume = resume;
  control.report = false;
  control.stop = [made, steps] { return ++*made >= steps; };
  return control;
}

}  // namespace

class TrainArch : public ::testing::TestWithParam<const char*> {};

TEST_P(TrainArch, ResumesBitForBitAfterAnyInterruption) {
  Folder folder;
  train(small_run(folder, "whole", GetParam()));
  TrainOptions o = small_run(folder, "parts", GetParam());
  // 72 training pictures are 5 batches: 3, 4 and 9 lie inside an epoch, 5 and 10 at an end.
  for (int64_t steps : {3, 1, 1, 4, 1}) {
    TrainResult part = train(o, stop_after(steps, folder_exists(o.out)));
    EXPECT_TRUE(part.interrupted);
  }
  TrainControl last;
  last.resume = true;
  TrainResult end = train(o, last);
  EXPECT_FALSE(end.interrupted);
  EXPECT_EQ(end.stopped_at, 14);
  expect_same_run(folder / "whole", folder / "parts");
  // The curves of the report hold the earlier parts too.
  ASSERT_EQ(end.train_curve.size(), 5U);
  EXPECT_EQ(end.train_curve.front().step, 3);
  EXPECT_EQ(end.train_curve.back().step, 14);
  EXPECT_EQ(end.validation_curve.size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(Models, TrainArch, ::testing::Values("vit_mini", "vgg_mini"));

TEST(Train, ResumesFromAnOlderCheckpointAfterAKill) {
  Folder folder;
  TrainOptions o = small_run(folder, "killed");
  o.checkpoint_every = 5;
  o.optimizer = "sgd";
  train(o);
  std::string whole = folder / "whole";
  std::filesystem::copy(o.out, whole, std::filesystem::copy_options::recursive);
  // As if the process had died after step 13: the checkpoint of step 14 was never made, later lines were.
  std::filesystem::remove_all(list_checkpoints(o.out + "/checkpoints").back());
  TrainControl control;
  control.resume = true;
  EXPECT_EQ(train(o, control).stopped_at, 14);
  expect_same_run(whole, o.out);
}

TEST(Train, ResumingAFinishedRunChangesNothing) {
  Folder folder;
  TrainOptions o = small_run(folder, "run");
  TrainResult first = train(o);
  std::vector<std::string> before = metrics_of(o.out);
  TrainControl control;
  control.resume = true;
  TrainResult again = train(o, control);
  EXPECT_EQ(metrics_of(o.out), before);
  EXPECT_EQ(again.test.accuracy, first.test.accuracy);
  EXPECT_EQ(again.test.loss, first.test.loss);
  EXPECT_EQ(again.best.step, first.best.step);
}

TEST(Train, ThreadsChangeNothing) {
  Folder folder;
  TrainOptions one = small_run(folder, "one"), three = small_run(folder, "three");
  one.threads = 1;
  three.threads = 3;
  train(one);
  train(three);
  expect_same_run(one.out, three.out);
}

TEST(Train, LearnsAndWritesTheWholeFolder) {
  Folder folder;
  TrainOptions o = small_run(folder, "run", "vgg_mini");
  o.steps = 60;
  o.dropout = 0;
  o.flip = false;
  TrainResult r = train(o);
  EXPECT_GT(r.test.accuracy, 0.9);
  EXPECT_EQ(r.test.count, 40);
  EXPECT_EQ(r.validation.count, 24);
  EXPECT_EQ(r.train_pictures, 72);
  EXPECT_EQ(r.steps_per_epoch, 5);
  EXPECT_GT(r.throughput.images_per_s_best, 0);
  EXPECT_GT(r.peak_memory_bytes, 0);
  for (const char* name :
       {"config.json", "metrics.jsonl", "best.safetensors", "last.safetensors", "report.html"}) {
    EXPECT_TRUE(std::filesystem::exists(o.out + "/" + name)) << name;
  }
  // Best is the first evaluation with the highest validation accuracy.
  const EvalPoint* best = nullptr;
  for (const EvalPoint& p : r.validation_curve) {
    if (best == nullptr || p.accuracy > best->accuracy) best = &p;
  }
  EXPECT_EQ(r.best.step, best->step);
  EXPECT_EQ(r.validation.accuracy, best->accuracy);
  EXPECT_EQ(SafetensorsFile::open(r.best_weights).metadata().at("step"), std::to_string(best->step));
}

TEST(Train, WithoutAFolderNothingIsWritten) {
  Folder folder;
  TrainOptions o = small_run(folder, "");
  TrainResult r = train(o);
  EXPECT_EQ(r.test.count, 40);
  EXPECT_EQ(r.folder, "");
  EXPECT_EQ(r.best_weights, "");
}

TEST(Train, WithoutValidationTheLastWeightsAreTheBest) {
  Folder folder;
  TrainOptions o = small_run(folder, "run");
  o.val = 0;
  TrainResult r = train(o);
  EXPECT_EQ(r.train_pictures, 96);
  EXPECT_TRUE(r.validation_curve.empty());
  auto best = SafetensorsFile::open(o.out + "/best.safetensors"),
       last = SafetensorsFile::open(o.out + "/last.safetensors");
  for (const TensorEntry& entry : last.entries()) {
    EXPECT_EQ(best.hash(*best.find(entry.name)), last.hash(entry)) << entry.name;
  }
}

TEST(Train, EachStrategyTrainsWhatItSays) {
  Folder folder;
  TrainOptions base = small_run(folder, "base");
  base.classes = {0, 1};
  train(base);
  auto before = SafetensorsFile::open(base.out + "/best.safetensors");
  std::map<std::string, std::vector<std::string>> trained = {
      {"head", {"head."}}, {"last:1", {"head.", "norm.", "blocks.3."}}, {"full", {""}}, {"scratch", {""}}};
  for (const auto& [strategy, prefixes] : trained) {
    TrainOptions o = small_run(folder, "tuned-" + strategy);
    o.arch = "";
    o.weights = base.out + "/best.safetensors";
    o.strategy = strategy;
    o.classes = {2, 3, 0};
    o.steps = 3;
    TrainResult r = train(o);
    EXPECT_EQ(r.arch, "vit_mini");
    EXPECT_EQ(r.class_names, (std::vector<std::string>{"2", "3", "0"}));
    auto after = SafetensorsFile::open(o.out + "/last.safetensors");
    for (const TensorEntry& entry : after.entries()) {
      bool expected = std::any_of(prefixes.begin(), prefixes.end(),
                                  [&](const std::string& p) { return entry.name.starts_with(p); });
      EXPECT_EQ(after.hash(entry) != before.hash(*before.find(entry.name)), expected)
          << strategy << " " << entry.name;
    }
    EXPECT_EQ(r.trainable_parameters < r.parameters, strategy == "head" || strategy == "last:1");
  }
}

TEST(Train, ANewHeadForOtherClassesEvenOfTheSameNumber) {
  Folder folder;
  TrainOptions base = small_run(folder, "base");
  base.classes = {0, 1};
  train(base);
  auto notes_of = [&](const std::string& name, std::vector<int64_t> classes) {
    TrainOptions o = small_run(folder, name);
    o.weights = base.out + "/best.safetensors";
    o.strategy = "full";
    o.classes = std::move(classes);
    o.steps = 1;
    std::string notes;
    TrainControl control;
    control.on_note = [&](const std::string& line) { notes += line + "|"; };
    train(o, control);
    return notes;
  };
  EXPECT_PRED2(contains, notes_of("other", {2, 3}), "head starts from its initial values");
  EXPECT_FALSE(contains(notes_of("same", {0, 1}), "initial values"));
}

TEST(Train, ALossThatIsNoNumberStopsTheRunAndKeepsTheCheckpoint) {
  Folder folder;
  TrainOptions o = small_run(folder, "run", "vgg_mini");
  o.optimizer = "sgd";
  o.lr = 100;
  o.warmup = 1;
  o.steps = 40;
  o.checkpoint_every = 1;
  std::string message = error_of([&] { train(o); });
  EXPECT_PRED2(contains, message, "loss is ");
  EXPECT_PRED2(contains, message, " at step ");
  EXPECT_PRED2(contains, message, " is kept; try a smaller --lr or a longer --warmup");
  std::optional<LoadedCheckpoint> kept = load_latest_checkpoint(o.out + "/checkpoints");
  ASSERT_TRUE(kept.has_value());
  for (const nn::Named& t : kept->checkpoint.model) {
    for (float v : t.tensor.to_vector<float>()) ASSERT_TRUE(std::isfinite(v)) << t.name;
  }
}

TEST(Train, AFolderWithARunIsNeverOverwritten) {
  Folder folder;
  TrainOptions o = small_run(folder, "run");
  o.steps = 2;
  train(o);
  std::string config = read_bytes(o.out + "/config.json"), best = read_bytes(o.out + "/best.safetensors");
  EXPECT_ERROR(train(o), "already holds a run; continue it with --resume, or choose another --out");
  TrainControl control;
  control.resume = true;
  TrainOptions other = o;
  other.lr = 0.5;
  other.batch = 8;
  EXPECT_ERROR(train(other, control),
               "has other options: batch (run: 16, now: 8), lr (run: 0.001, now: 0.5); leave");
  EXPECT_EQ(read_bytes(o.out + "/config.json"), config);
  EXPECT_EQ(read_bytes(o.out + "/best.safetensors"), best);
}

TEST(Train, ChangedDataIsNoticedAtResume) {
  Folder folder;
  TrainOptions o = small_run(folder, "run");
  EXPECT_TRUE(train(o, stop_after(3, false)).interrupted);
  write_pictures(o.data, 80);
  TrainControl control;
  control.resume = true;
  EXPECT_ERROR(train(o, control), "has changed, start a new run");
}

TEST(Train, ValidationIsCutBeforeLabelsAreCounted) {
  Folder folder;
  TrainOptions o = small_run(folder, "");
  o.per_class = 3;
  TrainData few = cut_train_data(read_train_data(o.data), o);
  EXPECT_EQ(few.train.counts(), (std::vector<int64_t>{3, 3, 3, 3}));
  EXPECT_EQ(few.validation.counts(), (std::vector<int64_t>{6, 6, 6, 6}));
  o.per_class = 0;
  TrainData all = cut_train_data(read_train_data(o.data), o);
  auto same = [](const Dataset& a, int64_t i, const Dataset& b, int64_t j) {
    return std::equal(a.picture(i), a.picture(i) + a.picture_bytes(), b.picture(j));
  };
  for (int64_t v = 0; v < few.validation.size(); ++v) {
    EXPECT_TRUE(same(few.validation, v, all.validation, v));
    for (int64_t t = 0; t < all.train.size(); ++t) EXPECT_FALSE(same(few.validation, v, all.train, t));
  }
  o.val_per_class = 2;
  o.limit = 10;
  TrainData limited = cut_train_data(read_train_data(o.data), o);
  EXPECT_EQ(limited.validation.size(), 8);
  std::vector<int64_t> counts = limited.train.counts();  // the shares of the classes are kept
  std::sort(counts.begin(), counts.end());
  EXPECT_EQ(counts, (std::vector<int64_t>{2, 2, 3, 3}));
}
