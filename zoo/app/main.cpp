// iskra: one binary, one table of commands.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include <iskra/kernels/check.h>
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/app/waiting.h>
#include <iskra/zoo/suggest.h>
#include <iskra/zoo/version.h>

namespace {

using iskra::zoo::Arguments;

struct Command {
  const char* name;
  const char* summary;
  int (*run)(const Arguments&);
};

constexpr Command kCommands[] = {
    {"models", "the zoo: names, parameters, input", iskra::zoo::cmd_models},
    {"train", "train a model from scratch", iskra::zoo::cmd_train},
    {"finetune", "train a model further on your own pictures", iskra::zoo::cmd_finetune},
    {"eval", "accuracy, loss and confusion on labelled pictures", iskra::zoo::cmd_eval},
    {"predict", "the most probable classes of pictures", iskra::zoo::cmd_predict},
    {"inspect", "what a safetensors file holds", iskra::zoo::cmd_inspect},
    {"forward", "raw tensor in, logits out", iskra::zoo::cmd_forward},
    {"bench", "throughput of a model", iskra::zoo::cmd_bench},
    {"doctor", "what this machine and build offer", iskra::zoo::cmd_doctor},
    {"demo", "pre-train, fine-tune with few labels, report", iskra::zoo::cmd_demo},
};

void print_help() {
  std::puts("iskra: deep learning from scratch in C++\n\nUsage: iskra COMMAND [flags]\n\nCommands:");
  for (const Command& c : kCommands) std::printf("  %-10s %s\n", c.name, c.summary);
  std::puts("\n  iskra COMMAND --help   its flags and their defaults\n  iskra --version        the version");
}

int run(const Arguments& arguments) {
  if (arguments.empty()) throw iskra::zoo::UsageError("no command given");
  const std::string& name = arguments[0];
  if (name == "--help" || name == "-h" || name == "help") return print_help(), 0;
  if (name == "--version") return std::printf("iskra %s\n", iskra::version()), 0;
  std::vector<std::string> names;
  for (const Command& c : kCommands) {
    if (name == c.name) return c.run({arguments.begin() + 1, arguments.end()});
    names.emplace_back(c.name);
  }
  throw iskra::zoo::UsageError((name[0] == '-' ? "unknown flag '" : "unknown command '") + name + "'" +
                               iskra::zoo::did_you_mean(name, names));
}

/// The one line that a failure prints, whatever the message holds.
int fail(std::string message, int code) {
  for (char& c : message) c = c == '\n' || c == '\r' ? ' ' : c;
  std::fprintf(stderr, "iskra: error: %s\n", message.c_str());
  return code;
}

std::string help_hint(const Arguments& arguments) {
  bool known = false;
  for (const Command& c : kCommands) known = known || (!arguments.empty() && arguments[0] == c.name);
  return std::string(" (see iskra ") + (known ? arguments[0] + " " : "") + "--help)";
}

}  // namespace

int main(int argc, char** argv) {
  iskra::zoo::settle_waiting(argv);
  Arguments arguments(argv + 1, argv + argc);
  try {
    int code = run(arguments);
    // A full disk behind stdout shows only now.
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
      return fail(std::string("stdout: ") + std::strerror(errno), iskra::zoo::kExitFailed);
    }
    return code;
  } catch (const iskra::zoo::UsageError& e) {
    return fail(e.what() + help_hint(arguments), iskra::zoo::kExitUsage);
  } catch (const std::bad_alloc&) {
    return fail("out of memory; use a smaller --batch", iskra::zoo::kExitFailed);
  } catch (const std::exception& e) {
    return fail(e.what(), iskra::zoo::kExitFailed);
  }
}
