#include <iskra/kernels/gemm.h>

#include <type_traits>

#include <iskra/kernels/isa.h>
#include <iskra/kernels/onednn.h>

namespace iskra::kernels {

namespace {
template <class T>
const GemmTable<T>& table() {
  const GemmTables& tables = by_isa(v2::gemm_tables, v3::gemm_tables, v4::gemm_tables);
  if constexpr (std::is_same_v<T, float>)
    return tables.f32;
  else
    return tables.f64;
}
}  // namespace

template <class T>
void gemm(const GemmShape& shape, const T* a, const T* b, const T* bias, T* c, T beta, void* scratch) {
  table<T>().run(shape, a, b, bias, c, beta, scratch);
}
template <class T>
size_t gemm_scratch_bytes(const GemmShape& shape) {
  return table<T>().scratch_bytes(shape);
}

template <class T>
Product<T>::Product(Provider provider, const GemmShape& shape, float beta, bool bias)
    : shape_(shape), beta_(beta) {
  if constexpr (std::is_same_v<T, float>)
    if (provider != Provider::native && shape.m > 0 && shape.n > 0 && shape.k > 0)
      program_ = onednn::product(shape, bias, beta != 0);
  scratch_bytes_ = program_ ? onednn::scratch_bytes(*program_) : gemm_scratch_bytes<T>(shape);
}

template <class T>
const char* Product<T>::implementation() const {
  return program_ ? onednn::implementation(*program_) : "gemm";
}

template <class T>
ProductRunner<T>::ProductRunner(const Product<T>& product, void* scratch)
    : product_(product), scratch_(scratch) {
  if (product.program_) runner_ = std::make_unique<onednn::Runner>(*product.program_, scratch);
}
template <class T>
ProductRunner<T>::~ProductRunner() = default;

template <class T>
void ProductRunner<T>::operator()(const T* a, const T* b, T* c, const T* bias) {
  if (!runner_)
    gemm(product_.shape_, a, b, bias, c, product_.beta_, scratch_);
  else if (bias != nullptr)
    (*runner_)({a, b, bias, c});
  else
    (*runner_)({a, b, c});
}

template void gemm(const GemmShape&, const float*, const float*, const float*, float*, float, void*);
template void gemm(const GemmShape&, const double*, const double*, const double*, double*, double, void*);
template size_t gemm_scratch_bytes<float>(const GemmShape&);
template size_t gemm_scratch_bytes<double>(const GemmShape&);
template class Product<float>;
template class Product<double>;
template class ProductRunner<float>;
template class ProductRunner<double>;

}  // namespace iskra::kernels
