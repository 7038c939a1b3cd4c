// Kernels that fail on a stream, devices that are missing, and faults on purpose.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "device_run.h"

namespace iskra::testing {
namespace {

using DeviceFaults = Device;

__global__ void gives_up(int* x) {
  __syncthreads();
  if (threadIdx.x == 3) __trap();
  if (threadIdx.x == 0) *x = 1;
}

TEST_F(DeviceFaults, AFailedKernelIsReportedByAllThatFollows) {
  in_both_modes([] {
    OwnStream stream, other;
    OwnEvent event;
    Numbers<int> x(std::vector<int>{1}, stream);
    device::synchronize();
    auto launch = [&] { sim::launch<gives_up>({1, 32}, stream, x.p); };
    Refusal at_launch = refusal_of(launch), at_wait = refusal_of([&] { device::synchronize(stream); });
    bool eager = sim::stream_mode() == sim::StreamMode::eager;
    EXPECT_EQ(at_launch.text == "no error", !eager);
    EXPECT_EQ(at_wait.code, device::ErrorCode::launch_failed);
    for (const Refusal& r : {eager ? at_launch : at_wait, at_wait}) {
      EXPECT_TRUE(r.names("device 0: kernel iskra::testing::(anonymous namespace)::gives_up")) << r.text;
      EXPECT_TRUE(r.names("thread (3, 0, 0): __trap (at test_device_faults.cpp:")) << r.text;
      EXPECT_TRUE(r.names("launched at test_device_faults.cpp:")) << r.text;
    }
    EXPECT_REFUSED(launch_failed, "gives_up", device::synchronize());
    EXPECT_REFUSED(launch_failed, "gives_up", device::query(other));
    EXPECT_REFUSED(launch_failed, "gives_up", add(x, 1, other));
    EXPECT_REFUSED(launch_failed, "gives_up", device::allocate(4));
    EXPECT_REFUSED(launch_failed, "gives_up", device::record(event, other));
    EXPECT_REFUSED(launch_failed, "gives_up", device::create_stream());
    sim::reset_devices();
    add(x, 1, other);
    EXPECT_EQ(x.read(other), std::vector<int>{2});
  });
}

TEST_F(DeviceFaults, WorkBehindAFailedKernelIsNotDoneAndMemoryCanBeReleased) {
  sim::set_stream_mode(sim::StreamMode::lazy);
  Flag flag{0};
  {
    OwnStream stream;
    Numbers<int> x(std::vector<int>{1}, stream);
    sim::launch<gives_up>({1, 32}, stream, x.p);
    device::call_on_host(stream, set_flag, &flag);
    EXPECT_REFUSED(launch_failed, "gives_up", device::synchronize(stream));
  }
  EXPECT_EQ(flag, 0);
  EXPECT_EQ(device::memory_info().free, kBytes);
}

TEST_F(DeviceFaults, AFailureIsOfItsDeviceAlone) {
  sim::make_devices(2, kBytes);
  int* x = static_cast<int*>(device::allocate(4));
  EXPECT_REFUSED(launch_failed, "device 0: ", sim::launch<gives_up>({1, 32}, nullptr, x));
  device::select(1);
  Numbers<int> y(std::vector<int>{1}, nullptr);
  add(y, 1, nullptr);
  EXPECT_EQ(y.read(nullptr), std::vector<int>{2});
}

TEST_F(DeviceFaults, ShapesThatAGpuRefusesFailAtOnceAndLeaveTheDeviceUsable) {
  in_both_modes([] {
    Numbers<int> x(std::vector<int>{1}, nullptr);
    EXPECT_REFUSED(invalid_argument, "add_kernel: cannot launch block (1025, 1, 1): want 1 to 1024 threads",
                   sim::launch<add_kernel>({1, 1025}, nullptr, x.p, 1, 1));
    EXPECT_REFUSED(invalid_argument,
                   "test_device_faults.cpp:", sim::launch<add_kernel>({0, 32}, nullptr, x.p, 1, 1));
    add(x, 1, nullptr);
    EXPECT_EQ(x.read(nullptr), std::vector<int>{2});
  });
}

__global__ void note_first_block(int* first) {
  if (threadIdx.x == 0) atomicCAS(first, -1, static_cast<int>(blockIdx.x));
}

TEST_F(DeviceFaults, KernelsKeepTheScheduleOfTheirLaunch) {
  sim::set_stream_mode(sim::StreamMode::lazy);
  Numbers<int> x(std::vector<int>{-1}, nullptr);
  sim::set_schedule({sim::Order::reverse, 1});
  sim::launch<note_first_block>({4, 32}, nullptr, x.p);
  sim::set_schedule({sim::Order::forward, 1});
  EXPECT_EQ(x.read(nullptr), std::vector<int>{3});
  EXPECT_EQ(sim::str(sim::schedule()), "forward");
  sim::set_schedule({});
}

// --- faults on purpose

TEST_F(DeviceFaults, ADeviceSaysWhatItIs) {
  EXPECT_EQ(device::count(), 1);
  device::require();
  device::Properties p = device::properties(0);
  EXPECT_EQ(p.name, "iskra emulator");
  EXPECT_EQ(p.major, 9);
  EXPECT_EQ(p.total_bytes, kBytes);
  EXPECT_EQ(p.shared_bytes_per_block, sim::kMaxDynamicShared);
  EXPECT_GE(p.driver_version, p.runtime_version);
  EXPECT_REFUSED(no_device, "there is no device 1, only 1, counted from 0", device::properties(1));
}

TEST_F(DeviceFaults, NoDevice) {
  sim::set_device_fault("no_device");
  EXPECT_EQ(device::count(), 0);
  EXPECT_REFUSED(no_device, "this machine has none", device::require());
  EXPECT_REFUSED(no_device, "this machine has none", device::select(0));
  EXPECT_REFUSED(no_device, "this machine has none", device::allocate(1));
  EXPECT_REFUSED(no_device, "this machine has none", device::allocate_pinned(1));
  EXPECT_REFUSED(no_device, "this machine has none", device::create_stream());
  EXPECT_REFUSED(no_device, "this machine has none", device::synchronize(device::kOwnStream));
  sim::set_device_fault("");
}

TEST_F(DeviceFaults, ADriverThatIsTooOld) {
  sim::set_device_fault("driver_too_old");
  EXPECT_EQ(device::count(), 0);
  EXPECT_REFUSED(driver_too_old, "update the driver", device::require());
  EXPECT_REFUSED(driver_too_old, "update the driver", device::allocate(1));
  sim::set_device_fault("");
}

TEST_F(DeviceFaults, ADeviceThatIsTooOld) {
  sim::set_device_fault("old_device");
  EXPECT_EQ(device::count(), 1);
  device::require();
  EXPECT_EQ(device::properties(0).major, 7);
  EXPECT_REFUSED(unsupported_device, "compute capability 7.5, and 8.0 (Ampere)", device::select(0));
  EXPECT_REFUSED(unsupported_device, "compute capability 7.5", device::allocate(1));
  EXPECT_REFUSED(no_device, "there is no device 1", device::properties(1));
  sim::set_device_fault("");
}

TEST_F(DeviceFaults, TheNthAllocationFailsAndTheNextDoesNot) {
  sim::set_device_fault("out_of_memory:3");
  Numbers<int> a(1), b(1);
  EXPECT_REFUSED(out_of_memory, "an injected fault", device::allocate(4));
  Numbers<int> c(1);
}

TEST_F(DeviceFaults, TheNthKernelFails) {
  in_both_modes([] {
    Numbers<int> x(std::vector<int>{1}, nullptr);
    sim::set_device_fault("launch:2");
    add(x, 1, nullptr);
    device::synchronize();
    EXPECT_REFUSED(launch_failed, "add_kernel: an injected fault", {
      add(x, 1, nullptr);
      device::synchronize();
    });
    sim::reset_devices();
    add(x, 1, nullptr);
    EXPECT_EQ(x.read(nullptr), std::vector<int>{3});
  });
}

TEST_F(DeviceFaults, FaultsAreReadFromText) {
  for (const char* text :
       {"fire", "launch", "launch:", "launch:0", "launch:x", "out_of_memory:-1", "no_device:1"})
    EXPECT_THROW(sim::set_device_fault(text), std::invalid_argument) << text;
}

// --- the environment, which is read once: by a process of its own

int settings_hold() {
  bool right = sim::stream_mode() == sim::StreamMode::lazy && sim::guards_device_memory() &&
               device::count() == 3 && device::memory_info().total == size_t{5} << 20;
  return right && refusal_of([] { device::allocate(1); }).code == device::ErrorCode::out_of_memory ? 0 : 1;
}

TEST(DeviceSettings, AreReadFromTheEnvironment) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::vector<std::pair<const char*, const char*>> settings = {{"ISKRA_SIM_STREAMS", "lazy"},
                                                                     {"ISKRA_SIM_GUARD", "1"},
                                                                     {"ISKRA_SIM_DEVICES", "3"},
                                                                     {"ISKRA_SIM_MEMORY", "5M"},
                                                                     {"ISKRA_SIM_FAULT", "out_of_memory:1"}};
  for (auto& [name, value] : settings) setenv(name, value, 1);
  EXPECT_EXIT(std::exit(settings_hold()), ::testing::ExitedWithCode(0), "");
  for (auto& [name, value] : settings) unsetenv(name);
}

TEST(DeviceSettings, MustMakeSense) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto text_of_first_use = [] {
    try {
      device::count();
    } catch (const std::invalid_argument& e) {
      std::fprintf(stderr, "%s\n", e.what());
      std::exit(7);
    }
  };
  const std::vector<std::pair<const char*, const char*>> wrong = {
      {"ISKRA_SIM_STREAMS", "late"}, {"ISKRA_SIM_GUARD", "yes"}, {"ISKRA_SIM_DEVICES", "0"},
      {"ISKRA_SIM_MEMORY", "5X"},    {"ISKRA_SIM_FAULT", "?"},
  };
  for (auto& [name, value] : wrong) {
    setenv(name, value, 1);
    EXPECT_EXIT(text_of_first_use(), ::testing::ExitedWithCode(7), std::string(name) + "=.*: want ");
    unsetenv(name);
  }
}

}  // namespace
}  // namespace iskra::testing
