// What carries bytes between ranks. Collectives know nothing else, so a new network is a new Transport and no
// new algorithm.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <iskra/kernels/check.h>

namespace iskra::dist {

/// A rank that failed, did not answer in time, or took part in something else. what() names rank, operation
/// and shape.
class CommunicationError : public Error {
 public:
  using Error::Error;
};

using Deadline = std::chrono::steady_clock::time_point;

/// Ordered, reliable messages between `size()` ranks. A message has a tag; receiving one with another tag or
/// length than expected is an error, because then the ranks disagree on what they are doing.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Takes the bytes and returns (buffered); throws CommunicationError when the peer is gone.
  virtual void send(int to, uint64_t tag, const void* data, size_t bytes) = 0;
  /// Waits for the next message of `from`; throws CommunicationError after the deadline or when the peer is
  /// gone.
  virtual void receive(int from, uint64_t tag, void* data, size_t bytes, Deadline deadline) = 0;
  /// Tells every rank that this one gives up; their calls then throw, naming it.
  virtual void abort(const std::string& why) = 0;
};

}  // namespace iskra::dist
