// Temporary memory for kernels that tests call directly: a block for each request, all freed at the end.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

#include <iskra/kernels/base.h>

class HeapScratch : public iskra::kernels::Scratch {
 public:
  HeapScratch() = default;
  HeapScratch(const HeapScratch&) = delete;
  HeapScratch& operator=(const HeapScratch&) = delete;
  ~HeapScratch() override { clear(); }

  // Poisoned, so that a kernel that reads what it has not written shows up as NaN.
  void* bytes(size_t count) override {
    void* block = ::operator new(count > 0 ? count : 1, kAlignment);
    std::memset(block, 0xFF, count);
    blocks_.push_back(block);
    return block;
  }

  void clear() {
    for (void* block : blocks_) ::operator delete(block, kAlignment);
    blocks_.clear();
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  std::vector<void*> blocks_;
};
