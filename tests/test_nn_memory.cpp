// Training steps and memory: after the first step nothing more is asked of the system, and a step that ran
// out of memory can be followed by one that does not.
#include <gtest/gtest.h>

#include <iskra/core/allocator.h>
#include <iskra/core/random.h>
#include <iskra/nn/layers.h>
#include <iskra/nn/optim.h>

#include "error_of.h"

namespace iskra::nn {
namespace {

/// A transformer block between projections.
struct SmallVit : Module {
  Linear embed{48, 32};
  TransformerBlock block{{.width = 32, .heads = 4}};
  Linear head{32, 10};
  Tensor forward(const Tensor& x) override { return head(mean(block(embed(x)), {1})); }
  void fields(Fields& f) override { f("embed", embed)("block", block)("head", head); }
  static Shape input(int64_t batch) { return {batch, 17, 48}; }
};

/// Two convolutions, pooling and a classifier.
struct SmallVgg : Module {
  Conv2d conv1{{.in = 3, .out = 8}}, conv2{{.in = 8, .out = 16}};
  MaxPool2d pool{2};
  Linear head{16 * 4 * 4, 10};
  Tensor forward(const Tensor& x) override { return head(pool(relu(conv2(relu(conv1(x))))).flatten(1)); }
  void fields(Fields& f) override { f("conv1", conv1)("conv2", conv2)("pool", pool)("head", head); }
  static Shape input(int64_t batch) { return {batch, 3, 12, 12}; }
};

template <class Model>
class TrainingMemory : public ::testing::Test {
 public:
  void step(int64_t batch) {
    Tensor x = normal(Model::input(batch), 0, 1);
    Tensor labels = Tensor::zeros({batch}, {.dtype = DType::i64});
    cross_entropy(model(x), labels).backward();
    optimizer.step();
  }

 private:
  RngScope scope_{{.seed = 1}};

 public:
  Model model;
  AdamW optimizer{model.parameters(), {.lr = 1e-3}};
};

using Models = ::testing::Types<SmallVit, SmallVgg>;
TYPED_TEST_SUITE(TrainingMemory, Models);

#ifndef ISKRA_SANITIZED  // those builds do not cache
TYPED_TEST(TrainingMemory, AfterTheFirstStepNothingIsAskedOfTheSystem) {
  this->step(9);
  const MemoryStats first = memory_stats(current_device());
  for (int i = 0; i < 3; ++i) this->step(9);
  const MemoryStats later = memory_stats(current_device());
  EXPECT_EQ(later.system_calls, first.system_calls);
  EXPECT_EQ(later.reserved_bytes, first.reserved_bytes);
  EXPECT_EQ(later.current_bytes, first.current_bytes);
}
#endif

TYPED_TEST(TrainingMemory, IsCountedUnderItsTag) {
  const size_t optimizer_before = memory_stats(current_device())[MemoryTag::optimizer].current_bytes;
  this->step(3);
  const MemoryStats stats = memory_stats(current_device());
  size_t least = 0;
  for (const Named& p : this->model.parameters()) least += p.tensor.bytes();
  EXPECT_GE(stats[MemoryTag::parameters].current_bytes, least);
  EXPECT_GE(stats[MemoryTag::optimizer].current_bytes - optimizer_before, 2 * least);  // two moments
  EXPECT_GE(stats[MemoryTag::gradients].peak_bytes, least);
  EXPECT_EQ(stats[MemoryTag::scratch].current_bytes, 0U);
  EXPECT_GT(stats[MemoryTag::scratch].peak_bytes, 0U);
}

TYPED_TEST(TrainingMemory, GoesOnAfterAStepThatDidNotFit) {
  this->step(3);
  release_cached_memory(current_device());
  const size_t held = memory_stats(current_device()).current_bytes;
  set_memory_limit(current_device(), held + (2U << 20));
  const std::string message = testing::error_of([&] { this->step(4096); });
  EXPECT_EQ(message.rfind("out of memory: wanted ", 0), 0U) << message;
  EXPECT_EQ(memory_stats(current_device()).current_bytes, held) << "the failed step holds memory";
  this->step(3);
  set_memory_limit(current_device(), 0);
}

}  // namespace
}  // namespace iskra::nn
