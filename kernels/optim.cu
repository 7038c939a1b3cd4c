// Optimizers on CUDA: one launch for up to 256 tensors of any floating types. What changes from step to step
// is read on the device, so that a step captured as a graph stays right.
#include <algorithm>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/optim_element.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kBlock = 4096;  // elements of a block of threads
constexpr int kTensors = 256;     // of a launch: as many as its arguments have room for

/// Tensors by value, and the first block of each.
template <class Tensor>
struct Group {
  int count;
  Tensor tensor[kTensors];
  unsigned first_block[kTensors + 1];
};

/// f(tensor, element) for the elements of this block of threads.
template <class Tensor, class F>
DEV void for_elements(const Group<Tensor>& group, F f) {
  int low = 0, high = group.count;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    (group.first_block[middle] <= blockIdx.x ? low : high) = middle;
  }
  const Tensor& tensor = group.tensor[low];
  int64_t begin = int64_t{blockIdx.x - group.first_block[low]} * kBlock, end = min(begin + kBlock, tensor.n);
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) f(tensor, i);
}

/// f(S{}) for the floating type of a tensor.
template <class F>
DEV void of_type(DType dtype, F f) {
  if (dtype == DType::f32)
    f(float{});
  else if (dtype == DType::f64)
    f(double{});
  else if (dtype == DType::bf16)
    f(bf16{});
  else
    f(f16{});
}

__global__ void __launch_bounds__(kThreads)
    adamw_step(Group<AdamWTensor> group, AdamWOptions options, const StepState* state) {
  SHARED(bias, double[2]);
  if (state->skip != 0) return;
  if (threadIdx.x == 0) {
    auto t = static_cast<double>(state->step);
    bias[0] = 1.0 - pow(options.beta1, t), bias[1] = 1.0 - pow(options.beta2, t);
  }
  __syncthreads();
  for_elements(group, [&](const AdamWTensor& at, int64_t i) {
    double lr = state->learning_rate * static_cast<double>(at.lr_scale);
    AdamWScalars with{};
    with.keep = 1.0 - lr * static_cast<double>(at.weight_decay);
    with.beta2 = options.beta2;
    with.one_minus_beta1 = 1.0 - options.beta1;
    with.one_minus_beta2 = 1.0 - options.beta2;
    with.step_size = lr / bias[0];
    with.root_bias2 = sqrt(bias[1]);
    with.eps = options.eps;
    of_type(at.dtype, [&]<class S>(S) {
      using T = Computed<S>;
      S* w = static_cast<S*>(at.w);
      store(AdamWElement<T>(with)(load(w[i]), load(static_cast<const S*>(at.dw)[i]), static_cast<T*>(at.m)[i],
                                  static_cast<T*>(at.v)[i]),
            w[i]);
    });
  });
}

__global__ void __launch_bounds__(kThreads)
    sgd_step(Group<SgdTensor> group, float momentum, bool nesterov, const StepState* state) {
  if (state->skip != 0) return;
  for_elements(group, [&](const SgdTensor& at, int64_t i) {
    SgdScalars with{};
    with.weight_decay = static_cast<double>(at.weight_decay);
    with.momentum = static_cast<double>(momentum);
    with.learning_rate = state->learning_rate * static_cast<double>(at.lr_scale);
    with.first = state->step == 1;
    with.nesterov = nesterov;
    of_type(at.dtype, [&]<class S>(S) {
      using T = Computed<S>;
      S* w = static_cast<S*>(at.w);
      T dw = load(static_cast<const S*>(at.dw)[i]);
      SgdElement<T> update(with);
      store(at.velocity == nullptr ? update(load(w[i]), dw)
                                   : update(load(w[i]), dw, static_cast<T*>(at.velocity)[i]),
            w[i]);
    });
  });
}

__global__ void __launch_bounds__(kThreads)
    unscale_step(Group<ScaledTensor> group, const float* scale, int32_t* found) {
  double factor = 1.0 / static_cast<double>(*scale);
  for_elements(group, [&](const ScaledTensor& at, int64_t i) {
    of_type(at.dtype, [&]<class S>(S) {
      using T = Computed<S>;
      S* dw = static_cast<S*>(at.dw);
      store(load(dw[i]) * static_cast<T>(factor), dw[i]);
      T stored = load(dw[i]);  // f16 may overflow only as it is rounded
      if (!(stored - stored == T(0))) atomicExch(found, 1);
    });
  });
}

__global__ void start_step(const int32_t* found, StepState* state) {
  state->skip = found != nullptr && *found != 0 ? 1 : 0;
  state->step += 1 - state->skip;
}

__global__ void rescale(ScalerOptions options, int32_t* found, int64_t count, float* scale,
                        int64_t* good_steps) {
  bool any = false;
  for (int64_t i = 0; i < count; ++i) any = any || found[i] != 0, found[i] = 0;
  auto now = static_cast<double>(*scale);
  if (any) {
    *good_steps = 0;
    *scale = max(static_cast<float>(now * options.backoff), 1.17549435e-38F);
  } else if (++*good_steps == options.interval) {
    *good_steps = 0;
    double grown = now * options.growth;
    if (grown <= 3.4028234663852886e38) *scale = static_cast<float>(grown);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

void check_floating(DType dtype, const char* op) {
  ISKRA_CHECK(is_floating(dtype), op, ": a tensor of ", name_of(dtype), "; optimizers take floating types");
}

/// Calls launch(group, blocks) for the tensors, as many at a time as a launch takes.
template <class Tensor, class F>
void in_groups(const Tensor* tensors, int64_t count, const char* op, F launch) {
  for (int64_t first = 0; first < count;) {
    Group<Tensor> group{};
    int64_t blocks = 0;
    for (; first < count && group.count < kTensors; ++first) {
      const Tensor& tensor = tensors[first];
      check_floating(tensor.dtype, op);
      if (tensor.n == 0) continue;
      group.tensor[group.count] = tensor;
      group.first_block[group.count++] = static_cast<unsigned>(blocks);
      blocks += (tensor.n + kBlock - 1) / kBlock;
      ISKRA_CHECK(blocks <= 0x7fffffff, op, ": too many elements for one launch");
    }
    if (group.count > 0) launch(group, static_cast<unsigned>(blocks));
  }
}

}  // namespace

void begin_step(Cuda on, const int32_t* found, StepState* state) {
  gpu::launch<start_step>({1, 1}, on, found, state);
}

void adamw(Cuda on, const AdamWTensor* tensors, int64_t count, const AdamWOptions& options,
           const StepState* state) {
  in_groups(tensors, count, "adamw", [&](const Group<AdamWTensor>& group, unsigned blocks) {
    gpu::launch<adamw_step>({blocks, kThreads}, on, group, options, state);
  });
}

void sgd(Cuda on, const SgdTensor* tensors, int64_t count, float momentum, bool nesterov,
         const StepState* state) {
  in_groups(tensors, count, "sgd", [&](const Group<SgdTensor>& group, unsigned blocks) {
    gpu::launch<sgd_step>({blocks, kThreads}, on, group, momentum, nesterov, state);
  });
}

void unscale(Cuda on, const ScaledTensor* tensors, int64_t count, const float* scale, int32_t* found) {
  in_groups(tensors, count, "unscale", [&](const Group<ScaledTensor>& group, unsigned blocks) {
    gpu::launch<unscale_step>({blocks, kThreads}, on, group, scale, found);
  });
}

void update_scale(Cuda on, const ScalerOptions& options, int32_t* found, int64_t count, float* scale,
                  int64_t* good_steps) {
  gpu::launch<rescale>({1, 1}, on, options, found, count, scale, good_steps);
}

}  // namespace iskra::kernels
