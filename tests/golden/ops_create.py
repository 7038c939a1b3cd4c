"""Ops that make tensors of nothing but numbers."""
import torch
import torch.nn.functional as F

from twins import DTYPES


def exact(x, at):
    """Computed in float64 and rounded to the row's type once."""
    return x.to(DTYPES[at.get("dtype", "f32")])


def arange(at):
    if "n" in at:
        return torch.arange(at["n"])
    return exact(torch.arange(at["start"], at["end"], at["step"], dtype=torch.float64), at)


def eye(at):
    return exact(torch.eye(at["rows"], at.get("columns", at["rows"]), dtype=torch.float64), at)


OPS = {
    "arange": arange,
    "linspace": lambda at: exact(torch.linspace(at["start"], at["end"], at["count"], dtype=torch.float64), at),
    "eye": eye,
    "one_hot": lambda x, at: F.one_hot(x, at["classes"]).to(DTYPES[at.get("dtype", "i64")]),
}
