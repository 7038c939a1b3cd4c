"""Convolutions."""
import torch.nn.functional as F

from twins import fused, optional


def conv2d(x, weight, *rest):
    bias, residual, at = optional(rest, 2)
    y = F.conv2d(x, weight, bias, at.get("stride", 1), at.get("padding", 0), at.get("dilation", 1),
                 at.get("groups", 1))
    return fused(y, residual, at)


def conv_transpose2d(x, weight, *rest):
    bias, at = optional(rest, 1)
    return F.conv_transpose2d(x, weight, bias, at.get("stride", 1), at.get("padding", 0), at.get("output_padding", 0),
                              at.get("groups", 1), at.get("dilation", 1))


OPS = {"conv2d": conv2d, "conv_transpose2d": conv_transpose2d}
