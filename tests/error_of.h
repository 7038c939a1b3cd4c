// The message of the Error that a call throws.
#pragma once

#include <cstdlib>
#include <functional>
#include <regex>
#include <string>

#include <iskra/kernels/check.h>

namespace iskra::testing {

/// With the caller that an op's error ends with: "… (at train.cpp:42)". "no error" when the call returns.
inline std::string error_with_caller(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// A text as it reads where the tests run on the CPU: in a run on CUDA, tensors are described as such.
inline std::string as_on_cpu(const std::string& text) {
  static const bool on_cuda = std::getenv("ISKRA_TEST_DEVICE") != nullptr;
  static const std::regex kDevice(R"((\)| on) cuda\b)");
  return on_cuda ? std::regex_replace(text, kDevice, "$1 cpu") : text;
}

/// Without the caller, so that a test's line numbers do not stand in its texts.
inline std::string error_of(const std::function<void()>& call) {
  static const std::regex kCaller(R"( \((in \w+ )?at [^ ]+\.(cpp|h):\d+\)$)");
  return as_on_cpu(std::regex_replace(error_with_caller(call), kCaller, ""));
}

}  // namespace iskra::testing
