// Loss scaling for training in f16, whose gradients vanish below 6e-8 (Micikevicius et al. 2018; behaves as
// PyTorch's GradScaler): the loss is multiplied by a large number, the gradients are divided by it, and a
// step whose gradients overflowed is skipped and followed by smaller numbers.
//
//   nn::LossScaler scaler;
//   …
//     Tensor loss;
//     {
//       Autocast mixed(DType::f16);
//       loss = cross_entropy(model(images), labels);
//     }
//     scaler.scale(loss).backward();
//     scaler.unscale_(optimizer);  // only when gradients are looked at or clipped before the step
//     scaler.step(optimizer);
//     scaler.update();
//
// Nothing waits for a device: scale, flags and counters lie there, and only kernels read them.
#pragma once

#include <vector>

#include <iskra/nn/optim.h>

namespace iskra::nn {

struct LossScalerConfig {
  double init = 65536;      ///< first scale
  double growth = 2;        ///< what the scale is multiplied by after `interval` steps without an overflow,
  double backoff = 0.5;     ///< and after a step with one
  int64_t interval = 2000;  ///< a whole number, 1 or more
  bool enabled = true;  ///< false: scale() returns the loss, step() is the optimizer's, the rest does nothing
};

class LossScaler {
 public:
  explicit LossScaler(const LossScalerConfig& config = {});

  /// The loss times the scale, in f32 where it was narrower. Several losses, or parts of a batch, may be
  /// scaled in one step.
  Tensor scale(const Tensor& loss);
  /// Divides the gradients of the optimizer's parameters by the scale, in place and in one kernel that notes
  /// infinities and NaN as well. At most once a step and optimizer.
  void unscale_(Optimizer& optimizer);
  /// unscale_() if that was not done; then the optimizer's step, which changes nothing if one of its
  /// gradients was infinite or NaN. The gradients are cleared in either case. Once a step and optimizer.
  void step(Optimizer& optimizer);
  /// Ends the step, after all optimizers: the next scale.
  void update();

  /// The scale as it is now (1 when disabled); a GPU is waited for.
  double factor() const;

  /// All that a bit-exact resume needs, as copies; nothing when disabled. Between update() and the next
  /// unscale_() or step().
  std::vector<Named> state() const;
  /// Takes back what state() gave.
  void load_state(const std::vector<Named>& state);

 private:
  enum class Stage : unsigned char { unscaled, stepped };
  struct Entry {
    const Optimizer* optimizer;
    Stage stage;
  };
  Entry* find(const Optimizer& optimizer);
  void unscale(Optimizer& optimizer);
  void move_to(Device device);

  LossScalerConfig config_;
  Tensor scale_, good_steps_;   // f32 () and i64 ()
  Tensor found_;                // i32, a flag for each entry and some more
  std::vector<Entry> entries_;  // the optimizers of this step, in the order of their flags
  bool scaled_ = false;         // a loss was scaled in this step
};

}  // namespace iskra::nn
