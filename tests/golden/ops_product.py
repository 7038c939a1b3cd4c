"""Matrix products."""
import torch.nn.functional as F

from twins import fused, optional


def matmul(a, b, at):
    a = a.transpose(-1, -2) if at.get("transpose_a") else a
    b = b.transpose(-1, -2) if at.get("transpose_b") else b
    return a @ b


def linear(x, weight, *rest):
    bias, residual, at = optional(rest, 2)
    return fused(F.linear(x, weight, bias), residual, at)


OPS = {"matmul": matmul, "linear": linear}
