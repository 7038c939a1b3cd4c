"""Ops that depend on the order of elements. Of equal elements the first comes first, which PyTorch promises of stable
sorts alone; NaN is larger than every number."""
import numpy as np
import torch


def sort(x, at):
    return torch.sort(x, dim=at.get("axis", -1), descending=at.get("descending", False), stable=True)


def topk(x, at):
    axis, k = at.get("axis", -1), at["k"]
    values, places = torch.sort(x, dim=axis, descending=at.get("largest", True), stable=True)
    return values.narrow(axis, 0, k), places.narrow(axis, 0, k)


def extreme(f):  # NumPy promises the first of equals, and the first NaN
    def run(x, at):
        return torch.from_numpy(np.asarray(f(x.numpy(), axis=at.get("axis", -1), keepdims=at.get("keep", False))))
    return run


def both(f):  # values through the place, as the gradient goes
    def run(x, at):
        axis = at.get("axis", -1)
        place = torch.from_numpy(np.asarray(f(x.detach().float().numpy() if x.dtype == torch.bfloat16
                                              else x.detach().numpy(), axis=axis, keepdims=True)))
        values = torch.gather(x, axis, place)
        return (values, place) if at.get("keep", False) else (values.squeeze(axis), place.squeeze(axis))
    return run


OPS = {
    "sort": lambda x, at: tuple(sort(x, at)),
    "argsort": lambda x, at: sort(x, at).indices,
    "topk": topk,
    "argmax": extreme(np.argmax),
    "argmin": extreme(np.argmin),
    "max": both(np.argmax),
    "min": both(np.argmin),
    "cumsum": lambda x, at: x.cumsum(at.get("axis", -1)),
}

PEERS = {
    "max": lambda x, at: tuple(torch.max(x, at.get("axis", -1), at.get("keep", False))),
    "min": lambda x, at: tuple(torch.min(x, at.get("axis", -1), at.get("keep", False))),
    "sort": lambda x, at: tuple(torch.sort(x, dim=at.get("axis", -1), descending=at.get("descending", False))),
    "argsort": lambda x, at: torch.argsort(x, dim=at.get("axis", -1), descending=at.get("descending", False)),
    "topk": lambda x, at: tuple(torch.topk(x, at["k"], dim=at.get("axis", -1), largest=at.get("largest", True))),
    "argmax": lambda x, at: torch.argmax(x, at.get("axis", -1), at.get("keep", False)),
    "argmin": lambda x, at: torch.argmin(x, at.get("axis", -1), at.get("keep", False)),
}
