// The sanitizers' interfaces, as functions that do nothing in builds without them. For the emulator's sources
// only. Those are compiled without ThreadSanitizer even where kernels are checked by it, because what fibers
// do to the emulator's own state is not ordered by anything that it knows; ISKRA_SIM_TSAN says that it is
// linked.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ISKRA_SIM_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ISKRA_SIM_ASAN 1
#endif

#ifdef ISKRA_SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef ISKRA_SIM_TSAN
#include <sanitizer/tsan_interface.h>
#include <sanitizer/tsan_interface_atomic.h>
extern "C" {
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
void __tsan_read1(void* address);
void __tsan_read2(void* address);
void __tsan_read4(void* address);
void __tsan_read8(void* address);
void __tsan_read16(void* address);
void __tsan_write1(void* address);
void __tsan_write2(void* address);
void __tsan_write4(void* address);
void __tsan_write8(void* address);
void __tsan_write16(void* address);
void __tsan_read_range(void* address, unsigned long size);   // NOLINT(google-runtime-int)
void __tsan_write_range(void* address, unsigned long size);  // NOLINT(google-runtime-int)
}
#endif

namespace iskra::sim {

#if defined(ISKRA_SIM_ASAN) || defined(ISKRA_SIM_TSAN)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

#ifdef ISKRA_SIM_ASAN
inline void asan_poison(const void* p, size_t n) { __asan_poison_memory_region(p, n); }
inline void asan_unpoison(const void* p, size_t n) { __asan_unpoison_memory_region(p, n); }
// An access by the emulator, for the kernel: reported as one of it.
inline void asan_check(const void* p, size_t n) {
  const void* bad = __asan_region_is_poisoned(const_cast<void*>(p), n);
  if (bad != nullptr) (void)*static_cast<const volatile char*>(bad);
}
inline void asan_start_switch(void** save, const void* bottom, size_t size) {
  __sanitizer_start_switch_fiber(save, bottom, size);
}
inline void asan_finish_switch(void* fake, const void** bottom, size_t* size) {
  __sanitizer_finish_switch_fiber(fake, bottom, size);
}
#else
inline void asan_poison(const void*, size_t) {}
inline void asan_unpoison(const void*, size_t) {}
inline void asan_check(const void*, size_t) {}
inline void asan_start_switch(void**, const void*, size_t) {}
inline void asan_finish_switch(void*, const void**, size_t*) {}
#endif

// Of the emulator's own doing: memset and memcpy would count as the running thread's accesses, since
// ThreadSanitizer puts its own in their place even where the code around them is not instrumented.
inline void raw_fill(void* to, int value, size_t bytes) {
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
}
inline void raw_copy(void* to, const void* from, size_t bytes) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

#ifdef ISKRA_SIM_TSAN
inline void tsan_switch_fiber(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }
#else
inline void tsan_switch_fiber(void*) {}
#endif

}  // namespace iskra::sim
