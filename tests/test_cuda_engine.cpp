// What only a CUDA device has: streams, memory in their order, pinned copies, and faults with their texts.
#include <gtest/gtest.h>

#include <iskra/core/allocator.h>
#include <iskra/core/context.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/core/stream.h>
#include <iskra/kernels/sim/device.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_with_caller;

/// In each mode of the emulator's streams, with a pool that holds nothing at first.
class CudaEngine : public ::testing::TestWithParam<sim::StreamMode> {
 protected:
  void SetUp() override {
    sim::set_stream_mode(GetParam());
    release_cached_memory(cuda_);
  }
  void TearDown() override {
    sim::set_device_fault("");
    set_synchronous(false);
    set_memory_limit(cuda_, 0);
    synchronize(cuda_);
    sim::set_stream_mode(sim::StreamMode::eager);
  }
  Tensor counted(int64_t n) const { return arange(0, static_cast<double>(n), 1, {.device = cuda_}); }
  static std::vector<float> numbers(int64_t n, float times) {
    std::vector<float> all(static_cast<size_t>(n));
    for (size_t i = 0; i < all.size(); ++i) all[i] = times * static_cast<float>(i);
    return all;
  }

  const Device cuda_ = Device::cuda();
  const DeviceScope here_{cuda_};
};
INSTANTIATE_TEST_SUITE_P(Streams, CudaEngine,
                         ::testing::Values(sim::StreamMode::eager, sim::StreamMode::lazy),
                         [](const auto& mode) {
                           return mode.param == sim::StreamMode::eager ? "eager" : "lazy";
                         });

TEST_P(CudaEngine, TensorsGoThereAndBack) {
  for (int64_t n : {0, 1, 1000}) {
    Tensor x = counted(n);
    EXPECT_EQ(x.device(), cuda_);
    EXPECT_EQ(x.to_vector<float>(), numbers(n, 1));
    EXPECT_EQ((x * 2).to(Device::cpu()).to(cuda_).to_vector<float>(), numbers(n, 2));
  }
  // Any strides, conversions on the way, and into places of a view.
  Tensor x = counted(24).reshape({2, 3, 4}).permute({2, 0, 1});
  EXPECT_EQ(x.to(Device::cpu()).to_vector<float>(), x.to_vector<float>());
  EXPECT_EQ(x.to(Device::cpu()).strides(), x.strides());
  Tensor host = Tensor::full({2, 4}, 7.5, {.dtype = DType::f64, .device = Device::cpu()});
  Tensor wide = Tensor::zeros({2, 9});
  wide.slice(1, 1, 9, 2).copy_from(host);
  EXPECT_EQ(wide.to_vector<float>(), (std::vector<float>{0, 7.5, 0, 7.5, 0, 7.5, 0, 7.5, 0,  //
                                                         0, 7.5, 0, 7.5, 0, 7.5, 0, 7.5, 0}));
}

TEST_P(CudaEngine, CopiesAreOnTheTape) {
  Tensor x = Tensor::of<float>({1, 2, 3}, {3}, Device::cpu()).set_requires_grad();
  Tensor y = x.to(cuda_);
  sum(y * y).backward();
  EXPECT_EQ(x.grad().device(), Device::cpu());
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{2, 4, 6}));
}

TEST_P(CudaEngine, OperandsOnTwoDevicesAreRefused) {
  Tensor x = counted(3), host = Tensor::ones({3}, {.device = Device::cpu()});
  const std::string message = error_with_caller([&] { x + host; });
  EXPECT_EQ(message.rfind("add: the operands are on cuda and cpu; move one with to(Device)", 0), 0U)
      << message;
  EXPECT_NE(error_with_caller([&] {
              x.data<float>();
            }).find("the tensor is on cuda; copy it with to(Device::cpu())"),
            std::string::npos);
}

TEST_P(CudaEngine, AStreamGetsItsOwnMemoryBackAtOnce) {
  Tensor x = counted(1 << 20);
  const void* place = x.raw_data();
  Tensor y = x * 2;
  x = {};
  x = counted(1 << 20);  // the product above may not be done yet; this is done after it
  if (!memory_stats(cuda_).cached_bytes()) return;  // this build does not cache
  EXPECT_EQ(x.raw_data(), place);
  EXPECT_EQ(y.to_vector<float>()[77], 154);
}

TEST_P(CudaEngine, AnotherStreamsUseIsWaitedForBeforeMemoryIsGivenAway) {
  Stream side(cuda_);
  Tensor x = counted(1 << 12), y;
  const void* place = x.raw_data();
  Event(current_stream(cuda_)).wait_in(side);
  {
    StreamScope scope(side);
    y = x * 3;
    use_in(x, side);
  }
  x = {};
  Tensor z = Tensor::full({1 << 12}, 5);  // in the place of x, and in the main stream
  const bool caches = memory_stats(cuda_).cached_bytes() > 0;
  EXPECT_TRUE(!caches || z.raw_data() == place);
  z.fill(9);
  synchronize(cuda_);  // with lazy streams, all that the main stream waits for is done first
  EXPECT_EQ(z.to_vector<float>()[3], 9);
  StreamScope scope(side);
  EXPECT_EQ(y.to_vector<float>(), numbers(1 << 12, 3));
}

TEST_P(CudaEngine, WhenMemoryIsShortOtherStreamsGiveTheirs) {
  constexpr int64_t kFloats = 3 << 20;
  set_memory_limit(cuda_, memory_stats(cuda_).reserved_bytes + (size_t{16} << 20));
  Tensor y;
  {
    Tensor x = Tensor::full({kFloats}, 2);
    y = sum(x);
  }
  if (memory_stats(cuda_).cached_bytes() < (size_t{12} << 20)) return;  // this build does not cache
  Stream side(cuda_);
  StreamScope scope(side);
  Tensor z = Tensor::full({kFloats}, 1);
  EXPECT_EQ(z.narrow(0, 0, 3).to_vector<float>(), (std::vector<float>{1, 1, 1}));
  synchronize(cuda_);
  EXPECT_EQ(y.item(), 2.0 * kFloats);
}

TEST_P(CudaEngine, PinnedMemoryIsCopiedBesideTheHost) {
  Tensor host = arange(0, 5000, 1, {.device = Device::cpu()}).pinned();
  EXPECT_TRUE(host.is_pinned());
  EXPECT_FALSE(counted(3).is_pinned());
  Tensor x = host.to(cuda_) * 2;
  const void* place = host.raw_data();
  host = {};
  // The block is still read with lazy streams, and then given to nobody.
  Tensor other = Tensor::zeros({5000}, {.device = Device::cpu()}).pinned();
#ifndef ISKRA_SANITIZED  // those builds wait for the device whenever memory is freed
  EXPECT_TRUE(GetParam() == sim::StreamMode::eager || other.raw_data() != place);
#endif
  EXPECT_NE(place, nullptr);
  EXPECT_EQ(x.to_vector<float>(), numbers(5000, 2));
  Tensor back = Tensor::zeros({5000}, {.device = Device::cpu()}).pinned();
  back.copy_from(x);
  synchronize(cuda_);
  EXPECT_EQ(back.to_vector<float>(), numbers(5000, 2));
}

TEST_P(CudaEngine, StatisticsTellWhatIsHeldAndHowItLies) {
  const MemoryStats before = memory_stats(cuda_);
  EXPECT_EQ(before.fragmentation(), 0);
  std::vector<Tensor> held;
  for (int i = 0; i < 8; ++i) held.push_back(Tensor::empty({1 << 16}));
  EXPECT_EQ(memory_stats(cuda_).current_bytes - before.current_bytes, 8U << 18);
  if (memory_stats(cuda_).cached_bytes() == 0 && memory_stats(cuda_).system_calls > 7)
    return;  // does not cache
  for (size_t i = 0; i < 8; i += 2) held[i] = {};
  MemoryStats holes = memory_stats(cuda_);
  EXPECT_GT(holes.fragmentation(), 0.5);
  held.clear();
  MemoryStats whole = memory_stats(cuda_);
  EXPECT_EQ(whole.fragmentation(), 0) << "free neighbours are joined";
  EXPECT_EQ(whole.largest_free_bytes, whole.cached_bytes());
  release_cached_memory(cuda_);
  EXPECT_EQ(memory_stats(cuda_).reserved_bytes, memory_stats(cuda_).current_bytes);
}

TEST_P(CudaEngine, OutOfMemorySaysWhatWasAskedHeldAndFreeAndWorkGoesOn) {
  Tensor held = Tensor::empty({32 << 20}, {.dtype = DType::u8});
  const std::string message =
      error_with_caller([] { Tensor::empty({int64_t{9} << 30}, {.dtype = DType::u8}); });
  EXPECT_EQ(message.rfind("out of memory: wanted 9.0 GiB, tensors hold ", 0), 0U) << message;
  EXPECT_NE(message.find("of 8.0 GiB free; use a smaller batch or model, or activation checkpointing"),
            std::string::npos)
      << message;
  EXPECT_EQ(counted(3).to_vector<float>(), numbers(3, 1));
}

TEST_P(CudaEngine, AFailedKernelNamesOpAndShapes) {
  Tensor x = counted(6).reshape({2, 3});
  sim::set_device_fault("launch:1");
  set_synchronous(true);
  const std::string message = error_with_caller([&] { softmax(x, 1); });
  EXPECT_EQ(message.rfind("softmax on cuda (f32 (1, 2, 3)", 0) != 0 &&
                message.rfind("softmax on cuda (f32 (2, 3, 1)", 0) != 0,
            false)
      << message;
  EXPECT_NE(message.find("at test_cuda_engine.cpp:"), std::string::npos) << message;
  sim::set_device_fault("");
  sim::reset_devices();
}

TEST_P(CudaEngine, RandomNumbersAreThoseOfTheCpu) {
  RngScope scope({.seed = 5, .step = 3});
  Tensor there = uniform({100}, 0, 1);
  RngScope again({.seed = 5, .step = 3});
  Tensor here = uniform({100}, 0, 1, {.device = Device::cpu()});
  EXPECT_EQ(there.to_vector<float>(), here.to_vector<float>());
  again.advance();
  Tensor next = uniform({100}, 0, 1);
  EXPECT_NE(next.to_vector<float>(), here.to_vector<float>());
}

}  // namespace
}  // namespace iskra
