#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include <iskra/kernels/check.h>
#include <iskra/zoo/train/interval.h>
#include <iskra/zoo/train/transfer.h>
#include <iskra/zoo/train/transfer_report.h>

#include "html_check.h"
#include "zoo_pictures.h"

namespace iskra::zoo {
namespace {

TEST(Interval, WilsonSolvesItsEquation) {  // roots of (p - k/n)^2 = z^2 p (1 - p) / n, found by bisection
  struct {
    int64_t correct, total;
    double low, high;
  } cases[] = {{8, 10, 0.4901624715366417, 0.9433178485456248},
               {0, 20, 0, 0.1611251580528194},
               {20, 20, 0.8388748419471805, 1},
               {4017, 5000, 0.7921529257584541, 0.8141812327012852}};
  for (const auto& c : cases) {
    Interval i = wilson_interval(c.correct, c.total);
    EXPECT_DOUBLE_EQ(i.value, static_cast<double>(c.correct) / static_cast<double>(c.total));
    EXPECT_NEAR(i.low, c.low, 1e-12);
    EXPECT_NEAR(i.high, c.high, 1e-12);
  }
  EXPECT_TRUE(std::isnan(wilson_interval(0, 0).value));
}

TEST(Interval, StudentsQuantilesByNumericalIntegration) {
  struct {
    size_t runs;
    double quantile;
  } cases[] = {{2, 12.70620474}, {5, 2.77644511},  {21, 2.08596345},
               {22, 2.07961384}, {31, 2.04227246}, {101, 1.98397152}};
  for (const auto& c : cases) {
    std::vector<double> values;
    for (size_t i = 0; i < c.runs; ++i) values.push_back(static_cast<double>(i));
    auto n = static_cast<double>(c.runs);
    double error = std::sqrt(n * (n + 1) / 12 / n);  // of the mean of 0 … n-1: variance n (n + 1) / 12
    Interval i = mean_interval(values);
    EXPECT_NEAR(i.value, (n - 1) / 2, 1e-12);
    EXPECT_NEAR((i.high - i.low) / 2 / error, c.quantile, 2e-6) << c.runs;
  }
  EXPECT_DOUBLE_EQ(mean_interval({0.5}).value, 0.5);
  EXPECT_TRUE(std::isnan(mean_interval({0.5}).low));
  EXPECT_TRUE(std::isnan(mean_interval({}).value));
}

TEST(Interval, PairedByPicture) {
  // Differences: three times +1, once -1, six times 0. Mean 0.2, mean square 0.4, variance 0.36.
  std::vector<bool> a = {true, true, true, false, true, true, false, false, true, false};
  std::vector<bool> b = {false, false, false, true, true, true, false, false, true, false};
  Interval i = paired_interval(a, b);
  EXPECT_NEAR(i.value, 0.2, 1e-12);
  EXPECT_NEAR(i.high - i.value, 1.959963984540054 * std::sqrt(0.36 / 10), 1e-12);
  EXPECT_NEAR(i.value - i.low, i.high - i.value, 1e-12);
  Interval same = paired_interval(a, a);
  EXPECT_EQ(same.low, 0);
  EXPECT_EQ(same.high, 0);
  EXPECT_THROW(paired_interval(a, {true}), Error);
}

class TransferStudy : public ::testing::Test {
 protected:
  TransferPlan plan(std::vector<int64_t> seeds) const {
    TransferPlan p{.data = data_,
                   .out = folder_ / "out",
                   .source_classes = {0, 1},
                   .target_classes = {2, 3},
                   .labels_per_class = {3, 5},
                   .seeds = std::move(seeds),
                   .validation_per_class = 2,
                   .threads = 1};
    TransferModel m{.name = "ViT",
                    .ways = {{"from scratch", "scratch", {1e-3, 1e-9}}, {"head only", "head", {1e-2}}}};
    for (TrainOptions* o : {&m.pretrain, &m.target}) {
      o->arch = "vit_mini";
      o->batch = 4;
      o->val = 0.25;
    }
    m.pretrain.steps = 3;
    m.target.steps = 2;
    p.models.push_back(std::move(m));
    return p;
  }

  iskra::testing::Folder folder_;
  std::string data_ = iskra::testing::write_pictures(folder_ / "data", 64, 24);
};

TEST_F(TransferStudy, EveryWayGetsTheSameAndTheChoiceIsTheValidationSplits) {
  std::vector<std::pair<int64_t, int64_t>> progress;
  size_t told = 0;
  TransferControl control;
  control.on_step = [&](int64_t done, int64_t planned, const std::string&) {
    progress.emplace_back(done, planned);
  };
  control.on_run = [&](const TransferRun&) { ++told; };
  TransferResult r = transfer_study(plan({1}), control);

  ASSERT_EQ(progress.size(), 15U) << "3 steps of pre-training, 2 labels x 3 learning rates x 2 steps";
  EXPECT_EQ(progress.back(), (std::pair<int64_t, int64_t>{15, 15}));
  EXPECT_EQ(told, 6U);
  ASSERT_EQ(r.pretrained.size(), 1U);
  EXPECT_EQ(r.pretrained[0].test.count, 12);
  EXPECT_EQ(r.source_names, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(r.target_names, (std::vector<std::string>{"2", "3"}));
  ASSERT_EQ(r.runs.size(), 6U);
  for (const TransferRun& run : r.runs) {
    EXPECT_EQ(run.steps, 2);
    EXPECT_TRUE(std::filesystem::exists(run.folder + "/metrics.jsonl")) << run.folder;
    EXPECT_EQ(std::filesystem::exists(run.folder + "/report.html"), run.chosen) << run.folder;
    bool beaten = false;
    for (const TransferRun& other : r.runs) {
      bool rival = other.strategy == run.strategy && other.labels_per_class == run.labels_per_class;
      beaten = beaten ||
               (rival && (other.best.accuracy > run.best.accuracy ||
                          (other.best.accuracy == run.best.accuracy && other.best.loss < run.best.loss)));
    }
    EXPECT_EQ(run.chosen, !beaten) << run.folder;
  }
  ASSERT_EQ(r.rows.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    const TransferRow& row = r.rows[i];
    EXPECT_EQ(row.labels_per_class, i < 2 ? 3 : 5);
    EXPECT_EQ(row.reference, i % 2 == 0);
    EXPECT_EQ(row.test_pictures, 12);
    Interval expected = wilson_interval(std::lround(row.accuracies.at(0) * 12), 12);
    EXPECT_DOUBLE_EQ(row.accuracy.value, expected.value);
    EXPECT_DOUBLE_EQ(row.accuracy.low, expected.low);
    EXPECT_NEAR(row.lead.value, row.accuracy.value - r.rows[i / 2 * 2].accuracy.value, 1e-12);
  }
  EXPECT_LT(r.rows[1].trainable_parameters, r.rows[0].trainable_parameters);
}

TEST_F(TransferStudy, SeveralSeedsGiveStudentsInterval) {
  TransferPlan p = plan({0, 7});
  p.labels_per_class = {3};
  TransferResult r = transfer_study(p);
  ASSERT_EQ(r.rows.size(), 2U);
  ASSERT_EQ(r.rows[1].accuracies.size(), 2U);
  double a = r.rows[1].accuracies[0], b = r.rows[1].accuracies[1];
  EXPECT_NEAR(r.rows[1].accuracy.value, (a + b) / 2, 1e-12);
  EXPECT_NEAR(r.rows[1].accuracy.high - r.rows[1].accuracy.value, 12.70620474 * std::fabs(a - b) / 2, 1e-6);
  EXPECT_NE(interval_note(r).find("2 seeds"), std::string::npos);
}

std::string error_of(const TransferPlan& plan, const TransferControl& control = {}) {
  return iskra::testing::error_of([&] { transfer_study(plan, control); });
}

TEST_F(TransferStudy, SaysWhatIsWrong) {
  TransferPlan none = plan({});
  EXPECT_EQ(error_of(none), "transfer: a study needs at least one seed, one model and one number of labels");
  TransferPlan no_rates = plan({0});
  no_rates.models[0].ways[1].learning_rates.clear();
  EXPECT_EQ(error_of(no_rates), "transfer: no learning rate is given for ViT, head only");
  TransferPlan twice = plan({0});
  TransferControl control;
  control.stop = [] { return true; };
  EXPECT_NE(error_of(twice, control).find("transfer: stopped"), std::string::npos);
  EXPECT_NE(error_of(twice).find("already holds a run"), std::string::npos);
  TransferPlan no_test = plan({0});
  std::filesystem::remove(data_ + "/t10k-images-idx3-ubyte");
  std::filesystem::remove(data_ + "/t10k-labels-idx1-ubyte");
  EXPECT_NE(error_of(no_test).find("has no test pictures"), std::string::npos);
}

TransferResult two_rows() {
  TransferResult r;
  r.source_names = {"a<b>", "c"};
  r.target_names = {"d", "e&f"};
  r.seeds = {0};
  TransferRow scratch{
      .model = "M<1>", .arch = "m", .way = "from scratch", .strategy = "scratch", .labels_per_class = 20};
  scratch.accuracy = {0.8, 0.78, 0.82};
  scratch.accuracies = {0.8};
  scratch.folders = {"runs/x/m/20/scratch"};
  scratch.learning_rates = {1e-3};
  scratch.reference = true;
  TransferRow full = scratch;
  full.way = full.strategy = "full";
  full.accuracy = {0.834, 0.82, 0.85};
  full.lead = {0.034, 0.01, std::nan("")};
  full.folders = {"elsewhere/full"};
  full.reference = false;
  r.rows = {scratch, full};
  r.runs.push_back({.arch = "m", .strategy = "full", .learning_rate = 1e-3, .chosen = true});
  return r;
}

TEST(TransferReport, PageAndJson) {
  TransferResult r = two_rows();
  HtmlPage page = read_html(transfer_html(r, "runs/x"));
  EXPECT_EQ(page.problem, "");
  for (const char* part :
       {"M<1>", "a<b>, c", "d, e&f", "83.4\xC2\xA0%", "+3.4", "reference", "78.0 – 82.0\xC2\xA0%"}) {
    EXPECT_NE(page.text.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(page.count("a"), 1) << "only what lies below the folder is linked";
  EXPECT_EQ(page.count("script"), 0);
  std::string json = transfer_json(r).str();
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_NE(json.find("\"event\":\"table\""), std::string::npos);
  EXPECT_NE(json.find("\"accuracy\":0.834"), std::string::npos);
  EXPECT_NE(json.find("\"lead_high\":null"), std::string::npos);
  EXPECT_NE(json.find("\"interval\":\"wilson_of_test_pictures\""), std::string::npos);
  EXPECT_EQ(best_transfer(r, "m", 20)->strategy, "full");
  EXPECT_EQ(best_transfer(r, "m", 200), nullptr);
  EXPECT_EQ(read_html(transfer_html({}, "x")).problem, "");
}

}  // namespace
}  // namespace iskra::zoo
