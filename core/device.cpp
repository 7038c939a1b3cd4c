#include <iskra/core/device.h>

#include <iskra/core/context.h>
#include <iskra/kernels/check.h>
#include <iskra/kernels/device_api.h>

namespace iskra {

int Device::cuda_count() { return device::count(); }

Device Device::best() { return cuda_count() > 0 ? cuda() : cpu(); }

Device Device::parse(const std::string& name) {
  if (name == "cpu") return cpu();
  const bool numbered = name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() < 10 &&
                        name.find_first_not_of("0123456789", 5) == std::string::npos;
  ISKRA_CHECK(name == "cuda" || numbered, "device '", name, "' is unknown; use cpu, cuda or cuda:N");
  const int index = numbered ? std::stoi(name.substr(5)) : 0;
  detail::select_cuda(index);
  return cuda(index);
}

std::string Device::str() const {
  if (is_cpu()) return "cpu";
  return index_ == 0 ? "cuda" : "cuda:" + std::to_string(index_);
}

Device current_device() { return context().device; }

DeviceScope::DeviceScope(Device device) : before_(context().device) { context().device = device; }
DeviceScope::~DeviceScope() { context().device = before_; }

void detail::select_cuda(int index) {
  thread_local int selected =
      -1;  // asking the driver again for every launch would cost more than some launches
  if (selected == index && device::current() == index) return;
  try {
    device::require();
    const int count = device::count();
    ISKRA_CHECK(index < count, "device ", Device::cuda(index), ": this machine has ", count, " CUDA device",
                count == 1 ? ", number 0" : text("s, numbers 0 to ", count - 1));
    device::select(index);
    selected = index;
  } catch (const device::DeviceError& e) {
    throw Error(text("device ", Device::cuda(index), ": ", e.what()));
  }
}

void synchronize(Device device) {
  if (device.is_cpu()) return;
  detail::select_cuda(device.index());
  try {
    device::synchronize();
  } catch (const device::DeviceError& e) {
    throw Error(text("waiting for device ", device, ": ", e.what()));
  }
}

}  // namespace iskra
