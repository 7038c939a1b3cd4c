#!/usr/bin/env python3
"""Runs nvcc, and keeps apart what it says: ptxas's report on each kernel, and messages for people.

    compile_cuda.py FOLDER COMMAND... -c FILE.cu -o OBJECT     (COMMAND may begin with ccache)

The report goes to FOLDER/FILE.txt, the rest to stderr. CMake's launcher for CUDA (cmake/IskraCuda.cmake).
"""

import re
import subprocess
import sys
from pathlib import Path

REPORT = re.compile(r"ptxas info\s*:|\s+\d+ bytes stack frame, |\s*$")


def split(text):
    """(lines of ptxas's report, all others)."""
    report, messages = [], []
    for line in text.splitlines(keepends=True):
        (report if REPORT.match(line) else messages).append(line)
    return "".join(report), "".join(messages)


def main(arguments):
    folder, command = Path(arguments[0]), arguments[1:]
    source = Path(command[command.index("-c") + 1])
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    report, messages = split(done.stderr)
    sys.stderr.write(messages)
    if done.returncode == 0:
        (folder / (source.stem + ".txt")).write_text(report, encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
