// Pointwise ops on CUDA. Which op it is, is looked up inside of the kernel (all threads take the same way),
// so that there are two kernels for each form of op and type of arithmetic, not one for each of a hundred
// ops.
//
//   pointwise_dense     all operands dense and of one floating type: 16 bytes a thread and turn
//   pointwise_general   any strides and types
#pragma once

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/pointwise_integer.h>
#include <iskra/kernels/pointwise_ops.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kPointwiseThreads = 256;

/// A Form is one of unary, unary_backward, binary, binary_da, binary_db: how many operands it has, and
/// apply(op, a, b, d, parameters) for float, double and, where it exists, int64_t.
template <class Form, class S>
__global__ void __launch_bounds__(kPointwiseThreads)
    pointwise_dense(int op, PointwiseParams params, const S* a, const S* b, const S* d, S* out, int64_t n) {
  using T = Computed<S>;
  constexpr int kEach = 16 / static_cast<int>(sizeof(S));
  struct alignas(16) Vector {
    S element[kEach];
  };
  Parameters<T> p{static_cast<T>(params.value[0]), static_cast<T>(params.value[1])};
  int64_t thread = int64_t{blockIdx.x} * kPointwiseThreads + threadIdx.x,
          threads = int64_t{gridDim.x} * kPointwiseThreads;
  int64_t vectors = n / kEach;
  const Vector zero{};
  for (int64_t v = thread; v < vectors; v += threads) {
    Vector va = a != nullptr ? reinterpret_cast<const Vector*>(a)[v] : zero;
    Vector vb = b != nullptr ? reinterpret_cast<const Vector*>(b)[v] : zero;
    Vector vd = d != nullptr ? reinterpret_cast<const Vector*>(d)[v] : zero;
    Vector y;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      store(Form::template apply<T>(op, load(va.element[i]), load(vb.element[i]), load(vd.element[i]), p),
            y.element[i]);
    }
    reinterpret_cast<Vector*>(out)[v] = y;
  }
  for (int64_t i = vectors * kEach + thread; i < n; i += threads) {
    T va = a != nullptr ? load(a[i]) : T(0), vb = b != nullptr ? load(b[i]) : T(0),
      vd = d != nullptr ? load(d[i]) : T(0);
    store(Form::template apply<T>(op, va, vb, vd, p), out[i]);
  }
}

struct GpuOperand {
  void* data;  ///< null: not read
  DType dtype;
};

template <class Form, class T>
__global__ void __launch_bounds__(kPointwiseThreads)
    pointwise_general(int op, PointwiseParams params, GpuOperand a, GpuOperand b, GpuOperand d,
                      GpuOperand out, Walk<4> walk) {
  Parameters<T> p{Convert<T>::of(params.value[0]), Convert<T>::of(params.value[1])};
  int64_t threads = int64_t{gridDim.x} * kPointwiseThreads;
  for (int64_t i = int64_t{blockIdx.x} * kPointwiseThreads + threadIdx.x; i < walk.numel; i += threads) {
    int64_t at[4];
    walk.locate(i, at);
    T va = a.data != nullptr ? load_as<T>(a.data, a.dtype, at[0]) : T(0);
    T vb = b.data != nullptr ? load_as<T>(b.data, b.dtype, at[1]) : T(0);
    T vd = d.data != nullptr ? load_as<T>(d.data, d.dtype, at[2]) : T(0);
    store_as(Form::template apply<T>(op, va, vb, vd, p), out.data, out.dtype, at[3]);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

inline bool aligned_to_16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

template <class Form, class S>
void launch_dense(const Cuda& on, int op, const PointwiseParams& params, const GpuOperand (&in)[3],
                  const MutView& out, int64_t n) {
  constexpr int kEach = 16 / static_cast<int>(sizeof(S));
  gpu::launch<pointwise_dense<Form, S>>({blocks_for(n, kPointwiseThreads, kEach), kPointwiseThreads}, on, op,
                                        params, static_cast<const S*>(in[0].data),
                                        static_cast<const S*>(in[1].data), static_cast<const S*>(in[2].data),
                                        out.as<S>(), n);
}

template <class Form, class T>
void launch_general(const Cuda& on, int op, const PointwiseParams& params, const GpuOperand (&in)[3],
                    const MutView& out, const StridedLoop& loop) {
  gpu::launch<pointwise_general<Form, T>>({blocks_for(loop.numel, kPointwiseThreads), kPointwiseThreads}, on,
                                          op, params, in[0], in[1], in[2], GpuOperand{out.data, out.dtype},
                                          make_walk<4>(loop));
}

/// out = op(inputs); an undefined input is not read. Types meet as on the CPU (run_pointwise).
template <class Form>
void run_on_gpu(const Cuda& on, int op, bool takes_integers, std::initializer_list<View> inputs,
                const MutView& out, const PointwiseParams& params) {
  const Shape zero = Shape::filled(out.rank(), 0);
  GpuOperand in[3] = {};
  const Shape* stride[3] = {&zero, &zero, &zero};
  bool floating = is_floating(out.dtype), wide = out.dtype == DType::f64, alike = floating,
       aligned = aligned_to_16(out.data);
  int count = 0;
  for (const View& x : inputs) {
    if (x.defined()) {
      in[count] = {const_cast<void*>(x.data), x.dtype};  // inputs are never written to
      stride[count] = &x.stride;
      floating = floating || is_floating(x.dtype);
      wide = wide || x.dtype == DType::f64;
      alike = alike && x.dtype == out.dtype;
      aligned = aligned && aligned_to_16(x.data);
    }
    ++count;
  }
  const StridedLoop loop(out.shape, {stride[0], stride[1], stride[2], &out.stride});
  if (loop.numel == 0) return;
  bool dense = alike && aligned && walks_densely(loop, 3);
  for (int o = 0; o < 3; ++o) dense = dense && (in[o].data == nullptr || walks_densely(loop, o));
  if (dense && out.dtype == DType::f32) return launch_dense<Form, float>(on, op, params, in, out, loop.numel);
  if (dense && out.dtype == DType::f64)
    return launch_dense<Form, double>(on, op, params, in, out, loop.numel);
  if (dense && out.dtype == DType::bf16) return launch_dense<Form, bf16>(on, op, params, in, out, loop.numel);
  if (dense && out.dtype == DType::f16) return launch_dense<Form, f16>(on, op, params, in, out, loop.numel);
  if constexpr (Form::kIntegers) {
    if (!floating && takes_integers) return launch_general<Form, int64_t>(on, op, params, in, out, loop);
  }
  if (wide) return launch_general<Form, double>(on, op, params, in, out, loop);
  launch_general<Form, float>(on, op, params, in, out, loop);
}

inline View read_if(const View& operand, bool read, const View& dy, const char* op) {
  ISKRA_CHECK(!read || operand.defined() || dy.numel() == 0, op,
              ": the derivative reads an operand that is undefined");
  return read ? operand : View{};
}

}  // namespace
}  // namespace iskra::kernels
