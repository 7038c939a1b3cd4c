"""Reductions."""
import torch


def reduction(f):
    def run(x, at):
        axes = tuple(at.get("axes", range(x.ndim)))
        return f(x, axes, at.get("keep", False)) if axes else x * 1
    return run


def product(x, axes, keep):
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def statistic(f):
    return lambda x, at: f(x, tuple(at.get("axes", range(x.ndim))), correction=at.get("correction", 1),
                           keepdim=at.get("keep", False))


def norm(x, at):
    axes = tuple(at.get("axes", range(x.ndim)))
    return torch.linalg.vector_norm(x, float(at.get("p", 2)), axes or None, at.get("keep", False))


def flags(f):
    def run(x, axes, keep):
        x = x != 0
        for axis in sorted(axes, reverse=True):
            x = f(x, axis, keep)
        return x
    return lambda x, at: run(x, [a % x.ndim for a in at.get("axes", range(x.ndim))], at.get("keep", False))


def count(x, at):
    axes = [a % x.ndim for a in at.get("axes", range(x.ndim))]
    y = (x != 0).long()
    return y.sum(axes, keepdim=at.get("keep", False)) if axes else y


OPS = {
    "any": flags(lambda x, axis, keep: x.any(axis, keep)),
    "all": flags(lambda x, axis, keep: x.all(axis, keep)),
    "count_nonzero": count,
    "prod": reduction(lambda x, axes, keep: product(x, [a % x.ndim for a in axes], keep)),
    "amax": reduction(lambda x, axes, keep: x.amax(axes, keep)),
    "amin": reduction(lambda x, axes, keep: x.amin(axes, keep)),
    "var": statistic(torch.var),
    "std_dev": statistic(torch.std),
    "var_mean": statistic(torch.var_mean),
    "logsumexp": reduction(lambda x, axes, keep: x.logsumexp(axes, keep)),
    "norm": norm,
    "sum": reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "mean": reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "sum_to": lambda x, at: x.sum_to_size(at["shape"]),
}
