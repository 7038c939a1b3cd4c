"""Reductions."""


def reduction(f):
    def run(x, at):
        axes = tuple(at.get("axes", range(x.ndim)))
        return f(x, axes, at.get("keep", False)) if axes else x * 1
    return run


OPS = {
    "sum": reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "mean": reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "sum_to": lambda x, at: x.sum_to_size(at["shape"]),
}
PEERS = {"argmax": lambda x, at: x.argmax(-1)}
