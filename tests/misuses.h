// The table of misuses: calls that must throw, each with all that is said about it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <iskra/core/ops.h>
#include <iskra/core/random.h>

namespace iskra::testing {

struct Misuse {
  std::string op;  ///< as the error names it
  std::function<void()> call;
  std::string says;  ///< the whole message, but for the caller's place at its end
  std::string file;
  int line;  ///< the call stands within a few lines of it
};
/// A row: what `call` says.
#define ISKRA_MISUSED(op, call, says)          \
  Misuse {                                     \
    op, [] { call; }, says, __FILE__, __LINE__ \
  }

/// What every function says to an undefined tensor.
inline constexpr const char* kUndefined =
    "this Tensor is undefined (default-constructed, or moved from); give it a value first";

/// What is said of Device::cuda(7).
inline std::string no_such_device() {
  const int count = Device::cuda_count();
  if (count == 0) return "device cuda:7: this build has no CUDA; use the CPU (Device::cpu(), --device cpu)";
  return "device cuda:7: this machine has 1 CUDA device, number 0";
}

std::vector<Misuse> pointwise_misuses();
std::vector<Misuse> reduce_misuses();
std::vector<Misuse> shape_misuses();
std::vector<Misuse> index_misuses();
std::vector<Misuse> product_misuses();
std::vector<Misuse> image_misuses();
std::vector<Misuse> row_misuses();
std::vector<Misuse> tensor_misuses();
std::vector<Misuse> autograd_misuses();
/// All of them.
std::vector<Misuse> all_misuses();

inline Tensor floats(const Shape& shape) { return Tensor::zeros(shape); }
inline Tensor doubles(const Shape& shape) { return Tensor::zeros(shape, {.dtype = DType::f64}); }
inline Tensor halves(const Shape& shape) { return Tensor::zeros(shape, {.dtype = DType::bf16}); }
inline Tensor longs(const Shape& shape) { return Tensor::zeros(shape, {.dtype = DType::i64}); }
inline Tensor bytes_of(const Shape& shape) { return Tensor::zeros(shape, {.dtype = DType::u8}); }

}  // namespace iskra::testing
