// iskra bench model: throughput of a model on random pictures.
#include <chrono>

#include <iskra/core/allocator.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/nn/optim.h>
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/models/registry.h>
#include <iskra/zoo/suggest.h>
#include <iskra/zoo/train/throughput.h>

namespace iskra::zoo {

namespace {

struct BenchFlags {
  std::string arch, mode = "train";
  int64_t batch = 64;
  double seconds = 5;
  int64_t seed = 0;
  bool json = false;
  Compute compute;

  bool parse(const Arguments& arguments) {
    Flags flags("bench model", "Measures images/s on random pictures: whole training steps, or inference.");
    flags.add("arch", arch, "architecture");
    flags.add("mode", mode, "what a step is", "train|infer");
    flags.add("batch", batch, "pictures a step", 1, 65536);
    flags.add("seconds", seconds, "how long", 0.01, 86400);
    flags.add("seed", seed, "of pictures and weights", 0, 9007199254740992.0);
    flags.require("arch");
    compute.add_to(flags);
    add_json(flags, json);
    if (!flags.parse(arguments)) return false;
    check_arch(arch);
    return true;
  }
};

class Bench {
 public:
  Bench(const BenchFlags& flags, Device device)
      : arch_(arch_info(flags.arch)),
        random_({.seed = static_cast<uint64_t>(flags.seed)}),
        model_(create(flags.arch)) {
    model_->to(device);
    int64_t n = flags.batch;
    images_ = uniform({n, arch_.channels, arch_.image, arch_.image}, -1, 1)
                  .contiguous(Layout::channels_last)
                  .to(device);
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < n; ++i) labels.push_back(i % arch_.classes);
    labels_ = Tensor::of(labels, {n}).to(device);
    train_ = flags.mode == "train";
    model_->train(train_);
    if (train_) optimizer_ = std::make_unique<nn::AdamW>(model_->parameters(), nn::AdamWConfig{.lr = 1e-6});
  }

  /// One step, waited for.
  void step() {
    if (train_) {
      Tensor loss = cross_entropy((*model_)(images_), labels_);
      loss.backward();
      optimizer_->step();
      last_ = loss.item();
    } else {
      NoGrad no_grad;
      last_ = sum((*model_)(images_)).item();
    }
  }

 private:
  ArchInfo arch_;
  RngScope random_;
  std::unique_ptr<Classifier> model_;
  std::unique_ptr<nn::AdamW> optimizer_;
  Tensor images_, labels_;
  bool train_ = false;
  double last_ = 0;  // read back, so that a step has ended when step() returns
};

int bench_model(const Arguments& arguments) {
  BenchFlags flags;
  if (!flags.parse(arguments)) return 0;
  Device device = flags.compute.apply();
  Bench bench(flags, device);
  bench.step();  // fills caches
  reset_peak_memory(device);
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds, rates;
  Clock::time_point begin = Clock::now();
  auto elapsed = [](Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
  };
  do {
    Clock::time_point start = Clock::now();
    bench.step();
    seconds.push_back(elapsed(start));
    rates.push_back(static_cast<double>(flags.batch) / seconds.back());
  } while (elapsed(begin) < flags.seconds);
  Throughput t = summarise_steps(seconds, rates);
  size_t peak = memory_stats(device).peak_bytes;
  Console console(flags.json);
  console.say(flags.arch + ", " + flags.mode + ", batch " + std::to_string(flags.batch) + ": " +
              fixed(t.images_per_s_median, 1) + " images/s (best " + fixed(t.images_per_s_best, 1) + "), " +
              fixed(1000 * t.seconds_median, 2) + " ms a step, peak memory " +
              bytes_text(static_cast<double>(peak)));
  console.object(JsonLine()("arch", flags.arch)("device", device.str())("precision", flags.compute.precision)(
      "mode", flags.mode)("batch", flags.batch)("steps", seconds.size())(
      "images_per_s_median", t.images_per_s_median)("images_per_s_best", t.images_per_s_best)(
      "seconds_median", t.seconds_median)("peak_memory_bytes", peak));
  return 0;
}

}  // namespace

int cmd_bench(const Arguments& arguments) {
  if (!arguments.empty() && arguments[0] == "model")
    return bench_model({arguments.begin() + 1, arguments.end()});
  if (arguments.empty()) throw UsageError("bench what? There is: iskra bench model");
  if (arguments[0] == "--help" || arguments[0] == "-h") return bench_model({"--help"});
  throw UsageError("unknown benchmark '" + arguments[0] + "'" + did_you_mean(arguments[0], {"model"}));
}

}  // namespace iskra::zoo
