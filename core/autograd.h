// The tape. Every recorded op is a Node: name, inputs, and backward(grad, wanted, sinks). A node's closure
// holds only what backward reads; it is freed after its last call. A value that was changed in place between
// its use and the backward pass that reads it is an error, never a wrong gradient. There is no double
// backward.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <iskra/core/saved.h>
#include <iskra/core/tensor.h>

namespace iskra {

/// Which inputs of a node are to receive a gradient in this call. A node can be asked twice: for input
/// gradients now and for weight gradients later.
class Wanted {
 public:
  explicit Wanted(uint64_t bits) : bits_(bits) {}
  bool operator[](int input) const { return (bits_ >> bit_of(input) & 1) != 0; }
  /// Inputs from number 63 on share a bit; what is given though nobody wants it is dropped.
  static int bit_of(int input) { return input < 63 ? input : 63; }
  bool any() const { return bits_ != 0; }

 private:
  uint64_t bits_;
};

/// Memory for one gradient: a kernel computes into = beta * into + gradient. With beta 0 `into` is
/// uninitialised.
struct Sink {
  Tensor into;
  float beta = 0;
};

/// Where the gradients of a node's inputs go.
class Sinks {
 public:
  virtual ~Sinks() = default;
  /// Hands over a finished gradient of input i; the engine adds when it is not the first.
  virtual void give(int input, Tensor grad) = 0;
  /// Memory for kernels that can add by themselves (weight gradients). Laid out like the input.
  virtual Sink accumulate(int input) = 0;
};

using Backward = std::function<void(const Tensor& grad, Wanted wanted, Sinks& sinks)>;

namespace detail {
/// While it is set, notes what would have been recorded but for NoGrad; see checkpoint.cpp.
inline constinit thread_local std::vector<Tensor>* current_probe = nullptr;
}  // namespace detail

/// True when an op on these inputs has to be recorded.
bool recording(std::initializer_list<const Tensor*> inputs);

namespace detail {
Tensor record_node(const char* name, const Tensor& y, std::span<const Tensor> inputs, Backward backward,
                   std::vector<SavedValue> saved);
/// The same for a closure that was not yet counted.
Tensor record_node(const char* name, const Tensor& y, const std::vector<Tensor>& inputs,
                   const Backward& backward);
/// Calls compute with a sink in row-major memory, all that weight-gradient kernels take: `sink` itself, or
/// one whose result is then added to it.
void into_row_major(const Sink& sink, const std::function<void(const Sink&)>& compute);
}  // namespace detail

/// Connects y to its inputs on the tape and returns it; returns y unchanged when nothing needs a gradient.
/// This is how all ops are made, and how users make their own:
///   return record("scale2", y, {x}, [](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy * 2); });
/// Undefined inputs are allowed and never wanted.
template <class F>
Tensor record(const char* name, const Tensor& y, std::initializer_list<Tensor> inputs, F&& backward) {
  bool needed = false;
  for (const Tensor& x : inputs) needed = needed || recording({&x});
  if (!needed) return y;
  detail::Census census;
  Backward kept(std::as_const(backward));  // copied, so that the census sees what it keeps
  return detail::record_node(name, y, std::span(inputs.begin(), inputs.size()), std::move(kept),
                             census.take());
}

/// The detached value when a backward pass will read it, else an undefined tensor (so that nothing is kept
/// alive).
Tensor save_if(bool needed, const Tensor& value);

struct BackwardOptions {
  /// Keep saved values, so that the same graph can be used once more.
  bool keep_graph = false;
};

/// Backpropagates from `root`. `grad` defaults to one for a one-element root. Gradients of leaves are added
/// to what they hold. Throws when the graph was already used: its saved values are freed.
void backward(const Tensor& root, const Tensor& grad = {}, Caller caller = Caller::current());
/// From several roots at once, with one gradient for each (none: ones for one-element roots).
void backward(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads = {},
              BackwardOptions options = {}, Caller caller = Caller::current());

/// The gradients of the roots with regard to `inputs`, leaves or computed tensors alike. Touches no grad()
/// and runs no hook of a leaf; asks only nodes between the two. Undefined where a root does not depend on the
/// input.
std::vector<Tensor> gradients(const std::vector<Tensor>& roots, const std::vector<Tensor>& inputs,
                              const std::vector<Tensor>& grads = {}, BackwardOptions options = {},
                              Caller caller = Caller::current());

/// The second half of a backward pass; dropped without finish(), it only frees the graph's saved values.
class DeferredBackward {
 public:
  struct State;
  explicit DeferredBackward(std::unique_ptr<State> state);
  DeferredBackward(DeferredBackward&&) noexcept;
  DeferredBackward& operator=(DeferredBackward&&) noexcept;
  ~DeferredBackward();
  /// Computes the gradients of all other leaves and frees the graph. Throws when called twice.
  void finish(Caller caller = Caller::current());

 private:
  std::unique_ptr<State> state_;
};
/// A backward pass in two halves (zero-bubble pipelines: Qi et al. 2023): now the gradients of `inputs`,
/// which are leaves, into their grad(); at finish() those of all other leaves, the weights. A node with both
/// is asked twice, and its saved values are freed after the second time. The bits are those of backward().
DeferredBackward backward_inputs(const std::vector<Tensor>& roots, const std::vector<Tensor>& inputs,
                                 const std::vector<Tensor>& grads = {}, Caller caller = Caller::current());

/// Compares the tape's gradients of f (any shape of output) with central differences in f64, for every input
/// that requires a gradient; f is called with tensors of the inputs' strides. Throws Error naming input,
/// element, both values when they differ by more than `atol + rtol * |numeric|`.
struct GradcheckOptions {
  double eps = 1e-6, atol = 1e-5, rtol = 1e-3;
};
void gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
               GradcheckOptions options = {});
/// The same for a function of several outputs; those that require no gradient are left out.
void gradcheck(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f,
               const std::vector<Tensor>& inputs, GradcheckOptions options = {});

}  // namespace iskra
