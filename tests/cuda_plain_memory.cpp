// Lets the tests of kernels run on a GPU as they are, handing plain memory to kernels and reading results
// right after the call: all memory of this program, its stack too, is pinned host memory, which a GPU reaches
// at the same addresses, and launches return when the kernel is done. Without a GPU it is ordinary memory.
#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>

#include <iskra/kernels/device_api.h>

namespace {

constexpr size_t kHeader = 64;  // before each block, and the alignment of all
constexpr size_t kChunk = size_t{64} << 20;
constexpr size_t kStack = size_t{64} << 20;

/// CUDA itself is asking for memory, or giving it back, while it makes some for us.
constinit thread_local bool in_cuda = false;

void* pinned(size_t bytes) {
  static bool absent = false;
  if (absent) return nullptr;
  in_cuda = true;
  setenv("CUDA_LAUNCH_BLOCKING", "1", 1);
  void* memory = nullptr;
  try {
    memory = iskra::device::allocate_pinned(bytes);
  } catch (const iskra::device::DeviceError&) {
    absent = true;
  }
  in_cuda = false;
  return memory;
}

/// Blocks of powers of two, which are used again but never given back. Needs no construction: programs
/// allocate before any constructor has run.
class Heap {
 public:
  void* allocate(size_t bytes) {
    const size_t size = std::bit_ceil(bytes + kHeader);
    const auto size_class = static_cast<size_t>(std::countr_zero(size));
    char* block = in_cuda ? ordinary(size) : take(size, size_class);
    if (block == nullptr) throw std::bad_alloc();
    *reinterpret_cast<size_t*>(block) = size_class;
    return block + kHeader;
  }

  void release(void* memory) {
    if (memory == nullptr || in_cuda) return;
    char* block = static_cast<char*>(memory) - kHeader;
    const std::scoped_lock lock(mutex_);
    char*& head = free_[*reinterpret_cast<size_t*>(block)];
    next(block) = head;
    head = block;
  }

 private:
  static char*& next(char* block) { return *reinterpret_cast<char**>(block + sizeof(size_t)); }

  char* take(size_t size, size_t size_class) {
    const std::scoped_lock lock(mutex_);
    char* block = free_[size_class];
    if (block == nullptr) return carve(size);
    free_[size_class] = next(block);
    return block;
  }
  char* carve(size_t size) {
    if (size > kChunk / 4) return fresh(size);
    if (left_ < size) {
      chunk_ = fresh(kChunk);
      left_ = chunk_ == nullptr ? 0 : kChunk;
    }
    if (left_ < size) return nullptr;
    left_ -= size;
    return chunk_ + left_;
  }
  static char* fresh(size_t size) {
    void* memory = pinned(size);
    return memory != nullptr ? static_cast<char*>(memory) : ordinary(size);
  }
  static char* ordinary(size_t size) { return static_cast<char*>(std::aligned_alloc(kHeader, size)); }

  std::mutex mutex_;
  std::array<char*, 64> free_{};
  char* chunk_ = nullptr;
  size_t left_ = 0;
};

constinit Heap heap;

void* run_tests(void* result) {
  *static_cast<int*>(result) = RUN_ALL_TESTS();
  return nullptr;
}

}  // namespace

void* operator new(size_t bytes) { return heap.allocate(bytes); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  if (static_cast<size_t>(alignment) > kHeader) throw std::bad_alloc();
  return heap.allocate(bytes);
}
void operator delete(void* memory) noexcept { heap.release(memory); }
void operator delete(void* memory, size_t /*bytes*/) noexcept { heap.release(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { heap.release(memory); }
void operator delete(void* memory, size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  heap.release(memory);
}

int main(int count, char** arguments) {
  testing::InitGoogleTest(&count, arguments);
  try {
    if (!GTEST_FLAG_GET(list_tests)) iskra::device::require();
  } catch (const iskra::device::DeviceError& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
  // State of optimizers, scales and seeds lie on the tests' stack.
  pthread_attr_t with_stack;
  pthread_attr_init(&with_stack);
  pthread_attr_setstack(&with_stack, heap.allocate(kStack), kStack);
  pthread_t thread{};
  auto* result = new int(1);
  if (pthread_create(&thread, &with_stack, run_tests, result) != 0) return 1;
  pthread_join(thread, nullptr);
  return *result;
}
