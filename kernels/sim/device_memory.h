// Memory of an emulated device: a range of addresses of its own. For the emulator's sources only.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace iskra::sim {

/// Hands out parts of a reserved range. What is undefined holds 0xFF: NaN, and far out of every range. Under
/// AddressSanitizer, what is not allocated is poisoned. Not thread-safe.
class DeviceMemory {
 public:
  explicit DeviceMemory(size_t total);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Null when that would be more than there is. `bytes` > 0.
  void* allocate(size_t bytes);
  /// False when it is not the begin of anything allocated.
  bool release(void* memory);
  size_t total() const { return total_; }
  size_t held() const { return held_; }
  /// Whether the address is of this device, be it allocated or not.
  bool owns(const void* p) const { return p >= base_ && static_cast<const char*>(p) < base_ + reserved_; }

  struct Allocation {
    char* begin;
    size_t bytes;
  };
  /// The allocation that p lies in, or its end; null begin without one.
  Allocation find(const void* p) const;
  /// Lets the host's code touch it, or not. Starts closed to it, as allocate() and release() need it open.
  void protect(bool open);

 private:
  void grow(size_t to);

  size_t total_, reserved_, held_ = 0;
  size_t committed_ = 0;  ///< bytes from base_ on that can be opened
  bool open_ = false;
  char* base_;
  std::map<char*, size_t> live_;  ///< bytes as they were asked for
  std::map<char*, size_t> gaps_;
};

/// Host memory that copies are asynchronous with. Not thread-safe.
class PinnedMemory {
 public:
  void* allocate(size_t bytes);
  bool release(void* memory);
  /// Whether all of it is pinned; `some` says whether any of it.
  bool holds(const void* p, size_t bytes, bool* some = nullptr) const;

 private:
  std::map<char*, size_t> live_;
};

}  // namespace iskra::sim
