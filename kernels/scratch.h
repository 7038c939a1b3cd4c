// Asking the caller for temporary memory.
#pragma once

#include <iskra/kernels/base.h>
#include <iskra/kernels/check.h>

namespace iskra::kernels {

/// The scratch interface of a device tag; throws, naming `op`, when the caller gave none.
template <class Device>
Scratch& scratch_of(const Device& on, const char* op) {
  ISKRA_CHECK(on.scratch != nullptr, op, ": needs temporary memory, but the device tag's scratch is null");
  return *on.scratch;
}

}  // namespace iskra::kernels
