// Misuses of convolutions, pooling and what is done to pictures.
#include "misuses.h"

namespace iskra::testing {

std::vector<Misuse> image_misuses() {
  return {
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 3, 8, 8}), floats({4, 2, 3, 3})),
                    "conv2d: the input has 3 channels, the weight takes 2 (1 groups)"),
      ISKRA_MISUSED("conv2d", conv2d(floats({3, 8, 8}), floats({4, 3, 3, 3})),
                    "conv2d: the input has shape (3, 8, 8), the weight (4, 3, 3, 3); they must be (N,C,H,W) "
                    "and (K,C/groups,R,S)"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 3, 8, 8}), doubles({4, 3, 3, 3})),
                    "conv2d: the input is f32 (1, 3, 8, 8) cpu, the weight f64 (4, 3, 3, 3) cpu; both must "
                    "have the same floating dtype"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 4, 8, 8}), floats({3, 2, 3, 3}), {}, {.groups = 2}),
                    "conv2d: 3 output channels in 2 groups; the groups must divide them"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 4, 8, 8}), floats({4, 2, 3, 3}), {}, {.groups = 0}),
                    "conv2d: 4 output channels in 0 groups; the groups must divide them"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 1, 2, 8}), floats({1, 1, 3, 3})),
                    "conv2d: a window of 3 does not fit into size 2 with padding 0; use larger pictures or a "
                    "smaller window"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 1, 8, 8}), floats({1, 1, 3, 3}), {}, {.stride = {0, 1}}),
                    "conv2d: window 3, stride 0, padding 0; window and stride must be at least 1, padding "
                    "not negative"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 1, 8, 8}), floats({1, 1, 3, 3}), {}, {.padding = {0, -1}}),
                    "conv2d: window 3, stride 1, padding -1; window and stride must be at least 1, padding "
                    "not negative"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 1, 8, 8}), floats({1, 1, 3, 3}), {}, {.dilation = {1, 0}}),
                    "conv2d: dilation must be at least 1"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 1, 8, 8}), floats({4, 1, 3, 3}), floats({1})),
                    "conv2d: the bias is f32 (1) cpu, the weight f32 (4, 1, 3, 3) cpu; the bias must have "
                    "one value per output channel"),
      ISKRA_MISUSED("conv2d", conv2d(floats({1, 1, 8, 8}), floats({4, 1, 3, 3}), doubles({4})),
                    "conv2d: the bias is f64 (4) cpu, the weight f32 (4, 1, 3, 3) cpu; the bias must have "
                    "one value per output channel"),
      ISKRA_MISUSED("conv_transpose2d", conv_transpose2d(floats({1, 3, 8, 8}), floats({4, 2, 3, 3})),
                    "conv_transpose2d: the input has 3 channels, the weight takes 4"),
      ISKRA_MISUSED(
          "conv_transpose2d",
          conv_transpose2d(floats({1, 3, 8, 8}), floats({3, 2, 3, 3}), {}, {.output_padding = {1, 0}}),
          "conv_transpose2d: output_padding 1 must be at least 0 and less than the stride 1"),
      ISKRA_MISUSED("conv2d", conv2d(Tensor(), floats({4, 1, 3, 3})), kUndefined),
      ISKRA_MISUSED("max_pool2d", max_pool2d(floats({8, 8})),
                    "max_pool2d: the input is f32 (8, 8) cpu; it must be floating (N,C,H,W)"),
      ISKRA_MISUSED("max_pool2d", max_pool2d(longs({1, 1, 8, 8})),
                    "max_pool2d: the input is i64 (1, 1, 8, 8) cpu; it must be floating (N,C,H,W)"),
      ISKRA_MISUSED("max_pool2d", max_pool2d(floats({1, 1, 1, 4})),
                    "max_pool2d: a window of 2 does not fit into size 1 with padding 0; use larger pictures "
                    "or a smaller window"),
      ISKRA_MISUSED("max_pool2d", max_pool2d(floats({1, 1, 4, 4}), {.padding = {2, 0}}),
                    "max_pool2d: padding 2 is more than half of the window of 2"),
      ISKRA_MISUSED(
          "max_pool2d", max_pool2d(floats({1, 1, 4, 4}), {.size = {0, 2}}),
          "max_pool2d: window 0, stride 2, padding 0, dilation 1; window, stride and dilation must be "
          "at least 1, padding not negative"),
      ISKRA_MISUSED("avg_pool2d", avg_pool2d(floats({1, 1, 4, 4}), {.dilation = {2, 1}}),
                    "avg_pool2d: dilation 2, 1; means have none, leave it at 1"),
      ISKRA_MISUSED("adaptive_avg_pool2d", adaptive_avg_pool2d(floats({1, 1, 4, 4}), 0, 2),
                    "adaptive_avg_pool2d: the result's size is 0 x 2; it must be at least 1"),
      ISKRA_MISUSED("adaptive_max_pool2d", adaptive_max_pool2d(floats({4, 4}), 1, 1),
                    "adaptive_max_pool2d: the input is f32 (4, 4) cpu; it must be floating (N,C,H,W)"),
      ISKRA_MISUSED("interpolate", interpolate(floats({1, 1, 4, 4}), {}),
                    "interpolate: size 0 and scale 0 of axis 2; give one of them, positive"),
      ISKRA_MISUSED("interpolate", interpolate(floats({1, 1, 4, 4}), {.size = {2, 2}, .antialias = true}),
                    "interpolate: antialias and align_corners are for bilinear and bicubic, not for nearest"),
      ISKRA_MISUSED("normalize_images", normalize_images(floats({1, 4, 4, 3}), {0, 0, 0}, {1, 1, 1}),
                    "normalize_images: the pictures are f32 (1, 4, 4, 3) cpu; they must be u8 (N,H,W,C)"),
      ISKRA_MISUSED("normalize_images", normalize_images(bytes_of({4, 4, 3}), {0, 0, 0}, {1, 1, 1}),
                    "normalize_images: the pictures are u8 (4, 4, 3) cpu; they must be u8 (N,H,W,C)"),
      ISKRA_MISUSED("normalize_images", normalize_images(bytes_of({1, 4, 4, 3}), {0}, {1, 1, 1}),
                    "normalize_images: 1 means and 3 deviations for 3 channels"),
      ISKRA_MISUSED("normalize_images", normalize_images(bytes_of({1, 4, 4, 1}), {0}, {1}, DType::i64),
                    "normalize_images: pictures become a floating dtype, not i64"),
  };
}

}  // namespace iskra::testing
