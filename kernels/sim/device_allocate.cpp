// Allocating device and pinned memory, and keeping the host's code away from the former.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <iskra/kernels/sim/device_state.h>
#include <iskra/kernels/sim/trap.h>

namespace iskra::sim {

// What touches device memory under the guard runs inside of open_memory(): the range is opened by the first
// and closed by the last thread that needs it, once for a whole run of work.
void Runtime::open_memory() {
  if (open++ > 0 || !guards) return;
  for (auto& d : devices) d->memory.protect(true);
}

void Runtime::close_memory() {
  if (--open > 0 || !guards) return;
  for (auto& d : devices) d->memory.protect(false);
}

void Runtime::set_guards(bool on) {
  guards = on;
  if (open > 0) return;
  for (auto& d : devices) d->memory.protect(!on);
}

namespace {

// In a signal handler, of a program that is about to end.
void tell_of_host_access(const void* address, const void* code) {
  Runtime& all = Runtime::get();
  Runtime::Lock lock(all.mutex, std::try_to_lock);
  for (auto& d : all.devices) {
    if (!d->memory.owns(address)) continue;
    char text[512], what[64] = "not allocated";
    if (lock.owns_lock()) {
      auto found = d->memory.find(address);
      if (found.begin != nullptr) std::snprintf(what, sizeof what, "allocation of %zu bytes", found.bytes);
    }
    int length = std::snprintf(text, sizeof text,
                               "iskra sim: host code touched device memory at %p (%s), in %s; copy it to the "
                               "host, or do it in a kernel\n",
                               address, what, source_line_of(code).c_str());
    if (write(STDERR_FILENO, text, static_cast<size_t>(length)) < 0) std::abort();
    std::signal(SIGABRT, SIG_DFL);
    std::abort();
  }
}

}  // namespace

void explain_faults() {
  install_traps();
  explain_faults_by(tell_of_host_access);
}

}  // namespace iskra::sim

namespace iskra::device {

using sim::address_of;
using sim::refuse;
using sim::Runtime;

void* allocate(size_t bytes) {
  constexpr const char* kWhat = "allocate";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  all.refuse_in_capture(kWhat);
  int device = sim::selected_device();
  sim::DeviceState& state = all.device(device, kWhat);
  all.check_failure(device);
  if (bytes == 0) return nullptr;
  sim::OpenMemory open;
  bool injected = all.allocations_left > 0 && --all.allocations_left == 0;
  void* p = injected ? nullptr : state.memory.allocate(bytes);
  if (p != nullptr) return p;
  size_t held = state.memory.held(), total = state.memory.total();
  refuse(ErrorCode::out_of_memory, kWhat,
         "device " + std::to_string(device) + " cannot give " + std::to_string(bytes) + " bytes: of " +
             std::to_string(total) + " bytes, " + std::to_string(held) + " are held and " +
             std::to_string(total - held) + " free" + (injected ? " (an injected fault)" : "") +
             "; use smaller batches (ISKRA_SIM_MEMORY sets the emulator's memory)");
}

void release(void* memory) {
  constexpr const char* kWhat = "release";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  if (memory == nullptr) return;
  all.refuse_in_capture(kWhat);
  sim::OpenMemory open;
  for (auto& d : all.devices) {
    if (!d->memory.owns(memory)) continue;
    if (d->memory.release(memory)) return;
    auto inside = d->memory.find(memory);
    refuse(ErrorCode::invalid_argument, kWhat,
           inside.begin != nullptr && memory < inside.begin + inside.bytes
               ? address_of(memory) + " lies inside of the allocation at " + address_of(inside.begin) +
                     "; give back what allocate() gave"
               : address_of(memory) + " is not allocated; was it released before?");
  }
  refuse(ErrorCode::invalid_argument, kWhat,
         address_of(memory) + " is not device memory; give back what allocate() gave");
}

MemoryInfo memory_info() {
  constexpr const char* kWhat = "memory_info";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  const sim::DeviceMemory& memory = all.device(sim::selected_device(), kWhat).memory;
  return {memory.total() - memory.held(), memory.total()};
}

void* allocate_pinned(size_t bytes) {
  constexpr const char* kWhat = "allocate_pinned";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  all.require_any();
  all.refuse_in_capture(kWhat);
  return bytes == 0 ? nullptr : all.pinned.allocate(bytes);
}

void release_pinned(void* memory) {
  constexpr const char* kWhat = "release_pinned";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  if (memory == nullptr) return;
  all.refuse_in_capture(kWhat);
  if (all.pinned.release(memory)) return;
  refuse(ErrorCode::invalid_argument, kWhat,
         address_of(memory) + " is not pinned memory; was it released before?");
}

}  // namespace iskra::device
