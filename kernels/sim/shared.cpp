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

void SharedMemory::begin(size_t dynamic, SharedLayout& layout) {
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
  layout_ = &layout;
  if (layout.count == 0) layout.used = dynamic + kGap;
  open(nullptr, 0, dynamic);
}

// Opens the bytes of one variable and fills them.
void* SharedMemory::open(const void* key, size_t offset, size_t bytes) {
  char* place = arena_ + offset;
  asan_unpoison(place, bytes);
  raw_fill(place, kUndefined, bytes);
  variables_[count_++] = {key, place, bytes};
  if (key != nullptr) static_bytes_ += bytes;
  return place;
}

void* SharedMemory::variable(const void* key, size_t bytes, size_t alignment) {
  for (int i = 1; i < count_; ++i) {
    if (variables_[i].key == key) return variables_[i].place;
  }
  for (int i = 0; i < layout_->count; ++i) {
    const SharedLayout::Place& place = layout_->places[i];
    if (place.key == key) return open(key, place.offset, place.bytes);
  }
  size_t offset = up(layout_->used, alignment < 16 ? 16 : alignment);
  if (layout_->count == kMaxVariables - 1 || offset + bytes > kArenaBytes) return nullptr;
  layout_->places[layout_->count++] = {key, offset, bytes};
  layout_->used = offset + bytes + kGap;
  return open(key, offset, bytes);
}

size_t SharedMemory::room_at(const void* p) const {
  for (int i = 0; i < count_; ++i) {
    const Variable& v = variables_[i];
    if (p >= v.place && p < v.place + v.bytes)
      return static_cast<size_t>(v.place + v.bytes - static_cast<const char*>(p));
  }
  return 0;
}

void SharedMemory::open_around(size_t offset) {
  for (int i = 0; i < layout_->count; ++i) {
    const SharedLayout::Place& place = layout_->places[i];
    if (offset >= place.offset && offset < place.offset + place.bytes) variable(place.key, place.bytes, 1);
  }
}

void SharedMemory::make_async_view() {
  if (async_view_ == nullptr) async_view_ = map_arena(), raw_fill(async_view_, kUndefined, kArenaBytes);
}

void SharedMemory::publish() {
  make_async_view();
  for (int i = 0; i < count_; ++i) {
    const Variable& v = variables_[i];
    raw_copy(async_view_ + offset_of(v.place), v.place, v.bytes);
  }
}

void SharedMemory::async_write(uint32_t offset, const void* from, size_t bytes) {
  make_async_view();
  raw_copy(arena_ + offset, from, bytes);
  raw_copy(async_view_ + offset, from, bytes);
}

void SharedMemory::async_undefine(uint32_t offset, size_t bytes) {
  make_async_view();
  raw_fill(arena_ + offset, kUndefined, bytes);
  raw_fill(async_view_ + offset, kUndefined, bytes);
}

void SharedMemory::async_read(uint32_t offset, void* to, size_t bytes) const {
  constexpr size_t kUnit = 16;
  for (size_t i = 0; i < bytes; i += kUnit) {
    const char *seen = async_view_ == nullptr ? nullptr : async_view_ + offset + i,
               *now = arena_ + offset + i;
    bool defined = seen != nullptr;
    for (size_t b = 0; defined && b < kUnit; ++b) defined = seen[b] == now[b];
    if (defined) {
      raw_copy(static_cast<char*>(to) + i, seen, kUnit);
    } else {
      raw_fill(static_cast<char*>(to) + i, kUndefined, kUnit);
    }
  }
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
