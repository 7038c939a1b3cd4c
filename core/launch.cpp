#include <iskra/core/launch.h>

namespace iskra::detail {

CachedScratch::~CachedScratch() {
  for (const Block& block : blocks_) deallocate(device_, block.data, block.bytes, MemoryTag::scratch);
}

void* CachedScratch::bytes(size_t count) {
  blocks_.reserve(blocks_.size() + 1);
  void* data = allocate(device_, count, MemoryTag::scratch);
  blocks_.push_back({data, count});
  return data;
}

}  // namespace iskra::detail
