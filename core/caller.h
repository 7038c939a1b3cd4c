// Where an op was called, so that its errors name a line of the user's source and not one of the library's.
#pragma once

#include <source_location>

#include <iskra/kernels/check.h>

namespace iskra {

class Tensor;

/// The last argument of every public op, left to its default: the place of the call.
using Caller = std::source_location;

/// The right side of an operator, which cannot have default arguments of its own: converts from a Tensor and
/// notes the place.
struct Operand {
  Operand(const Tensor& x, Caller at = Caller::current())  // NOLINT(google-explicit-constructor)
      : tensor(x), caller(at) {}
  const Tensor& tensor;
  Caller caller;
};

/// The same for a number.
struct Number {
  Number(double x, Caller at = Caller::current())  // NOLINT(google-explicit-constructor)
      : value(x), caller(at) {}
  double value;
  Caller caller;
};

namespace detail {

/// Within it errors name this call, unless an op around it does so already: the outermost op is the one that
/// the user wrote. Every public op begins with OpScope scope("name", caller).
class OpScope {
 public:
  OpScope(const char* name, const Caller& caller) : outermost_(current_call().op == nullptr) {
    if (outermost_) current_call() = {name, caller.file_name(), caller.line()};
  }
  ~OpScope() {
    if (outermost_) current_call() = {};
  }
  OpScope(const OpScope&) = delete;
  OpScope& operator=(const OpScope&) = delete;

 private:
  bool outermost_;
};

}  // namespace detail
}  // namespace iskra
