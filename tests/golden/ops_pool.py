"""Pooling and resizing."""
import torch.nn.functional as F


def max_pool2d(x, at):
    return F.max_pool2d(x, at.get("size", 2), at.get("stride", 2), at.get("padding", 0), at.get("dilation", 1),
                        at.get("ceil_mode", False))


def avg_pool2d(x, at):
    return F.avg_pool2d(x, at.get("size", 2), at.get("stride", 2), at.get("padding", 0), at.get("ceil_mode", False),
                        at.get("count_include_pad", True))


def adaptive(pool):
    def twin(x, at):
        if x.shape[0] == 0:  # PyTorch refuses it
            return x.new_zeros(0, x.shape[1], at["height"], at["width"]) + x.sum()
        return pool(x, (at["height"], at["width"]))
    return twin


def interpolate(x, at):
    mode = at.get("mode", "nearest")
    if x.shape[0] == 0:  # PyTorch refuses it
        return x.new_zeros(0, x.shape[1], *at["size"]) + x.sum()
    smooth = mode != "nearest"
    return F.interpolate(x, at.get("size"), at.get("scale"), mode,
                         align_corners=at.get("align_corners", False) if smooth else None,
                         antialias=at.get("antialias", False))


OPS = {"max_pool2d": max_pool2d, "avg_pool2d": avg_pool2d, "adaptive_avg_pool2d": adaptive(F.adaptive_avg_pool2d),
       "adaptive_max_pool2d": adaptive(F.adaptive_max_pool2d), "interpolate": interpolate}
