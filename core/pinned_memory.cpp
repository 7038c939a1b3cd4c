// Pinned host memory. Making it costs milliseconds, so blocks are kept by size; a block that copies may still
// use is handed out again when the events behind those are done.
#include <bit>
#include <map>
#include <mutex>
#include <vector>

#include <iskra/core/allocator.h>
#include <iskra/core/on_device.h>
#include <iskra/kernels/check.h>

namespace iskra::detail {
namespace {

constexpr size_t kSmallest = 4096;

struct Block {
  size_t bytes;
  std::vector<device::Event> uses;
};

struct Pinned {
  std::mutex mutex;
  std::map<void*, Block> blocks;
  std::map<size_t, std::vector<void*>> free;
};

// Never destroyed: tensors with static storage duration may outlive it.
Pinned& pinned() {
  static auto* all = new Pinned;
  return *all;
}

bool idle(Block& block) {
  while (!block.uses.empty()) {
    if (!device::query(block.uses.back())) return false;
    device::destroy(block.uses.back());
    block.uses.pop_back();
  }
  return true;
}

}  // namespace

void* allocate_pinned(size_t bytes) {
  Pinned& all = pinned();
  const size_t size = std::bit_ceil(bytes < kSmallest ? kSmallest : bytes);
  std::lock_guard lock(all.mutex);
  auto& free = all.free[size];
  for (auto at = free.begin(); at != free.end(); ++at) {
    if (!idle(all.blocks.at(*at))) continue;
    void* block = *at;
    free.erase(at);
    return block;
  }
  try {
    device::require();
    void* block = device::allocate_pinned(size);
    all.blocks[block] = {size, {}};
    return block;
  } catch (const device::DeviceError& e) {
    throw Error(text("pinned memory of ", size, " bytes: ", e.what()));
  }
}

void deallocate_pinned(void* block) {
  Pinned& all = pinned();
  std::lock_guard lock(all.mutex);
  all.free[all.blocks.at(block).bytes].push_back(block);
}

void note_pinned_use(void* block, int device, void* stream) {
  Pinned& all = pinned();
  std::lock_guard lock(all.mutex);
  on_device(Device::cuda(device), "recording an event", [&] {
    auto& uses = all.blocks.at(block).uses;
    uses.push_back(device::create_event());
    device::record(uses.back(), static_cast<device::Stream>(stream));
  });
}

}  // namespace iskra::detail
