"""Pooling."""
import torch.nn.functional as F

OPS = {"max_pool2d": lambda x, at: F.max_pool2d(x, at.get("size", 2), at.get("stride", 2), at.get("padding", 0))}
