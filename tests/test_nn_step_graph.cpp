// Steps as graphs: the bits of calling them, what must not stand in them, and whose their memory is.
#include <gtest/gtest.h>

#include <iskra/core/random.h>
#include <iskra/core/step_graph.h>
#include <iskra/core/stream.h>
#include <iskra/nn/layers.h>
#include <iskra/nn/optim.h>

#include "error_of.h"

namespace iskra::nn {
namespace {

using testing::error_of;

/// A small model with dropout, trained by AdamW on batches that change.
struct Training {
  explicit Training(bool graphs) : graph(current_device(), graphs) {
    RngScope scope({.seed = 2});
    model.add(Linear(6, 16));
    model.add(GELU());
    model.add(Dropout(0.3));
    model.add(Linear(16, 3));
    optimizer.emplace(model.parameters(), AdamWConfig{.lr = 0.05});
    x = Tensor::zeros({5, 6});
    labels = Tensor::of<int64_t>({0, 2, 1, 1, 0}, {5});
  }

  std::vector<double> run(int steps) {
    std::vector<double> losses;
    RngScope random({.seed = 4});
    for (int i = 0; i < steps; ++i) {
      {
        RngScope data({.seed = 7, .step = i});
        x.copy_from(normal({5, 6}, 0, 1));
      }
      optimizer->set_learning_rate(0.05 / (i + 1));
      optimizer->prepare_step();
      graph.run([&] {
        Tensor l = cross_entropy(model(x), labels);
        l.backward();
        loss = l.detach();
        optimizer->step();
      });
      random.advance();
      losses.push_back(loss.item());
    }
    return losses;
  }

  StepGraph graph;
  Sequential model;
  std::optional<AdamW> optimizer;
  Tensor x, labels, loss;
};

TEST(StepGraph, GivesTheBitsOfCallingTheStep) {
  Training called(false), recorded(true);
  const std::vector<double> want = called.run(7);
  EXPECT_EQ(recorded.run(7), want);
  EXPECT_EQ(recorded.graph.recorded(), current_device().is_cuda());
  EXPECT_FALSE(called.graph.recorded());
  EXPECT_NE(want[5], want[6]);
  auto weights = called.model.state(), same = recorded.model.state();
  for (size_t i = 0; i < weights.size(); ++i)
    EXPECT_EQ(same[i].tensor.to_vector<float>(), weights[i].tensor.to_vector<float>()) << weights[i].name;
  EXPECT_EQ(recorded.optimizer->steps(), 7);
}

TEST(StepGraph, ItsMemoryServesNobodyElse) {
  StepGraph graph(current_device());
  Tensor x = Tensor::full({1000}, 3), y;
  auto step = [&] {
    Tensor between = x * 2;
    y = between + 1;
  };
  graph.run(step);
  graph.run(step);
  // Would take the place of `between` otherwise, which every launch overwrites.
  std::vector<Tensor> others;
  for (int i = 0; i < 8; ++i) others.push_back(Tensor::full({1000}, 100 + i));
  x.fill(5);
  graph.run(step);
  EXPECT_EQ(y.to_vector<float>(), std::vector<float>(1000, 11));
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(others[static_cast<size_t>(i)].to_vector<float>(),
              std::vector<float>(1000, static_cast<float>(100 + i)));
  }
}

TEST(StepGraph, WhatWaitsForTheDeviceCannotBeRecorded) {
  StepGraph graph(current_device());
  Tensor x = Tensor::ones({4});
  double seen = 0;
  auto waits = [&] {
    x.copy_from(x + 1);
    seen = sum(x).item();
  };
  graph.run(waits);
  EXPECT_EQ(seen, 8);
  if (current_device().is_cpu()) return;
  const std::string message = error_of([&] { graph.run(waits); });
  EXPECT_NE(message.find("captur"), std::string::npos) << message;
  // Nothing was done, and another step can be recorded.
  EXPECT_FALSE(graph.recorded());
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, 2));
  graph.reset();
  for (int i = 0; i < 3; ++i) graph.run([&] { x.copy_from(x * 2); });
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, 16));
}

TEST(StepGraph, RunsOnTheCurrentStream) {
  Stream stream(current_device());
  Tensor x = Tensor::ones({64});
  Event(current_stream(current_device())).wait_in(stream);
  StreamScope scope(stream);
  StepGraph graph(current_device());
  for (int i = 0; i < 4; ++i) graph.run([&] { x.copy_from(x + x); });
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(64, 16));
}

}  // namespace
}  // namespace iskra::nn
