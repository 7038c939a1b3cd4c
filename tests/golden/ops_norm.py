"""Normalization layers."""
import torch.nn.functional as F

from twins import optional


def layer_norm(x, *rest):
    weight, bias, at = optional(rest, 2)
    if at.get("bias_only"):
        weight, bias = None, weight
    return F.layer_norm(x, x.shape[-1:], weight, bias, at.get("eps", 1e-6))


OPS = {"layer_norm": layer_norm}
