#!/usr/bin/env python3
"""Makes tests/golden/ops.safetensors: what PyTorch computes in float64 for every row of tests/op_cases.h.

    build/cpu/bin/op-cases | python tests/golden/make_ops.py

needs PyTorch 2, NumPy and safetensors. A row's tensors are called OP/ROW/input0 ..., output, dy (the gradient fed to
the output) and gradient0 ... (of the inputs that take one). Inputs and dy are stored in f32, exactly. The metadata
remembers the row each golden was made from, so that the tests see when the table has moved on.
"""
import json
import pathlib
import sys
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 3.5, -3.5, 1e10, -1e10]


def draw(random, spec):
    """Values of one input: float32 (or int64, uint8), so that every precision starts from the same numbers."""
    shape, kind, low, high = spec["shape"], spec["values"], spec["low"], spec["high"]
    n = int(np.prod(shape))
    if kind == "normal":
        x = low + high * random.standard_normal(shape)
    elif kind == "positive":
        x = random.uniform(0.5, 2, shape)
    elif kind == "apart":
        # Around zero without zero itself, shuffled; no more than 3 on either side when that leaves 0.05 between them.
        step = max(0.05, min(1, 6 / max(n, 1)))
        x = (random.permutation(n) - n // 2 + 0.5).reshape(shape) * step
    elif kind == "integers":
        x = random.integers(-2, 3, shape)
    elif kind in ("wide", "wide_positive"):
        x = 10 ** random.uniform(low, high, shape)
        if kind == "wide":
            x = x * random.choice([-1, 1], shape)
    elif kind == "special":
        x = np.resize(SPECIAL, shape)
    elif kind == "labels":
        return random.integers(0, int(high), shape)
    elif kind == "bytes":
        return random.integers(0, 256, shape, dtype=np.uint8)
    else:
        raise ValueError(f"unknown kind of values: {kind}")
    return np.asarray(x, dtype=np.float32)


def reduction(f):
    def run(x, at):
        axes = tuple(at.get("axes", range(x.ndim)))
        return f(x, axes, at.get("keep", False)) if axes else x * 1
    return run


def argmax(x, at):
    return torch.from_numpy(np.asarray(np.argmax(x.numpy(), axis=-1)))  # promises the first of equals


def matmul(a, b, at):
    a = a.transpose(-1, -2) if at.get("transpose_a") else a
    b = b.transpose(-1, -2) if at.get("transpose_b") else b
    return a @ b


def conv2d(x, weight, *rest):
    bias, at = (rest[0] if len(rest) == 2 else None), rest[-1]
    return F.conv2d(x, weight, bias, at.get("stride", 1), at.get("padding", 0), at.get("dilation", 1),
                    at.get("groups", 1))


def layer_norm(x, *rest):
    *affine, at = rest
    if at.get("bias_only"):
        weight, bias = None, affine[0]
    else:
        weight, bias = (affine + [None, None])[:2]
    return F.layer_norm(x, x.shape[-1:], weight, bias, at.get("eps", 1e-6))


def attention(q, k, v, at):
    scale = at.get("scale") or q.shape[-1] ** -0.5
    return (q @ k.transpose(-1, -2) * scale).softmax(-1) @ v


def packed_attention(qkv, at):
    n, t, c3 = qkv.shape
    heads = at["heads"]
    q, k, v = qkv.reshape(n, t, 3, heads, c3 // 3 // heads).permute(2, 0, 3, 1, 4)
    return attention(q, k, v, at).transpose(1, 2).reshape(n, t, c3 // 3)


def normalize_images(x, at):
    return ((x.double() / 255 - torch.tensor(at["mean"]).double()) / torch.tensor(at["std"]).double()).permute(0, 3, 1, 2)


def to(x, at):
    # The engine's f32 run starts from these very numbers, so a conversion has one right answer.
    names = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64,
             "i64": torch.int64, "i32": torch.int32, "bool": torch.bool}
    return x.to(names[at["dtype"]])


def number(f):
    return lambda x, at: f(at["number"], x) if at["left"] else f(x, at["number"])


def pair(f):
    return lambda *x_at: f(x_at[0], x_at[-2])


OPS = {
    **{name: (lambda f: lambda x, at: f(x))(getattr(torch, name))
       for name in ["neg", "exp", "log", "sqrt", "square", "tanh", "sigmoid", "relu"]},
    "gelu": lambda x, at: F.gelu(x),
    "add": pair(torch.add), "sub": pair(torch.sub), "mul": pair(torch.mul), "div": pair(torch.div),
    "operator+": number(lambda a, b: a + b), "operator-": number(lambda a, b: a - b),
    "operator*": number(lambda a, b: a * b), "operator/": number(lambda a, b: a / b),
    "sum": reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "mean": reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "sum_to": lambda x, at: x.sum_to_size(at["shape"]),
    "argmax": argmax,
    "reshape": lambda x, at: x.reshape(at["shape"]),
    "flatten": lambda x, at: x.flatten(at.get("first", 0), at.get("last", -1)),
    "transpose": lambda x, at: x.transpose(at["a"], at["b"]),
    "permute": lambda x, at: x.permute(at["axes"]),
    "narrow": lambda x, at: x.narrow(at["axis"], at["start"], at["length"]),
    "squeeze": lambda x, at: x.squeeze(at["axis"]),
    "unsqueeze": lambda x, at: x.unsqueeze(at["axis"]),
    "expand": lambda x, at: x.expand(at["shape"]),
    "contiguous": lambda x, at: x.transpose(1, 2) * 1 if at.get("transpose") else x * 1,
    "clone": lambda x, at: x.clone(),
    "to": to,
    "cat": lambda *xs_at: torch.cat(xs_at[:-1], xs_at[-1]["axis"]),
    "matmul": matmul,
    "linear": lambda x, w, *rest: F.linear(x, w, rest[0] if len(rest) == 2 else None),
    "conv2d": conv2d,
    "max_pool2d": lambda x, at: F.max_pool2d(x, at.get("size", 2), at.get("stride", 2), at.get("padding", 0)),
    "normalize_images": normalize_images,
    "layer_norm": layer_norm,
    "softmax": lambda x, at: x.softmax(at.get("axis", -1)),
    "cross_entropy": lambda x, y, at: F.cross_entropy(x, y, label_smoothing=at.get("smoothing", 0)),
    "scaled_dot_product_attention": attention,
    "packed_attention": packed_attention,
    "dropout": lambda x, at: F.dropout(x, at["p"]),
}


def make(row):
    """All tensors of one row by their short names."""
    random = np.random.default_rng(zlib.crc32(f"{row['op']}/{row['name']}".encode()))
    inputs = [draw(random, spec) for spec in row["inputs"]]
    xs = []
    for x, spec in zip(inputs, row["inputs"]):
        x = torch.from_numpy(x)
        x = x.double() if x.is_floating_point() else x
        xs.append(x.requires_grad_(spec["gradient"]))
    y = OPS[row["op"]](*xs, row["attributes"])
    out = {f"input{i}": x for i, x in enumerate(inputs)}
    out["output"] = y.detach().double().numpy()
    if y.requires_grad:
        dy = torch.from_numpy(random.standard_normal(y.shape).astype(np.float32)).double()
        dy = dy.to(y.dtype)
        out["dy"] = dy.float().numpy()
        y.backward(dy)
        out.update({f"gradient{i}": x.grad.numpy() for i, x in enumerate(xs) if x.requires_grad})
    return out


def main():
    rows = json.load(sys.stdin)
    tensors, metadata = {}, {}
    for row in rows:
        key = f"{row['op']}/{row['name']}"
        metadata[key] = json.dumps(row, sort_keys=True, separators=(",", ":"))
        tensors.update({f"{key}/{name}": np.ascontiguousarray(x).reshape(x.shape) for name, x in make(row).items()})
    path = pathlib.Path(__file__).parent / "ops.safetensors"
    save_file(tensors, path, metadata)
    print(f"{path}: {len(rows)} rows, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
