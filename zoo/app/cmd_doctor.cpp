// iskra doctor: what this machine and build offer.
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <iskra/core/context.h>
#include <iskra/kernels/check.h>
#include <iskra/kernels/device_api.h>
#include <iskra/kernels/isa.h>
#include <iskra/kernels/parallel.h>
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/app/waiting.h>
#include <iskra/zoo/version.h>

namespace iskra::zoo {

namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

const char* compiler() {
#ifdef __clang__
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

/// What CUDA devices there are, or why there are none.
std::string cuda_text() {
  try {
    device::require();
  } catch (const device::DeviceError& e) {
    return e.what();
  }
  std::string all;
  for (int i = 0; i < device::count(); ++i) {
    const device::Properties p = device::properties(i);
    all += text(i == 0 ? "" : "; ", Device::cuda(i), ": ", p.name, ", compute capability ", p.major, ".",
                p.minor, ", ", p.multiprocessors, " multiprocessors, ",
                bytes_text(static_cast<double>(p.total_bytes)), ", driver for CUDA ", p.driver_version / 1000,
                ".", p.driver_version % 1000 / 10);
  }
  return all;
}

int64_t memory_bytes() { return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE); }

}  // namespace

int cmd_doctor(const Arguments& arguments) {
  bool json = false;
  Flags flags("doctor", "Tells what this machine and this build offer.");
  add_json(flags, json);
  if (!flags.parse(arguments)) return 0;

  std::string detected = kernels::name_of(kernels::detected_isa()), used = kernels::name_of(kernels::isa());
  kernels::VendorInfo vendor = kernels::vendor_info();
  const char* forced = std::getenv("ISKRA_CPU");
  Console console(json);
  Table table({"", ""});
  table.row({"iskra", version()});
  table.row({"compiler", compiler()});
  table.row({"CPU", cpu_model()});
  table.row({"ISA level detected", "x86-64-" + detected});
  table.row({"ISA level in use",
             "x86-64-" + used + (forced != nullptr ? " (ISKRA_CPU=" + std::string(forced) + ")" : "")});
  table.row({"oneDNN", std::string(vendor.version) + ", up to " + vendor.isa});
  table.row({"threads", std::to_string(kernels::hardware_threads())});
  table.row({"idle threads", waiting_text()});
  table.row({"memory", bytes_text(static_cast<double>(memory_bytes()))});
  const std::string cuda = cuda_text();
  table.row({"CUDA", cuda});
  console.say(table.str().substr(1));
  console.object(JsonLine()("version", version())("compiler", compiler())("cpu", cpu_model())(
      "isa_detected", detected)("isa", used)("onednn_version", vendor.version)("onednn_isa", vendor.isa)(
      "threads", kernels::hardware_threads())("idle_threads", waiting_text())("memory_bytes", memory_bytes())(
      "cuda", device::count() > 0)("cuda_devices", cuda));
  return 0;
}

}  // namespace iskra::zoo
