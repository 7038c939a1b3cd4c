// The second of three hops: picks the device tag; C++ overload resolution on it is the dispatcher. Included
// by .cpp files only; the single place that knows whether CUDA is built in.
#pragma once

#include <type_traits>
#include <vector>

#include <iskra/core/allocator.h>
#include <iskra/core/context.h>
#include <iskra/core/device.h>
#include <iskra/kernels/base.h>
#include <iskra/kernels/check.h>

namespace iskra::detail {

/// Scratch from the caching allocator, given back when the launch ends.
class CachedScratch final : public kernels::Scratch {
 public:
  explicit CachedScratch(Device device) : device_(device) {}
  ~CachedScratch() override;
  CachedScratch(const CachedScratch&) = delete;
  CachedScratch& operator=(const CachedScratch&) = delete;
  void* bytes(size_t count) override;

 private:
  struct Block {
    void* data;
    size_t bytes;
  };
  Device device_;
  std::vector<Block> blocks_;
};

/// Calls f(data, tag) with the tag of a CUDA device's current stream. Errors say which op it was, of what
/// operands.
void launch_cuda(Device device, kernels::Scratch& scratch, void (*f)(void*, kernels::Cuda), void* data);

/// Calls f(tag): launch(x.device(), [&](auto on) { kernels::softmax(on, x.view(), y.mut()); });
template <class F>
void launch(Device device, F&& f) {
  CachedScratch scratch(device);
  if (device.is_cpu()) {
    f(kernels::Cpu{thread_budget(), context().provider, &scratch, context().winograd});
    return;
  }
#ifdef ISKRA_WITH_CUDA
  launch_cuda(
      device, scratch,
      [](void* data, kernels::Cuda on) { (*static_cast<std::remove_reference_t<F>*>(data))(on); }, &f);
#else
  select_cuda(device.index());  // says that this build has no CUDA
#endif
}

}  // namespace iskra::detail
