// The commands of the program. Each lives in a file of its own; main.cpp holds the one table.
#pragma once

#include <string>
#include <vector>

#include <iskra/core/device.h>
#include <iskra/zoo/app/console.h>
#include <iskra/zoo/app/flags.h>

namespace iskra::zoo {

using Arguments = std::vector<std::string>;

// Each takes what follows its name and returns the exit code: 0 done, 130 interrupted. UsageError becomes 2,
// any other exception 1.
int cmd_models(const Arguments& arguments);
int cmd_inspect(const Arguments& arguments);
int cmd_forward(const Arguments& arguments);
int cmd_predict(const Arguments& arguments);
int cmd_train(const Arguments& arguments);
int cmd_finetune(const Arguments& arguments);
int cmd_eval(const Arguments& arguments);
int cmd_bench(const Arguments& arguments);
int cmd_doctor(const Arguments& arguments);
int cmd_demo(const Arguments& arguments);

constexpr int kExitFailed = 1, kExitUsage = 2, kExitInterrupted = 130;

/// --device, --precision, --provider, --exact-convolutions, --sync and --threads, for commands that compute.
struct Compute {
  std::string device = "cpu", precision = "fp32", provider = "fastest";
  bool exact_convolutions = false, sync = false;
  int64_t threads = 0;

  void add_to(Flags& flags);
  /// Sets this thread's budget, provider and kind of convolutions; returns the device.
  Device apply() const;
};

/// --json
void add_json(Flags& flags, bool& json);

/// Throws UsageError with a suggestion unless the zoo has this architecture; "" passes.
void check_arch(const std::string& arch);

/// From now on SIGINT and SIGTERM are only remembered; a second one ends the process at once.
void catch_interrupts();
bool interrupted();

}  // namespace iskra::zoo
