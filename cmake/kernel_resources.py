#!/usr/bin/env python3
"""What nvcc made of each CUDA kernel, against the table in the tree: the gate of `./dev build cuda`.

    kernel_resources.py [--update] [--nvcc VERSION] REPORTS SOURCES TABLE

REPORTS holds ptxas's report for each .cu file of SOURCES (cmake/compile_cuda.py), TABLE registers, shared memory, stack
and spills of each kernel for sm_90a. It fails when the table is not what was built (--update writes it), when a hot kernel
spills or has a stack, and above 300 kernels or 120 of GEMM. With another nvcc than the table's, the rows are not compared.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ARCH = "sm_90a"
MOST_KERNELS, MOST_GEMMS = 300, 120
GEMM = re.compile(r"(^|_)gemm|^conv(?!ert)|^wgrad")
# Kernels that training spends its time in: file, and kernel with its template arguments.
HOT = [
    ("matmul.cu", r".*"),
    (r"gemm\w*\.cu", r".*"),
    (r"conv\w*\.cu", r".*"),
    (r"attention\w*\.cu", r".*"),
    ("softmax.cu", r".*"),
    ("norm.cu", r".*"),
    (r"pointwise\w*\.cu", r"pointwise_dense<\w+, (float|bf16|f16)>"),  # f64 has sines by the library
]
HEADER = """\
# Registers, bytes of static shared memory, bytes of stack, and bytes spilled, of each kernel for {arch} by nvcc {nvcc}.
# Written by ./dev build cuda --update, and compared by every ./dev build cuda.
"""

ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
ROW = re.compile(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)  (\S+ .+)")


def read_report(text, file):
    """[(mangled name, arch, file, (registers, shared, stack, spills))] of one file's report."""
    found = []
    name = arch = frame = None
    for line in text.splitlines():
        if match := ENTRY.search(line):
            name, arch = match.groups()
            frame = None
        elif name and frame is None and (match := STACK.search(line)):
            frame = [int(x) for x in match.groups()]
        elif name and (match := USED.search(line)):
            shared = SHARED.search(line)
            stack, stores, loads = frame or (0, 0, 0)
            row = int(match.group(1)), int(shared.group(1)) if shared else 0, stack, stores + loads
            found.append((name, arch, file, row))
            name = None
    if name:
        raise ValueError(f"{file}: the report ends within {name}")
    return found


def without_parameters(name):
    """f<int>(float, void (*)(int)) without its last, outermost parentheses."""
    if not name.endswith(")"):
        return name
    depth = 0
    for place in range(len(name) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(name[place], 0)
        if depth == 0:
            return name[:place]
    return name


def short_names(mangled):
    """Names as people write them: gemm_simt<bf16, float>."""
    done = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True)
    names = []
    for name in done.stdout.splitlines():
        name = without_parameters(name)
        name = re.sub(r"_GLOBAL__N__\w+|\(anonymous namespace\)", "@", name)
        name = re.sub(r"\b(iskra|kernels)::|@::", "", name)
        names.append(re.sub(r"^void ", "", name))
    return names


def read_reports(folder, sources):
    """{"file kernel": row} for ARCH, of the files that SOURCES has."""
    found = []
    for source in sorted(Path(sources).glob("*.cu")):
        report = Path(folder) / (source.stem + ".txt")
        if report.exists():
            found += read_report(report.read_text(encoding="utf-8"), source.name)
    found = [entry for entry in found if entry[1] == ARCH]
    rows = {}
    for (_, _, file, row), name in zip(found, short_names([entry[0] for entry in found])):
        key = f"{file} {name}"
        if key in rows:
            raise ValueError(f"two kernels are named {key}")
        rows[key] = row
    return dict(sorted(rows.items()))


def write_table(rows, nvcc):
    lines = [f"{r:4} {sh:6} {st:6} {sp:6}  {key}\n" for key, (r, sh, st, sp) in rows.items()]
    return HEADER.format(arch=ARCH, nvcc=nvcc) + "".join(lines)


def read_table(text):
    """(rows, nvcc's version)."""
    rows = {}
    for line in text.splitlines():
        if match := ROW.fullmatch(line):
            rows[match.group(5)] = tuple(int(x) for x in match.groups()[:4])
    version = re.search(r"by nvcc ([\d.]*\d)", text)
    return rows, version.group(1) if version else ""


def differences(old, new):
    """One line for each kernel that came, went or changed."""
    words = ("registers", "shared", "stack", "spilled")
    lines = [f"- {key}" for key in old if key not in new]
    for key, row in new.items():
        if key not in old:
            lines.append(f"+ {key}: " + ", ".join(f"{w} {n}" for w, n in zip(words, row)))
        elif old[key] != row:
            changes = [f"{w} {a} -> {b}" for w, a, b in zip(words, old[key], row) if a != b]
            lines.append(f"  {key}: " + ", ".join(changes))
    return lines


def kernel_of(key):
    return key.split(" ", 1)[1].split("<", 1)[0].split("::")[-1]


def is_hot(key):
    file, kernel = key.split(" ", 1)
    return any(re.fullmatch(f, file) and re.fullmatch(k, kernel) for f, k in HOT)


def broken_limits(rows):
    gemms = [key for key in rows if GEMM.search(kernel_of(key))]
    lines = [f"{key}: a hot kernel with {stack} bytes of stack and {spills} spilled"
             for key, (_, _, stack, spills) in rows.items() if (stack or spills) and is_hot(key)]
    if len(rows) > MOST_KERNELS:
        lines.append(f"{len(rows)} kernels: {MOST_KERNELS} is the most; fold types or epilogues into run-time branches")
    if len(gemms) > MOST_GEMMS:
        lines.append(f"{len(gemms)} kernels of GEMM: {MOST_GEMMS} is the most")
    print(f"{len(rows)} kernels (at most {MOST_KERNELS}), {len(gemms)} of GEMM (at most {MOST_GEMMS}), "
          f"{sum(map(is_hot, rows))} hot", file=sys.stderr)
    return lines


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--nvcc", default="unknown")
    for name in ("reports", "sources", "table"):
        parser.add_argument(name)
    given = parser.parse_args(arguments)
    try:
        rows = read_reports(given.reports, given.sources)
    except ValueError as error:
        print(error)
        return 1
    if not rows:
        print(f"{given.reports}: no report on a kernel for {ARCH}", file=sys.stderr)
        return 1
    broken = broken_limits(rows)
    table = Path(given.table)
    if given.update:
        table.write_text(write_table(rows, given.nvcc), encoding="utf-8")
    else:
        old, version = read_table(table.read_text(encoding="utf-8") if table.exists() else "")
        if old and version != given.nvcc:
            print(f"{table} is by nvcc {version}, this is {given.nvcc}: rows are not compared", file=sys.stderr)
        elif changes := differences(old, rows):
            broken += [f"{table} is not what was built; if it is meant, ./dev build cuda --update:", *changes]
    for line in broken:
        print(line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
