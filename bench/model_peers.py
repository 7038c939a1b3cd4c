#!/usr/bin/env python3
"""Training and inference throughput of the zoo's small models beside PyTorch's, in one run, turn by turn.

    python3 bench/model_peers.py build/cpu/bin/iskra > bench/results/cpu-models-DATE.json

needs PyTorch 2. Both sides train on random pictures, batch 64, f32, all threads, AdamW; each figure is the median step
of its turns. `iskra` is measured as it starts itself, and with OpenMP's own way of waiting (OMP_WAIT_POLICY=active).
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import time

import torch
from torch import nn

ARGS = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ARGS.add_argument("iskra", help="the iskra program")
ARGS.add_argument("--turns", type=int, default=3)
ARGS.add_argument("--seconds", type=float, default=3, help="of one turn")
ARGS.add_argument("--batch", type=int, default=64)


class Vit(nn.Module):
    def __init__(self, width=64, depth=4, heads=4, classes=10):
        super().__init__()
        self.embed = nn.Conv2d(1, width, 4, 4)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.pos = nn.Parameter(torch.zeros(1, 50, width))
        block = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width, 1e-6), nn.Linear(width, classes)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
        return self.head(self.norm(self.blocks(x)[:, 0]))


def vgg():
    layers, width = [], 1
    for out in (32, 32, 0, 64, 64, 0, 128, 0):
        layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU()] if out else [nn.MaxPool2d(2)]
        width = out or width
    layers += [nn.Flatten(), nn.Linear(9 * 128, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def pytorch(arch, mode, args):
    torch.manual_seed(0)
    model = Vit() if arch == "vit_mini" else vgg()
    x, y = torch.randn(args.batch, 1, 28, 28), torch.randint(0, 10, (args.batch,))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    model.train(mode == "train")

    def step():
        if mode == "infer":
            with torch.inference_mode():
                return model(x)
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    seconds, end = [], time.perf_counter() + args.seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return args.batch / statistics.median(seconds)


def iskra(arch, mode, args, environment):
    command = [args.iskra, "bench", "model", "--arch", arch, "--mode", mode, "--batch", str(args.batch), "--seconds",
               str(args.seconds), "--json"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **environment}).stdout
    return json.loads(out.splitlines()[-1])["images_per_s_median"]


def main():
    args = ARGS.parse_args()
    torch.set_num_threads(os.cpu_count())
    sides = {
        "iskra": lambda a, m: iskra(a, m, args, {}),
        "iskra, OMP_WAIT_POLICY=active": lambda a, m: iskra(a, m, args, {"OMP_WAIT_POLICY": "active"}),
        "pytorch " + torch.__version__: lambda a, m: pytorch(a, m, args),
    }
    rows = []
    for arch in ("vit_mini", "vgg_mini"):
        for mode in ("train", "infer"):
            turns = {name: [] for name in sides}
            for _ in range(args.turns):
                for name, run in sides.items():
                    turns[name].append(round(run(arch, mode), 1))
            rows += [{"arch": arch, "mode": mode, "side": name, "images_per_s_median": statistics.median(values),
                      "turns": values} for name, values in turns.items()]
    with open("/proc/cpuinfo") as info:
        cpu = next(line.split(": ")[1].strip() for line in info if line.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    print(json.dumps({"commit": commit, "batch": args.batch, "precision": "fp32", "cpu": cpu, "threads": os.cpu_count(),
                      "system": platform.system(), "load_before": os.getloadavg()[0], "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
