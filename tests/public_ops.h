// The names of the public ops, read from the headers that declare them.
#pragma once

#include <set>
#include <string>

namespace iskra::testing {

/// Functions of core/ops*.h and the views and copies of Tensor: each has rows in the table of op cases.
std::set<std::string> public_ops();
/// Those, random tensors, and every member of Tensor that notes its caller because it can be misused.
std::set<std::string> misusable_functions();

}  // namespace iskra::testing
