#include <algorithm>
#include <csignal>

#include <iskra/core/context.h>
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/models/registry.h>
#include <iskra/zoo/suggest.h>

namespace iskra::zoo {

namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void remember(int) { g_interrupted = 1; }

}  // namespace

void Compute::add_to(Flags& flags) {
  flags.add("device", device, "cpu or cuda");
  flags.add("precision", precision, "number format", "fp32|bf16|fp16");
  flags.add("provider", provider, "who computes products and convolutions", "fastest|native|vendor");
  flags.add("exact_convolutions", exact_convolutions,
            "no Winograd transforms: slower 3x3 convolutions, summed term by term");
  flags.add("sync", sync, "wait for every op on a CUDA device, so that an error names it");
  flags.add("threads", threads, "0: all; results do not depend on it", 0, 4096);
}

Device Compute::apply() const {
  if (precision != "fp32")
    throw UsageError("--precision: '" + precision + "' is not in this build; use fp32");
  set_threads(static_cast<int>(threads));
  context().provider = provider == "native"   ? Provider::native
                       : provider == "vendor" ? Provider::vendor
                                              : Provider::fastest;
  context().winograd = !exact_convolutions;
  set_synchronous(sync);
  try {
    return Device::parse(device);
  } catch (const Error& e) {
    throw UsageError(e.what());
  }
}

void add_json(Flags& flags, bool& json) { flags.add("json", json, "one JSON object a line on stdout"); }

void check_arch(const std::string& arch) {
  std::vector<std::string> names;
  for (const ArchInfo& a : archs()) names.push_back(a.name);
  if (arch.empty() || std::find(names.begin(), names.end(), arch) != names.end()) return;
  throw UsageError("--arch: '" + arch + "' is unknown" + did_you_mean(arch, names) +
                   "; iskra models lists them");
}

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = remember;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one ends the process
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return g_interrupted != 0; }

}  // namespace iskra::zoo
