// Launching a kernel on a stream of the emulator.
#pragma once

#include <memory>
#include <utility>

#include <iskra/kernels/sim/device.h>

namespace iskra::sim {

template <auto kernel>
class KernelOperationOf final : public KernelOperation {
 public:
  template <class... Arguments>
  explicit KernelOperationOf(const LaunchShape& shape, Arguments&&... arguments)
      : KernelOperation(&KernelOf<kernel>::record, shape, &CallOf<kernel>::call),
        held_{std::forward<Arguments>(arguments)...} {}

 protected:
  const void* arguments() const final { return &held_; }

 private:
  const typename CallOf<kernel>::Held held_;
};

/// Puts the kernel into the stream, with its arguments as they are now, converted to its parameters' types.
template <auto kernel, class... Arguments>
void launch(const LaunchShape& shape, device::Stream stream, Arguments... arguments) {
  enqueue_kernel(stream,
                 std::make_shared<KernelOperationOf<kernel>>(shape, static_cast<Arguments&&>(arguments)...));
}

}  // namespace iskra::sim
