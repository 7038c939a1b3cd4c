// One matrix product on one thread: our own blocked gemm, and the plan that prefers oneDNN's for f32.
// Everything that multiplies matrices on the CPU (matmul, convolution, attention) is built from these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <iskra/kernels/base.h>
#include <iskra/kernels/gemm.isa.h>

namespace iskra::kernels {

namespace onednn {
class Program;
class Runner;
}  // namespace onednn

/// Our own product: c = beta * c + a b [+ bias (n)]; bias may be null, any strides of a and b. The order of
/// each element's sum depends on k alone. `scratch`: gemm_scratch_bytes, aligned to 64.
template <class T>
void gemm(const GemmShape& shape, const T* a, const T* b, const T* bias, T* c, T beta, void* scratch);
template <class T>
size_t gemm_scratch_bytes(const GemmShape& shape);

/// A product of fixed shape, with its implementation chosen: oneDNN's for f32 unless `provider` is native,
/// else ours. Shared by the threads of a kernel call. beta is 0 or 1.
template <class T>
class Product {
 public:
  Product(Provider provider, const GemmShape& shape, float beta, bool bias = false);
  /// Temporary memory of one thread (a multiple of 64).
  size_t scratch_bytes() const { return scratch_bytes_; }
  /// "gemm" or oneDNN's name.
  const char* implementation() const;

 private:
  template <class>
  friend class ProductRunner;
  GemmShape shape_;
  T beta_;
  std::shared_ptr<const onednn::Program> program_;
  size_t scratch_bytes_;
};

/// A product bound to one thread and its memory.
template <class T>
class ProductRunner {
 public:
  ProductRunner(const Product<T>& product, void* scratch);
  ~ProductRunner();
  void operator()(const T* a, const T* b, T* c, const T* bias = nullptr);

 private:
  const Product<T>& product_;
  void* scratch_;
  std::unique_ptr<onednn::Runner> runner_;
};

}  // namespace iskra::kernels
