// What the engine's host code asks of a CUDA device: memory, streams, events, graphs. Of three
// implementations one is linked into a program: the CUDA runtime's (device_cuda.cpp), the emulator's
// (sim/device_*.cpp), and that of a build without CUDA, which has no device (device_none.cpp).
// Kernels are launched on a stream by gpu.h.
//
// Unless said otherwise, what takes a stream returns at once, and the work is done later, in the stream's
// order. Every function may throw DeviceError; after a kernel failed, all that need the device do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace iskra::device {

enum class ErrorCode : uint8_t {
  no_device,
  driver_too_old,
  unsupported_device,  ///< older than compute capability 8.0
  out_of_memory,
  launch_failed,  ///< a kernel failed; nothing works on this device any more
  invalid_argument,
  not_permitted,             ///< such as a call from within a host function
  not_permitted_in_capture,  ///< the capture is lost
  unjoined_capture,          ///< a stream that was pulled into the capture was not joined back
  other,
};

/// What went wrong, where, and how to mend it, in one line.
class DeviceError : public std::runtime_error {
 public:
  DeviceError(ErrorCode code, const std::string& text) : std::runtime_error(text), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// --- devices

/// Devices of this machine; 0 where none can be used, and require() says why.
int count();
/// Throws what stands in the way of using any device: none there, or a driver that is too old.
void require();
/// The device that this thread uses from now on; 0 at first.
void select(int device);
int current();

struct Properties {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  size_t total_bytes = 0;
  size_t shared_bytes_per_block = 0;  ///< the most that a kernel can ask for
  int driver_version = 0;             ///< 13000 for CUDA 13.0: the highest that the driver knows
  int runtime_version = 0;
};
Properties properties(int device);
/// Waits for all work of the current device.
void synchronize();

// --- memory

/// Memory of the current device, aligned to 512 bytes, undefined; null for 0 bytes. Not while this thread
/// captures.
void* allocate(size_t bytes);
/// Gives it back, whichever device is current; null is allowed. All work that uses it must be done.
void release(void* memory);

struct MemoryInfo {
  size_t free = 0, total = 0;
};
/// Of the current device.
MemoryInfo memory_info();

/// Host memory that copies run beside the host's own work with, undefined; null for 0 bytes.
void* allocate_pinned(size_t bytes);
/// Null is allowed. All work that uses it must be done.
void release_pinned(void* memory);

// --- streams

struct StreamHandle;
using Stream = StreamHandle*;

/// A stream of the calling thread's own, on its current device.
inline constexpr Stream kOwnStream = nullptr;

/// A stream of the current device that waits for no other.
Stream create_stream();
/// Work that is under way is still done.
void destroy(Stream stream);
/// Waits until all work of the stream is done.
void synchronize(Stream stream);
/// Whether it is.
bool query(Stream stream);
/// Calls f(data) on some thread of the host. It must not throw, and must not call anything of this header.
void call_on_host(Stream stream, void (*f)(void*), void* data);

// --- events

struct EventHandle;
using Event = EventHandle*;

/// An event of the current device; `timed` ones can be asked for elapsed().
Event create_event(bool timed = false);
void destroy(Event event);
/// The event is done when all work so far of the stream (of the same device) is; replaces what it stood for
/// before.
void record(Event event, Stream stream);
/// Later work of the stream waits for what the event stands for now. Before its first record() that is
/// nothing.
void wait(Stream stream, Event event);
void synchronize(Event event);
bool query(Event event);
/// Milliseconds from one to the other; both must be done.
float elapsed(Event from, Event to);

// --- copies
//
// From and to pinned memory, copies are asynchronous: the source is read, and the destination written, any
// time until the stream is waited for. Other host memory is pageable: copies to the device have read it when
// they return, and copies to the host wait for the stream and are done. Memory in use must not be released.

void copy_to_device(void* to, const void* from_host, size_t bytes, Stream stream);
void copy_to_host(void* to_host, const void* from, size_t bytes, Stream stream);
/// On one device, or from one to another. The two must not overlap.
void copy_on_device(void* to, const void* from, size_t bytes, Stream stream);
void fill_bytes(void* to, uint8_t value, size_t bytes, Stream stream);

// --- graphs
//
// Between begin_capture and end_capture, work on the stream is recorded instead of done, with its arguments
// as they are. A stream that waits for an event of a captured stream is captured as well, and must be joined:
// the first one must wait for an event recorded behind its last work. Meanwhile, synchronising and querying
// captured streams, their events or their device, pageable copies, and allocating or releasing device memory
// on the capturing thread are not permitted, and lose the capture.

struct GraphHandle;
using Graph = GraphHandle*;

void begin_capture(Stream stream);
/// By the same thread, on the same stream; ends the capture even if it throws.
Graph end_capture(Stream stream);
bool is_capturing(Stream stream);
/// All work of the graph, as one piece of work of the stream.
void launch(Graph graph, Stream stream);
/// Launches that are under way are still done.
void destroy(Graph graph);

}  // namespace iskra::device
