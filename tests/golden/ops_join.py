"""Ops that move whole blocks of elements."""
import torch
import torch.nn.functional as F


def cat(*xs_at):
    *xs, at = xs_at
    return torch.cat(xs, at["axis"])


def split(x, at):
    return torch.split(x, at["size"], at["axis"])


def pad(x, at):
    mode, amounts = at.get("mode", "constant"), at["amounts"]
    if mode == "constant":
        return F.pad(x, amounts, value=at.get("value", 0))
    # PyTorch wants the number of axes to follow from the amounts, and does not cut in these modes.
    cuts = [min(a, 0) for a in amounts]
    return F.pad(F.pad(x, cuts), [max(a, 0) for a in amounts], mode=mode)


OPS = {
    "cat": cat,
    "stack": lambda *xs_at: torch.stack(xs_at[:-1], xs_at[-1]["axis"]),
    "split": split,
    "chunk": lambda x, at: torch.chunk(x, at["count"], at["axis"]),
    "repeat": lambda x, at: x.repeat(at["counts"]),
    "flip": lambda x, at: x.flip(at["axes"]),
    "roll": lambda x, at: x.roll(at["shifts"], at["axes"]),
    "tril": lambda x, at: x.tril(at.get("k", 0)),
    "triu": lambda x, at: x.triu(at.get("k", 0)),
    "pad": pad,
}
