// Module: a model or a part of one. Modules are members of each other; one virtual list of fields gives
// names, parameters, state, moves between devices, freezing and train/eval.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <iskra/core/tensor.h>

namespace iskra::nn {

/// A fresh parameter: f32 memory without values that requires a gradient and is counted as a parameter's.
Tensor parameter(const Shape& shape);

class Module;

/// A tensor and its full name ("blocks.0.attn.qkv.weight"). The handle is the model's own: writing to it,
/// set_data and set_requires_grad change the model.
struct Named {
  std::string name;
  Tensor tensor;
};

/// What a module shows its fields to: f("norm1", norm1)("attn", attention)("weight", weight).
class Fields {
 public:
  virtual ~Fields() = default;
  Fields& operator()(std::string_view name, Tensor& parameter) { return parameter_(name, parameter), *this; }
  Fields& operator()(std::string_view name, Module& child) { return child_(name, child), *this; }
  /// A list of modules: its elements are called "name.0", "name.1", …
  template <class M>
  Fields& operator()(std::string_view name, std::vector<M>& list) {
    for (size_t i = 0; i < list.size(); ++i) {
      std::string element = std::string(name) + "." + std::to_string(i);
      if constexpr (requires { *list[i]; }) {
        child_(element, *list[i]);
      } else {
        child_(element, list[i]);
      }
    }
    return *this;
  }
  /// State that is saved but not trained (running statistics). Undefined tensors are skipped, as for
  /// parameters.
  Fields& buffer(std::string_view name, Tensor& state) { return buffer_(name, state), *this; }

 private:
  virtual void parameter_(std::string_view name, Tensor& parameter) = 0;
  virtual void buffer_(std::string_view name, Tensor& state) = 0;
  virtual void child_(std::string_view name, Module& child) = 0;
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// What the module computes. Call the module itself, not forward: the call names the place of random
  /// numbers.
  virtual Tensor forward(const Tensor& x);
  Tensor operator()(const Tensor& x);

  /// Shows every parameter, buffer and child to f, in the order of state().
  virtual void fields(Fields& f);

  /// Parameters with their full names, each tensor once (tied weights under their first name).
  std::vector<Named> parameters();
  /// Parameters and buffers: all that a checkpoint holds.
  std::vector<Named> state();
  int64_t parameter_count();

  /// Train or evaluation mode, of this module and all its children (dropout, batch norm).
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  /// Moves or converts all parameters and buffers in place; an optimizer made before sees it. Integers keep
  /// their dtype.
  void to(Device device);
  void to(DType dtype);

  /// Parameters whose full name matches the glob pattern ("*", "?"), or lies below it ("blocks.0"), no longer
  /// take part in training; train() does not undo it. Returns how many tensors matched.
  int freeze(const std::string& pattern);
  int unfreeze(const std::string& pattern);

  /// The name its parent knows it by; "" at the root.
  const std::string& name() const { return name_; }

 protected:
  /// Tells the direct children the names that `fields` gives them; every call of a module begins so.
  void name_children();

 private:
  std::string name_;
  bool training_ = true;
  friend class NameFields;
};

}  // namespace iskra::nn
