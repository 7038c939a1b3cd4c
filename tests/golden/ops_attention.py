"""Attention."""
import torch
import torch.nn.functional as F


def attention(q, k, v, *rest):
    *masks, at = rest
    mask = None
    if masks or at.get("causal"):
        scores = (*q.shape[:3], k.shape[2])
        mask = torch.zeros(scores, dtype=q.dtype)
        if masks and masks[0].dtype == torch.bool:
            mask = mask.masked_fill(~masks[0], float("-inf"))
        elif masks:
            mask = mask + masks[0]
        if at.get("causal"):
            mask = mask.masked_fill(torch.ones(scores[2:], dtype=torch.bool).tril().logical_not(), float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, mask, scale=at.get("scale"), enable_gqa=q.shape[1] != k.shape[1])


def packed_attention(qkv, *rest):
    n, t, c3 = qkv.shape
    heads = rest[-1]["heads"]
    q, k, v = qkv.reshape(n, t, 3, heads, c3 // 3 // heads).permute(2, 0, 3, 1, 4)
    return attention(q, k, v, *rest).transpose(1, 2).reshape(n, t, c3 // 3)


OPS = {"scaled_dot_product_attention": attention, "packed_attention": packed_attention}
