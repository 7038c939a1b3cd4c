// A training step as one CUDA graph: recorded once, then launched with one call instead of thousands.
#pragma once

#include <cstdint>
#include <functional>

#include <iskra/core/device.h>

namespace iskra {

/// Repeats a step. On a CUDA device the first run calls it, the second records it as a graph (and launches
/// that), and every later one launches the graph: the bits are those of calling it. On the CPU, and when
/// `enabled` is false, every run calls it.
///
/// So its host code runs twice, and what it does to the device every time, with the same memory. It must
/// - read its inputs from tensors that it finds filled: write the next batch into them with copy_from();
/// - take what changes from the device: StepState of an optimizer, the step of an RngScope; outside of it,
///   call Optimizer::prepare_step() and RngScope::advance();
/// - not wait for the device, as item() does: keep the tensor, and read it after run();
/// - drop its other tensors, gradients among them, before it ends.
/// Its memory serves nobody else as long as the StepGraph lives.
class StepGraph {
 public:
  explicit StepGraph(Device device, bool enabled = true);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  /// Throws what the step throws; a step that cannot be recorded is an Error that says why, and then nothing
  /// was done.
  void run(const std::function<void()>& step);
  /// Whether the next run launches the graph.
  bool recorded() const { return graph_ != nullptr; }
  /// Forgets the graph: the next two runs call and record the step again, which may be another one then.
  void reset();

 private:
  void record(const std::function<void()>& step);

  Device device_;
  bool enabled_;
  bool warm_ = false;
  void* graph_ = nullptr;
  uint64_t memory_ = 0;
};

}  // namespace iskra
