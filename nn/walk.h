// Visits a module tree. For nn's own files.
#pragma once

#include <functional>
#include <string>

#include <iskra/nn/module.h>

namespace iskra::nn {

struct Visitor {
  std::function<void(const std::string& name, Tensor& tensor, bool trained)> on_tensor;
  std::function<void(const std::string& name, Module& module)> on_module;
};

/// Calls the visitor for every defined tensor and every module below `root` (not for root itself), in field
/// order, with full names.
void walk(Module& root, const Visitor& visitor);

/// True when `name` matches the glob ("*" any text, "?" one character) or lies below something that does.
bool matches(const std::string& pattern, const std::string& name);

}  // namespace iskra::nn
