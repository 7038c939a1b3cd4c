// The emulator's side of device_api.h: what it is told by tests and by launches on streams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <iskra/kernels/device_api.h>
#include <iskra/kernels/sim/launch.h>
#include <iskra/kernels/sim/schedule.h>

namespace iskra::sim {

enum class StreamMode : uint8_t {
  eager,     ///< work is done when it is enqueued; ThreadSanitizer still reports who does not wait for it
  blocking,  ///< the host waits for each piece of work, as CUDA_LAUNCH_BLOCKING=1 makes it
  lazy,  ///< work is done when somebody waits for it, and then only what that depends on: too late for those
         ///< who forgot to wait. A query answers, and does one piece of the work asked about.
};

/// Starts as ISKRA_SIM_STREAMS says (eager, blocking or lazy), or eager.
StreamMode stream_mode();
void set_stream_mode(StreamMode mode);
/// Whether host code that touches device memory is stopped; starts as ISKRA_SIM_GUARD=1 says, or not.
bool guards_device_memory();
void set_guards_device_memory(bool guards);
/// What goes wrong: "no_device", "driver_too_old", "old_device", "out_of_memory:N" (the Nth allocation from
/// now on) or "launch:N" (the Nth kernel that runs); "" for nothing. Starts as ISKRA_SIM_FAULT says.
void set_device_fault(const std::string& fault);
/// Forgets work that was not done, captures, and failures of kernels; memory and streams stay.
void reset_devices();
/// New devices of so much memory each; streams, events, graphs and memory of the old ones are gone. Starts as
/// ISKRA_SIM_DEVICES and ISKRA_SIM_MEMORY (bytes, or with K, M or G) say, or one device of 8G.
void make_devices(int count, size_t bytes);

/// A piece of work of a stream.
class Operation {
 public:
  Operation() = default;
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  virtual void run() = 0;
  /// Called right before run(): why it cannot run, or nothing.
  virtual std::string problem() { return ""; }
  /// Whether it is host code, to which device memory is closed.
  virtual bool is_of_the_host() const { return false; }
  /// Whether it will read this stretch of host memory.
  virtual bool reads_host(const char* /*begin*/, const char* /*end*/) const { return false; }
  /// Host memory that it will write: undefined until then.
  virtual void undefine_host() const {}
};

/// A launch with its arguments.
class KernelOperation : public Operation {
 public:
  KernelOperation(KernelRecord* record, const LaunchShape& shape, void (*call)(const void*))
      : record_(record), shape_(shape), call_(call), schedule_(schedule()) {}
  void run() final;
  std::string problem() final;
  const KernelRecord& record() const { return *record_; }
  const LaunchShape& shape() const { return shape_; }

 protected:
  virtual const void* arguments() const = 0;

 private:
  KernelRecord* record_;
  LaunchShape shape_;
  void (*call_)(const void*);
  Schedule schedule_;
};

/// Refuses at once the shapes that a GPU would.
void enqueue_kernel(device::Stream stream, std::shared_ptr<KernelOperation> launch);

}  // namespace iskra::sim
