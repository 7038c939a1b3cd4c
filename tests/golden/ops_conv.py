"""Convolutions."""
import torch.nn.functional as F

from twins import optional


def conv2d(x, weight, *rest):
    bias, at = optional(rest, 1)
    return F.conv2d(x, weight, bias, at.get("stride", 1), at.get("padding", 0), at.get("dilation", 1),
                    at.get("groups", 1))


OPS = {"conv2d": conv2d}
