// Stackful fibers: one for each CUDA thread that has begun and not ended. Switching costs a few nanoseconds
// and no system call. Also tells AddressSanitizer and ThreadSanitizer what is going on.
#pragma once

#include <cstddef>

namespace iskra::sim {

/// Memory for one fiber, with a guard page below: running over its end is a fault, not a corruption.
class Stack {
 public:
  /// The `number`th stack of its pool; neighbours start at different cache sets.
  explicit Stack(int number);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  char* bottom() const { return bottom_; }
  size_t size() const { return size_; }
  /// Whether `address` lies in the guard page.
  bool guards(const void* address) const;
  /// Where an execution may be left and taken up again; null until begin().
  void* saved = nullptr;
  /// Prepares the stack so that the first switch to it calls entry(), which never returns.
  void begin(void (*entry)());
  /// AddressSanitizer: forgets what earlier frames had poisoned.
  void forget();

 private:
  char* mapping_;
  char* bottom_;
  size_t size_;
  size_t offset_;
};

/// A place where execution stands still: of a fiber, or of the launcher on its thread's own stack.
struct Context {
  void* saved = nullptr;       ///< stack pointer
  void* fake_stack = nullptr;  ///< AddressSanitizer's
  void* tsan_fiber = nullptr;  ///< ThreadSanitizer's
  const void* bottom = nullptr;
  size_t size = 0;
};

/// Leaves `from` and goes on in `to`; `from_ends` says that nobody will come back to `from`.
void switch_context(Context& from, Context& to, bool from_ends = false);
/// To be called first by an entry function, in its new context.
void context_entered(Context& self, Context& launcher);

/// ThreadSanitizer's side of a fiber; null in builds without it.
void* tsan_create_fiber();
void tsan_destroy_fiber(void* fiber);
void* tsan_current_fiber();
/// What happened before release(x) is seen after acquire(x). Nothing in builds without ThreadSanitizer.
void tsan_acquire(const void* object);
void tsan_release(const void* object);
/// The emulator accesses memory for the kernel: checked as the kernel's own access.
void tsan_read(const void* address, size_t bytes);
void tsan_write(void* address, size_t bytes);
/// The emulator's own lists, which all threads change in turn: what it allocates and copies while one of
/// these lives (large objects by memcpy, which is the sanitizer's own) is not taken for the kernel's doing.
struct TsanIgnore {
  TsanIgnore();
  ~TsanIgnore();
  TsanIgnore(const TsanIgnore&) = delete;
  TsanIgnore& operator=(const TsanIgnore&) = delete;
};
/// Whether this build is checked by ThreadSanitizer.
bool tsan_enabled();

}  // namespace iskra::sim
