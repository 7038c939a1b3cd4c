"""Attention."""
import torch.nn.functional as F


def attention(q, k, v, at):
    scale = at.get("scale") or q.shape[-1] ** -0.5
    return (q @ k.transpose(-1, -2) * scale).softmax(-1) @ v


def packed_attention(qkv, at):
    n, t, c3 = qkv.shape
    heads = at["heads"]
    q, k, v = qkv.reshape(n, t, 3, heads, c3 // 3 // heads).permute(2, 0, 3, 1, 4)
    return attention(q, k, v, at).transpose(1, 2).reshape(n, t, c3 // 3)


def fast(q, k, v, at):
    return F.scaled_dot_product_attention(q, k, v, scale=at.get("scale"))


def fast_packed(qkv, at):
    n, t, c3 = qkv.shape
    q, k, v = qkv.reshape(n, t, 3, at["heads"], c3 // 3 // at["heads"]).permute(2, 0, 3, 1, 4)
    return fast(q, k, v, at).transpose(1, 2).reshape(n, t, c3 // 3)


OPS = {"scaled_dot_product_attention": attention, "packed_attention": packed_attention}
PEERS = {"scaled_dot_product_attention": fast, "packed_attention": fast_packed}
