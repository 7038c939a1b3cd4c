#include <iskra/nn/optim.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <numbers>
#include <unordered_map>

#include <iskra/core/launch.h>

namespace iskra::nn {
namespace {

// 16 bits would lose the small shares that moments take of every gradient.
DType moment_type(const Tensor& w) { return w.dtype() == DType::f64 ? DType::f64 : DType::f32; }

}  // namespace

Optimizer::Optimizer(std::vector<Named> parameters, double learning_rate,
                     std::vector<std::string> moment_names)
    : moment_names_(std::move(moment_names)) {
  ISKRA_CHECK(!parameters.empty(), "optimizer: the list of parameters is empty");
  for (Named& parameter : parameters) slots_.push_back({std::move(parameter), {}});
  set_learning_rate(learning_rate);
  MemoryScope scope(MemoryTag::optimizer);
  set_state({.step = 0, .learning_rate = learning_rate}, slots_.front().parameter.tensor.device());
}

void Optimizer::set_learning_rate(double lr) {
  ISKRA_CHECK(std::isfinite(lr) && lr >= 0, "optimizer: learning rate ", lr,
              " must be a finite number, not negative");
  learning_rate_ = lr;
}

void Optimizer::make_moments(Slot& slot) {
  // A parameter that moved or was converted after its first update takes its moments along.
  const Tensor w = slot.parameter.tensor.detach();
  const DType dtype = moment_type(w);
  for (Tensor& moment : slot.moments) moment = moment.to(w.device()).to(dtype);
  while (slot.moments.size() < moment_names_.size()) {
    slot.moments.push_back(Tensor::zeros_like(w.to(dtype)));
  }
}

void Optimizer::set_state(const kernels::StepState& now, Device device) {
  step_state_ = Tensor::from_bytes(&now, sizeof now, DType::u8, {static_cast<int64_t>(sizeof now)}, device);
  uploaded_rate_ = now.learning_rate;
}

// The state of the next step; of it only a new learning rate comes from the host.
kernels::StepState* Optimizer::state_on(Device device) {
  step_state_ = step_state_.to(device);
  if (uploaded_rate_ != learning_rate_) {
    MemoryScope passing(MemoryTag::scratch);
    constexpr int64_t kBytes = sizeof learning_rate_;
    step_state_.narrow(0, offsetof(kernels::StepState, learning_rate), kBytes)
        .copy_from(Tensor::from_bytes(&learning_rate_, kBytes, DType::u8, {kBytes}, device));
    uploaded_rate_ = learning_rate_;
  }
  return static_cast<kernels::StepState*>(step_state_.raw_data());
}

void Optimizer::prepare_step() { state_on(slots_.front().parameter.tensor.device()); }

int64_t Optimizer::steps() const {
  const std::vector<uint8_t> bytes = step_state_.to_vector<uint8_t>();
  kernels::StepState now;
  std::memcpy(&now, bytes.data(), sizeof now);
  return now.step;
}

namespace {

bool live(const Tensor& w) { return w.requires_grad() && w.grad().defined(); }
const int32_t* flag_of(const Tensor& skip) {
  return skip.defined() ? static_cast<const int32_t*>(skip.raw_data()) : nullptr;
}

}  // namespace

std::vector<Named> Optimizer::gradients() const {
  std::vector<Named> all;
  for (const Slot& slot : slots_) {
    if (live(slot.parameter.tensor)) all.push_back({slot.parameter.name, slot.parameter.tensor.grad()});
  }
  return all;
}

void Optimizer::step(const Tensor& skip) {
  NoGrad no_grad;
  MemoryScope scope(MemoryTag::optimizer);
  std::vector<Slot*> updated;
  for (Slot& slot : slots_) {
    const Tensor& w = slot.parameter.tensor;
    if (!live(w)) continue;
    ISKRA_CHECK(w.is_dense() && w.grad().strides() == w.strides(), "optimizer: parameter ",
                slot.parameter.name, " and its gradient must be dense and laid out alike");
    make_moments(slot);
    updated.push_back(&slot);
  }
  ISKRA_CHECK(!updated.empty(), "optimizer: no parameter has a gradient; call backward() on a loss first");
  const Device device = updated.front()->parameter.tensor.device();
  kernels::StepState* state = state_on(device);
  ISKRA_CHECK(!skip.defined() || (skip.dtype() == DType::i32 && skip.numel() == 1 && skip.device() == device),
              "optimizer: the flag that skips a step is ", skip.str(), "; it must be one i32 on ", device);
  detail::launch(device, [&](auto on) { kernels::begin_step(on, flag_of(skip), state); });
  update(updated, state);
  for (Slot* slot : updated) slot->parameter.tensor.mark_changed();  // a graph of the old values is now void
  clear_gradients();
}

void Optimizer::clear_gradients() {
  for (Slot& slot : slots_) slot.parameter.tensor.clear_grad();
}

std::vector<Named> Optimizer::state() {
  std::vector<Named> all;
  for (Slot& slot : slots_) {
    for (size_t i = 0; i < slot.moments.size(); ++i) {
      all.push_back({moment_names_[i] + "." + slot.parameter.name, slot.moments[i]});
    }
  }
  return all;
}

void Optimizer::load_state(const std::vector<Named>& state, int64_t steps) {
  MemoryScope scope(MemoryTag::optimizer);
  std::unordered_map<std::string, const Tensor*> given;
  for (const Named& each : state) given[each.name] = &each.tensor;
  // Everything is checked before anything changes.
  std::vector<std::vector<Tensor>> loaded(slots_.size());
  size_t used = 0;
  for (size_t s = 0; s < slots_.size(); ++s) {
    const Tensor& w = slots_[s].parameter.tensor;
    for (const std::string& moment : moment_names_) {
      std::string name = moment + "." + slots_[s].parameter.name;
      auto found = given.find(name);
      if (found == given.end()) {
        ISKRA_CHECK(loaded[s].empty(), "optimizer state: ", name, " is missing");
        continue;  // never updated: frozen, or outside of every loss so far
      }
      const DType dtype = moment_type(w);
      ISKRA_CHECK(found->second->shape() == w.shape() && found->second->dtype() == dtype,
                  "optimizer state: ", name, " is ", found->second->str(), ", the parameter ", w.str(),
                  ", whose moments are ", name_of(dtype));
      Tensor copy = Tensor::empty_like(w.detach().to(dtype));
      copy.copy_from(found->second->to(w.device()));
      loaded[s].push_back(copy);
      ++used;
    }
    ISKRA_CHECK(loaded[s].empty() || loaded[s].size() == moment_names_.size(),
                "optimizer state: a moment of ", slots_[s].parameter.name, " is missing");
  }
  ISKRA_CHECK(used == given.size(), "optimizer state: ", given.size() - used,
              " tensors belong to no parameter of this model; it was saved by another model or optimizer");
  for (size_t s = 0; s < slots_.size(); ++s) slots_[s].moments = std::move(loaded[s]);
  set_state({.step = steps, .learning_rate = learning_rate_}, slots_.front().parameter.tensor.device());
}

namespace {

float decay_of(const Tensor& w, double decay, bool decay_all) {
  return decay_all || w.rank() > 1 ? static_cast<float>(decay) : 0.0F;
}

}  // namespace

AdamW::AdamW(std::vector<Named> parameters, const AdamWConfig& config)
    : Optimizer(std::move(parameters), config.lr, {"m", "v"}), config_(config) {
  bool betas = config.beta1 >= 0 && config.beta1 < 1 && config.beta2 >= 0 && config.beta2 < 1;
  ISKRA_CHECK(betas, "AdamW: betas ", config.beta1, " and ", config.beta2, " must be in [0, 1)");
  ISKRA_CHECK(config.eps > 0 && config.weight_decay >= 0, "AdamW: eps ", config.eps,
              " must be positive, weight decay ", config.weight_decay, " not negative");
}

void AdamW::update(const std::vector<Slot*>& slots, const kernels::StepState* state) {
  std::vector<kernels::AdamWTensor> tensors;
  for (Slot* slot : slots) {
    Tensor& w = slot->parameter.tensor;
    tensors.push_back({w.raw_data(), w.grad().raw_data(), slot->moments[0].raw_data(),
                       slot->moments[1].raw_data(), w.numel(), w.dtype(),
                       decay_of(w, config_.weight_decay, config_.decay_all), 1.0F});
  }
  kernels::AdamWOptions options{config_.beta1, config_.beta2, config_.eps};
  detail::launch(slots.front()->parameter.tensor.device(), [&](auto on) {
    kernels::adamw(on, tensors.data(), static_cast<int64_t>(tensors.size()), options, state);
  });
}

SGD::SGD(std::vector<Named> parameters, const SGDConfig& config)
    : Optimizer(std::move(parameters), config.lr,
                config.momentum > 0 ? std::vector<std::string>{"velocity"} : std::vector<std::string>{}),
      config_(config) {
  ISKRA_CHECK(config.momentum >= 0 && config.momentum < 1, "SGD: momentum ", config.momentum,
              " must be in [0, 1)");
  ISKRA_CHECK(config.weight_decay >= 0, "SGD: weight decay ", config.weight_decay, " must not be negative");
  ISKRA_CHECK(!config.nesterov || config.momentum > 0, "SGD: Nesterov's method needs a momentum above 0");
}

void SGD::update(const std::vector<Slot*>& slots, const kernels::StepState* state) {
  std::vector<kernels::SgdTensor> tensors;
  for (Slot* slot : slots) {
    Tensor& w = slot->parameter.tensor;
    void* velocity = slot->moments.empty() ? nullptr : slot->moments[0].raw_data();
    tensors.push_back({w.raw_data(), w.grad().raw_data(), velocity, w.numel(), w.dtype(),
                       decay_of(w, config_.weight_decay, config_.decay_all), 1.0F});
  }
  detail::launch(slots.front()->parameter.tensor.device(), [&](auto on) {
    kernels::sgd(on, tensors.data(), static_cast<int64_t>(tensors.size()),
                 static_cast<float>(config_.momentum), config_.nesterov, state);
  });
}

double WarmupCosine::at(int64_t step) const {
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (step >= total) return floor;
  double progress =
      static_cast<double>(step - warmup) / static_cast<double>(std::max<int64_t>(total - warmup, 1));
  return floor + (peak - floor) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace iskra::nn
