// Mixed precision by scope: products run in a 16-bit type, sums and losses in f32, all else in the type of
// what it is given. The list, and why each op stands where it does, is docs/autocast.md.
//
//   Autocast mixed(DType::bf16);
//   Tensor loss = cross_entropy(model(images), labels);
//
// Casts are recorded, so a parameter's gradient arrives in the parameter's own type. A leaf is cast once per
// scope, not once per use. f64 and integers are left alone.
#pragma once

#include <memory>

#include <iskra/core/tensor.h>

namespace iskra {

/// Within its scope this thread's ops cast their inputs. bf16 or f16.
class Autocast {
 public:
  explicit Autocast(DType dtype = DType::bf16, Caller caller = Caller::current());
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_before_;
  DType dtype_before_;
  bool outermost_;
};

/// Within its scope nothing is cast.
class NoAutocast {
 public:
  NoAutocast();
  ~NoAutocast();
  NoAutocast(const NoAutocast&) = delete;
  NoAutocast& operator=(const NoAutocast&) = delete;

 private:
  bool before_;
};

namespace detail {

/// What an op asks of its inputs under autocast.
enum class Precision : unsigned char {
  lower,   ///< the scope's 16-bit type: matmul, linear, convolutions, attention
  single,  ///< f32: exponentials and logarithms, sums, softmax, losses
};

/// Recasts an op's inputs. An op whose class is not "as given" begins, after its OpScope, with
///   if (auto cast = detail::Recast(detail::Precision::lower, {&x, &weight})) return linear(cast(x),
///   cast(weight), …);
/// It is true when autocast is on and an input would change, so the second call does the work.
class Recast {
 public:
  Recast(Precision precision, std::initializer_list<const Tensor*> inputs)
      : active_(context().autocast && needed(precision, inputs)) {}
  explicit operator bool() const { return active_; }
  /// x in the type of this op; itself when it has that type, is no f32, f16 or bf16, or is undefined.
  Tensor operator()(const Tensor& x) const;

 private:
  bool needed(Precision precision, std::initializer_list<const Tensor*> inputs);
  DType target_ = DType::f32;
  bool active_;
};

/// Within its scope no cast is taken from, or put into, the cache of the scope around it.
class NoCastCache {
 public:
  NoCastCache();
  ~NoCastCache();
  NoCastCache(const NoCastCache&) = delete;
  NoCastCache& operator=(const NoCastCache&) = delete;

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

}  // namespace detail
}  // namespace iskra
