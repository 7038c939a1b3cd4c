// What is ambient on a thread: device of new tensors, gradient recording, thread budget, kernel provider,
// exact convolutions, autocast. Graph nodes capture it, so that a backward pass runs under the settings of
// its forward pass.
#pragma once

#include <iskra/core/allocator.h>
#include <iskra/kernels/base.h>

namespace iskra {

using kernels::Provider;

struct Context {
  Device device = Device::cpu();  ///< see DeviceScope
  bool grad_enabled = true;
  int threads = 0;  ///< 0: all that the machine offers
  Provider provider = Provider::fastest;
  bool winograd = true;  ///< see ExactConvolutions
  MemoryTag memory_tag = MemoryTag::activations;
  bool synchronous = false;  ///< see set_synchronous()
  bool autocast = false;     ///< see autocast.h
  DType autocast_dtype = DType::bf16;
};

/// This thread's settings.
Context& context();

/// Threads that a kernel called from this thread may use.
int thread_budget();
/// Sets the budget of this thread (and of what it calls); 0 means all that the machine offers.
void set_threads(int threads);

/// Whether every op on a CUDA device waits until it is done, so that an error names the op that made it.
void set_synchronous(bool on);

/// Within its scope no graph is recorded.
class NoGrad {
 public:
  NoGrad() : before_(context().grad_enabled) { context().grad_enabled = false; }
  ~NoGrad() { context().grad_enabled = before_; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// Within its scope graphs are recorded, also inside of a NoGrad.
class EnableGrad {
 public:
  EnableGrad() : before_(context().grad_enabled) { context().grad_enabled = true; }
  ~EnableGrad() { context().grad_enabled = before_; }
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool before_;
};

/// Within its scope f32 convolutions are summed term by term. Outside, 3x3 ones of stride 1 go through
/// Winograd's transforms where that is faster, two to three times, at errors of the same size (see conv2d in
/// kernels/kernels.h). A backward pass follows the forward pass it belongs to.
class ExactConvolutions {
 public:
  ExactConvolutions() : before_(context().winograd) { context().winograd = false; }
  ~ExactConvolutions() { context().winograd = before_; }
  ExactConvolutions(const ExactConvolutions&) = delete;
  ExactConvolutions& operator=(const ExactConvolutions&) = delete;

 private:
  bool before_;
};

}  // namespace iskra
