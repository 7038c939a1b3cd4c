// Optimizers over many tensors at once: fixed blocks of elements are the work items.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include <iskra/kernels/kernels.h>
#include <iskra/kernels/optim.isa.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/parameters.h>
#include <iskra/kernels/row_kernels.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kBlock = 16384;

const OptimTable& table() {
  static const OptimTable& chosen = by_isa(v2::optim_table, v3::optim_table, v4::optim_table);
  return chosen;
}

int64_t blocks_of(int64_t n) { return (n + kBlock - 1) / kBlock; }

// Calls body(tensor, first element, elements) for each block of each tensor, in parallel.
template <class Tensor, class F>
void for_blocks(const Cpu& on, const Tensor* tensors, int64_t count, F body) {
  int64_t blocks = 0;
  for (int64_t i = 0; i < count; ++i) blocks += blocks_of(tensors[i].n);
  parallel_for(on, blocks, 1, [&](int64_t block, int64_t) {
    const Tensor* tensor = tensors;
    for (; block >= blocks_of(tensor->n); ++tensor) block -= blocks_of(tensor->n);
    body(*tensor, block * kBlock, std::min(kBlock, tensor->n - block * kBlock));
  });
}

void* moved(void* data, int64_t elements, DType dtype) {
  return data == nullptr ? nullptr
                         : static_cast<char*>(data) + elements * static_cast<int64_t>(size_of(dtype));
}
const void* moved(const void* data, int64_t elements, DType dtype) {
  return static_cast<const char*>(data) + elements * static_cast<int64_t>(size_of(dtype));
}

}  // namespace

void begin_step(Cpu, const int32_t* found, StepState* state) {
  state->skip = found != nullptr && *found != 0 ? 1 : 0;
  state->step += 1 - state->skip;
}

void adamw(Cpu on, const AdamWTensor* tensors, int64_t count, const AdamWOptions& options,
           const StepState* state) {
  if (state->skip != 0) return;
  const double t = static_cast<double>(state->step);
  const double bias1 = 1.0 - std::pow(options.beta1, t), bias2 = 1.0 - std::pow(options.beta2, t);
  for_blocks(on, tensors, count, [&](const AdamWTensor& at, int64_t first, int64_t n) {
    const double lr = state->learning_rate * static_cast<double>(at.lr_scale);
    AdamWScalars with{};
    with.keep = 1.0 - lr * static_cast<double>(at.weight_decay);
    with.beta2 = options.beta2;
    with.one_minus_beta1 = 1.0 - options.beta1;
    with.one_minus_beta2 = 1.0 - options.beta2;
    with.step_size = lr / bias1;
    with.root_bias2 = std::sqrt(bias2);
    with.eps = options.eps;
    const DType moment = computing_dtype(at.dtype);
    table().adamw[floating_type_index(at.dtype, "adamw")](
        with, moved(at.w, first, at.dtype), moved(at.dw, first, at.dtype), moved(at.m, first, moment),
        moved(at.v, first, moment), n);
  });
}

void sgd(Cpu on, const SgdTensor* tensors, int64_t count, float momentum, bool nesterov,
         const StepState* state) {
  if (state->skip != 0) return;
  for_blocks(on, tensors, count, [&](const SgdTensor& at, int64_t first, int64_t n) {
    SgdScalars with{};
    with.weight_decay = static_cast<double>(at.weight_decay);
    with.momentum = static_cast<double>(momentum);
    with.learning_rate = state->learning_rate * static_cast<double>(at.lr_scale);
    with.first = state->step == 1;
    with.nesterov = nesterov;
    table().sgd[floating_type_index(at.dtype, "sgd")](
        with, moved(at.w, first, at.dtype), moved(at.dw, first, at.dtype),
        moved(at.velocity, first, computing_dtype(at.dtype)), n);
  });
}

void unscale(Cpu on, const ScaledTensor* tensors, int64_t count, const float* scale, int32_t* found) {
  const double factor = 1.0 / static_cast<double>(*scale);
  for_blocks(on, tensors, count, [&](const ScaledTensor& at, int64_t first, int64_t n) {
    // Whichever block raises the flag, it is up: the order means nothing.
    if (table().unscale[floating_type_index(at.dtype, "unscale")](factor, moved(at.dw, first, at.dtype), n))
      std::atomic_ref<int32_t>(*found).store(1, std::memory_order_relaxed);
  });
}

void update_scale(Cpu, const ScalerOptions& options, int32_t* found, int64_t count, float* scale,
                  int64_t* good_steps) {
  const bool any = std::any_of(found, found + count, [](int32_t flag) { return flag != 0; });
  std::fill(found, found + count, 0);
  const double now = static_cast<double>(*scale);
  if (any) {
    *good_steps = 0;
    *scale = std::max(static_cast<float>(now * options.backoff), std::numeric_limits<float>::min());
  } else if (++*good_steps == options.interval) {
    *good_steps = 0;
    const double grown = now * options.growth;
    if (grown <= static_cast<double>(std::numeric_limits<float>::max())) *scale = static_cast<float>(grown);
  }
}

}  // namespace iskra::kernels
