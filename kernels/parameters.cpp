#include <iskra/kernels/parameters.h>

#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels {
namespace {

template <class T, class S>
void store_as(const T* sum, const MutView& gradient, float beta) {
  S* to = gradient.as<S>();
  for (int64_t c = 0; c < gradient.numel(); ++c) {
    const auto before = beta == 0.0F ? Computed<S>(0) : static_cast<Computed<S>>(beta) * load(to[c]);
    store(before + static_cast<Computed<S>>(sum[c]), to[c]);
  }
}

template <class T>
void store_any(const T* sum, const MutView& gradient, float beta) {
  switch (gradient.dtype) {
    case DType::f64:
      return store_as<T, double>(sum, gradient, beta);
    case DType::bf16:
      return store_as<T, bf16>(sum, gradient, beta);
    case DType::f16:
      return store_as<T, f16>(sum, gradient, beta);
    default:
      return store_as<T, float>(sum, gradient, beta);
  }
}

}  // namespace

const void* computed_parameter(const Cpu& on, const View& vector, DType elements, const char* op) {
  const DType compute = computing_dtype(elements);
  if (!vector.defined() || vector.dtype == compute) return vector.data;
  MutView wide{scratch_bytes(on, size_of(compute) * static_cast<size_t>(vector.numel()), op), compute,
               vector.shape, contiguous_strides(vector.shape)};
  copy(on, vector, wide);
  return wide.data;
}

void store_gradient(const float* sum, const MutView& gradient, float beta) { store_any(sum, gradient, beta); }
void store_gradient(const double* sum, const MutView& gradient, float beta) {
  store_any(sum, gradient, beta);
}

}  // namespace iskra::kernels
