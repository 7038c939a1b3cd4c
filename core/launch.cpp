#include <iskra/core/launch.h>

#include <iskra/core/stream.h>
#include <iskra/kernels/device_api.h>

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

namespace {

// The operands that this thread's kernel call was given so far.
struct Operands {
  static constexpr int kMost = 12;
  int count = 0;
  kernels::View views[kMost];
};

Operands& operands() {
  thread_local Operands of_thread;
  return of_thread;
}

std::string described() {
  std::string all;
  for (int i = 0; i < operands().count; ++i) {
    const kernels::View& x = operands().views[i];
    all += text(i == 0 ? "" : ", ", name_of(x.dtype), " ", x.shape);
  }
  return all.empty() ? "no operands" : all;
}

}  // namespace

void note_operand(const kernels::View& x) {
  Operands& all = operands();
  if (all.count < Operands::kMost) all.views[all.count++] = x;
}

void launch_cuda(Device device, kernels::Scratch& scratch, void (*f)(void*, kernels::Cuda), void* data) {
  select_cuda(device.index());
  operands().count = 0;
  try {
    void* stream = current_stream_handle(device.index());
    f(data, kernels::Cuda{device.index(), stream, context().provider, &scratch});
    if (context().synchronous) device::synchronize(static_cast<device::Stream>(stream));
  } catch (const device::DeviceError& e) {
    const char* op = current_call().op;
    const char* late = context().synchronous ? ""
                                             : "; kernels run late, so an earlier one may have failed: "
                                               "--sync (set_synchronous(true)) waits for each";
    throw Error(
        text(op == nullptr ? "kernel" : op, " on ", device, " (", described(), "): ", e.what(), late));
  }
}

}  // namespace iskra::detail
