// The emulator's threads: every one of a grid runs once, in every order, and knows its place.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

__global__ void count_places(int* counts) {
  unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  counts[block * (blockDim.x * blockDim.y * blockDim.z) + thread] += 1;
}

TEST(SimThreads, EveryThreadOfTheGridRunsOnceInEveryOrder) {
  for (const sim::LaunchShape& shape :
       {sim::LaunchShape{1, 1}, {7, 33}, {{3, 2, 4}, {5, 3, 2}}, {2, 1024}, {{1, 1, 3}, {1, 1, 64}}}) {
    size_t count =
        size_t{shape.grid.x} * shape.grid.y * shape.grid.z * shape.block.x * shape.block.y * shape.block.z;
    in_all_orders([&] {
      std::vector<int> counts(count);
      go<count_places>(shape, counts.data());
      EXPECT_EQ(counts, std::vector<int>(count, 1));
    });
  }
}

__global__ void note_order(int* order, int* next) {
  __syncthreads();
  order[atomicAdd(next, 1)] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

std::vector<int> order_of(const sim::Schedule& schedule, unsigned blocks, unsigned threads) {
  std::vector<int> order(size_t{blocks} * threads);
  int next = 0;
  sim::set_schedule(schedule);
  go<note_order>({blocks, threads}, order.data(), &next);
  sim::set_schedule({});
  return order;
}

TEST(SimThreads, OrdersDifferAndRandomOnesFollowTheirSeed) {
  auto forward = order_of({sim::Order::forward, 1}, 3, 40),
       reverse = order_of({sim::Order::reverse, 1}, 3, 40);
  EXPECT_NE(forward, reverse);
  EXPECT_LT(forward[0], 40);
  EXPECT_GE(reverse[0], 80);
  auto random = order_of({sim::Order::random, 5}, 3, 40);
  EXPECT_EQ(random, order_of({sim::Order::random, 5}, 3, 40));
  EXPECT_NE(random, order_of({sim::Order::random, 6}, 3, 40));
  std::sort(random.begin(), random.end());
  std::vector<int> all(120);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(random, all);
}

template <class A, class B>
__global__ void take_arguments(A a, const B b, double* out) {
  if (threadIdx.x == 0) *out = static_cast<double>(a) * static_cast<double>(b);
}

TEST(SimThreads, ArgumentsAreConvertedToTheKernelsParameters) {
  double out = 0;
  go<take_arguments<int64_t, float>>({1, 32}, 1 << 30, 8, &out);
  EXPECT_EQ(out, 8589934592.0);
}

TEST(SimThreads, LaunchesThatAGpuRefuses) {
  int x = 0;
  auto text = [&](const sim::LaunchShape& shape) { return fault_of([&] { go<count_places>(shape, &x); }); };
  EXPECT_NE(text({1, 1025}).find("cannot launch block (1025, 1, 1): want 1 to 1024 threads"),
            std::string::npos);
  EXPECT_NE(text({1, {8, 8, 65}}).find("want 1 to 1024 threads"), std::string::npos);
  EXPECT_NE(text({0, 32}).find("grid (0, 1, 1): want at least one block"), std::string::npos);
  EXPECT_NE(text({{1, 65536}, 32}).find("grid (1, 65536, 1)"), std::string::npos);
  EXPECT_NE(text({1, 32, 233000}).find("233000 bytes of dynamic shared memory"), std::string::npos);
  EXPECT_NE(text({3, 32, 0, 2}).find("cluster (2, 1, 1) of grid (3, 1, 1)"), std::string::npos);
  EXPECT_NE(text({1, 1025}).find("test_sim_threads.cpp"), std::string::npos) << "names the launch";
  EXPECT_EQ(x, 0);
}

TEST(SimThreads, ThreadsOfTheHostLaunchSideBySide) {
  std::vector<std::vector<int>> counts(4, std::vector<int>(size_t{5} * 64));
  std::vector<std::thread> hosts;
  for (auto& mine : counts) {
    hosts.emplace_back([&mine] {
      for (int i = 0; i < 20; ++i) go<count_places>({5, 64}, mine.data());
    });
  }
  for (auto& host : hosts) host.join();
  for (auto& mine : counts) EXPECT_EQ(mine, std::vector<int>(size_t{5} * 64, 20));
}

template <int N>
__global__ void never_launched(int* x) {
  *x = N;
}
void (*launches_it)(int*) = [](int* x) { go<never_launched<3>>({1, 1}, x); };

TEST(SimThreads, KernelsThatWereNeverLaunchedAreKnown) {
  ASSERT_NE(launches_it, nullptr);
  bool found = false, counted = false;
  int x[32];
  go<count_places>({1, 32}, static_cast<int*>(x));
  for (const sim::KernelRecord* record : sim::kernel_records()) {
    if (record->name.find("never_launched<3>") != std::string::npos) found = record->launches == 0;
    if (record->name.find("count_places") != std::string::npos) counted = record->launches > 0;
  }
  EXPECT_TRUE(found);
  EXPECT_TRUE(counted);
}

TEST(SimThreads, NamesOfKernelsHaveTheirTemplateArguments) {
  EXPECT_EQ((sim::KernelOf<take_arguments<int64_t, float>>::record.name),
            "iskra::testing::(anonymous namespace)::take_arguments<long, float>");
  EXPECT_EQ((sim::KernelOf<never_launched<3>>::record.name),
            "iskra::testing::(anonymous namespace)::never_launched<3>");
  EXPECT_EQ(sim::KernelOf<count_places>::record.name, "iskra::testing::(anonymous namespace)::count_places");
}

TEST(SimThreads, CoverageIsWrittenAsLines) {
  std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "coverage";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  int x[32];
  go<count_places>({1, 32}, static_cast<int*>(x));
  sim::write_coverage(folder.string());
  int lines = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(file.path());
    uint64_t launches = 0;
    for (std::string name; in >> launches && std::getline(in, name);) {
      if (name == " iskra::testing::(anonymous namespace)::count_places") {
        EXPECT_GT(launches, 0U);
      }
      ++lines;
    }
  }
  EXPECT_EQ(lines, static_cast<int>(sim::kernel_records().size()));
}

TEST(SimThreads, SchedulesAreReadFromText) {
  EXPECT_EQ(sim::str(sim::parse_schedule("random:77")), "random:77");
  EXPECT_EQ(sim::str(sim::parse_schedule("deep")), "deep");
  EXPECT_THROW(sim::parse_schedule("backwards"), std::invalid_argument);
  EXPECT_THROW(sim::parse_schedule("random:7x"), std::invalid_argument);
}

}  // namespace
}  // namespace iskra::testing
