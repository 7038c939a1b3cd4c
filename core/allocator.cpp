// Which pool a call means, and what all pools count.
#include <iskra/core/allocator.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iterator>

#include <iskra/core/context.h>
#include <iskra/core/pool.h>
#include <iskra/kernels/check.h>

namespace iskra {
namespace detail {

std::string size_text(size_t bytes) {
  if (bytes < 1024) return text(bytes, " bytes");
  const char* const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double size = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; size >= 1024 && unit + 1 < std::size(units); ++unit) size /= 1024;
  char out[32];
  std::snprintf(out, sizeof out, "%.1f %s", size, units[unit]);
  return out;
}

std::string refusal(const MemoryStats& stats, size_t bytes, size_t cached, const std::string& free) {
  std::string held;
  for (int tag = 0; tag < kMemoryTags; ++tag) {
    const size_t of_tag = stats.by[static_cast<size_t>(tag)].current_bytes;
    if (of_tag > 0)
      held += text(held.empty() ? " (" : ", ", name_of(static_cast<MemoryTag>(tag)), " ", size_text(of_tag));
  }
  if (!held.empty()) held += ")";
  return text("out of memory: wanted ", size_text(bytes), ", tensors hold ", size_text(stats.current_bytes),
              held, ", ", size_text(cached), " were cached and given back, ", free,
              "; use a smaller batch or model, or activation checkpointing");
}

void count_in(MemoryStats& stats, size_t bytes, MemoryTag tag) {
  MemoryStats::Use& use = stats.by[static_cast<size_t>(tag)];
  stats.current_bytes += bytes;
  stats.peak_bytes = std::max(stats.peak_bytes, stats.current_bytes);
  use.current_bytes += bytes;
  use.peak_bytes = std::max(use.peak_bytes, use.current_bytes);
}

void count_out(MemoryStats& stats, size_t bytes, MemoryTag tag) {
  stats.current_bytes -= bytes;
  stats.by[static_cast<size_t>(tag)].current_bytes -= bytes;
}

void reset_peak(MemoryStats& stats) {
  stats.peak_bytes = stats.current_bytes;
  for (MemoryStats::Use& use : stats.by) use.peak_bytes = use.current_bytes;
}

namespace {

uint64_t& memory_set() {
  thread_local uint64_t number = 0;
  return number;
}

Pool& pool(Device device) { return device.is_cpu() ? cpu_pool() : cuda_pool(device.index()); }

}  // namespace

uint64_t current_memory_set() { return memory_set(); }
MemorySet::MemorySet(uint64_t number) : before_(memory_set()) { memory_set() = number; }
MemorySet::~MemorySet() { memory_set() = before_; }
uint64_t new_memory_set() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}
void dissolve_memory_set(Device device, uint64_t number) { pool(device).dissolve(number); }

MemoryTag current_memory_tag() { return context().memory_tag; }
void* allocate(Device device, size_t bytes, MemoryTag tag) { return pool(device).allocate(bytes, tag); }
void deallocate(Device device, void* block, size_t bytes, MemoryTag tag) {
  pool(device).deallocate(block, bytes, tag);
}
void note_use(Device device, void* block, void* stream) { pool(device).note_use(block, stream); }

}  // namespace detail

const char* name_of(MemoryTag tag) {
  static constexpr const char* kNames[kMemoryTags] = {"activations", "gradients", "parameters",
                                                      "optimizer",   "scratch",   "data"};
  return kNames[static_cast<size_t>(tag)];
}

MemoryScope::MemoryScope(MemoryTag tag) : before_(context().memory_tag) { context().memory_tag = tag; }
MemoryScope::~MemoryScope() { context().memory_tag = before_; }

MemoryStats memory_stats(Device device) { return detail::pool(device).stats(); }
void reset_peak_memory(Device device) { detail::pool(device).reset_peak(); }
void release_cached_memory(Device device) { detail::pool(device).release(); }
void set_memory_limit(Device device, size_t bytes) { detail::pool(device).set_limit(bytes); }

}  // namespace iskra
