#!/usr/bin/env python3
"""Prints what gpu_run.py measured: `./dev gpu report [FOLDER]`.

    gpu_report.py FOLDER     with gpu-tests.json, gpu-training.json, gpu-memcheck.json, gpu-models.json, or some of them
"""

import json
import sys
from pathlib import Path


def table(rows):
    """Columns as wide as they have to be; numbers, which are what is not in the first column, to the right."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(str(cell).ljust(w) if i == 0 else str(cell).rjust(w) for i, (cell, w) in enumerate(zip(row, widths))).rstrip()
            for row in rows]


def tests(result):
    rows = [("tests", "passed", "skipped", "failed", "seconds")]
    lines = []
    for program in result["programs"]:
        rows.append((program["program"], program["passed"], program.get("skipped", 0), len(program["failed"]),
                     program.get("seconds", "")))
        if program.get("error"):
            lines.append(f"  {program['program']}: {program['error'].splitlines()[-1]}")
        for test in program["failed"]:
            alone = f", alone: {test['alone']}" if test.get("alone") else ""
            first = next((line for line in test["output"].splitlines() if line.strip()), "")
            lines.append(f"  {test['test']}: {test['state']}{alone}: {first[:160]}")
    return table(rows) + lines


def training(result):
    rows = [("training", "steps", "last loss, CPU", "CUDA", "worst difference", "allowed", "")]
    for run in result["runs"]:
        worst = "-" if run["worst"] is None else f"{run['worst']:.1e}"
        last = [f"{run[device][-1]:.5f}" if run[device] else "-" for device in ("cpu", "cuda")]
        verdict = "ok" if run["ok"] else (run["error"] or "too far").splitlines()[0]
        rows.append((f"{run['arch']} {run['precision']}", len(run["cuda"]), *last, worst, f"{run['tolerance']:.0e}", verdict))
    return table(rows)


def memcheck(result):
    if not result["ran"]:
        return [f"memcheck: not run: {result['why']}"]
    head = f"memcheck: {'ok' if result['ok'] else 'WRONG'}, {result['tests']} tests"
    return [head, *([] if result["ok"] else ["  " + line for line in result["report"][:10]])]


def models(result):
    rows = [("throughput", "mode", "precision", "batch", "images/s", "peak MiB")]
    for row in result["rows"]:
        if "error" in row:
            rows.append((row["arch"], row["mode"], row["precision"], "-", row["error"].splitlines()[-1][:80], "-"))
        else:
            rows.append((row["arch"], row["mode"], row["precision"], row["batch"], f"{row['images_per_s_median']:.0f}",
                         f"{row['peak_memory_bytes'] / (1 << 20):.0f}"))
    return table(rows)


KINDS = [("tests", tests), ("training", training), ("memcheck", memcheck), ("models", models)]


def main(arguments):
    folder = Path(arguments[0])
    found = [(show, json.loads((folder / f"gpu-{kind}.json").read_text(encoding="utf-8"))) for kind, show in KINDS
             if (folder / f"gpu-{kind}.json").exists()]
    if not found:
        print(f"gpu report: error: {folder} has no gpu-*.json; ./dev gpu run makes them on a machine with a GPU",
              file=sys.stderr)
        return 1
    seen = None
    for show, result in found:
        place = f"{result['device']}, driver {result['driver']}, commit {result['commit'][:12]}, {result['date']}"
        if place != seen:
            print(place)
            seen = place
        print("", *show(result), f"clocks: {result['clocks_before']['clocks.sm']} before, "
              f"{result['clocks_after']['clocks.sm']} after", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
