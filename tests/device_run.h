// Small owners of device objects for tests of the device API, in both modes of the emulator's streams.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <iskra/kernels/device_api.h>
#include <iskra/kernels/sim/sim.h>
#include <iskra/kernels/sim/stream_launch.h>

namespace iskra::testing {

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ISKRA_TEST_TSAN 1
#elif __has_feature(address_sanitizer)
#define ISKRA_TEST_ASAN 1
#endif
#endif

/// Each test starts with one device of 64 MB, and leaves no trace.
class Device : public ::testing::Test {
 protected:
  static constexpr size_t kBytes = size_t{64} << 20;
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    clean();
  }
  void TearDown() override { clean(); }

 private:
  static void clean() {
    sim::set_device_fault("");
    sim::reset_devices();
    sim::make_devices(1, kBytes);
    sim::set_guards_device_memory(false);
    sim::set_stream_mode(sim::StreamMode::eager);
    device::select(0);
  }
};

inline void in_both_modes(const std::function<void()>& f) {
  for (sim::StreamMode mode : {sim::StreamMode::eager, sim::StreamMode::lazy}) {
    SCOPED_TRACE(mode == sim::StreamMode::eager ? "eager streams" : "lazy streams");
    sim::set_stream_mode(mode);
    f();
  }
}

/// A program that forgets to wait, and says whether its results are right: lazy streams give wrong ones, and
/// ThreadSanitizer reports it even where eager streams give right ones.
template <class F>
void expect_caught(F program) {
#ifdef ISKRA_TEST_TSAN
  EXPECT_DEATH(program(), "ThreadSanitizer: data race");
#else
  EXPECT_TRUE(program());
  sim::set_stream_mode(sim::StreamMode::lazy);
  EXPECT_FALSE(program());
#endif
}

/// Set by host functions, and looked at whether they have run or not.
using Flag = std::atomic<int>;
inline void set_flag(void* flag) { static_cast<Flag*>(flag)->store(1, std::memory_order_relaxed); }

/// The code and text of what f() throws.
struct Refusal {
  device::ErrorCode code = device::ErrorCode::other;
  std::string text = "no error";
  bool names(const std::string& part) const { return text.find(part) != std::string::npos; }
};
inline Refusal refusal_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const device::DeviceError& e) {
    return {e.code(), e.what()};
  }
  return {};
}
#define EXPECT_REFUSED(wanted, part, ...)                                          \
  do {                                                                             \
    Refusal refused = refusal_of([&] { __VA_ARGS__; });                            \
    EXPECT_EQ(refused.code, device::ErrorCode::wanted);                            \
    EXPECT_PRED1([&](auto& r) { return r.names(part); }, refused) << refused.text; \
  } while (false)

/// Device memory of `count` numbers.
template <class T>
struct Numbers {
  explicit Numbers(size_t count_) : p(static_cast<T*>(device::allocate(count_ * sizeof(T)))), count(count_) {}
  Numbers(const std::vector<T>& from, device::Stream stream) : Numbers(from.size()) {
    device::copy_to_device(p, from.data(), from.size() * sizeof(T), stream);
  }
  ~Numbers() { device::release(p); }
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;
  size_t bytes() const { return count * sizeof(T); }
  /// What it holds when the stream's work is done.
  std::vector<T> read(device::Stream stream) const {
    std::vector<T> to(count);
    device::copy_to_host(to.data(), p, bytes(), stream);
    return to;
  }
  T* p;
  size_t count;
};

template <class T>
struct Pinned {
  explicit Pinned(size_t count_)
      : p(static_cast<T*>(device::allocate_pinned(count_ * sizeof(T)))), count(count_) {}
  ~Pinned() { device::release_pinned(p); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  size_t bytes() const { return count * sizeof(T); }
  /// By a loop of this file, which ThreadSanitizer sees: the emulator's objects have copies of the library's
  /// that it does not.
  std::vector<T> read() const {
    std::vector<T> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = p[i];
    return values;
  }
  T* p;
  size_t count;
};

/// A stream or an event, made by its function and destroyed.
template <class Handle>
struct Owned {
  explicit Owned(Handle handle_) : handle(handle_) {}
  ~Owned() { device::destroy(handle); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  operator Handle() const { return handle; }  // NOLINT(google-explicit-constructor)
  Handle handle;
};
struct OwnStream : Owned<device::Stream> {
  OwnStream() : Owned(device::create_stream()) {}
};
struct OwnEvent : Owned<device::Event> {
  explicit OwnEvent(bool timed = false) : Owned(device::create_event(timed)) {}
};

// --- kernels

__global__ inline void add_kernel(int* x, int value, int n) {
  int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] += value;
}
__global__ inline void times_kernel(int* x, int value, int n) {
  int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] *= value;
}
__global__ inline void copy_kernel(int* y, const int* x, int n) {
  int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) y[i] = x[i];
}

inline sim::LaunchShape shape_for(size_t n) { return {static_cast<unsigned>(n / 64 + 1), 64}; }
inline void add(const Numbers<int>& x, int value, device::Stream stream) {
  sim::launch<add_kernel>(shape_for(x.count), stream, x.p, value, x.count);
}
inline void times(const Numbers<int>& x, int value, device::Stream stream) {
  sim::launch<times_kernel>(shape_for(x.count), stream, x.p, value, x.count);
}
inline void copy_by_kernel(const Numbers<int>& y, const Numbers<int>& x, device::Stream stream) {
  sim::launch<copy_kernel>(shape_for(x.count), stream, y.p, x.p, x.count);
}

}  // namespace iskra::testing
