// What the allocator counts, keeps and refuses.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <iskra/core/allocator.h>
#include <iskra/core/ops.h>
#include <iskra/core/system_memory.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_of;

size_t in_use(MemoryTag tag) { return memory_stats(current_device())[tag].current_bytes; }

/// A limit that ends with the test.
struct Limit {
  explicit Limit(size_t bytes) { set_memory_limit(current_device(), bytes); }
  ~Limit() { set_memory_limit(current_device(), 0); }
};

TEST(Memory, IsCountedAndReused) {
  const Device here = current_device();
  size_t before = memory_stats(here).current_bytes;
  {
    Tensor x = Tensor::empty({1 << 20});
    EXPECT_GE(memory_stats(here).current_bytes, before + (4U << 20));
    EXPECT_GE(memory_stats(here).peak_bytes, before + (4U << 20));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.raw_data()) % 64, 0U);
  }
  EXPECT_EQ(memory_stats(here).current_bytes, before);
#ifndef ISKRA_SANITIZED
  uint64_t calls = memory_stats(here).system_calls;
  Tensor again = Tensor::empty({1 << 20});
  EXPECT_EQ(memory_stats(here).system_calls, calls);
  again = {};
#endif
  release_cached_memory(here);
  EXPECT_LE(memory_stats(here).reserved_bytes - memory_stats(here).current_bytes, 0U);
  reset_peak_memory(here);
  EXPECT_EQ(memory_stats(here).peak_bytes, memory_stats(here).current_bytes);
}

TEST(Memory, IsCountedByTag) {
  const size_t activations = in_use(MemoryTag::activations), parameters = in_use(MemoryTag::parameters);
  Tensor x = Tensor::zeros({1 << 18});
  EXPECT_EQ(in_use(MemoryTag::activations) - activations, 1U << 20);
  Tensor w;
  {
    MemoryScope scope(MemoryTag::parameters);
    w = Tensor::ones({1 << 18}).set_requires_grad();
  }
  EXPECT_EQ(in_use(MemoryTag::parameters) - parameters, 1U << 20);
  // A leaf's gradient is counted as one, whatever scope the forward pass ran in.
  const size_t gradients = in_use(MemoryTag::gradients);
  sum(x * w).backward();
  EXPECT_EQ(in_use(MemoryTag::gradients) - gradients, 1U << 20);
  EXPECT_GE(memory_stats(current_device())[MemoryTag::gradients].peak_bytes, in_use(MemoryTag::gradients));
  x = {};
  EXPECT_EQ(in_use(MemoryTag::activations), activations);
  // Freed under the tag it was asked for with, not under the one of the day.
  {
    MemoryScope scope(MemoryTag::data);
    w = {};
  }
  EXPECT_EQ(in_use(MemoryTag::parameters), parameters);
  EXPECT_EQ(in_use(MemoryTag::gradients), gradients);
}

TEST(Memory, TagsAddUpToTheWhole) {
  Tensor x = Tensor::zeros({1000});
  const MemoryStats stats = memory_stats(current_device());
  size_t total = 0;
  for (const MemoryStats::Use& use : stats.by) total += use.current_bytes;
  EXPECT_EQ(total, stats.current_bytes);
  EXPECT_STREQ(name_of(MemoryTag::optimizer), "optimizer");
}

// Blocks so large that a CUDA device's pool asks for each by itself.
constexpr size_t kUnit = size_t{16} << 20;
Tensor block_of(double units) {
  return Tensor::empty({static_cast<int64_t>(units * kUnit)}, {.dtype = DType::u8});
}

TEST(Memory, ARefusalSaysWhatWasWantedHeldAndFree) {
  release_cached_memory(current_device());
  MemoryScope scope(MemoryTag::data);
  const size_t before = memory_stats(current_device()).current_bytes;
  Tensor held = block_of(3);
  const size_t all = before + 3 * kUnit;
  Limit limit(all + kUnit);
  const std::string message = error_of([] { block_of(2); });
  EXPECT_EQ(message.rfind("out of memory: wanted 32.0 MiB, tensors hold ", 0), 0U) << message;
  EXPECT_NE(message.find("data 48.0 MiB"), std::string::npos) << message;
  EXPECT_NE(message.find("were cached and given back, the limit is "), std::string::npos) << message;
  EXPECT_TRUE(message.ends_with("; use a smaller batch or model, or activation checkpointing")) << message;
  // Nothing was lost or counted, and what fits is still given.
  EXPECT_EQ(memory_stats(current_device()).current_bytes, all);
  Tensor small = block_of(0.5);
  EXPECT_EQ(memory_stats(current_device()).current_bytes, all + kUnit / 2);
}

TEST(Memory, CachedBlocksOfOtherSizesMakeRoom) {
  release_cached_memory(current_device());
  const size_t before = memory_stats(current_device()).reserved_bytes;
  Limit limit(before + 4 * kUnit);
  {
    Tensor two = block_of(2), one = block_of(1);
  }
  Tensor three = block_of(3);
  EXPECT_LE(memory_stats(current_device()).reserved_bytes, before + 4 * kUnit);
}

// The system promises more memory than it has and kills who uses it: large blocks are refused before.
TEST(Memory, MoreThanTheMachineHasIsRefused) {
  const auto more = static_cast<int64_t>(detail::available_host_memory() / 2 * 3);
  ASSERT_LT(more, int64_t{1} << 50) << "this machine does not say how much memory is available";
  const std::string message = error_of([&] { Tensor::empty({more}, {.dtype = DType::u8}); });
  EXPECT_EQ(message.rfind("out of memory: wanted ", 0), 0U) << message;
  EXPECT_NE(message.find(current_device().is_cpu() ? "GiB left" : "device cuda has 8.0 GiB of 8.0 GiB free"),
            std::string::npos)
      << message;
}

void write(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << content;
}

TEST(SystemMemory, IsTheLeastOfMachineAndControlGroup) {
  const std::filesystem::path root = std::filesystem::temp_directory_path() / "system_memory";
  std::filesystem::remove_all(root);
  auto available = [&] { return detail::available_host_memory(root.c_str()); };
  EXPECT_EQ(available(), SIZE_MAX);  // nothing is known
  write(root / "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    5000 kB\nSwapFree:  1000 kB\n");
  EXPECT_EQ(available(), 6000U * 1024);
  write(root / "sys/fs/cgroup/memory.max", "max\n");
  write(root / "sys/fs/cgroup/memory.current", "3000000\n");
  EXPECT_EQ(available(), 6000U * 1024);
  write(root / "sys/fs/cgroup/memory.max", "4000000\n");
  EXPECT_EQ(available(), 1000000U);
  write(root / "sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 500000\n");
  EXPECT_EQ(available(), 1500000U);
  write(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "700000\n");  // the older layout
  write(root / "sys/fs/cgroup/memory/memory.usage_in_bytes", "900000\n");
  EXPECT_EQ(available(), 0U);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace iskra
