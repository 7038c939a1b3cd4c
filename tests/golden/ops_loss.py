"""Losses."""
import torch.nn.functional as F

from twins import optional


def how(at):
    return {"reduction": at.get("reduction", "mean")}


def cross_entropy(x, target, *rest):
    weight, at = optional(rest, 1)
    return F.cross_entropy(x, target, weight, ignore_index=at.get("ignore_index", -100),
                           label_smoothing=at.get("smoothing", 0), **how(at))


def nll_loss(x, labels, *rest):
    weight, at = optional(rest, 1)
    return F.nll_loss(x, labels, weight, ignore_index=at.get("ignore_index", -100), **how(at))


def bce(x, target, *rest):
    first, second, at = optional(rest, 2)
    if at.get("pos_weight_only"):
        first, second = None, first
    return F.binary_cross_entropy_with_logits(x, target, first, pos_weight=second, **how(at))


OPS = {
    "cross_entropy": cross_entropy,
    "nll_loss": nll_loss,
    "binary_cross_entropy_with_logits": bce,
    "mse_loss": lambda x, t, at: F.mse_loss(x, t, **how(at)),
    "l1_loss": lambda x, t, at: F.l1_loss(x, t, **how(at)),
    "smooth_l1_loss": lambda x, t, at: F.smooth_l1_loss(x, t, beta=at.get("beta", 1), **how(at)),
    "huber_loss": lambda x, t, at: F.huber_loss(x, t, delta=at.get("delta", 1), **how(at)),
    "kl_div": lambda x, t, at: F.kl_div(x, t, log_target=at.get("log_target", False), **how(at)),
    "cosine_similarity": lambda a, b, at: F.cosine_similarity(a, b, at.get("axis", 1), at.get("eps", 1e-8)),
}
