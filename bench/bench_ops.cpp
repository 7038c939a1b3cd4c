// Times the benchmark rows of the table of op cases: OP/ROW/DTYPE/forward, and .../step (forward and
// backward). OMP_NUM_THREADS bounds the threads. flops_per_s counts what the op's formula says; ops without
// one are bound by memory and report bytes_per_s, where every tensor that must be read or written counts
// once. of_peak holds that against what the machine does at most, measured in the same run: a large product
// of the same dtype in oneDNN, or a copy of as many bytes.
#include <benchmark/benchmark.h>

#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <iskra/kernels/isa.h>

#include "peaks.h"
#include "row_bench.h"
#include "serve.h"

namespace iskra::bench {
namespace {

using testing::OpCase;

void measure(benchmark::State& state, const OpCase& row, DType dtype, bool step) {
  RowBench bench(row, dtype, step);
  for ([[maybe_unused]] auto iteration : state) bench.run();
  const Work& work = bench.work();
  const bool counted = work.flops > 0;
  const double amount = counted ? work.flops : work.bytes;
  const double peak = counted ? product_rate(dtype) : copy_rate(work.bytes);
  using benchmark::Counter;
  state.counters[counted ? "flops_per_s" : "bytes_per_s"] =
      Counter(amount, Counter::kIsIterationInvariantRate);
  if (peak > 0) state.counters["of_peak"] = Counter(amount / peak, Counter::kIsIterationInvariantRate);
}

void register_all(std::string_view wanted_dtype) {
  for (const OpCase& row : testing::op_benches()) {
    for (DType dtype : bench_dtypes(row)) {
      if (!wanted_dtype.empty() && wanted_dtype != name_of(dtype)) continue;
      for (bool step : {false, true}) {
        if (step && !differentiable(row)) continue;
        std::string name = text(row.key(), "/", name_of(dtype), step ? "/step" : "/forward");
        benchmark::RegisterBenchmark(
            name.c_str(), [row, dtype, step](benchmark::State& state) { measure(state, row, dtype, step); })
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

void describe_machine() {
  benchmark::AddCustomContext("cpu", cpu_model());
  benchmark::AddCustomContext("isa", kernels::name_of(kernels::isa()));
  benchmark::AddCustomContext("threads", std::to_string(thread_budget()));
  benchmark::AddCustomContext("memory_copy_bytes_per_s", text(copy_rate(512 << 20)));
  for (DType dtype : {DType::f32, DType::bf16}) {
    benchmark::AddCustomContext(text("product_flops_per_s_", name_of(dtype)), text(product_rate(dtype)));
  }
}

int run(std::vector<char*> arguments) {
  std::string_view dtype;
  constexpr std::string_view kDType = "--dtype=";
  for (auto at = arguments.begin(); at != arguments.end();) {
    const std::string_view argument(*at);
    if (argument == "--serve") {
      serve(std::cin, std::cout);
      return 0;
    }
    if (argument.starts_with(kDType)) {
      dtype = argument.substr(kDType.size());
      at = arguments.erase(at);
    } else {
      ++at;
    }
  }
  auto count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  describe_machine();
  register_all(dtype);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace iskra::bench

int main(int argc, char** argv) { return iskra::bench::run({argv, argv + argc}); }
