// Shared memory of a block: an arena in which every variable lies at an offset, filled with 0xFF at the start
// (NaN in every floating type).
#pragma once

#include <cstddef>
#include <cstdint>

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

inline constexpr size_t kArenaBytes = size_t{256} << 10;
inline constexpr size_t kArenaAlignment = 1024;

inline constexpr int kMaxVariables = 64;

/// Where the variables of a kernel lie; whoever asks for one first gives it its place in all blocks.
struct SharedLayout {
  struct Place {
    const void* key;
    size_t offset, bytes;
  };
  Place places[kMaxVariables];
  int count = 0;
  size_t used = 0;  ///< bytes
};

class SharedMemory {
 public:
  SharedMemory() = default;
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// A new block: everything undefined, `dynamic` bytes of dynamic shared memory.
  void begin(size_t dynamic, SharedLayout& layout);
  /// The variable of this key, made by whoever asks first.
  void* variable(const void* key, size_t bytes, size_t alignment);
  /// How many bytes from p on belong to the variable that p lies in; 0 outside of all.
  size_t room_at(const void* p) const;
  /// Opens the variable in which `offset` lies, known to another block, in this one, too.
  void open_around(size_t offset);
  char* dynamic() const { return variables_[0].place; }
  size_t dynamic_bytes() const { return variables_[0].bytes; }
  /// Bytes of variables.
  size_t static_bytes() const { return static_bytes_; }

  /// The 18-bit address that instructions see; contains() first.
  uint32_t offset_of(const void* p) const {
    return static_cast<uint32_t>(static_cast<const char*>(p) - arena_);
  }
  char* at(uint32_t offset) const { return arena_ + offset; }
  bool contains(const void* p) const {
    return arena_ != nullptr && p >= arena_ && static_cast<const char*>(p) < arena_ + kArenaBytes;
  }
  /// What asynchronous units see: generic writes reach it at a proxy fence. Null until one is used.
  char* async_view() const { return async_view_; }
  /// fence.proxy.async: what is in shared memory now is what asynchronous units see.
  void publish();
  /// An asynchronous unit wrote: both views have it.
  void async_write(uint32_t offset, const void* from, size_t bytes);
  /// An asynchronous unit has begun to write: neither view is defined.
  void async_undefine(uint32_t offset, size_t bytes);
  /// An asynchronous unit reads, multiples of 16 bytes: what was written since the last proxy fence, or never
  /// fenced, is undefined to it.
  void async_read(uint32_t offset, void* to, size_t bytes) const;

 private:
  void* open(const void* key, size_t offset, size_t bytes);
  void make_async_view();
  struct Variable {
    const void* key;  ///< null for dynamic shared memory
    char* place;
    size_t bytes;
  };
  char* arena_ = nullptr;
  char* async_view_ = nullptr;
  SharedLayout* layout_ = nullptr;
  size_t static_bytes_ = 0;
  Variable variables_[kMaxVariables] = {};
  int count_ = 0;  ///< of variables_, the first being dynamic shared memory
};

/// The shared variable of the running block that `key` names.
void* shared_variable(const void* key, size_t bytes, size_t alignment, const Site& at = Site::current());
/// Dynamic shared memory of the running block.
void* dynamic_shared(const Site& at = Site::current());

/// One key for each lambda, which is one for each declaration and each instance of a template around it.
template <class Lambda>
struct SharedKey {
  static inline const char key = 0;
};
template <class T, class Lambda>
T& shared_as(Lambda) {
  return *static_cast<T*>(shared_variable(&SharedKey<Lambda>::key, sizeof(T), alignof(T)));
}

}  // namespace iskra::sim
