// The tape. Every recorded op is a Node: name, inputs, and backward(grad, wanted, sinks). A node's closure
// holds only what backward reads and never its own output; it is freed after its last call. There is no
// double backward.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include <iskra/core/tensor.h>

namespace iskra {

/// Which inputs of a node are to receive a gradient in this call. A node can be asked twice: for input
/// gradients now and for weight gradients later.
class Wanted {
 public:
  explicit Wanted(uint64_t bits) : bits_(bits) {}
  bool operator[](int input) const { return (bits_ >> input & 1) != 0; }
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

/// True when an op on these inputs has to be recorded.
bool recording(std::initializer_list<const Tensor*> inputs);

namespace detail {
Tensor record_node(const char* name, const Tensor& y, const std::vector<Tensor>& inputs, Backward backward);
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
  return needed ? detail::record_node(name, y, inputs, Backward(std::forward<F>(backward))) : y;
}

/// The detached value when a backward pass will read it, else an undefined tensor (so that nothing is kept
/// alive).
Tensor save_if(bool needed, const Tensor& value);

/// Backpropagates from `root`. `grad` defaults to one for a one-element root. Gradients of leaves are added
/// to what they hold. Throws when the graph was already used: its saved values are freed.
void backward(const Tensor& root, const Tensor& grad = {}, Caller caller = Caller::current());

/// Compares the tape's gradients of f (any shape of output) with central differences in f64, for every input
/// that requires a gradient. Throws Error naming input, element, both values when they differ by more than
/// `atol + rtol * |numeric|`.
struct GradcheckOptions {
  double eps = 1e-6, atol = 1e-5, rtol = 1e-3;
};
void gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
               GradcheckOptions options = {});

}  // namespace iskra
