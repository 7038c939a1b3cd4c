"""Normalization layers."""
import torch
import torch.nn.functional as F

from twins import optional


def layer_norm(x, *rest):
    weight, bias, at = optional(rest, 2)
    if at.get("bias_only"):
        weight, bias = None, weight
    return F.layer_norm(x, x.shape[-at.get("axes", 1):], weight, bias, at.get("eps", 1e-6))


def rms_norm(x, *rest):
    weight, at = optional(rest, 1)
    return F.rms_norm(x, x.shape[-at.get("axes", 1):], weight, at.get("eps", 1e-6))


def batch_norm(x, mean, var, *rest):
    weight, bias, at = optional(rest, 2)
    mean, var, training = mean.clone(), var.clone(), at.get("training", False)
    if at.get("forgetful"):
        return F.batch_norm(x, None, None, weight, bias, training)
    y = F.batch_norm(x, mean, var, weight, bias, training, at.get("momentum", 0.1), at.get("eps", 1e-5))
    return (mean, var) if at.get("running") else y


def group_norm(x, *rest):
    weight, bias, at = optional(rest, 2)
    return F.group_norm(x, at["groups"], weight, bias, at.get("eps", 1e-5))


def instance_norm(x, *rest):
    weight, bias, at = optional(rest, 2)
    return F.instance_norm(x, weight=weight, bias=bias, eps=at.get("eps", 1e-5))


OPS = {"layer_norm": layer_norm, "rms_norm": rms_norm, "batch_norm": batch_norm, "group_norm": group_norm,
       "instance_norm": instance_norm}
