#!/usr/bin/env python3
"""Makes tests/golden/ops_FAMILY.safetensors: what PyTorch computes in float64 for every row of tests/op_cases.h.

    build/cpu/bin/op-cases | python tests/golden/make_ops.py [FAMILY...]

needs PyTorch 2, NumPy and safetensors. Makes the families whose rows have changed, and those named (do name a family
when its twins in ops_FAMILY.py have changed). A row's tensors are called OP/ROW/input0 ..., output, dy (the gradient
fed to the output) and gradient0 ... (of the inputs that take one); of an op with several outputs output0 ... and
dy0 .... Inputs and dy are stored in f32, exactly. output_half, gradient0_half ... are what float64 makes of the inputs
and dy rounded to bf16: what 16-bit runs are held against. The metadata remembers the row each golden was made from, so
that the tests see when the table has moved on.
"""
import importlib
import json
import pathlib
import sys
import zlib

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from twins import DTYPES

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 3.5, -3.5, 1e10, -1e10]


def draw(random, spec):
    """Values of one input, as a float32 tensor so that every precision starts from the same numbers, or in its own
    integer type."""
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
    elif kind in ("wide", "wide_positive"):
        x = 10 ** random.uniform(low, high, shape)
        if kind == "wide":
            x = x * random.choice([-1, 1], shape)
    elif kind == "special":
        x = np.resize(SPECIAL, shape)
    elif kind == "whole":
        x = random.integers(int(low), int(high) + 1, shape)
    elif kind == "permutation":
        x = random.permutation(n).reshape(shape)
    else:
        raise ValueError(f"unknown kind of values: {kind}")
    x = torch.from_numpy(np.asarray(x))
    own = DTYPES[spec.get("dtype", "f32")]
    return x.to(torch.float32 if own.is_floating_point else own)


def to_double(x, half=False):
    if not x.is_floating_point():
        return x
    return (x.bfloat16() if half else x).double()


def run(twin, row, inputs, dys, half=False):
    """Outputs, and gradients by the number of their input. An empty `dys` is filled."""
    random = np.random.default_rng(zlib.crc32(f"dy of {row['op']}/{row['name']}".encode()))
    xs = [to_double(x, half) for x in inputs]
    for x, spec in zip(xs, row["inputs"]):
        x.requires_grad_(spec["gradient"])
    ys = twin(*xs, row["attributes"])
    ys = list(ys) if isinstance(ys, (tuple, list)) else [ys]
    if not dys:
        dys += [torch.from_numpy(np.asarray(random.standard_normal(y.shape), np.float32)).to(y.dtype).float()
                if y.requires_grad else None for y in ys]
    recorded = [(y, to_double(dy, half).to(y.dtype)) for y, dy in zip(ys, dys) if y.requires_grad]
    if recorded:
        torch.autograd.backward(*zip(*recorded))
    return ys, {i: torch.zeros_like(x) if x.grad is None else x.grad for i, x in enumerate(xs) if x.requires_grad}


def make(twin, row):
    """All tensors of one row by their short names."""
    random = np.random.default_rng(zlib.crc32(f"{row['op']}/{row['name']}".encode()))
    inputs, dys = [draw(random, spec) for spec in row["inputs"]], []
    ys, gradients = run(twin, row, inputs, dys)
    numbers = range(len(ys)) if len(ys) > 1 else [""]
    out = {f"input{i}": x for i, x in enumerate(inputs)}
    for number, y, dy in zip(numbers, ys, dys):
        y = y.detach()
        out[f"output{number}"] = y.double() if y.is_floating_point() else y
        if dy is not None:
            out[f"dy{number}"] = dy
    out.update({f"gradient{i}": g for i, g in gradients.items()})
    if any(x.is_floating_point() for x in inputs):
        half_ys, half_gradients = run(twin, row, inputs, dys, half=True)
        for number, y in zip(numbers, half_ys):
            out[f"output{number}_half"] = y.detach().float() if y.is_floating_point() else y
        out.update({f"gradient{i}_half": g.float() for i, g in half_gradients.items()})
        for name in [name for name in out if name.endswith("_half")]:  # what rounding left as it was
            if out[name].double().equal(out[name[:-5]].double()):
                del out[name]
    return {name: np.ascontiguousarray(x.numpy()).reshape(x.shape) for name, x in out.items()}


def metadata_of(path):
    if not path.exists():
        return {}
    with safe_open(path, "np") as file:
        return file.metadata()


def main():
    families, forced = json.load(sys.stdin), sys.argv[1:]
    folder = pathlib.Path(__file__).parent
    for family in forced:
        if family not in families:
            sys.exit(f"make_ops.py: no family '{family}' has rows; these have: {' '.join(families)}")
    for path in folder.glob("ops_*.safetensors"):
        if path.stem[4:] not in families:
            path.unlink()
    for family, rows in families.items():
        path = folder / f"ops_{family}.safetensors"
        metadata = {f"{row['op']}/{row['name']}": json.dumps(row, sort_keys=True, separators=(",", ":"))
                    for row in rows}
        if family not in forced and metadata_of(path) == metadata:
            continue
        twins = importlib.import_module(f"ops_{family}").OPS
        tensors = {f"{row['op']}/{row['name']}/{name}": x
                   for row in rows for name, x in make(twins[row["op"]], row).items()}
        save_file(tensors, path, metadata)
        print(f"{path}: {len(rows)} rows, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
