#!/usr/bin/env python3
"""Whether every CUDA kernel of the tree was executed: the gate of `./dev test sim`.

    check_coverage.py FOLDER SOURCES

FOLDER holds what test programs wrote at their end (ISKRA_SIM_COVERAGE): lines "launches name" of all kernels that a
program can launch, each instance of a template by its full name. SOURCES is the folder whose .cu and .cuh files define
the kernels; one that no program can launch at all is named as well.
"""

import collections
import re
import sys
from pathlib import Path

KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\s*\((?:[^()]|\([^()]*\))*\)\s*)?(\w+)\s*\(")


def read_launches(folder):
    """How often each kernel was launched, over all programs."""
    launches = collections.Counter()
    for path in Path(folder).glob("*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            count, name = line.split(" ", 1)
            launches[name] += int(count)
    return launches


def defined_kernels(folder):
    """{name: file} of the __global__ functions below a folder."""
    found = {}
    for path in sorted(Path(folder).rglob("*.cu*")):
        for name in KERNEL.findall(path.read_text(encoding="utf-8")):
            found[name] = path
    return found


def main(arguments):
    folder, sources = arguments
    launches = {name: count for name, count in read_launches(folder).items() if name.startswith("iskra::kernels::")}
    defined = defined_kernels(sources)
    known = {re.sub(r"<.*", "", name).split("::")[-1] for name in launches}
    missing = [f"{name}: an instance that no test launched" for name, count in sorted(launches.items()) if count == 0]
    missing += [f"{path}: no test program can launch {name}" for name, path in defined.items() if name not in known]
    for line in missing:
        print(line)
    executed = sum(count > 0 for count in launches.values())
    print(f"{executed} of {len(launches)} instances of {len(defined)} kernels were executed", file=sys.stderr)
    if not launches:
        print(f"{folder}: no test program wrote anything", file=sys.stderr)
    return 1 if missing or not launches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
