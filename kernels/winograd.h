// Convolution by 3x3 filters in f32 with a quarter of the multiplications: Winograd's F(4x4,3x3).
//
// A picture is cut into tiles of 4 x 4 outputs, each made from a window d of 6 x 6 inputs:
//
//   y = A' [ sum over channels of (G g G') * (B' d B) ] A     forward; the data gradient with turned filters
//   dg = G' [ sum over tiles of (B' d B) * (A dy A') ] G      the weight gradient
//
// where * multiplies element by element: 36 matrix products, (tiles, channels) by (channels, filters).
#pragma once

#include <iskra/kernels/conv.h>

namespace iskra::kernels::winograd {

/// Whether these functions can compute a convolution of this shape: 3x3, stride 1, dilation 1, one group.
bool possible(const ConvShape& s);

/// Whether they are faster than direct convolution. For y and dx this is a matter of a picture's shape alone,
/// since a picture must get the same bits in every batch.
bool pays(const ConvShape& s);
bool pays_for_weights(const ConvShape& s);

/// Results depend neither on the number of threads nor, y and dx, on the other pictures of the batch. A bias
/// of the data gradient makes it a transposed convolution. dw = beta * dw + ...; at least one pixel.
void conv2d(const Cpu& on, const ConvShape& s, const float* x, const float* w, const ConvThen<float>& then,
            float* y);
void conv2d_backward_data(const Cpu& on, const ConvShape& s, const float* w, const float* dy,
                          const float* bias, float* dx);
void conv2d_backward_weight(const Cpu& on, const ConvShape& s, const float* x, const float* dy, float* dw,
                            float beta);

}  // namespace iskra::kernels::winograd
