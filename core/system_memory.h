// What the operating system still has to give.
#pragma once

#include <cstddef>

namespace iskra::detail {

/// Host memory in bytes that this process can still take without pushing others out or being killed: what the
/// kernel calls available plus free swap, and not more than the control group allows. The largest size_t
/// where the system does not say. `root` stands before /proc and /sys (tests).
size_t available_host_memory(const char* root = "");

/// Memory for std::free, or null. Large blocks ask for huge pages: loops over them miss the table of pages
/// less, and their first use faults 512 times less often.
void* allocate_host(size_t alignment, size_t bytes);

}  // namespace iskra::detail
