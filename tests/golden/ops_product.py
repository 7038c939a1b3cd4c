"""Matrix products."""
import torch.nn.functional as F

from twins import optional


def matmul(a, b, at):
    a = a.transpose(-1, -2) if at.get("transpose_a") else a
    b = b.transpose(-1, -2) if at.get("transpose_b") else b
    return a @ b


def linear(x, weight, *rest):
    bias, _ = optional(rest, 1)
    return F.linear(x, weight, bias)


OPS = {"matmul": matmul, "linear": linear}
