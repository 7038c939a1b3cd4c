#include <iskra/core/system_memory.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

#include <sys/mman.h>

namespace iskra::detail {
namespace {

constexpr size_t kUnknown = std::numeric_limits<size_t>::max();

/// The number behind `key` in a file of "key number" lines; kUnknown without one.
size_t number_behind(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) != 0) continue;
    try {
      return static_cast<size_t>(std::stoull(line.substr(key.size())));
    } catch (const std::exception&) {
      return kUnknown;  // "max": no limit
    }
  }
  return kUnknown;
}

/// Room below a control group's limit. Its cached files count as used there, but give way.
size_t group_room(const std::string& folder, const char* limit_file, const char* used_file,
                  const char* cache_key) {
  const size_t limit = number_behind(folder + limit_file, "");
  const size_t used = number_behind(folder + used_file, "");
  if (limit == kUnknown || used == kUnknown) return kUnknown;
  const size_t cache = number_behind(folder + "memory.stat", cache_key);
  const size_t held = cache == kUnknown ? used : used - std::min(used, cache);
  return limit - std::min(limit, held);
}

}  // namespace

size_t available_host_memory(const char* root) {
  const std::string at = root;
  const size_t available = number_behind(at + "/proc/meminfo", "MemAvailable:");
  const size_t swap = number_behind(at + "/proc/meminfo", "SwapFree:");
  size_t room = available == kUnknown ? kUnknown : (available + (swap == kUnknown ? 0 : swap)) * 1024;
  const std::string groups = at + "/sys/fs/cgroup/";
  room = std::min(room, group_room(groups, "memory.max", "memory.current", "inactive_file "));
  return std::min(room, group_room(groups + "memory/", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                   "total_inactive_file "));
}

void* allocate_host(size_t alignment, size_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr size_t kHugePage = size_t{1} << 21;
  if (bytes >= 2 * kHugePage) {
    void* block = std::aligned_alloc(kHugePage, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    // Whole pages alone, so that a block takes no more memory than it holds. A system may refuse: then pages
    // are small.
    if (block != nullptr) madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    return block;
  }
#endif
  return std::aligned_alloc(alignment, bytes);
}

}  // namespace iskra::detail
