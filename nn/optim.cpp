#include <iskra/nn/optim.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <unordered_map>

#include <iskra/core/launch.h>

namespace iskra::nn {

Optimizer::Optimizer(std::vector<Named> parameters, double learning_rate,
                     std::vector<std::string> moment_names)
    : moment_names_(std::move(moment_names)) {
  ISKRA_CHECK(!parameters.empty(), "optimizer: the list of parameters is empty");
  for (Named& parameter : parameters) slots_.push_back({std::move(parameter), {}});
  set_learning_rate(learning_rate);
}

void Optimizer::set_learning_rate(double lr) {
  ISKRA_CHECK(std::isfinite(lr) && lr >= 0, "optimizer: learning rate ", lr,
              " must be a finite number, not negative");
  learning_rate_ = lr;
}

void Optimizer::make_moments(Slot& slot) {
  // A parameter that moved to another device after its first update takes its moments along.
  for (Tensor& moment : slot.moments) moment = moment.to(slot.parameter.tensor.device());
  while (slot.moments.size() < moment_names_.size()) {
    slot.moments.push_back(Tensor::zeros_like(slot.parameter.tensor));
  }
}

void Optimizer::step() {
  NoGrad no_grad;
  MemoryScope scope(MemoryTag::optimizer);
  std::vector<Slot*> live;
  for (Slot& slot : slots_) {
    Tensor& w = slot.parameter.tensor;
    if (!w.requires_grad() || !w.grad().defined()) continue;
    ISKRA_CHECK(w.is_dense() && w.grad().strides() == w.strides(), "optimizer: parameter ",
                slot.parameter.name, " and its gradient must be dense and laid out alike");
    make_moments(slot);
    live.push_back(&slot);
  }
  ISKRA_CHECK(!live.empty(), "optimizer: no parameter has a gradient; call backward() on a loss first");
  ++steps_;
  Device device = live.front()->parameter.tensor.device();
  kernels::StepState now{steps_, learning_rate_};
  const Shape size{static_cast<int64_t>(sizeof now)};
  if (!step_state_.defined() || !(step_state_.device() == device))
    step_state_ = Tensor::empty(size, {.dtype = DType::u8, .device = device});
  MemoryScope passing(MemoryTag::scratch);
  step_state_.copy_from(Tensor::from_bytes(&now, sizeof now, DType::u8, size, device));
  update(live, static_cast<const kernels::StepState*>(step_state_.raw_data()));
  for (Slot* slot : live) slot->parameter.tensor.mark_changed();  // a graph of the old values is now void
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
      ISKRA_CHECK(found->second->shape() == w.shape() && found->second->dtype() == w.dtype(),
                  "optimizer state: ", name, " is ", found->second->str(), ", the parameter ", w.str());
      Tensor copy = Tensor::empty_like(w);
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
  steps_ = steps;
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
