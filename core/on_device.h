// Calls of the device API from the engine: on the right device, and with the engine's errors.
#pragma once

#include <iskra/core/device.h>
#include <iskra/kernels/check.h>
#include <iskra/kernels/device_api.h>

namespace iskra::detail {

/// f() with `device` selected; what it throws becomes an Error that begins with `what`.
template <class F>
auto on_device(Device device, const char* what, F&& f) {
  select_cuda(device.index());
  try {
    return f();
  } catch (const device::DeviceError& e) {
    throw Error(text(what, " on ", device, ": ", e.what()));
  }
}

}  // namespace iskra::detail
