// Times the benchmark rows of the table of op cases in f32: OP/ROW/forward, and OP/ROW/step (forward and
// backward). OMP_NUM_THREADS bounds the threads. flops_per_s counts what the op's formula says; ops without
// one are bound by memory and report bytes_per_s, where every tensor that must be read or written counts
// once. clone/memory is the machine's copy bandwidth and matmul/square_1024 its product rate, to hold the
// others against.
#include <benchmark/benchmark.h>

#include <fstream>
#include <string>

#include <iskra/core/autograd.h>
#include <iskra/core/tensor.h>
#include <iskra/kernels/isa.h>

#include "op_inputs.h"

namespace iskra {
namespace {

using testing::OpCase;
using testing::Tensors;

double bytes_of(const Tensors& tensors) {
  double bytes = 0;
  for (const Tensor& x : tensors) bytes += static_cast<double>(x.bytes());
  return bytes;
}

bool differentiable(const OpCase& row) {
  for (const auto& input : row.inputs) {
    if (input.gradient) return true;
  }
  return false;
}

double flops_of(const OpCase& row, const Tensor& y, bool step) {
  std::vector<Shape> shapes;
  for (const auto& input : row.inputs) shapes.push_back(input.shape);
  return row.op->flops(shapes, y.shape(), row.attributes) * (step ? 1 + row.op->backward_flops : 1);
}

void measure(benchmark::State& state, const OpCase& row, bool step) {
  Tensors inputs = testing::drawn_inputs(row, DType::f32);
  for (Tensor& x : inputs) x.set_requires_grad(step && x.requires_grad());
  // The first call makes what is kept between calls: oneDNN's programs and the allocator's memory.
  Tensor y = row.run(inputs)[0];
  const Tensor dy = Tensor::full(y.shape(), 1, {.dtype = y.dtype()});
  if (step) backward(y, dy);
  double bytes = bytes_of(inputs) + bytes_of({y});
  if (step) bytes += bytes_of({dy});
  for (const Tensor& x : inputs) {
    if (x.grad().defined()) bytes += bytes_of({x.grad()});
  }

  for ([[maybe_unused]] auto iteration : state) {
    for (Tensor& x : inputs) x.clear_grad();
    y = Tensor();  // its memory is the next result's
    y = row.run(inputs)[0];
    if (step) backward(y, dy);
    benchmark::DoNotOptimize(y.raw_data());
  }
  const bool counted = row.op->flops != nullptr;
  state.counters[counted ? "flops_per_s" : "bytes_per_s"] = benchmark::Counter(
      counted ? flops_of(row, y, step) : bytes, benchmark::Counter::kIsIterationInvariantRate);
}

void register_all() {
  for (const OpCase& row : testing::op_benches()) {
    for (bool step : {false, true}) {
      if (step && !differentiable(row)) continue;
      benchmark::RegisterBenchmark((row.key() + (step ? "/step" : "/forward")).c_str(),
                                   [row, step](benchmark::State& state) { measure(state, row, step); })
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
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
  benchmark::AddCustomContext("dtype", name_of(DType::f32));
}

}  // namespace
}  // namespace iskra

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  iskra::describe_machine();
  iskra::register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
