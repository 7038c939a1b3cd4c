// The program from end to end on little data: train, eval, predict, inspect, forward, finetune, interrupt,
// resume.
#include <iskra/zoo/json.h>
#include <iskra/zoo/models/registry.h>
#include <iskra/zoo/weights/model_file.h>
#include <iskra/zoo/weights/npy.h>

#include <chrono>
#include <cmath>
#include <map>
#include <thread>

#include "app_run.h"
#include "zoo_pictures.h"

using namespace iskra;
using namespace iskra::zoo;
using namespace iskra::testing;

namespace {

class App : public ::testing::Test {
 protected:
  /// Runs it, expects success, and returns the last line of stdout as JSON.
  Json summary(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    Ran ran = run_iskra(folder_, arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    Json last;
    lines_.clear();
    for (const std::string& line : ran.lines()) lines_.push_back(Json::parse(line));
    return lines_.empty() ? Json() : lines_.back();
  }

  std::vector<std::string> train_flags(const std::string& out, const std::string& steps) {
    return {"train",       "--arch",    "vgg_mini", "--data",      data_,  "--out",
            folder_ / out, "--steps",   steps,      "--batch",     "16",   "--lr",
            "2e-3",        "--seed",    "3",        "--val",       "0.25", "--shift",
            "1",           "--dropout", "0.1",      "--log-every", "2",    "--checkpoint-every",
            "1000"};
  }

  Folder folder_;
  std::string data_ = write_pictures(folder_ / "data");
  std::vector<Json> lines_;
};

}  // namespace

TEST_F(App, HelpAndVersion) {
  Ran help = run_iskra(folder_, {"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* command :
       {"models", "train", "finetune", "eval", "predict", "inspect", "forward", "bench", "doctor", "demo"}) {
    EXPECT_PRED2(contains, help.out, std::string("\n  ") + command + " ");
    Ran own = run_iskra(folder_, {command, "--help"});
    EXPECT_EQ(own.code, 0) << command;
    EXPECT_PRED2(contains, own.out, "--json") << command;
    EXPECT_EQ(own.err, "") << command;
  }
  EXPECT_PRED2(contains, run_iskra(folder_, {"train", "--help"}).out, "--batch N [64]");
  Ran version = run_iskra(folder_, {"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(version.out.starts_with("iskra "));
}

TEST_F(App, ModelsCountsPublishedSizes) {
  summary({"models"});
  std::map<std::string, int64_t> parameters;
  for (const Json& line : lines_) {
    if (line.contains("arch")) parameters[line["arch"]] = line["parameters"];
  }
  // As timm and torchvision count them.
  EXPECT_EQ(parameters.at("vit_tiny_patch16_224"), 5717416);
  EXPECT_EQ(parameters.at("vit_base_patch16_224"), 86567656);
  EXPECT_EQ(parameters.at("vgg11"), 132863336);
  EXPECT_EQ(parameters.at("vgg16"), 138357544);
  EXPECT_EQ(parameters.size(), archs().size());
}

TEST_F(App, ChoosesHowIdleThreadsWaitUnlessToldOtherwise) {
  Ran told = run_iskra(folder_, {"doctor", "--json"}, {}, {"OMP_WAIT_POLICY=passive"});
  EXPECT_EQ(Json::parse(told.lines().back()).at("idle_threads"), "passive");
  std::string out = folder_ / "untold.json";
  std::string command = "env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT " ISKRA_PROGRAM " doctor --json > " + out;
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(Json::parse(read_bytes(out)).at("idle_threads"), "spin 200, then sleep");
}

TEST_F(App, Doctor) {
  Json d = summary({"doctor"});
  for (const char* name : {"version", "compiler", "cpu", "isa", "onednn_version", "onednn_isa"}) {
    EXPECT_FALSE(d.at(name).get<std::string>().empty()) << name;
  }
  EXPECT_GE(d.at("threads").get<int>(), 1);
  EXPECT_GT(d.at("memory_bytes").get<int64_t>(), 0);
  EXPECT_EQ(d.at("cuda").get<bool>(), Device::cuda_count() > 0);
  EXPECT_FALSE(d.at("cuda_devices").get<std::string>().empty());
  Ran forced = run_iskra(folder_, {"doctor", "--json"}, {}, {"ISKRA_CPU=v2"});
  EXPECT_EQ(forced.code, 0);
  EXPECT_EQ(Json::parse(forced.lines().back()).at("isa"), "v2");
  EXPECT_EQ(Json::parse(forced.lines().back()).at("onednn_isa"), "sse41");
  expect_failure_with(run_iskra(folder_, {"doctor"}, {}, {"ISKRA_CPU=v9"}), 1, "ISKRA_CPU=v9");
}

TEST_F(App, BenchModel) {
  for (const char* mode : {"train", "infer"}) {
    Json b = summary(
        {"bench", "model", "--arch", "vit_mini", "--mode", mode, "--batch", "2", "--seconds", "0.05"});
    EXPECT_EQ(b.at("arch"), "vit_mini");
    EXPECT_EQ(b.at("batch"), 2);
    EXPECT_EQ(b.at("mode"), mode);
    EXPECT_GT(b.at("images_per_s_median").get<double>(), 0);
    EXPECT_GE(b.at("images_per_s_best").get<double>(), b.at("images_per_s_median").get<double>());
    EXPECT_GT(b.at("seconds_median").get<double>(), 0);
    EXPECT_GT(b.at("peak_memory_bytes").get<int64_t>(), 0);
  }
}

TEST_F(App, TrainsEvaluatesPredictsInspectsAndForwards) {
  Json trained = summary(train_flags("run", "60"));
  EXPECT_EQ(trained.at("event"), "result");
  EXPECT_EQ(trained.at("step"), 60);
  double accuracy = trained.at("accuracy");
  EXPECT_GT(accuracy, 0.9);
  std::string weights = trained.at("best_weights");
  // The lines are those of metrics.jsonl.
  std::string printed;
  for (const Json& line : lines_) printed += line.dump() + "\n";
  std::string metrics, file = read_bytes(folder_ / "run/metrics.jsonl");
  for (size_t begin = 0; begin < file.size(); begin = file.find('\n', begin) + 1) {
    metrics += Json::parse(file.substr(begin, file.find('\n', begin) - begin)).dump() + "\n";
  }
  EXPECT_EQ(printed, metrics);

  Json eval = summary({"eval", "--weights", weights, "--data", data_});
  EXPECT_EQ(eval.at("accuracy").get<double>(), accuracy);
  EXPECT_EQ(eval.at("loss"), trained.at("loss"));
  EXPECT_EQ(eval.at("pictures"), 40);
  int64_t right = 0, all = 0;
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 4; ++j) {
      int64_t n = eval.at("confusion")[i][j];
      all += n;
      right += i == j ? n : 0;
    }
  }
  EXPECT_EQ(all, 40);
  EXPECT_DOUBLE_EQ(static_cast<double>(right) / 40, accuracy);

  Json inspected = summary({"inspect", weights, "--hash"});
  EXPECT_EQ(inspected.at("metadata").at("arch"), "vgg_mini");
  EXPECT_EQ(lines_.size(), inspected.at("tensors").get<size_t>() + 1);
  EXPECT_EQ(lines_.front().at("xxh3_128").get<std::string>().size(), 32U);

  // predict and forward agree: softmax of one's logits are the other's probabilities.
  summary({"predict", "--weights", weights, "--data", data_ + "/t10k-images-idx3-ubyte", "--index", "5,6",
           "--top-k", "4"});
  ASSERT_EQ(lines_.size(), 3U);
  ModelInfo info = read_model_info(weights);
  std::vector<float> input;
  for (int i : {5, 6}) {
    for (char c : picture_of(i, 2)) {
      input.push_back((static_cast<float>(static_cast<uint8_t>(c)) / 255.0F - info.mean[0]) / info.std[0]);
    }
  }
  write_npy(folder_ / "x.npy", Tensor::of(input, {2, 1, kSide, kSide}));
  std::vector<Json> predicted = lines_;
  Json forward = summary({"forward", "--arch", "vgg_mini", "--weights", weights, "--input", folder_ / "x.npy",
                          "--output", folder_ / "y.npy"});
  EXPECT_EQ(forward.at("classes"), 4);
  Tensor y = read_npy(folder_ / "y.npy");
  ASSERT_EQ(y.shape(), Shape({2, 4}));
  std::vector<float> logits = y.to_vector<float>();
  for (size_t row = 0; row < 2; ++row) {
    double sum = 0, before = 2;
    for (size_t c = 0; c < 4; ++c) sum += std::exp(logits[row * 4 + c]);
    ASSERT_EQ(predicted[row].at("top").size(), 4U);
    for (const Json& guess : predicted[row].at("top")) {
      double p = guess.at("probability");
      EXPECT_NEAR(p, std::exp(logits[row * 4 + guess.at("label").get<size_t>()]) / sum, 1e-5);
      EXPECT_LE(p, before);
      before = p;
    }
  }
}

TEST_F(App, PredictsAPictureOutOfNpy) {
  std::string weights = summary(train_flags("run", "4")).at("best_weights");
  std::string bytes = picture_of(9, 2);
  Tensor picture = Tensor::of(std::vector<uint8_t>(bytes.begin(), bytes.end()), {kSide, kSide});
  write_npy(folder_ / "p.npy", picture);
  summary({"predict", "--weights", weights, "--data", folder_ / "p.npy", "--top-k", "9"});
  Json from_npy = lines_.front();
  EXPECT_EQ(from_npy.at("top").size(), 4U);
  summary({"predict", "--weights", weights, "--data", data_, "--index", "9"});
  EXPECT_EQ(lines_.front().at("top"), from_npy.at("top"));
}

TEST_F(App, FinetunesByEachStrategy) {
  std::vector<std::string> flags = train_flags("base", "20");
  flags.insert(flags.end(), {"--classes", "0,1"});
  Json base = summary(flags);
  std::map<std::string, int64_t> trained;
  for (const char* strategy : {"scratch", "head", "last:1", "full"}) {
    Json r = summary({"finetune", "--weights", base.at("best_weights"), "--data", data_, "--out",
                      folder_ / strategy, "--strategy", strategy, "--classes", "2,3", "--per-class", "8",
                      "--steps", "6", "--batch", "8"});
    EXPECT_EQ(r.at("arch"), "vgg_mini") << strategy;
    EXPECT_EQ(r.at("train_pictures"), 16) << strategy;
    EXPECT_EQ(r.at("classes"), Json({"2", "3"})) << strategy;
    trained[strategy] = r.at("trainable_parameters");
    // Evaluated on its own two classes without being told which.
    Json e = summary({"eval", "--weights", r.at("best_weights"), "--data", data_});
    EXPECT_EQ(e.at("accuracy"), r.at("accuracy")) << strategy;
    EXPECT_EQ(e.at("pictures"), 20) << strategy;
  }
  EXPECT_LT(trained["head"], trained["last:1"]);
  EXPECT_LT(trained["last:1"], trained["full"]);
  EXPECT_EQ(trained["full"], trained["scratch"]);
  expect_failure_with(run_iskra(folder_, {"finetune", "--weights", base.at("best_weights"), "--data", data_,
                                          "--out", folder_ / "x", "--strategy", "last:99"}),
                      1, "strategy: last:99 asks for more than the ");
}

class AppSignals : public App, public ::testing::WithParamInterface<int> {};

TEST_P(AppSignals, InterruptedRunsContinueBitForBit) {
  EXPECT_EQ(run_iskra(folder_, train_flags("whole", "400")).code, 0);
  auto interrupt = [&](pid_t pid) {
    // Some lines of metrics: it is in the middle of training.
    for (int i = 0; i < 3000 && read_bytes(folder_ / "parts/metrics.jsonl").size() < 2000; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    kill(pid, GetParam());
  };
  Ran ran = run_iskra(folder_, train_flags("parts", "400"), interrupt);
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_PRED2(contains, ran.out, "continue with: iskra train --resume --out " + (folder_ / "parts"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "parts/last.safetensors"));
  Ran resumed = run_iskra(folder_, {"train", "--resume", "--out", folder_ / "parts"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_PRED2(contains, resumed.out, "resumed at step ");
  for (const char* name : {"best.safetensors", "last.safetensors"}) {
    EXPECT_EQ(read_bytes(folder_ / "whole" + "/" + name), read_bytes(folder_ / "parts" + "/" + name)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Both, AppSignals, ::testing::Values(SIGINT, SIGTERM));
