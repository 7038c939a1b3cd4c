#include <iskra/kernels/gemm.h>

#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/flush.h>
#include <iskra/kernels/isa.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/onednn.h>

namespace iskra::kernels {

namespace {

template <class S, class Tables>
const auto& of_type(const Tables& tables) {
  if constexpr (std::is_same_v<S, float>)
    return tables.of_f32;
  else if constexpr (std::is_same_v<S, double>)
    return tables.of_f64;
  else if constexpr (std::is_same_v<S, bf16>)
    return tables.of_bf16;
  else
    return tables.of_f16;
}

template <class S>
const GemmTable<S, Compute<S>>& table() {
  return of_type<S>(by_isa(v2::gemm_tables, v3::gemm_tables, v4::gemm_tables));
}

bool is_half(DType type) { return type == DType::bf16 || type == DType::f16; }

/// Calls f with a null pointer to the C++ type of a floating dtype.
template <class F>
auto with_type(DType type, F&& f) {
  switch (type) {
    case DType::f64:
      return f(static_cast<double*>(nullptr));
    case DType::bf16:
      return f(static_cast<bf16*>(nullptr));
    case DType::f16:
      return f(static_cast<f16*>(nullptr));
    default:
      return f(static_cast<float*>(nullptr));
  }
}

size_t native_scratch_bytes(const ProductSpec& spec) {
  return with_type(spec.in, []<class S>(S*) { return table<S>().scratch_bytes; })(spec.shape);
}

}  // namespace

template <class S>
const EpilogueTable<S, Compute<S>>& epilogue() {
  return of_type<S>(by_isa(v2::epilogue_tables, v3::epilogue_tables, v4::epilogue_tables));
}

void check_bias(const View& bias, int64_t n, DType type, const char* op) {
  if (!bias.defined()) return;
  ISKRA_CHECK(bias.numel() == n && bias.rank() == 1 && (n <= 1 || bias.stride[0] == 1), op, ": bias ",
              bias.shape, " must be a dense vector of ", n, " values");
  ISKRA_CHECK(bias.dtype == type || (is_half(type) && bias.dtype == DType::f32), op, ": the bias is ",
              name_of(bias.dtype), ", but the operands ", name_of(type), "; convert it");
}

template <class S>
const Compute<S>* widened_bias(const Cpu& on, const View& bias, const char* op) {
  using T = Compute<S>;
  if (!bias.defined() || bias.dtype == dtype_of<T>) return bias.as<T>();
  T* to = scratch_of<T>(on, bias.numel(), op);
  epilogue<S>().widen(bias.numel(), bias.as<S>(), to);
  return to;
}

template <class S>
void gemm(const GemmShape& shape, const S* a, const S* b, const Compute<S>* bias, Compute<S>* c,
          Compute<S> beta, void* scratch) {
  if constexpr (std::is_same_v<S, float>) {  // f16 becomes f32 by way of subnormal numbers
    FlushSubnormals flush;
    table<S>().run(shape, a, b, bias, c, beta, scratch);
  } else {
    table<S>().run(shape, a, b, bias, c, beta, scratch);
  }
}
template <class S>
size_t gemm_scratch_bytes(const GemmShape& shape) {
  return table<S>().scratch_bytes(shape);
}

Product::Product(Provider provider, const ProductSpec& spec) : spec_(spec) {
  ISKRA_CHECK(spec.out == spec.in || (spec.out == DType::f32 && is_half(spec.in)),
              "product: ", name_of(spec.out), " cannot be made of ", name_of(spec.in));
  const GemmShape& s = spec.shape;
  finish_ = spec.activation != Activation::none || spec.residual_row != 0 || spec.preactivation_row != 0;
  apart_ = false;
  // Below AVX-512 oneDNN's bits change with the number of rows (395 of 800 random products with AVX2), and a
  // picture's result would depend on its neighbours in the batch.
  const bool steady = isa() == Isa::v4;
  if (provider != Provider::native && steady && s.m > 0 && s.n > 0 && s.k > 0) {
    // Where c has gaps between its rows oneDNN takes a slower way, whose bits change with the number of rows,
    // too.
    const bool gaps = s.c_row > s.n;
    const bool relu_alone =
        spec.activation == Activation::relu && spec.residual_row == 0 && spec.preactivation_row == 0 && !gaps;
    ProductSpec inner = spec;
    if (!relu_alone) inner.activation = Activation::none;
    const bool apart = gaps || (finish_ && !relu_alone && is_half(spec.out));
    if (apart) {
      inner.out = DType::f32;
      inner.shape.c_row = s.n;
      inner.beta = 0;
    }
    program_ = onednn::product(inner);
    if (program_) {
      finish_ = apart || (finish_ && !relu_alone);
      apart_ = apart;
    }
  }
  if (!program_ && is_half(spec.out)) finish_ = apart_ = true;
  if (apart_) sums_bytes_ = round_up_64(static_cast<size_t>(s.m * s.n) * sizeof(float));
  product_bytes_ = program_ ? onednn::scratch_bytes(*program_) : native_scratch_bytes(spec);
}

const char* Product::implementation() const { return program_ ? onednn::implementation(*program_) : "gemm"; }

ProductRunner::ProductRunner(const Product& product, void* scratch)
    : product_(product), scratch_(static_cast<char*>(scratch)) {
  if (product.program_)
    runner_ = std::make_unique<onednn::Runner>(*product.program_, scratch_ + product.sums_bytes_);
}
ProductRunner::~ProductRunner() = default;

template <class S>
void ProductRunner::native(const ProductOperands& at, void* sums, const void* bias) {
  using T = Compute<S>;
  GemmShape shape = product_.spec_.shape;
  if (product_.apart_) shape.c_row = shape.n;
  const T beta = product_.apart_ ? T(0) : static_cast<T>(product_.spec_.beta);
  gemm<S>(shape, static_cast<const S*>(at.a), static_cast<const S*>(at.b), static_cast<const T*>(bias),
          static_cast<T*>(sums), beta, scratch_ + product_.sums_bytes_);
}

void ProductRunner::finish(const ProductOperands& at, const void* sums, const void* bias) {
  const ProductSpec& spec = product_.spec_;
  const GemmShape& s = spec.shape;
  const EpilogueRows rows{s.m,
                          s.n,
                          product_.apart_ ? s.n : s.c_row,
                          s.c_row,
                          spec.residual_row,
                          spec.preactivation_row,
                          spec.activation,
                          product_.apart_ && spec.beta != 0};
  with_type(spec.out, [&]<class S>(S*) {
    using T = Compute<S>;
    epilogue<S>().finish(rows, static_cast<const T*>(sums), static_cast<const T*>(bias),
                         static_cast<const S*>(at.residual), static_cast<S*>(at.preactivation),
                         static_cast<S*>(at.c));
  });
}

void ProductRunner::operator()(const ProductOperands& at) {
  void* sums = product_.apart_ ? static_cast<void*>(scratch_) : at.c;
  // The bias is added by whoever sums; by the finishing loops only where our own gemm feeds them.
  const bool late = product_.finish_ && !runner_;
  if (!runner_)
    with_type(product_.spec_.in, [&]<class S>(S*) { native<S>(at, sums, late ? nullptr : at.bias); });
  else if (at.bias != nullptr)
    (*runner_)({at.a, at.b, at.bias, sums});
  else
    (*runner_)({at.a, at.b, sums});
  if (product_.finish_) finish(at, sums, late ? at.bias : nullptr);
}

#define ISKRA_INSTANTIATE(S)                                                                              \
  template const EpilogueTable<S, Compute<S>>& epilogue<S>();                                             \
  template void gemm<S>(const GemmShape&, const S*, const S*, const Compute<S>*, Compute<S>*, Compute<S>, \
                        void*);                                                                           \
  template size_t gemm_scratch_bytes<S>(const GemmShape&);                                                \
  template const Compute<S>* widened_bias<S>(const Cpu&, const View&, const char*);
ISKRA_INSTANTIATE(float)
ISKRA_INSTANTIATE(double)
ISKRA_INSTANTIATE(bf16)
ISKRA_INSTANTIATE(f16)
#undef ISKRA_INSTANTIATE

}  // namespace iskra::kernels
