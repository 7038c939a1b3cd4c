// One matrix product on one thread: our own blocked gemm, and the plan that prefers oneDNN's where that is
// faster. Everything that multiplies matrices on the CPU (matmul, convolution, attention) is built from
// these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <iskra/kernels/base.h>
#include <iskra/kernels/epilogue.isa.h>
#include <iskra/kernels/gemm.isa.h>
#include <iskra/kernels/kernels.h>

namespace iskra::kernels {

namespace onednn {
class Program;
class Runner;
}  // namespace onednn

/// What sums of a stored type are made in: f64 in double, everything else in float.
template <class S>
struct ComputeType {
  using Type = float;
};
template <>
struct ComputeType<double> {
  using Type = double;
};
template <class S>
using Compute = typename ComputeType<S>::Type;

/// The finishing loops of a stored type at this machine's ISA level.
template <class S>
const EpilogueTable<S, Compute<S>>& epilogue();

/// Throws, naming `op`, unless the bias is undefined or a dense vector of n values of type `type` or f32.
void check_bias(const View& bias, int64_t n, DType type, const char* op);
/// The bias in the type that S is computed in: itself, or a copy in temporary memory; null when undefined.
template <class S>
const Compute<S>* widened_bias(const Cpu& on, const View& bias, const char* op);

/// Our own product: c = beta * c + a b [+ bias (n)]; bias may be null, any strides of a and b. The order of
/// each element's sum depends on k alone. `scratch`: gemm_scratch_bytes, aligned to 64.
template <class S>
void gemm(const GemmShape& shape, const S* a, const S* b, const Compute<S>* bias, Compute<S>* c,
          Compute<S> beta, void* scratch);
template <class S>
size_t gemm_scratch_bytes(const GemmShape& shape);

/// All that fixes a product: c = beta * c + a b, or c = activation(a b + bias) + residual.
struct ProductSpec {
  GemmShape shape = {};
  DType in = DType::f32;
  DType out = DType::f32;  ///< `in`, or f32 from 16-bit operands
  float beta = 0;          ///< 0 or 1; 1 goes with a bias only
  bool bias = false;       ///< of the type that `in` is computed in
  Activation activation = Activation::none;
  int64_t residual_row = 0;       ///< 0: none; of type `out`
  int64_t preactivation_row = 0;  ///< 0: none; of type `out`
};

struct ProductOperands {
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  const void* bias = nullptr;
  const void* residual = nullptr;
  void* preactivation = nullptr;
};

/// A product of fixed shape, with its implementation chosen from the shape: oneDNN's for f32 and bf16 at ISA
/// level v4, unless `provider` is native; else ours. A row of c has the same bits
/// however many rows there are. Shared by the threads of a kernel call.
class Product {
 public:
  Product(Provider provider, const ProductSpec& spec);
  /// Temporary memory of one thread (a multiple of 64).
  size_t scratch_bytes() const { return sums_bytes_ + product_bytes_; }
  /// "gemm" or oneDNN's name.
  const char* implementation() const;

 private:
  friend class ProductRunner;
  ProductSpec spec_;
  bool finish_;  ///< sums go through the finishing loops …
  bool apart_;   ///< … from memory of their own, else from c
  std::shared_ptr<const onednn::Program> program_;
  size_t sums_bytes_ = 0, product_bytes_;
};

/// A product bound to one thread and its memory.
class ProductRunner {
 public:
  ProductRunner(const Product& product, void* scratch);
  ~ProductRunner();
  void operator()(const ProductOperands& at);

 private:
  template <class S>
  void native(const ProductOperands& at, void* sums, const void* bias);
  void finish(const ProductOperands& at, const void* sums, const void* bias);

  const Product& product_;
  char* scratch_;
  std::unique_ptr<onednn::Runner> runner_;
};

}  // namespace iskra::kernels
