#include <iskra/nn/loss_scaler.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <iskra/core/launch.h>
#include <iskra/core/ops.h>

namespace iskra::nn {
namespace {

constexpr const char* kScale = "scale";
constexpr const char* kGoodSteps = "good_steps";

Tensor flag(const Tensor& found, size_t i) { return found.select(0, static_cast<int64_t>(i)); }

bool usable_scale(double scale) {
  return scale >= static_cast<double>(std::numeric_limits<float>::min()) &&
         scale <= static_cast<double>(std::numeric_limits<float>::max());
}

}  // namespace

LossScaler::LossScaler(const LossScalerConfig& config) : config_(config) {
  if (!config.enabled) return;
  ISKRA_CHECK(usable_scale(config.init), "LossScaler: the first scale is ", config.init,
              "; it must be positive and finite in f32");
  ISKRA_CHECK(config.growth > 1 && std::isfinite(config.growth), "LossScaler: growth ", config.growth,
              " must be a finite number above 1");
  ISKRA_CHECK(config.backoff > 0 && config.backoff < 1, "LossScaler: backoff ", config.backoff,
              " must be in (0, 1)");
  ISKRA_CHECK(config.interval >= 1, "LossScaler: an interval of ", config.interval,
              " steps; it must be at least 1");
  MemoryScope scope(MemoryTag::optimizer);
  scale_ = Tensor::full({}, config.init);
  good_steps_ = Tensor::zeros({}, {.dtype = DType::i64});
  found_ = Tensor::zeros({1}, {.dtype = DType::i32});
}

void LossScaler::move_to(Device device) {
  scale_ = scale_.to(device);
  good_steps_ = good_steps_.to(device);
  found_ = found_.to(device);
}

LossScaler::Entry* LossScaler::find(const Optimizer& optimizer) {
  auto at = std::find_if(entries_.begin(), entries_.end(),
                         [&](const Entry& entry) { return entry.optimizer == &optimizer; });
  return at == entries_.end() ? nullptr : &*at;
}

Tensor LossScaler::scale(const Tensor& loss) {
  if (!config_.enabled) return loss;
  ISKRA_CHECK(loss.defined() && is_floating(loss.dtype()), "LossScaler::scale: the loss is ", loss.str(),
              "; it must be a floating tensor");
  ISKRA_CHECK(entries_.empty(),
              "LossScaler::scale: gradients of this step were divided by the scale already; call update() "
              "first, or scale all losses before unscale_() and step()");
  move_to(loss.device());
  scaled_ = true;
  // A clone, because update() overwrites the scale and the loss's backward pass may come after it.
  return mul(loss, scale_.clone());
}

void LossScaler::unscale(Optimizer& optimizer) {
  NoGrad no_grad;
  std::vector<kernels::ScaledTensor> tensors;
  Device device = scale_.device();
  for (Named& each : optimizer.gradients()) {
    if (tensors.empty()) device = each.tensor.device();
    ISKRA_CHECK(each.tensor.is_dense() && each.tensor.device() == device, "LossScaler: the gradient of ",
                each.name, " is ", each.tensor.str(), "; it must be dense and on ", device,
                ", as the others are");
    each.tensor.mark_changed();
    tensors.push_back({each.tensor.raw_data(), each.tensor.numel(), each.tensor.dtype()});
  }
  ISKRA_CHECK(!tensors.empty(),
              "LossScaler: no parameter of the optimizer has a gradient; call scale(loss).backward() first");
  move_to(device);
  if (entries_.size() == static_cast<size_t>(found_.numel())) {
    MemoryScope scope(MemoryTag::optimizer);
    found_ = cat({found_, Tensor::zeros_like(found_)}, 0);
  }
  int32_t* found = static_cast<int32_t*>(flag(found_, entries_.size()).raw_data());
  const float* scale = static_cast<const float*>(scale_.raw_data());
  detail::launch(device, [&](auto on) {
    kernels::unscale(on, tensors.data(), static_cast<int64_t>(tensors.size()), scale, found);
  });
  entries_.push_back({&optimizer, Stage::unscaled});
}

void LossScaler::unscale_(Optimizer& optimizer) {
  if (!config_.enabled) return;
  const Entry* entry = find(optimizer);
  ISKRA_CHECK(entry == nullptr, "LossScaler::unscale_: this optimizer ",
              entry != nullptr && entry->stage == Stage::stepped ? "has made its step already"
                                                                 : "was unscaled already",
              " since the last update(); do it once, before step()");
  ISKRA_CHECK(scaled_,
              "LossScaler::unscale_: no loss was scaled since the last update(); call "
              "scale(loss).backward() first");
  unscale(optimizer);
}

void LossScaler::step(Optimizer& optimizer) {
  if (!config_.enabled) return optimizer.step();
  const Entry* before = find(optimizer);
  ISKRA_CHECK(before == nullptr || before->stage == Stage::unscaled,
              "LossScaler::step: this optimizer has made its step already since the last update(); call "
              "update() once after each step");
  ISKRA_CHECK(
      scaled_,
      "LossScaler::step: no loss was scaled since the last update(); call scale(loss).backward() first");
  if (before == nullptr) unscale(optimizer);
  Entry* entry = find(optimizer);
  optimizer.step(flag(found_, static_cast<size_t>(entry - entries_.data())));
  entry->stage = Stage::stepped;
}

void LossScaler::update() {
  if (!config_.enabled) return;
  ISKRA_CHECK(!entries_.empty(),
              "LossScaler::update: no gradients were unscaled since the last update(); call step(optimizer) "
              "first");
  const kernels::ScalerOptions options{config_.growth, config_.backoff, config_.interval};
  detail::launch(scale_.device(), [&](auto on) {
    kernels::update_scale(on, options, static_cast<int32_t*>(found_.raw_data()), found_.numel(),
                          static_cast<float*>(scale_.raw_data()),
                          static_cast<int64_t*>(good_steps_.raw_data()));
  });
  entries_.clear();
  scaled_ = false;
}

double LossScaler::factor() const { return config_.enabled ? scale_.item() : 1; }

std::vector<Named> LossScaler::state() const {
  if (!config_.enabled) return {};
  ISKRA_CHECK(entries_.empty(), "LossScaler::state: a step is under way; call update() first");
  return {{kScale, scale_.clone()}, {kGoodSteps, good_steps_.clone()}};
}

void LossScaler::load_state(const std::vector<Named>& state) {
  if (!config_.enabled) {
    ISKRA_CHECK(state.empty(), "LossScaler: ", state.size(),
                " tensors of state for a scaler that is disabled; it was saved by one that was enabled");
    return;
  }
  ISKRA_CHECK(entries_.empty(), "LossScaler::load_state: a step is under way; call update() first");
  auto given = [&](const char* name, DType dtype) {
    auto at = std::find_if(state.begin(), state.end(), [&](const Named& each) { return each.name == name; });
    ISKRA_CHECK(at != state.end(), "LossScaler: ", name, " is missing in the state");
    ISKRA_CHECK(at->tensor.defined() && at->tensor.dtype() == dtype && at->tensor.numel() == 1,
                "LossScaler: ", name, " in the state is ", at->tensor.str(), "; it must be one ",
                name_of(dtype));
    return at->tensor.item();
  };
  // Everything is checked before anything changes.
  const double scale = given(kScale, DType::f32), good_steps = given(kGoodSteps, DType::i64);
  ISKRA_CHECK(state.size() == 2, "LossScaler: ", state.size(), " tensors of state; there are 2, ", kScale,
              " and ", kGoodSteps);
  ISKRA_CHECK(usable_scale(scale), "LossScaler: the state's scale is ", scale,
              "; it must be positive and finite in f32");
  ISKRA_CHECK(good_steps >= 0 && good_steps < static_cast<double>(config_.interval),
              "LossScaler: the state counts ", good_steps, " good steps, and the interval is ",
              config_.interval, "; the count must be below it");
  scale_.fill(scale);
  good_steps_.fill(good_steps);
  scaled_ = false;
}

}  // namespace iskra::nn
