#include <iskra/kernels/sim/fiber.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

constexpr size_t kStackBytes = kSanitized ? size_t{512} << 10 : size_t{64} << 10;

size_t page() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace

// Saves the registers that a call preserves on the old stack and takes them from the new one. It ends in a
// jump through a register: a `ret` to an address that no call pushed would be mispredicted every time.
asm(R"(
  .text
  .p2align 4
  .type iskra_sim_switch, @function
iskra_sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
  .size iskra_sim_switch, .-iskra_sim_switch
)");
extern "C" void iskra_sim_switch(void** save, void* load);

Stack::Stack(int number) : size_(kStackBytes) {
  size_t bytes = size_ + page();
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED || mprotect(p, page(), PROT_NONE) != 0) std::abort();
  mapping_ = static_cast<char*>(p);
  bottom_ = mapping_ + page();
  offset_ = static_cast<size_t>(number % 61) * 64;
}

Stack::~Stack() {
  forget();
  munmap(mapping_, size_ + page());
}

bool Stack::guards(const void* address) const {
  const char* p = static_cast<const char*>(address);
  return p >= mapping_ && p < bottom_;
}

void Stack::begin(void (*entry)()) {
  // Six registers and the entry's address; a function expects rsp % 16 == 8 at its first instruction.
  auto top = reinterpret_cast<uintptr_t>(bottom_ + size_ - offset_) & ~uintptr_t{15};
  void** frame = reinterpret_cast<void**>(top - 8) - 7;
  std::memset(frame, 0, 7 * sizeof(void*));
  frame[6] = reinterpret_cast<void*>(entry);
  saved = frame;
}

void Stack::forget() { asan_unpoison(bottom_, size_); }

void switch_context(Context& from, Context& to, bool from_ends) {
  asan_start_switch(from_ends ? nullptr : &from.fake_stack, to.bottom, to.size);
  if (to.tsan_fiber != nullptr) tsan_switch_fiber(to.tsan_fiber);
  iskra_sim_switch(&from.saved, to.saved);
  asan_finish_switch(from.fake_stack, nullptr, nullptr);
}

void context_entered(Context& self, Context& launcher) {
  self.fake_stack = nullptr;
  const void* bottom = nullptr;
  size_t size = 0;
  asan_finish_switch(nullptr, &bottom, &size);
  // Whoever switches here first comes from the launcher, whose own stack is known to the sanitizer alone.
  if (launcher.bottom == nullptr) launcher.bottom = bottom, launcher.size = size;
}

// --- ThreadSanitizer
// ----------------------------------------------------------------------------------------------

#ifdef ISKRA_SIM_TSAN

void* tsan_create_fiber() { return __tsan_create_fiber(0); }
void tsan_destroy_fiber(void* fiber) { __tsan_destroy_fiber(fiber); }
void* tsan_current_fiber() { return __tsan_get_current_fiber(); }
void tsan_acquire(const void* object) { __tsan_acquire(const_cast<void*>(object)); }
void tsan_release(const void* object) { __tsan_release(const_cast<void*>(object)); }
void tsan_read(const void* address, size_t bytes) { __tsan_read_range(const_cast<void*>(address), bytes); }
void tsan_write(void* address, size_t bytes) { __tsan_write_range(address, bytes); }
bool tsan_enabled() { return true; }
TsanIgnore::TsanIgnore() { __tsan_ignore_thread_begin(); }
TsanIgnore::~TsanIgnore() { __tsan_ignore_thread_end(); }

#else

void* tsan_create_fiber() { return nullptr; }
void tsan_destroy_fiber(void*) {}
void* tsan_current_fiber() { return nullptr; }
void tsan_acquire(const void*) {}
void tsan_release(const void*) {}
void tsan_read(const void*, size_t) {}
void tsan_write(void*, size_t) {}
bool tsan_enabled() { return false; }
TsanIgnore::TsanIgnore() = default;
TsanIgnore::~TsanIgnore() = default;

#endif

}  // namespace iskra::sim
