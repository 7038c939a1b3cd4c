// Streams of a CUDA device: queues of work that the device does in order. On the CPU all work is done when a
// call returns, so there they have nothing to do, and code written with them runs on both.
//
// Every op goes into the current stream of its device: the main one, but for a StreamScope. A tensor made in
// one stream may be used in another when that waits for it: an Event recorded behind its making, and waited
// for. Its memory is given to others only after all streams named by use_in() are done with it.
#pragma once

#include <memory>

#include <iskra/core/device.h>
#include <iskra/core/tensor.h>

namespace iskra {

namespace detail {
struct StreamState;
struct EventState;
}  // namespace detail

/// A handle: copies mean the same stream.
class Stream {
 public:
  /// A new stream, which runs beside all others.
  explicit Stream(Device device = current_device());
  /// The stream that ops go to where nothing else is said; one for each device, shared by all threads.
  static Stream main(Device device);

  Device device() const;
  /// Waits until all work of the stream is done.
  void synchronize() const;
  /// Whether it is.
  bool done() const;
  /// cudaStream_t; null on the CPU.
  void* handle() const;
  bool operator==(const Stream& other) const { return state_ == other.state_; }

 private:
  friend Stream current_stream(Device device);
  friend class StreamScope;
  explicit Stream(std::shared_ptr<detail::StreamState> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::StreamState> state_;
};

/// Where this thread's ops on `device` go.
Stream current_stream(Device device);

/// Within its scope this thread's ops on the stream's device go to that stream.
class StreamScope {
 public:
  explicit StreamScope(const Stream& stream);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  Stream stream_;
  Stream before_;
};

/// A place in a stream's work.
class Event {
 public:
  /// Behind all work that the stream has now.
  explicit Event(const Stream& stream);
  /// Later work of the stream waits for it.
  void wait_in(const Stream& stream) const;
  void synchronize() const;
  bool done() const;

 private:
  std::shared_ptr<detail::EventState> state_;
};

/// Says that x, made in another stream, is used in this one: its memory is not given to others before the
/// stream is done with what it has when the last handle of x is gone.
void use_in(const Tensor& x, const Stream& stream);

namespace detail {
/// The device API's stream for this thread's work on a CUDA device.
void* current_stream_handle(int index);
}  // namespace detail

}  // namespace iskra
