#include <iskra/kernels/sim/shared.h>

#include <sys/mman.h>

#include <cstdlib>

#include <iskra/kernels/sim/engine.h>
#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

constexpr int kUndefined = 0xFF;
// Between variables lie bytes that nobody owns, so that AddressSanitizer sees who runs over an end.
constexpr size_t kGap = kSanitized ? 128 : 0;

char* map_arena() {
  void* p =
      mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  return static_cast<char*>(p);  // pages are 4096 bytes, which is aligned enough
}

size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

}  // namespace

SharedMemory::~SharedMemory() {
  if (arena_ != nullptr) {
    asan_unpoison(arena_, kArenaBytes);
    munmap(arena_, kArenaBytes);
  }
  if (async_view_ != nullptr) munmap(async_view_, kArenaBytes);
}

void SharedMemory::begin(size_t dynamic) {
  // To ThreadSanitizer a new mapping is memory that nobody has touched: blocks share no variable with each
  // other.
  if (tsan_enabled() && arena_ != nullptr) {
    munmap(arena_, kArenaBytes);
    arena_ = nullptr;
  }
  if (arena_ == nullptr) arena_ = map_arena();
  if (async_view_ != nullptr) raw_fill(async_view_, kUndefined, kArenaBytes);
  asan_poison(arena_, kArenaBytes);
  count_ = 0;
  static_bytes_ = 0;
  open(nullptr, 0, dynamic);
}

// Opens the bytes of one variable and fills them.
void* SharedMemory::open(const void* key, size_t offset, size_t bytes) {
  char* place = arena_ + offset;
  asan_unpoison(place, bytes);
  raw_fill(place, kUndefined, bytes);
  used_ = offset + bytes + kGap;
  variables_[count_++] = {key, place, bytes};
  return place;
}

void* SharedMemory::variable(const void* key, size_t bytes, size_t alignment) {
  for (int i = 1; i < count_; ++i) {
    if (variables_[i].key == key) return variables_[i].place;
  }
  size_t offset = up(used_, alignment < 16 ? 16 : alignment);
  if (count_ == kMaxVariables || offset + bytes > kArenaBytes) return nullptr;
  static_bytes_ += bytes;
  return open(key, offset, bytes);
}

void SharedMemory::publish() {
  if (async_view_ == nullptr) async_view_ = map_arena(), raw_fill(async_view_, kUndefined, kArenaBytes);
  for (int i = 0; i < count_; ++i) {
    const Variable& v = variables_[i];
    raw_copy(async_view_ + offset_of(v.place), v.place, v.bytes);
  }
}

void SharedMemory::async_write(uint32_t offset, const void* from, size_t bytes) {
  raw_copy(arena_ + offset, from, bytes);
  if (async_view_ != nullptr) raw_copy(async_view_ + offset, from, bytes);
}

void* shared_variable(const void* key, size_t bytes, size_t alignment, const Site& at) {
  Thread& self = Engine::self("a shared variable");
  Engine& engine = Engine::of_this_thread();
  SharedMemory& shared = self.block->shared;
  void* p = shared.variable(key, bytes, alignment);
  if (p == nullptr || shared.static_bytes() > kMaxStaticShared ||
      shared.static_bytes() + shared.dynamic_bytes() > kMaxDynamicShared) {
    engine.fail(at,
                "shared variables of %zu bytes beside %zu bytes of dynamic shared memory; a block has %zu in "
                "all, %zu for variables",
                shared.static_bytes(), shared.dynamic_bytes(), kMaxDynamicShared, kMaxStaticShared);
  }
  return p;
}

void* dynamic_shared(const Site& at) {
  Thread& self = Engine::self("dynamic shared memory");
  if (self.block->shared.dynamic_bytes() == 0) {
    Engine::of_this_thread().fail(at, "dynamic shared memory in a launch that asked for none");
  }
  return self.block->shared.dynamic();
}

}  // namespace iskra::sim
