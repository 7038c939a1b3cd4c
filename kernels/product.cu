// The gradient of products over axes on CUDA. Whether a product has zeros among its factors only the device
// knows, so they are always counted, and the others multiplied.
#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/product_slope.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

constexpr int kThreads = 256;

/// Walk operands: 0 dy, 1 what is known of a product, 2 x, 3 dx. A product has `each` factors, of which
/// `others` are not 0 and multiply to q.
template <class T>
__global__ void __launch_bounds__(kThreads)
    product_gradient(Walk<4> walk, const void* dy, const T* q, const int64_t* others, int64_t each,
                     const void* x, void* dx, DType dtype) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < walk.numel; i += threads) {
    int64_t at[4];
    walk.locate(i, at);
    T slope = product_slope(load_as<T>(x, dtype, at[2]), load_as<T>(dy, dtype, at[0]), q[at[1]],
                            static_cast<T>(each - others[at[1]]));
    store_as(slope, dx, dtype, at[3]);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

/// Strides of a tensor of shape `kept` as one of a larger shape, along which it is repeated.
Shape repeated(const Shape& stride, const Shape& kept) {
  Shape to = stride;
  for (int i = 0; i < to.rank(); ++i) {
    if (kept[i] == 1) to[i] = 0;
  }
  return to;
}

template <class T>
void backward(const Cuda& on, const View& x, const View& y, const View& dy, const MutView& dx) {
  constexpr const char* kName = "product_backward";
  int64_t kept = y.numel();
  MutView q{scratch_of(on, kName).of<T>(kept), y.dtype, y.shape, y.stride};
  MutView others{scratch_of(on, kName).of<int64_t>(kept), DType::i64, y.shape, y.stride};
  reduce(on, ReduceOp::nonzero_product, x, {}, q);
  reduce(on, ReduceOp::count, x, {}, others);
  Shape dy_stride = repeated(dy.stride, dy.shape), q_stride = repeated(y.stride, y.shape);
  StridedLoop loop(x.shape, {&dy_stride, &q_stride, &x.stride, &dx.stride});
  gpu::launch<product_gradient<T>>({blocks_for(loop.numel, kThreads), kThreads}, on, make_walk<4>(loop),
                                   dy.data, q.as<T>(), others.as<int64_t>(), x.numel() / kept, x.data,
                                   dx.data, x.dtype);
}

}  // namespace

void product_backward(Cuda on, View x, View y, View dy, MutView dx) {
  ISKRA_CHECK(is_floating(x.dtype), "product_backward: elements are ", name_of(x.dtype),
              "; it takes floating types, convert first");
  if (x.numel() == 0) return;
  if (x.dtype == DType::f64) return backward<double>(on, x, y, dy, dx);
  backward<float>(on, x, y, dy, dx);
}

}  // namespace iskra::kernels
