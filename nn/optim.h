// Optimizers. A step updates every parameter that has a gradient, then clears the gradients.
#pragma once

#include <string>
#include <vector>

#include <iskra/kernels/kernels.h>
#include <iskra/nn/module.h>

namespace iskra::nn {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update; parameters without a gradient, or frozen, are left alone. Throws when no parameter has a
  /// gradient. `skip`, when given, is i32 () beside the parameters: where it is not 0, no weight, no moment
  /// and no step number changes. It is read on the device, so that a captured step can be skipped, too.
  void step(const Tensor& skip = {});
  void clear_gradients();
  /// The gradients that a step would read, under their parameters' names: for clipping and loss scaling.
  std::vector<Named> gradients() const;
  double learning_rate() const { return learning_rate_; }
  void set_learning_rate(double lr);
  /// Brings a new learning rate to the device; step() does it, too, but not within a step that a StepGraph
  /// records.
  void prepare_step();
  /// Updates made so far; skipped ones do not count. Kept on the device, so a GPU is waited for.
  int64_t steps() const;

  /// All that a bit-exact resume needs: "m.NAME", "v.NAME", …; the step number is steps().
  std::vector<Named> state();
  /// Takes back what state() gave; throws naming what is missing, unexpected or of another shape.
  void load_state(const std::vector<Named>& state, int64_t steps);

 protected:
  struct Slot {
    Named parameter;
    std::vector<Tensor> moments;  // made at the parameter's first update; f64 for f64, else f32
  };
  Optimizer(std::vector<Named> parameters, double learning_rate, std::vector<std::string> moment_names);
  /// Updates the slots with a gradient.
  virtual void update(const std::vector<Slot*>& slots, const kernels::StepState* state) = 0;
  std::vector<Slot> slots_;

 private:
  void make_moments(Slot& slot);
  void set_state(const kernels::StepState& now, Device device);
  kernels::StepState* state_on(Device device);
  std::vector<std::string> moment_names_;
  double learning_rate_;
  double uploaded_rate_ = 0;  // what step_state_ holds
  Tensor step_state_;         // one kernels::StepState on the parameters' device
};

struct AdamWConfig {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
  bool decay_all =
      false;  ///< also decay biases, norms and other tensors of rank 0 or 1 (PyTorch does; timm does not)
};
/// Loshchilov & Hutter 2019.
class AdamW : public Optimizer {
 public:
  AdamW(std::vector<Named> parameters, const AdamWConfig& config);

 private:
  void update(const std::vector<Slot*>& slots, const kernels::StepState* state) override;
  AdamWConfig config_;
};

struct SGDConfig {
  double lr = 0.1, momentum = 0, weight_decay = 0;
  bool nesterov = false, decay_all = false;
};
class SGD : public Optimizer {
 public:
  SGD(std::vector<Named> parameters, const SGDConfig& config);

 private:
  void update(const std::vector<Slot*>& slots, const kernels::StepState* state) override;
  SGDConfig config_;
};

/// Linear warm-up from 0 (exclusive) to `peak`, then half a cosine down to `floor` at `total` steps
/// (Loshchilov & Hutter 2017). Steps count from 0.
struct WarmupCosine {
  double peak = 1e-3, floor = 0;
  int64_t warmup = 0, total = 1;
  double at(int64_t step) const;
};

}  // namespace iskra::nn
