// What is ambient on a thread: gradient recording, thread budget, kernel provider, autocast. Graph nodes
// capture it, so that a backward pass runs under the settings of its forward pass.
#pragma once

#include <iskra/core/allocator.h>
#include <iskra/kernels/base.h>

namespace iskra {

using kernels::Provider;

struct Context {
  bool grad_enabled = true;
  int threads = 0;  ///< 0: all that the machine offers
  Provider provider = Provider::fastest;
  MemoryTag memory_tag = MemoryTag::activations;
  bool autocast = false;  ///< see autocast.h
  DType autocast_dtype = DType::bf16;
};

/// This thread's settings.
Context& context();

/// Threads that a kernel called from this thread may use.
int thread_budget();
/// Sets the budget of this thread (and of what it calls); 0 means all that the machine offers.
void set_threads(int threads);

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

}  // namespace iskra
