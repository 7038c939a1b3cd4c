// The state behind the emulator's device API: devices, streams with their work, events, captures. For the
// emulator's sources only.
//
// One mutex guards all of it, but for the work itself: that is done without the mutex, by whichever OS thread
// waits for it, one piece of a stream at a time. To ThreadSanitizer each stream is a thread of its own (a
// fiber), ordered with the others and with the host by what the API promises and nothing else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <iskra/kernels/sim/device.h>
#include <iskra/kernels/sim/device_memory.h>

namespace iskra::sim {

struct StreamState;

/// What an event stands for: the end of a stream's `number`th piece of work.
struct Record {
  std::shared_ptr<StreamState> stream;
  uint64_t number = 0;
  std::chrono::steady_clock::time_point when;
  char done = 0;  ///< ThreadSanitizer's object
};

/// One piece of a stream's work.
struct Work {
  std::shared_ptr<Operation> operation;  ///< may be null
  std::shared_ptr<Record> awaits;        ///< likewise
  std::shared_ptr<Record> records;       ///< likewise
  char enqueued = 0;                     ///< ThreadSanitizer's object
};

/// An operation of a graph, and the earlier ones that it comes after.
struct GraphNode {
  std::shared_ptr<Operation> operation;
  std::vector<size_t> after;
};

struct Capture {
  std::thread::id thread;
  StreamState* origin = nullptr;
  std::vector<std::shared_ptr<StreamState>> streams;
  std::vector<GraphNode> nodes;
  std::string lost;  ///< why, if it is
  bool ended = false;
};

struct StreamState {
  explicit StreamState(int device_);
  ~StreamState();
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  int device;
  bool alive = true;  ///< not destroyed
  std::deque<std::unique_ptr<Work>> waiting;
  uint64_t enqueued = 0, done = 0;  ///< pieces of work, so far
  bool busy = false;                ///< one is being done
  std::shared_ptr<Capture> capture;
  std::vector<size_t> last;  ///< nodes of the capture that the next one comes after
  void* tsan_fiber;
  char finished = 0;  ///< ThreadSanitizer's object
};

struct EventState {
  int device = 0;
  bool timed = false;
  std::shared_ptr<Record> record;    ///< null: never recorded
  std::shared_ptr<Capture> capture;  ///< of its last record, if that was captured
  std::vector<size_t> after;         ///< nodes of the capture
};

struct GraphState {
  std::vector<GraphNode> nodes;
};

struct DeviceState {
  explicit DeviceState(size_t bytes) : memory(bytes) {}
  DeviceMemory memory;
  std::string failure;  ///< of a kernel: nothing works any more
  char finished = 0;    ///< ThreadSanitizer's object, of all streams, be they destroyed or not
};

enum class Missing : uint8_t { nothing, device, driver, generation };

/// All of it.
class Runtime {
 public:
  using Lock = std::unique_lock<std::mutex>;
  static Runtime& get();
  /// For an API function: takes the mutex, and refuses calls from host functions.
  Lock enter(const char* what);

  // --- device_faults.cpp
  /// Throws what keeps devices from being used.
  void require_any() const;
  void require_index(int device, const char* what) const;
  void require_device(int device, const char* what) const;
  DeviceState& device(int device, const char* what);
  /// Throws the failure of a kernel, if there was one.
  void check_failure(int device) const;
  void set_fault(const std::string& fault);
  void reset();
  void make(int count, size_t bytes);

  // --- device_streams.cpp
  std::shared_ptr<StreamState> stream(device::Stream handle, const char* what);
  EventState& event(device::Event handle, const char* what);
  /// Puts work into the stream (or its capture), and does it if streams are eager.
  void enqueue(Lock& lock, const std::shared_ptr<StreamState>& stream, std::shared_ptr<Operation> operation);
  void put(Lock& lock, const std::shared_ptr<StreamState>& stream, std::unique_ptr<Work> work);
  /// Does what the first `number` pieces of the stream's work depend on; at most so many pieces, and then it
  /// does not wait for other threads either.
  void run_until(Lock& lock, const std::shared_ptr<StreamState>& stream, uint64_t number, int64_t most = -1);
  /// Streams that are gone and have nothing to do are forgotten.
  void prune();
  bool someone_reads(const char* begin, const char* end) const;

  // --- device_graphs.cpp
  bool captures(std::thread::id thread) const;
  /// Throws: `what` is not permitted, and the capture is lost.
  [[noreturn]] static void lose(Capture& capture, const std::string& what);
  /// Throws if a call that may wait for all is made by a thread that captures.
  void refuse_in_capture(const char* what);
  void refuse_in_capture(const StreamState& stream, const char* what);
  /// stream waits for event, where one of them is captured: the stream joins, or the capture is lost.
  static void wait_captured(const std::shared_ptr<StreamState>& stream, EventState& event);

  // --- device_allocate.cpp: device memory and the host's code
  void open_memory();
  void close_memory();
  void set_guards(bool guards);

  std::mutex mutex;
  std::condition_variable changed;
  StreamMode mode = StreamMode::eager;
  bool guards = false;
  int open = 0;  ///< how many threads need device memory right now
  uint64_t generation = 0;
  Missing missing = Missing::nothing;
  uint64_t allocations_left = 0, launches_left = 0;  ///< until an injected fault; 0 for never
  std::vector<std::unique_ptr<DeviceState>> devices;
  PinnedMemory pinned;
  std::map<void*, std::shared_ptr<StreamState>> streams;  ///< all that are alive or have work
  std::map<void*, std::unique_ptr<EventState>> events;
  std::map<void*, std::shared_ptr<GraphState>> graphs;
  std::vector<std::shared_ptr<Capture>> open_captures;

 private:
  Runtime();
  void run_front(Lock& lock, StreamState& stream);
};

/// While it lives, this OS thread may touch device memory; with the runtime's mutex held.
struct OpenMemory {
  OpenMemory() { Runtime::get().open_memory(); }
  ~OpenMemory() { Runtime::get().close_memory(); }
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

/// Whether this OS thread is in a host function of a stream.
bool& in_host_function();
/// The device that this OS thread has selected.
int& selected_device();

/// ThreadSanitizer's object of what this OS thread did before it first used a device: it made its
/// thread-local variables, and kernels that run on it read some of those.
const char* beginning_of_thread();

[[noreturn]] void refuse(device::ErrorCode code, const char* what, const std::string& why);
/// "0x7f…"
std::string address_of(const void* p);

/// device_memory's side of the trap: tells of host code that touched device memory.
void explain_faults();

}  // namespace iskra::sim
