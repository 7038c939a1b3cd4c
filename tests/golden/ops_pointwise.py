"""Pointwise ops."""
import torch
import torch.nn.functional as F

from twins import plain


def pair(f):
    """One input: the op of a tensor with itself."""
    return lambda *xs_at: f(xs_at[0], xs_at[-2])


def number(f):
    return lambda x, at: f(at["number"], x) if at["left"] else f(x, at["number"])


OPS = {
    **{name: plain(getattr(torch, name))
       for name in ["neg", "exp", "log", "sqrt", "square", "tanh", "sigmoid", "relu"]},
    "gelu": plain(F.gelu),
    **{name: pair(getattr(torch, name)) for name in ["add", "sub", "mul", "div"]},
    "operator+": number(lambda a, b: a + b), "operator-": number(lambda a, b: a - b),
    "operator*": number(lambda a, b: a * b), "operator/": number(lambda a, b: a / b),
}
