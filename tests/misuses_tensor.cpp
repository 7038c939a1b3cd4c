// Misuses of making tensors and reaching their elements.
#include "misuses.h"

namespace iskra::testing {

std::vector<Misuse> tensor_misuses() {
  return {
      ISKRA_MISUSED("empty", Tensor::empty({2, -1}),
                    "Tensor: size -1 in shape (2, -1) is negative; sizes start at 0"),
      ISKRA_MISUSED("empty", Tensor::empty({int64_t{1} << 40, int64_t{1} << 40}),
                    "Tensor: shape (1099511627776, 1099511627776) has more than 2^63 elements"),
      ISKRA_MISUSED("empty", Tensor::empty({int64_t{1} << 61}),
                    "Tensor: shape (2305843009213693952) needs more than 2^63 bytes"),
      ISKRA_MISUSED("empty", Tensor::empty({2, 3}, {.layout = Layout::channels_last}),
                    "Tensor: channels_last needs four axes (N,C,H,W), the shape is (2, 3)"),
      ISKRA_MISUSED("empty", Tensor::empty({2}, {.device = Device::cuda(7)}), no_such_device()),
      ISKRA_MISUSED("full", Tensor::full({2, -1}, 1),
                    "Tensor: size -1 in shape (2, -1) is negative; sizes start at 0"),
      ISKRA_MISUSED("zeros", Tensor::zeros({-2}),
                    "Tensor: size -2 in shape (-2) is negative; sizes start at 0"),
      ISKRA_MISUSED("ones", Tensor::ones({-2}),
                    "Tensor: size -2 in shape (-2) is negative; sizes start at 0"),
      ISKRA_MISUSED("of", Tensor::of({1.0F, 2.0F, 3.0F}, {2}),
                    "Tensor::of: 3 values for shape (2), which has 2"),
      ISKRA_MISUSED("of", Tensor::of(std::vector<int64_t>{1}, {-1}),
                    "Tensor: size -1 in shape (-1) is negative; sizes start at 0"),
      ISKRA_MISUSED("from_bytes", Tensor::from_bytes("", 1, DType::u8, {2}, Device::cpu()),
                    "Tensor::of: 1 values for shape (2), which has 2"),
      ISKRA_MISUSED("size", floats({2, 3}).size(2),
                    "size: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("size", floats({}).size(-1),
                    "size: axis -1 of a tensor without axes, which holds one number"),
      ISKRA_MISUSED("size", Tensor().size(0), kUndefined),
      ISKRA_MISUSED("data", floats({2}).data<double>(),
                    "data<f64>: the tensor holds f32; convert it with to(DType::f64)"),
      ISKRA_MISUSED("data", longs({2}).data<int32_t>(),
                    "data<i32>: the tensor holds i64; convert it with to(DType::i32)"),
      ISKRA_MISUSED("data", Tensor().data<float>(), kUndefined),
      ISKRA_MISUSED("item", floats({2, 3}).item(),
                    "item: the tensor is f32 (2, 3) cpu; it must have one element, to_vector() gives many"),
      ISKRA_MISUSED("item", floats({0}).item(),
                    "item: the tensor is f32 (0) cpu; it must have one element, to_vector() gives many"),
      ISKRA_MISUSED(
          "copy_from", floats({2, 3}).copy_from(floats({3, 2})),
          "copy_from: the source is f32 (3, 2) cpu, this tensor f32 (2, 3) cpu; their shapes must be equal"),
      ISKRA_MISUSED("copy_from", floats({2, 3}).copy_from(Tensor()), kUndefined),
      ISKRA_MISUSED("bernoulli", bernoulli({2}, 1.5),
                    "bernoulli: the probability is 1.5; it must lie in [0, 1]"),
      ISKRA_MISUSED("permutation", permutation(-1),
                    "permutation: of -1 numbers; the count must not be negative"),
      ISKRA_MISUSED("random_integers", random_integers({2}, 3, 3),
                    "random_integers: numbers from 3 to below 3; there must be at least one"),
      ISKRA_MISUSED("uniform", uniform({2}, 0, 1, {.dtype = DType::i64}),
                    "uniform: the dtype is i64; it must be floating, convert the result with to(DType)"),
      ISKRA_MISUSED("uniform", uniform({-2}, 0, 1),
                    "Tensor: size -2 in shape (-2) is negative; sizes start at 0"),
      ISKRA_MISUSED("normal", iskra::normal({2}, 0, 1, {.dtype = DType::boolean}),
                    "normal: the dtype is bool; it must be floating, convert the result with to(DType)"),
      ISKRA_MISUSED("truncated_normal", truncated_normal({2}, 0, 1, 0),
                    "truncated_normal: cut 0 standard deviations; it must be positive"),
      ISKRA_MISUSED(
          "truncated_normal", truncated_normal({2}, 0, 1, 2, {.dtype = DType::u8}),
          "truncated_normal: the dtype is u8; it must be floating, convert the result with to(DType)"),
  };
}

}  // namespace iskra::testing
