// Device and pinned memory of the device API, and what must not be done with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "device_run.h"

namespace iskra::testing {
namespace {

using DeviceMemory = Device;

TEST_F(DeviceMemory, AllocationsAreAlignedUndefinedAndApart) {
  std::vector<unsigned char*> all;
  for (size_t bytes : {1, 511, 512, 513, 3 << 20}) {
    auto* p = static_cast<unsigned char*>(device::allocate(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 512, 0U);
    std::vector<unsigned char> host(bytes);
    device::copy_to_host(host.data(), p, bytes, nullptr);
    EXPECT_EQ(host, std::vector<unsigned char>(bytes, 0xFF));
    device::fill_bytes(p, static_cast<uint8_t>(all.size()), bytes, nullptr);
    all.push_back(p);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    unsigned char first = 0;
    device::copy_to_host(&first, all[i], 1, nullptr);
    EXPECT_EQ(first, i) << "no other fill reached it";
  }
  for (auto* p : all) device::release(p);
  EXPECT_EQ(device::memory_info().free, kBytes);
}

TEST_F(DeviceMemory, MemoryThatIsGivenBackIsUsedAgain) {
  std::mt19937 random(7);
  std::map<int*, size_t> live;
  size_t held = 0;
  for (int i = 0; i < 2000; ++i) {
    size_t count = 1 + random() % 50000;
    if (random() % 2 == 0 && !live.empty()) {
      auto it = std::next(live.begin(), random() % live.size());
      held -= (it->second + 511) / 512 * 512;
      device::release(it->first);
      live.erase(it);
    } else if (held + count < kBytes / 2) {
      auto* p = static_cast<int*>(device::allocate(count));
      auto next = live.lower_bound(p);
      if (next != live.end()) {
        EXPECT_LE(reinterpret_cast<char*>(p) + count, reinterpret_cast<char*>(next->first));
      }
      held += (count + 511) / 512 * 512;
      live[p] = count;
    }
    ASSERT_EQ(device::memory_info().free, kBytes - held);
  }
  for (auto& [p, count] : live) device::release(p);
  void* all = device::allocate(kBytes);
  EXPECT_EQ(device::memory_info().free, 0U);
  device::release(all);
  EXPECT_EQ(device::memory_info().total, kBytes);
}

TEST_F(DeviceMemory, NeighboursThatAreGivenBackBecomeOne) {
  for (size_t half = kBytes / 64; half <= kBytes / 2; half += kBytes / 64) {
    void *a = device::allocate(half), *b = device::allocate(half);
    bool up = half / (kBytes / 64) % 2 == 0;
    device::release(up ? a : b);
    device::release(up ? b : a);
  }
}

TEST_F(DeviceMemory, OutOfMemorySaysHowMuchThereIs) {
  void* p = device::allocate(kBytes / 2);
  EXPECT_REFUSED(
      out_of_memory,
      "device 0 cannot give 33554433 bytes: of 67108864 bytes, 33554432 are held and 33554432 free",
      device::allocate(kBytes / 2 + 1));
  EXPECT_REFUSED(out_of_memory, "cannot give 18446744073709551615 bytes", device::allocate(SIZE_MAX));
  void* rest = device::allocate(kBytes / 2);
  device::release(p);
  device::release(rest);
}

TEST_F(DeviceMemory, OnlyWhatWasAllocatedIsReleasedAndOnce) {
  auto* p = static_cast<char*>(device::allocate(1000));
  int host = 0;
  EXPECT_REFUSED(invalid_argument, "lies inside of the allocation at", device::release(p + 1));
  EXPECT_REFUSED(invalid_argument, "is not device memory", device::release(&host));
  device::release(p);
  EXPECT_REFUSED(invalid_argument, "was it released before?", device::release(p));
  device::release(nullptr);
  void* pinned = device::allocate_pinned(10);
  device::release_pinned(pinned);
  EXPECT_REFUSED(invalid_argument, "is not pinned memory", device::release_pinned(pinned));
  EXPECT_REFUSED(invalid_argument, "is not pinned memory", device::release_pinned(&host));
  device::release_pinned(nullptr);
  EXPECT_EQ(device::allocate_pinned(0), nullptr);
}

TEST_F(DeviceMemory, CopiesStayWithinTheirMemory) {
  auto* p = static_cast<char*>(device::allocate(1000));
  auto* q = static_cast<char*>(device::allocate(1000));
  auto* pinned = static_cast<char*>(device::allocate_pinned(100));
  std::vector<char> host(2000);
  EXPECT_REFUSED(invalid_argument, "1001 bytes at", device::copy_to_device(p, host.data(), 1001, nullptr));
  EXPECT_REFUSED(invalid_argument, "1000 bytes has 999 left",
                 device::copy_to_host(host.data(), p + 1, 1000, nullptr));
  EXPECT_REFUSED(invalid_argument, "1000 bytes has 0 left", device::fill_bytes(p + 1000, 0, 1, nullptr));
  EXPECT_REFUSED(invalid_argument, "overlap", device::copy_on_device(p, p + 10, 100, nullptr));
  EXPECT_REFUSED(invalid_argument, "is not device memory",
                 device::copy_on_device(q, host.data(), 4, nullptr));
  EXPECT_REFUSED(invalid_argument, "use copy_on_device", device::copy_to_device(q, p, 4, nullptr));
  EXPECT_REFUSED(invalid_argument, "use copy_on_device", device::copy_to_host(p, q, 4, nullptr));
  EXPECT_REFUSED(invalid_argument, "only partly", device::copy_to_device(q, pinned + 1, 100, nullptr));
  device::copy_to_device(q, pinned + 1, 99, nullptr);
  device::synchronize();
  device::release(q);
  EXPECT_REFUSED(invalid_argument, "was it released", device::copy_to_device(q, host.data(), 1, nullptr));
  device::release(p);
  device::release_pinned(pinned);
}

// --- memory that is given back too early

#ifdef ISKRA_TEST_ASAN
TEST_F(DeviceMemory, AKernelOnMemoryThatWasReleasedIsReported) {
  auto program = [] {
    sim::set_stream_mode(sim::StreamMode::lazy);
    Numbers<int> y(10);
    auto* x = new Numbers<int>(std::vector<int>(10), nullptr);
    device::synchronize();
    copy_by_kernel(y, *x, nullptr);
    delete x;
    device::synchronize();
  };
  EXPECT_DEATH(program(), "AddressSanitizer: use-after-poison");
}

TEST_F(DeviceMemory, AKernelThatRunsOverTheEndIsReported) {
  for (size_t count : {1, 33, 128, 129}) {  // 128 ints are a whole 512 bytes
    auto program = [count] {
      Numbers<int> x(count), behind(count), y(count + 1);
      sim::launch<copy_kernel>(shape_for(count + 1), nullptr, y.p, x.p, count + 1);
    };
    EXPECT_DEATH(program(), "AddressSanitizer: use-after-poison");
  }
}
#else
TEST_F(DeviceMemory, AKernelOnMemoryThatWasReleasedGivesWrongResults) {
  sim::set_stream_mode(sim::StreamMode::lazy);
  Numbers<int> y(10);
  {
    Numbers<int> x(std::vector<int>(10, 5), nullptr);
    device::synchronize();
    copy_by_kernel(y, x, nullptr);
  }
  EXPECT_EQ(y.read(nullptr), std::vector<int>(10, -1));
}
#endif

TEST_F(DeviceMemory, ACopyOfMemoryThatWasReleasedIsReported) {
  sim::set_stream_mode(sim::StreamMode::lazy);
  void* x = device::allocate(100);
  device::fill_bytes(x, 0, 100, nullptr);
  device::release(x);
  EXPECT_REFUSED(launch_failed, "was released before the work that uses it was done", device::synchronize());
  sim::reset_devices();
  x = device::allocate(100);
  void* pinned = device::allocate_pinned(100);
  device::copy_to_host(pinned, x, 100, nullptr);
  device::release_pinned(pinned);
  EXPECT_REFUSED(launch_failed, "pinned memory at", device::synchronize());
  sim::reset_devices();
  device::release(x);
}

// --- the guard

int read_of(const void* p) { return *static_cast<const volatile int*>(p); }
void read_on_host(void* p) { read_of(p); }

TEST_F(DeviceMemory, HostCodeThatTouchesDeviceMemoryIsStopped) {
  Numbers<int> x(25);
  device::fill_bytes(x.p, 0, x.bytes(), nullptr);
  device::synchronize();
  EXPECT_EQ(read_of(x.p), 0) << "without the guard";
  sim::set_guards_device_memory(true);
  constexpr const char* kText =
      "host code touched device memory at 0x[0-9a-f]+ .allocation of 100 bytes., in "
      ".*test_device_memory.cpp:";
  EXPECT_DEATH(read_of(x.p + 3), kText);
  EXPECT_DEATH(*const_cast<volatile int*>(x.p) = 1, kText);
  EXPECT_DEATH(device::call_on_host(nullptr, read_on_host, x.p), kText);
}

TEST_F(DeviceMemory, TheGuardLetsStreamsWork) {
  sim::set_guards_device_memory(true);
  in_both_modes([] {
    OwnStream stream;
    Numbers<int> x(std::vector<int>(1000, 1), stream);
    Numbers<int> large(1 << 20);
    Flag flag{0};
    add(x, 1, stream);
    device::call_on_host(stream, set_flag, &flag);
    add(x, 1, stream);
    EXPECT_EQ(x.read(stream), std::vector<int>(1000, 3));
    EXPECT_EQ(flag, 1);
    EXPECT_DEATH(read_of(large.p), "host code touched device memory");
  });
}

TEST_F(DeviceMemory, TheGuardCountsThreads) {
  sim::set_guards_device_memory(true);
  in_both_modes([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([] {
        OwnStream stream;
        for (int i = 0; i < 20; ++i) {
          Numbers<int> x(std::vector<int>(33, i), stream);
          add(x, 1, stream);
          EXPECT_EQ(x.read(stream), std::vector<int>(33, i + 1));
        }
      });
    }
    for (auto& t : threads) t.join();
    Numbers<int> x(1);
    EXPECT_DEATH(read_of(x.p), "host code touched device memory");
  });
}

__global__ void write_when_told(int* x, Flag* started, Flag* told) {
  *started = 1;
  while (*told == 0) std::this_thread::yield();
  *x = 5;
}

TEST_F(DeviceMemory, TheGuardStaysOpenForAThreadWhileAnotherIsDone) {
  sim::set_guards_device_memory(true);
  Numbers<int> x(1), y(1);
  Flag started{0}, told{0};
  std::thread other([&] {
    while (started == 0) std::this_thread::yield();
    device::fill_bytes(y.p, 0, y.bytes(), nullptr);
    told = 1;
  });
  sim::launch<write_when_told>({1, 1}, nullptr, x.p, &started, &told);
  other.join();
  EXPECT_EQ(x.read(nullptr), std::vector<int>{5});
}

// --- several devices

TEST_F(DeviceMemory, DevicesHaveMemoryOfTheirOwn) {
  sim::make_devices(2, size_t{1} << 20);
  in_both_modes([] {
    ASSERT_EQ(device::count(), 2);
    device::select(0);
    OwnStream stream;
    Numbers<int> x({1, 2, 3}, stream);
    OwnEvent ready;
    add(x, 1, stream);
    device::record(ready, stream);
    device::select(1);
    EXPECT_EQ(device::current(), 1);
    EXPECT_EQ(device::memory_info().free, size_t{1} << 20);
    EXPECT_EQ(device::memory_info().total, size_t{1} << 20);
    OwnStream there;
    Numbers<int> y(3);
    device::wait(there, ready);
    device::copy_on_device(y.p, x.p, x.bytes(), there);
    add(y, 10, there);
    EXPECT_EQ(y.read(there), (std::vector<int>{12, 13, 14}));
    EXPECT_REFUSED(invalid_argument, "stream is of device 0 and device 1 is selected", add(x, 1, stream));
    EXPECT_REFUSED(invalid_argument, "event is of device 0", device::record(ready, there));
    device::select(0);
    EXPECT_EQ(x.read(stream), (std::vector<int>{2, 3, 4}));
    EXPECT_REFUSED(no_device, "there is no device 2, only 2", device::select(2));
    EXPECT_REFUSED(no_device, "there is no device -1", device::select(-1));
  });
}

}  // namespace
}  // namespace iskra::testing
