// The message of the Error that a call throws.
#pragma once

#include <functional>
#include <string>

#include <iskra/kernels/check.h>

namespace iskra::testing {

/// "no error" when the call returns.
inline std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace iskra::testing
