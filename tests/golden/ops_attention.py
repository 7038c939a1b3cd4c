"""Attention."""


def attention(q, k, v, at):
    scale = at.get("scale") or q.shape[-1] ** -0.5
    return (q @ k.transpose(-1, -2) * scale).softmax(-1) @ v


def packed_attention(qkv, at):
    n, t, c3 = qkv.shape
    heads = at["heads"]
    q, k, v = qkv.reshape(n, t, 3, heads, c3 // 3 // heads).permute(2, 0, 3, 1, 4)
    return attention(q, k, v, at).transpose(1, 2).reshape(n, t, c3 // 3)


OPS = {"scaled_dot_product_attention": attention, "packed_attention": packed_attention}
