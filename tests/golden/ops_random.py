"""Ops that draw random numbers: only rows without chance in them have a golden."""
import torch.nn.functional as F

OPS = {"dropout": lambda x, at: F.dropout(x, at["p"])}
