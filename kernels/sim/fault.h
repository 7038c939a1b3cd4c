// What the emulator reports.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace iskra::sim {

/// Where a kernel called something.
using Site = std::source_location;

/// "gemm.cu", without its folder.
const char* file_of(const Site& at);
/// "gemm.cu:120"
std::string str(const Site& at);
/// Whether two calls stand at the same place of the source.
bool same(const Site& a, const Site& b);

/// A kernel did what a GPU would punish, or leave undefined. The text names the kernel, its block and thread,
/// what happened and where. The launch is over; the emulator is ready for the next.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace iskra::sim
