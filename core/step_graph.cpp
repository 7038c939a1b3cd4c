#include <iskra/core/step_graph.h>

#include <iskra/core/allocator.h>
#include <iskra/core/on_device.h>
#include <iskra/core/stream.h>

namespace iskra {
namespace {

device::Stream stream_of(Device device) {
  return static_cast<device::Stream>(detail::current_stream_handle(device.index()));
}

}  // namespace

StepGraph::StepGraph(Device device, bool enabled) : device_(device), enabled_(enabled && device.is_cuda()) {
  if (enabled_) memory_ = detail::new_memory_set();
}

StepGraph::~StepGraph() {
  if (!enabled_) return;
  try {
    reset();
    detail::dissolve_memory_set(device_, memory_);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the device has failed; its next user is told so
  }
}

void StepGraph::run(const std::function<void()>& step) {
  if (!enabled_) {
    step();
    return;
  }
  if (graph_ == nullptr) {
    detail::MemorySet memory(memory_);
    if (!warm_) {
      step();
      warm_ = true;
      return;
    }
    record(step);
  }
  detail::on_device(device_, "launching a graph",
                    [&] { device::launch(static_cast<device::Graph>(graph_), stream_of(device_)); });
}

void StepGraph::record(const std::function<void()>& step) {
  device::Stream stream = stream_of(device_);
  detail::on_device(device_, "recording a graph", [&] { device::begin_capture(stream); });
  try {
    step();
  } catch (...) {
    try {
      device::destroy(device::end_capture(stream));
    } catch (const device::DeviceError&) {  // NOLINT(bugprone-empty-catch): what the step threw says more
    }
    throw;
  }
  detail::on_device(device_, "recording a graph", [&] { graph_ = device::end_capture(stream); });
}

void StepGraph::reset() {
  if (graph_ != nullptr) {
    detail::on_device(device_, "ending a graph",
                      [&] { device::destroy(static_cast<device::Graph>(graph_)); });
    graph_ = nullptr;
  }
  warm_ = false;
}

}  // namespace iskra
