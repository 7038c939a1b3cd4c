#include <iskra/core/device.h>
#include <iskra/kernels/check.h>

namespace iskra {

Device Device::best() { return cpu(); }

Device Device::parse(const std::string& name) {
  if (name == "cpu") return cpu();
  bool cuda_name = name == "cuda" || (name.rfind("cuda:", 0) == 0 && name.size() > 5 &&
                                      name.find_first_not_of("0123456789", 5) == std::string::npos);
  ISKRA_CHECK(cuda_name, "device '", name, "' is unknown; use cpu, cuda or cuda:N");
  throw Error(text("device ", name, ": this build has no CUDA; use the CPU (Device::cpu(), --device cpu)"));
}

std::string Device::str() const {
  if (is_cpu()) return "cpu";
  return index_ == 0 ? "cuda" : "cuda:" + std::to_string(index_);
}

}  // namespace iskra
