"""Pointwise ops."""
import torch
import torch.nn.functional as F

from twins import plain


def pair(f):
    """One input: the op of a tensor with itself."""
    return lambda *xs_at: f(xs_at[0], xs_at[-2])


def number(f):
    return lambda x, at: f(at["number"], x) if at["left"] else f(x, at["number"])


def either(f):
    def run(*xs_at):
        *xs, at = xs_at
        if len(xs) > 1:
            return f(*xs)
        c = torch.tensor(at["number"])
        return f(c, xs[0]) if at["left"] else f(xs[0], c)
    return run


def power(*xs_at):
    *xs, at = xs_at
    if "number" not in at:
        return torch.pow(xs[0], xs[-1])
    return torch.pow(at["number"], xs[0]) if at.get("left") else torch.pow(xs[0], at["number"])


def compare(f):
    return lambda *xs_at: f(xs_at[0], xs_at[-1]["number"] if "number" in xs_at[-1] else xs_at[1])


def logic(f):
    return lambda *xs_at: f(xs_at[0], torch.tensor(xs_at[-1]["number"]) if "number" in xs_at[-1] else xs_at[1])


OPS = {
    **{name: plain(getattr(torch, name))
       for name in ["neg", "abs", "sign", "floor", "ceil", "round", "trunc", "exp", "expm1", "log", "log1p", "log2",
                    "sqrt", "rsqrt", "reciprocal", "square", "sin", "cos", "tan", "tanh", "sigmoid", "erf", "relu",
                    "logical_not"]},
    **{name: plain(getattr(F, name)) for name in ["gelu", "silu", "mish", "hardswish"]},
    "hardsigmoid": plain(lambda x: F.hardtanh(x + 3, 0, 6) / 6),  # its own gradient has 1 / 6 in float32
    "gelu_tanh": plain(lambda x: F.gelu(x, approximate="tanh")),
    **{"is_" + name: plain(getattr(torch, "is" + name)) for name in ["nan", "inf", "finite"]},
    **{name: pair(getattr(torch, name))
       for name in ["add", "sub", "mul", "div", "minimum", "maximum", "remainder"]},
    "floor_divide": pair(lambda a, b: torch.div(a, b, rounding_mode="floor")),
    "pow": power,
    **{name: compare(getattr(torch, name)) for name in ["eq", "ne", "lt", "le", "gt", "ge"]},
    **{name: logic(getattr(torch, name)) for name in ["logical_and", "logical_or", "logical_xor"]},
    "leaky_relu": lambda x, at: F.leaky_relu(x, at.get("slope", 0.01)),
    "elu": lambda x, at: F.elu(x, at.get("alpha", 1.0)),
    "softplus": lambda x, at: F.softplus(x, at.get("beta", 1.0), at.get("threshold", 20.0)),
    "clamp": lambda x, at: torch.clamp(x, at.get("low"), at.get("high")),
    "operator+": number(lambda a, b: a + b), "operator-": number(lambda a, b: a - b),
    "operator*": number(lambda a, b: a * b), "operator/": number(lambda a, b: a / b),
    "operator<": either(torch.lt), "operator<=": either(torch.le),
    "operator>": either(torch.gt), "operator>=": either(torch.ge),
}
