#!/usr/bin/env python3
"""What result files of `./dev bench peers` say in short, as Markdown: docs/speed.md is made of it.

    python3 bench/peers_summary.py bench/results/cpu-peers-*.json

Prints, for each file, how many rows are at least as fast as PyTorch's, medians by kind of op, and every row below 0.95x.
"""
import json
import statistics
import sys

# kind, the beginnings of its rows' names
KINDS = [
    ("products", ("matmul", "linear")),
    ("convolutions", ("conv",)),
    ("attention", ("scaled_dot_product", "packed_attention")),
    ("norms", ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")),
    ("softmax and losses", ("softmax", "log_softmax", "cross_entropy", "binary_cross_entropy", "huber", "mse", "l1", "smooth_l1", "kl", "nll", "cosine")),
    ("pooling and interpolation", ("max_pool", "avg_pool", "adaptive", "interpolate")),
    ("reductions", ("sum", "mean", "var", "std", "amax", "amin", "prod", "any", "all", "logsumexp", "norm/", "count_nonzero")),
    ("indices and order", ("gather", "scatter", "index", "take", "embedding", "one_hot", "bincount", "nonzero", "masked", "where",
                           "sort", "argsort", "topk", "max/", "min/", "argmax", "argmin", "cumsum", "tri")),
    ("random numbers", ("dropout", "stochastic", "random", "uniform", "normal", "bernoulli", "permutation", "truncated")),
    ("copies and views", ("cat", "stack", "pad", "flip", "roll", "repeat", "clone", "copy", "contiguous", "to_", "cast", "arange",
                          "linspace", "eye", "unfold", "full", "normalize_images")),
]


def kind_of(row):
    """The kind of a row; what no other kind names is a pointwise op."""
    return next((kind for kind, names in KINDS if row.startswith(names)), "pointwise")


def speeds(rows, dtype, mode):
    """Medians of iskra's speed over PyTorch's by kind, and how many rows each has."""
    by_kind = {}
    for row in rows:
        if row["dtype"] == dtype and row["mode"] == mode:
            by_kind.setdefault(kind_of(row["row"]), []).append(row["speed_over_pytorch"])
    return {kind: (statistics.median(values), len(values)) for kind, values in by_kind.items()}


def summarize(path):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    rows = [row for row in result["rows"] if row.get("speed_over_pytorch")]
    all_speeds = [row["speed_over_pytorch"] for row in rows]
    direct = [row for row in result["rows"] if row.get("speed_over_onednn")]
    print(f"### {result['cpu']}, {result['threads']} threads (`{path}`)\n")
    print(f"{sum(s >= 1 for s in all_speeds)} of {len(rows)} rows are at least as fast as PyTorch's, "
          f"{sum(s >= 0.95 for s in all_speeds)} at least 0.95x; the median is {statistics.median(all_speeds):.2f}x. "
          f"Of {len(direct)} products and convolutions beside oneDNN called directly, "
          f"{sum(row['speed_over_onednn'] >= 0.95 for row in direct)} are at least 0.95x.\n")
    columns = [(dtype, mode) for dtype in ("f32", "bf16") for mode in ("forward", "step")]
    tables = [speeds(rows, *column) for column in columns]
    print("| median over PyTorch | " + " | ".join(f"{dtype} {mode}" for dtype, mode in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for kind in ["pointwise"] + [kind for kind, _ in KINDS]:
        cells = [f"{table[kind][0]:.2f}x ({table[kind][1]})" if kind in table else "" for table in tables]
        print(f"| {kind} | " + " | ".join(cells) + " |")
    print("\nBelow 0.95x (both sides' noise in brackets):\n")
    for row in sorted(rows, key=lambda row: row["speed_over_pytorch"]):
        if row["speed_over_pytorch"] < 0.95:
            print(f"- `{row['row']}` {row['dtype']} {row['mode']} {row['speed_over_pytorch']:.2f}x "
                  f"(±{100 * row['iskra_noise']:.0f} %, ±{100 * row['pytorch_noise']:.0f} %)")
    print()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        summarize(name)
