#!/usr/bin/env python3
"""Every benchmark row of the op table beside PyTorch's op, and products and convolutions beside oneDNN called directly.

    ./dev bench peers [OPTION...]

needs PyTorch 2 (ISKRA_PEER_PYTHON names a Python that has it). All sides run in one go, turn by turn, with the same
number of threads; a figure is the median over turns of each turn's median, its noise their spread. PyTorch runs the
twins of tests/golden/ops_FAMILY.py, or what the same file lists under PEERS as what PyTorch's users call for speed.
Prints the table, rows below 1.0x marked `<`, and writes it to bench/results/cpu-peers-DATE.json.
"""
import argparse
import datetime
import importlib
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/golden"))

try:
    import torch
except ImportError:
    sys.exit("op_peers.py: this Python has no PyTorch; set ISKRA_PEER_PYTHON to one that has (pip install torch makes one)")

from twins import DTYPES

ARGS = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ARGS.add_argument("bench", help="the iskra-bench program")
ARGS.add_argument("--rows", default="", help="regular expression on OP/ROW; rows called mini serve tests and are left out")
ARGS.add_argument("--dtypes", default="f32,bf16")
ARGS.add_argument("--modes", default="forward,step")
ARGS.add_argument("--turns", type=int, default=5)
ARGS.add_argument("--seconds", type=float, default=0.06, help="of one turn of one side")
ARGS.add_argument("--out", help="file of the results")


class Iskra:
    """iskra-bench --serve, asked one thing at a time."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **what):
        print(json.dumps(what), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"op_peers.py: iskra-bench ended at {what}")
        return json.loads(line)


def draw(spec, dtype):
    shape, low, high = spec["shape"], int(spec["low"]), int(spec["high"])
    dtype = DTYPES[spec.get("dtype", dtype)]
    kind = spec["values"]
    if kind == "permutation":
        return torch.arange(torch.Size(shape).numel()).flip(0).reshape(shape).to(dtype)
    if kind == "whole":
        return torch.randint(low, high + 1, shape).to(dtype)
    x = torch.rand(shape) * 1.5 + 0.5 if kind == "positive" else torch.randn(shape)
    x = x.to(dtype)
    return x.to(memory_format=torch.channels_last) if spec["channels_last"] else x


class Twin:
    """One row in PyTorch, ready to be timed as iskra's row is."""

    def __init__(self, row, dtype, step):
        module = importlib.import_module("ops_" + row["family"])
        self.op = {**module.OPS, **getattr(module, "PEERS", {})}[row["op"]]
        self.at, self.step = row["attributes"], step
        self.xs = [draw(spec, dtype) for spec in row["inputs"]]
        for x, spec in zip(self.xs, row["inputs"]):
            x.requires_grad_(step and spec["gradient"] and x.is_floating_point())
        self.y = None
        self.dy = torch.ones_like(self.forward()) if step else None
        self.run()

    def forward(self):
        y = self.op(*self.xs, self.at)
        return y[0] if isinstance(y, (tuple, list)) else y

    def run(self):
        for x in self.xs:
            x.grad = None
        self.y = None
        self.y = self.forward()
        if self.step:
            self.y.backward(self.dy)

    def seconds(self, budget):
        """As bench/timing.h."""
        def timed(batch):
            start = time.perf_counter()
            for _ in range(batch):
                self.run()
            return (time.perf_counter() - start) / batch
        with torch.set_grad_enabled(self.step):
            batch = min(max(int(100e-6 / timed(1)), 1), 1000)
            samples = []
            while budget > 0 or len(samples) < 3:
                samples.append(timed(batch))
                budget -= samples[-1] * batch
        return statistics.median(samples)


def measure(iskra, row, dtype, mode, args):
    """One line of the table, or None where iskra has nothing to measure."""
    name = f"{row['op']}/{row['name']}"
    question = {"row": name, "dtype": dtype, "mode": mode, "seconds": args.seconds}
    turns = {"iskra": [], "pytorch": [], "onednn": []}
    line = {"row": name, "dtype": dtype, "mode": mode}
    try:
        with torch.set_grad_enabled(mode == "step"):
            twin = Twin(row, dtype, mode == "step")
    except (RuntimeError, NotImplementedError) as error:
        twin, line["pytorch_error"] = None, str(error).splitlines()[0]
    for _ in range(args.turns):
        for side in ("iskra", "onednn"):
            answer = iskra.ask(side=side, **question)
            if "error" in answer:
                sys.exit(f"op_peers.py: {name} {dtype} {mode}: {answer['error']}")
            if side == "iskra":
                work = answer
            if answer:
                turns[side].append(answer["seconds_median"])
        if twin:
            turns["pytorch"].append(twin.seconds(args.seconds))
    for side, seconds in turns.items():
        if seconds:
            line[f"{side}_seconds_median"] = statistics.median(seconds)
            line[f"{side}_noise"] = round((max(seconds) - min(seconds)) / statistics.median(seconds), 3)
    for side in ("pytorch", "onednn"):
        if turns[side]:
            line[f"speed_over_{side}"] = round(line[f"{side}_seconds_median"] / line["iskra_seconds_median"], 3)
    if work["flops"] > 0:
        line["flops_per_s"] = work["flops"] / line["iskra_seconds_median"]
        peak = iskra.ask(peak="product", dtype=dtype)["per_s"]
        line["of_product_rate"] = round(line["flops_per_s"] / peak, 3) if peak else None
    else:
        line["bytes_per_s"] = work["bytes"] / line["iskra_seconds_median"]
        line["of_copy_rate"] = round(line["bytes_per_s"] / iskra.ask(peak="copy", bytes=work["bytes"])["per_s"], 3)
    return line


def show(line):
    rate = (f"{line['flops_per_s'] / 1e9:8.1f} GFLOP/s {line['of_product_rate'] or 0:5.2f} of product"
            if "flops_per_s" in line else
            f"{line['bytes_per_s'] / 1e9:8.1f} GB/s    {line['of_copy_rate']:5.2f} of copy   ")
    ratio = line.get("speed_over_pytorch")
    pytorch = (f"{line['pytorch_seconds_median'] * 1e6:10.1f} us {ratio:5.2f}x {'<' if ratio < 1 else ' '}"
               if ratio else f"{'-':>10}    {'-':>5}   ")
    onednn = f" oneDNN {line['speed_over_onednn']:5.2f}x" if "speed_over_onednn" in line else ""
    print(f"{line['row']:<44}{line['dtype']:<5}{line['mode']:<8}{line['iskra_seconds_median'] * 1e6:10.1f} us"
          f" ±{line['iskra_noise'] * 50:3.0f}%  PyTorch {pytorch} {rate}{onednn}", flush=True)


def machine(about):
    with open("/proc/cpuinfo") as info:
        cpu = next((line.split(": ")[1].strip() for line in info if line.startswith("model name")), "unknown")
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    dirty = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True).stdout.strip() != ""
    return {"commit": commit + ("+" if dirty else ""), "date": datetime.datetime.now().isoformat(timespec="seconds"),
            "cpu": cpu, "isa": about["isa"], "threads": about["threads"], "system": platform.system(),
            "load_before": os.getloadavg()[0], "pytorch": torch.__version__}


def main():
    args = ARGS.parse_args()
    iskra = Iskra(args.bench)
    about = iskra.ask(rows=True)
    torch.set_num_threads(about["threads"])
    torch.manual_seed(0)
    head = machine(about)
    head["memory_copy_bytes_per_s"] = iskra.ask(peak="copy", bytes=2**29)["per_s"]
    lines = []
    for row in about["rows"]:
        if row["name"] == "mini" or not re.search(args.rows, f"{row['op']}/{row['name']}"):
            continue
        for dtype in row["dtypes"]:
            if dtype not in args.dtypes.split(",") and row["dtypes"] != [dtype]:
                continue
            for mode in args.modes.split(","):
                if mode == "forward" or row["step"]:
                    lines.append(measure(iskra, row, dtype, mode, args))
                    show(lines[-1])
    below = [line for line in lines if line.get("speed_over_pytorch", 1) < 1]
    print(f"{len(lines)} rows; {len(below)} below PyTorch", *(f"  {x['row']} {x['dtype']} {x['mode']} "
          f"{x['speed_over_pytorch']}x" for x in below), sep="\n")
    out = pathlib.Path(args.out or ROOT / f"bench/results/cpu-peers-{datetime.date.today()}.json")
    out.write_text(json.dumps({**head, "turns": args.turns, "seconds_per_turn": args.seconds, "rows": lines}, indent=1) + "\n")
    print(out)


if __name__ == "__main__":
    main()
