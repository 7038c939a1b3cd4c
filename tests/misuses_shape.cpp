// Misuses of views and copies.
#include "misuses.h"

namespace iskra::testing {

namespace {

const Tensor kNothing;

}  // namespace

std::vector<Misuse> shape_misuses() {
  return {
      ISKRA_MISUSED("reshape", floats({2, 3}).reshape({4, 2}),
                    "reshape: (2, 3) has 6 elements, which do not fill shape (4, 2)"),
      ISKRA_MISUSED("reshape", floats({2, 3}).reshape({-1, -1}),
                    "reshape: shape (-1, -1) has two sizes of -1; only one can be worked out"),
      ISKRA_MISUSED("reshape", floats({2, 3}).reshape({4, -1}),
                    "reshape: (2, 3) has 6 elements, which do not fill shape (4, -1)"),
      ISKRA_MISUSED("reshape", floats({2, 3}).reshape({-2, 3}),
                    "reshape: size -2 in shape (-2, 3) is negative"),
      ISKRA_MISUSED("reshape", floats({0, 3}).reshape({0, -1}),
                    "reshape: (0, 3) has 0 elements, which do not fill shape (0, -1)"),
      ISKRA_MISUSED("reshape", kNothing.reshape({1}), kUndefined),
      ISKRA_MISUSED("flatten", floats({2, 3, 4}).flatten(2, 1),
                    "flatten: axis 2 of f32 (2, 3, 4) cpu comes after axis 1; name the first axis first"),
      ISKRA_MISUSED("flatten", floats({2, 3, 4}).flatten(0, 3),
                    "flatten: axis 3 is outside a tensor of rank 3; use -3 to 2"),
      ISKRA_MISUSED("transpose", floats({2, 3}).transpose(0, 2),
                    "transpose: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("transpose", floats({2, 3}).transpose(-3, 1),
                    "transpose: axis -3 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("permute", floats({2, 3}).permute({0}),
                    "permute: the axes (0) of f32 (2, 3) cpu are 1; name each of its 2 axes once"),
      ISKRA_MISUSED("permute", floats({2, 3}).permute({1, 1}),
                    "permute: the axes (1, 1) of f32 (2, 3) cpu name axis 1 twice; name each once"),
      ISKRA_MISUSED("permute", floats({2, 3}).permute({0, 2}),
                    "permute: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("narrow", floats({2, 3}).narrow(1, 2, 2),
                    "narrow: elements 2 to 4 of axis 1, but f32 (2, 3) cpu has 3 there"),
      ISKRA_MISUSED("narrow", floats({2, 3}).narrow(0, -1, 1),
                    "narrow: elements -1 to 0 of axis 0, but f32 (2, 3) cpu has 2 there"),
      ISKRA_MISUSED("narrow", floats({2, 3}).narrow(0, 1, -1),
                    "narrow: elements 1 to 0 of axis 0, but f32 (2, 3) cpu has 2 there"),
      ISKRA_MISUSED("narrow", floats({2, 3}).narrow(2, 0, 1),
                    "narrow: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("slice", floats({2, 3}).slice(2, 0, 1),
                    "slice: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("slice", floats({2, 3}).slice(1, 0, 3, 0),
                    "slice: step 0 of axis 1; steps are positive, use flip() for the reverse order"),
      ISKRA_MISUSED("select", floats({2, 3}).select(1, 3),
                    "select: index 3 of axis 1 of f32 (2, 3) cpu; it must lie in [-3, 3)"),
      ISKRA_MISUSED("unfold", floats({2, 3}).unfold(1, 4, 1),
                    "unfold: windows of 4 in steps of 1 along axis 1 of f32 (2, 3) cpu; windows must fit, "
                    "and steps be positive"),
      ISKRA_MISUSED("unfold", floats({2, 3}).unfold(1, 2, 0),
                    "unfold: windows of 2 in steps of 0 along axis 1 of f32 (2, 3) cpu; windows must fit, "
                    "and steps be positive"),
      ISKRA_MISUSED("diagonal", floats({3}).diagonal(),
                    "diagonal: axis 1 is outside a tensor of rank 1; use -1 to 0"),
      ISKRA_MISUSED("movedim", floats({2, 3}).movedim(0, 2),
                    "movedim: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("unflatten", floats({2, 6}).unflatten(1, {4, 2}),
                    "unflatten: axis 1 of f32 (2, 6) cpu has 6 elements, which do not fill (4, 2)"),
      ISKRA_MISUSED("unflatten", floats({2, 6}).unflatten(1, {-1, -1}),
                    "unflatten: sizes (-1, -1); one may be -1, the others must not be negative"),
      ISKRA_MISUSED("squeeze", floats({2, 3}).squeeze(1),
                    "squeeze: axis 1 of f32 (2, 3) cpu has size 3; it must have size 1"),
      ISKRA_MISUSED("squeeze", floats({}).squeeze(0),
                    "squeeze: axis 0 of a tensor without axes, which holds one number"),
      ISKRA_MISUSED("unsqueeze", floats({2, 3}).unsqueeze(3),
                    "unsqueeze: axis 3 is outside a tensor of rank 3; use -3 to 2"),
      ISKRA_MISUSED("unsqueeze", floats({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0),
                    "unsqueeze: f32 (1, 1, 1, 1, 1, 1, 1, 1) cpu has 8 axes, and more are not possible"),
      ISKRA_MISUSED("expand", floats({2, 3}).expand({2, 6}),
                    "expand: shapes (2, 3) and (2, 6) do not broadcast: sizes 3 and 6 at dimension -1 must "
                    "be equal, or one of them 1"),
      ISKRA_MISUSED("expand", floats({2, 3}).expand({3}), "expand: shape (2, 3) does not broadcast to (3)"),
      ISKRA_MISUSED("contiguous", floats({2, 3}).contiguous(Layout::channels_last),
                    "Tensor: channels_last needs four axes (N,C,H,W), the shape is (2, 3)"),
      ISKRA_MISUSED("contiguous", kNothing.contiguous(), kUndefined),
      ISKRA_MISUSED("clone", kNothing.clone(), kUndefined),
      ISKRA_MISUSED("to", kNothing.to(DType::f64), kUndefined),
      ISKRA_MISUSED("pinned", kNothing.pinned(), kUndefined),
      ISKRA_MISUSED("to", floats({2}).to(Device::cuda(7)), no_such_device()),
  };
}

}  // namespace iskra::testing
