"""Ops that choose elements by index or by a condition."""
import torch
import torch.nn.functional as F

from twins import optional


def bincount(x, *rest):
    weights, at = optional(rest, 1)
    return torch.bincount(x.long(), weights, at.get("length", 0))


def scatter(x, index, source, at):
    return x.scatter(at["axis"], index, source.expand(index.shape))


OPS = {
    "gather": lambda x, index, at: x.gather(at["axis"], index.long()),
    "take_along": lambda x, index, at: torch.take_along_dim(x, index, at["axis"]),
    "index_select": lambda x, index, at: x.index_select(at["axis"], index),
    "embedding": lambda ids, weight, at: F.embedding(ids, weight, at.get("padding")),
    "scatter": scatter,
    "scatter_add": lambda x, index, source, at: x.scatter_add(at["axis"], index, source),
    "where": lambda mask, a, b, at: torch.where(mask, a, b),
    "masked_fill": lambda x, mask, at: x.masked_fill(mask, at.get("value", 0)),
    "masked_select": lambda x, mask, at: x.masked_select(mask),
    "nonzero": lambda x, at: x.nonzero(),
    "bincount": bincount,
}
