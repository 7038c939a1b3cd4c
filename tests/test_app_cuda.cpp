// The program on a CUDA device: the CPU's losses, graphs, and what it says when there is no such device.
#include <gtest/gtest.h>

#include <cmath>

#include <iskra/core/random.h>
#include <iskra/zoo/json.h>
#include <iskra/zoo/weights/npy.h>

#include "app_run.h"
#include "zoo_pictures.h"

using namespace iskra;
using namespace iskra::zoo;
using namespace iskra::testing;

namespace {

class AppCuda : public ::testing::Test {
 protected:
  AppCuda() { data_ = write_pictures(folder_ / "data"); }

  Ran train(const std::string& arch, const std::vector<std::string>& more,
            const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words = {"train",  "--data",  data_,
                                      "--arch", arch,      "--batch",
                                      "4",      "--steps", "3",
                                      "--lr",   "0.001",   "--log-every",
                                      "1",      "--json",  "--eval-every",
                                      "3",      "--out",   folder_ / ("run" + std::to_string(runs_++))};
    words.insert(words.end(), more.begin(), more.end());
    return run_iskra(folder_, words, {}, environment);
  }
  /// The losses of a run's steps.
  static std::vector<double> losses(const Ran& ran) {
    EXPECT_EQ(ran.code, 0) << ran.err;
    std::vector<double> all;
    for (const std::string& line : ran.lines()) {
      const Json j = Json::parse(line);
      if (j.value("event", "") == "train") all.push_back(j.at("loss").get<double>());
    }
    return all;
  }
  static void expect_near(const std::vector<double>& got, const std::vector<double>& want) {
    ASSERT_EQ(want.size(), 3U);
    ASSERT_EQ(got.size(), 3U);
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], want[i], 2e-5 * std::abs(want[i])) << "step " << i;
  }

  Folder folder_;
  std::string data_;
  int runs_ = 0;
};

TEST_F(AppCuda, TrainsAVitWithTheLossesOfTheCpu) {
  const std::vector<double> on_cpu = losses(train("vit_mini", {}));
  const std::vector<double> on_cuda = losses(train("vit_mini", {"--device", "cuda"}));
  expect_near(on_cuda, on_cpu);
  EXPECT_NE(on_cpu[0], on_cpu[2]);
  // As graphs, and with streams that put off work: the same bits.
  EXPECT_EQ(losses(train("vit_mini", {"--device", "cuda", "--graph"}, {"ISKRA_SIM_STREAMS=lazy"})), on_cuda);
}

TEST_F(AppCuda, TrainsAVggWithTheLossesOfTheCpu) {
  const std::vector<double> on_cpu = losses(train("vgg_mini", {"--exact-convolutions"}));
  const std::vector<double> on_cuda = losses(train("vgg_mini", {"--device", "cuda"}));
  expect_near(on_cuda, on_cpu);
  EXPECT_EQ(losses(train("vgg_mini", {"--device", "cuda", "--graph"}, {"ISKRA_SIM_STREAMS=lazy"})), on_cuda);
}

/// A failed run says one line, and this in it.
void expect_line(const Ran& ran, int code, const std::string& part) {
  EXPECT_EQ(ran.code, code) << ran.out;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
}

TEST_F(AppCuda, WhatIsWrongIsSaidInOneLine) {
  const std::vector<std::string> cuda = {"--device", "cuda"};
  expect_line(train("vit_mini", cuda, {"ISKRA_SIM_FAULT=no_device"}), 2, "device cuda: CUDA: ");
  expect_line(train("vit_mini", cuda, {"ISKRA_SIM_FAULT=driver_too_old"}), 2, "update the driver");
  expect_line(train("vit_mini", cuda, {"ISKRA_SIM_FAULT=old_device"}), 2, "8.0");
  expect_line(train("vit_mini", {"--device", "cuda:7"}), 2,
              "device cuda:7: this machine has 1 CUDA device, number 0");
  expect_line(train("vit_mini", cuda, {"ISKRA_SIM_MEMORY=1M"}), 1, "out of memory: wanted ");
  expect_line(train("vit_mini", {"--device", "cuda", "--sync"}, {"ISKRA_SIM_FAULT=launch:40"}), 1,
              " on cuda (");
  expect_line(train("vit_mini", cuda, {"ISKRA_SIM_FAULT=launch:40"}), 1, "--sync");
  expect_line(train("vit_mini", {"--graph"}), 2, "graph: steps become graphs on a CUDA device");
}

TEST_F(AppCuda, EveryCommandThatComputesGivesWhatTheCpuGives) {
  EXPECT_EQ(train("vgg_mini", {}).code, 0);
  const std::string weights = folder_ / "run0/best.safetensors";
  write_npy(folder_ / "x.npy", normal({2, 1, 8, 8}, 0, 1));
  auto last = [&](std::vector<std::string> words, const std::string& device) {
    words.insert(words.end(), {"--device", device, "--json"});
    const Ran ran = run_iskra(folder_, words);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return Json::parse(ran.lines().back());
  };
  auto near = [](const Json& a, const Json& b) {
    return std::abs(a.get<double>() - b.get<double>()) <= 2e-5 * std::abs(b.get<double>());
  };
  const std::vector<std::string> eval = {"eval", "--weights", weights, "--data", data_};
  const Json there = last(eval, "cuda"), here = last(eval, "cpu");
  EXPECT_EQ(there.at("device"), "cuda");
  EXPECT_EQ(there.at("accuracy"), here.at("accuracy"));
  EXPECT_PRED2(near, there.at("loss"), here.at("loss"));

  auto logits = [&](const std::string& device) {
    last({"forward", "--arch", "vgg_mini", "--weights", weights, "--input", folder_ / "x.npy", "--output",
          folder_ / device},
         device);
    return read_npy(folder_ / device).to_vector<float>();
  };
  const std::vector<float> on_cuda = logits("cuda"), on_cpu = logits("cpu");
  ASSERT_EQ(on_cuda.size(), on_cpu.size());
  for (size_t i = 0; i < on_cpu.size(); ++i) EXPECT_NEAR(on_cuda[i], on_cpu[i], 2e-5) << i;

  const std::vector<std::string> predict = {
      "predict", "--weights", weights, "--data", data_ + "/t10k-images-idx3-ubyte", "--index", "3"};
  EXPECT_EQ(last(predict, "cuda").at("device"), "cuda");
  const Json bench =
      last({"bench", "model", "--arch", "vgg_mini", "--batch", "2", "--seconds", "0.05"}, "cuda");
  EXPECT_GT(bench.at("images_per_s_median").get<double>(), 0);
  EXPECT_GT(bench.at("peak_memory_bytes").get<double>(), 0);
}

TEST_F(AppCuda, TellsWhatDevicesThereAre) {
  const Json there = Json::parse(run_iskra(folder_, {"doctor", "--json"}).lines().back());
  EXPECT_TRUE(there.at("cuda").get<bool>());
  EXPECT_EQ(there.at("cuda_devices").get<std::string>().rfind("cuda: ", 0), 0U);
  const Json none =
      Json::parse(run_iskra(folder_, {"doctor", "--json"}, {}, {"ISKRA_SIM_FAULT=no_device"}).lines().back());
  EXPECT_FALSE(none.at("cuda").get<bool>());
}

}  // namespace
