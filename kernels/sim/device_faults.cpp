// Which devices there are, what they are like, and what goes wrong with them on purpose.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <iskra/kernels/sim/device_state.h>

namespace iskra::sim {

using device::DeviceError;
using device::ErrorCode;

void refuse(ErrorCode code, const char* what, const std::string& why) {
  throw DeviceError(code, std::string(what) + ": " + why);
}

std::string address_of(const void* p) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", p);
  return text;
}

bool& in_host_function() {
  thread_local bool inside = false;
  return inside;
}

int& selected_device() {
  thread_local int device = 0;
  return device;
}

namespace {

[[noreturn]] void refuse_setting(const std::string& name, const std::string& value, const char* wanted) {
  throw std::invalid_argument(name + "=" + value + ": want " + wanted);
}

std::string setting(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

uint64_t number_of(const std::string& name, const std::string& text, const char* wanted) {
  char* end = nullptr;
  uint64_t value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || text[0] < '0' || text[0] > '9' || *end != 0 || value == 0)
    refuse_setting(name, text, wanted);
  return value;
}

size_t bytes_of(std::string text) {
  constexpr const char* kName = "ISKRA_SIM_MEMORY";
  constexpr std::string_view kUnits = "KMG";
  if (text.empty()) return size_t{8} << 30;
  size_t unit = kUnits.find(text.back()), shift = 0;
  if (unit != std::string_view::npos) {
    shift = 10 * (unit + 1);
    text.pop_back();
  }
  return number_of(kName, text, "a number of bytes, or one with K, M or G") << shift;
}

}  // namespace

Runtime& Runtime::get() {
  static Runtime& runtime = *[] {
    auto* made = new Runtime;  // never destroyed: threads that end late still use it
    explain_faults();
    return made;
  }();
  return runtime;
}

Runtime::Runtime() {
  std::string streams_mode = setting("ISKRA_SIM_STREAMS"), guard = setting("ISKRA_SIM_GUARD");
  if (!streams_mode.empty() && streams_mode != "eager" && streams_mode != "lazy" &&
      streams_mode != "blocking")
    refuse_setting("ISKRA_SIM_STREAMS", streams_mode, "eager, blocking or lazy");
  mode = streams_mode == "lazy"       ? StreamMode::lazy
         : streams_mode == "blocking" ? StreamMode::blocking
                                      : StreamMode::eager;
  if (!guard.empty() && guard != "0" && guard != "1") refuse_setting("ISKRA_SIM_GUARD", guard, "0 or 1");
  guards = guard == "1";
  std::string asked = setting("ISKRA_SIM_DEVICES");
  uint64_t count = asked.empty() ? 1 : number_of("ISKRA_SIM_DEVICES", asked, "1 to 64");
  if (count > 64) refuse_setting("ISKRA_SIM_DEVICES", asked, "1 to 64");
  make(static_cast<int>(count), bytes_of(setting("ISKRA_SIM_MEMORY")));
  set_fault(setting("ISKRA_SIM_FAULT"));
}

Runtime::Lock Runtime::enter(const char* what) {
  if (in_host_function())
    refuse(ErrorCode::not_permitted, what, "a host function of a stream must not call the device API");
  beginning_of_thread();
  return Lock(mutex);
}

// Work holds events, events hold streams, and streams hold work: taken apart here.
void Runtime::reset() {
  for (auto& [handle, s] : streams) {
    s->waiting.clear();
    s->done = s->enqueued;
    s->capture = nullptr;
    s->last.clear();
  }
  for (auto& capture : open_captures) {
    capture->streams.clear();
    capture->ended = true;
  }
  open_captures.clear();
  for (auto& d : devices) d->failure.clear();
  prune();
}

void Runtime::make(int count, size_t bytes) {
  reset();
  streams.clear();
  events.clear();
  graphs.clear();
  devices.clear();
  for (int i = 0; i < count; ++i) devices.push_back(std::make_unique<DeviceState>(bytes));
  ++generation;
  set_guards(guards);
}

void Runtime::set_fault(const std::string& fault) {
  constexpr const char* kName = "ISKRA_SIM_FAULT";
  constexpr const char* kWanted =
      "no_device, driver_too_old, old_device, out_of_memory:N or launch:N, N from 1 on";
  missing = Missing::nothing;
  allocations_left = launches_left = 0;
  size_t colon = fault.find(':');
  std::string name = fault.substr(0, colon);
  if (name == "out_of_memory" || name == "launch") {
    uint64_t n = number_of(kName, colon == std::string::npos ? "" : fault.substr(colon + 1), kWanted);
    (name == "launch" ? launches_left : allocations_left) = n;
  } else if (fault == "no_device") {
    missing = Missing::device;
  } else if (fault == "driver_too_old") {
    missing = Missing::driver;
  } else if (fault == "old_device") {
    missing = Missing::generation;
  } else if (!fault.empty()) {
    refuse_setting(kName, fault, kWanted);
  }
}

void Runtime::require_any() const {
  if (missing == Missing::device) {
    refuse(ErrorCode::no_device, "CUDA",
           "no device: this machine has none, or its driver is not loaded; use the CPU");
  }
  if (missing == Missing::driver) {
    refuse(ErrorCode::driver_too_old, "CUDA",
           "the driver knows CUDA 11.0 and this program needs 13.0; update the driver, or use the CPU");
  }
}

void Runtime::require_index(int device, const char* what) const {
  require_any();
  if (device < 0 || static_cast<size_t>(device) >= devices.size()) {
    refuse(ErrorCode::no_device, what,
           "there is no device " + std::to_string(device) + ", only " + std::to_string(devices.size()) +
               ", counted from 0");
  }
}

void Runtime::require_device(int device, const char* what) const {
  require_index(device, what);
  if (missing == Missing::generation) {
    refuse(
        ErrorCode::unsupported_device, what,
        "device " + std::to_string(device) +
            " has compute capability 7.5, and 8.0 (Ampere) is the oldest supported; use another, or the CPU");
  }
}

DeviceState& Runtime::device(int device, const char* what) {
  require_device(device, what);
  return *devices[static_cast<size_t>(device)];
}

void Runtime::check_failure(int device) const {
  const std::string& failure = devices[static_cast<size_t>(device)]->failure;
  if (failure.empty()) return;
  throw DeviceError(ErrorCode::launch_failed,
                    "device " + std::to_string(device) + ": " + failure +
                        "; nothing works on this device until the program is started "
                        "again");
}

// --- device.h

StreamMode stream_mode() {
  Runtime& all = Runtime::get();
  std::lock_guard lock(all.mutex);
  return all.mode;
}
void set_stream_mode(StreamMode mode) {
  Runtime& all = Runtime::get();
  std::lock_guard lock(all.mutex);
  all.mode = mode;
}
bool guards_device_memory() {
  Runtime& all = Runtime::get();
  std::lock_guard lock(all.mutex);
  return all.guards;
}
void set_guards_device_memory(bool guards) {
  Runtime& all = Runtime::get();
  std::lock_guard lock(all.mutex);
  all.set_guards(guards);
}
void set_device_fault(const std::string& fault) {
  Runtime& all = Runtime::get();
  std::lock_guard lock(all.mutex);
  all.set_fault(fault);
}

void reset_devices() {
  Runtime& all = Runtime::get();
  std::lock_guard lock(all.mutex);
  all.reset();
}

void make_devices(int count, size_t bytes) {
  Runtime& all = Runtime::get();
  std::lock_guard lock(all.mutex);
  all.make(count, bytes);
}

}  // namespace iskra::sim

namespace iskra::device {

using sim::Missing;
using sim::Runtime;

int count() {
  Runtime& all = Runtime::get();
  auto lock = all.enter("count");
  if (all.missing == Missing::device || all.missing == Missing::driver) return 0;
  return static_cast<int>(all.devices.size());
}

void require() {
  Runtime& all = Runtime::get();
  auto lock = all.enter("require");
  all.require_any();
}

void select(int device) {
  Runtime& all = Runtime::get();
  auto lock = all.enter("select");
  all.require_device(device, "select");
  sim::selected_device() = device;
}

int current() { return sim::selected_device(); }

Properties properties(int device) {
  constexpr const char* kWhat = "properties";
  constexpr int kCuda = 13000;
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  all.require_index(device, kWhat);  // what is too old may be looked at, too
  bool old = all.missing == Missing::generation;
  Properties p;
  p.name = "iskra emulator";
  p.major = old ? 7 : 9;
  p.minor = old ? 5 : 0;
  p.multiprocessors = 4;
  p.total_bytes = all.devices[static_cast<size_t>(device)]->memory.total();
  p.shared_bytes_per_block = sim::kMaxDynamicShared;
  p.driver_version = p.runtime_version = kCuda;
  return p;
}

}  // namespace iskra::device
