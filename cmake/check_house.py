#!/usr/bin/env python3
"""The house's rules that no compiler checks: who may include whom, and what may stand where.

    check_house.py [ROOT] [FILE...]     FILEs relative to ROOT; without any, all sources below ROOT

Prints one line per broken rule, "file:line: what, and how to mend it", and ends with 1 when there was one.
"""

import re
import sys
from pathlib import Path

SOURCES = {".h", ".cpp", ".cu", ".cuh"}
FLOORS = ["kernels", "core", "nn", "dist", "zoo"]
OUTSIDE = {"tests", "bench", "examples"}  # they may include every floor
# Rooms of the zoo that stand side by side and know neither `train` nor `app`; `train` knows no `app`.
ROOMS_ABOVE = {"weights": {"train", "app"}, "data": {"train", "app"}, "models": {"train", "app"}, "train": {"app"}}
MAX_LINES = 500

# Headers of heavy libraries: what includes them compiles slowly, so no header that users see may.
HEAVY = re.compile(r"(CLI/.*|nlohmann/.*|iskra/zoo/json\.h|png\.h|zlib\.h|xxhash\.h|omp\.h|gtest/.*|benchmark/.*)$")
JSON = "zoo/json.h"  # the one file that includes nlohmann's JSON
DNNL = re.compile(r"(oneapi/dnnl/.*|dnnl.*\.hp?p?)$")
# The wrappers of instructions, a header for each family of them, one instruction a function.
PTX_WRAPPERS = {f"kernels/gpu_{family}.h" for family in ("async", "tma", "matrix", "wgmma")}
# In kernel files and in what they include; gpu.h gives CUDA's words to the rest.
CUDA_RULES = [
    (re.compile(r"\basm\b"), "'asm' in a kernel file: instructions stand in kernels/gpu_async.h, gpu_tma.h, gpu_matrix.h and gpu_wgmma.h, one a function"),
    (re.compile(r"<<<"), "'<<<': launch by gpu::launch"),
    (re.compile(r"\b__shared__\b"), "'__shared__': declare by SHARED or DYN_SHARED"),
    (re.compile(r"\bcooperative_groups\b"), "'cooperative_groups' costs seconds of compile time: use the wrappers of gpu_*.h"),
    (re.compile(r"\b__CUDA_ARCH__\b"), "'__CUDA_ARCH__' is not defined on the emulator: ask for ISKRA_GPU_ARCH"),
]
INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')


def floor_of(path):
    """("zoo", "train") for zoo/train/x.cpp; ("core", "") for core/x.h; ("", "") outside of all floors."""
    parts = Path(path).parts
    if len(parts) < 2 or parts[0] not in FLOORS:
        return "", ""
    return parts[0], parts[1] if len(parts) > 2 else ""


def check_include(path, header):
    """The rule that this include breaks, or None."""
    floor, room = floor_of(path)
    parts = header.split("/")
    if header == "iskra/iskra.h":
        return f"{floor}/ includes the umbrella header; include what it uses" if floor and room != "app" else None
    if parts[0] == "iskra" and len(parts) > 2:
        target, target_room = parts[1], parts[2] if len(parts) > 3 else ""
        if target not in FLOORS:
            return f"<{header}>: there is no floor '{target}'"
        if floor and FLOORS.index(target) > FLOORS.index(floor):
            return f"{floor}/ must not include <{header}>: {target}/ stands above it"
        if floor == target == "zoo" and target_room in ROOMS_ABOVE.get(room, ()):
            return f"zoo/{room}/ must not include <{header}>: zoo/{target_room}/ stands above it"
    is_header = Path(path).suffix in {".h", ".cuh"}
    if DNNL.match(header) and not re.match(r"(kernels|bench)/onednn\w*\.(h|cpp)$|kernels/isa\.cpp$", path):
        return f"only kernels/onednn* (and isa.cpp, and bench/onednn*, which measures it) includes <{header}>"
    if header.startswith("nlohmann/") and floor and path != JSON:
        return f"include <iskra/{JSON}>, the one file that includes <{header}>"
    if is_header and floor and path != JSON and room != "app" and HEAVY.match(header):
        return f"<{header}> is heavy: include it in the .cpp alone"
    if header.startswith("..") or "/../" in header:
        return f'"{header}": include <iskra/floor/file.h>'
    return None


def check_line(path, line):
    """The rule that one line of code breaks, or None."""
    device_header = re.match(r"kernels/gpu_\w+\.h$", path) and path not in PTX_WRAPPERS | {"kernels/gpu_arch.h"}
    if (Path(path).suffix in {".cu", ".cuh"} and floor_of(path)[0]) or device_header:
        for pattern, message in CUDA_RULES:
            if pattern.search(line.split("//")[0]):
                return message
    include = INCLUDE.match(line)
    if include:
        return check_include(path, include.group(1))
    omp = re.search(r"(?:#\s*pragma\s+|_Pragma\s*\(\s*\")omp\s+(\w+)", line)
    if omp:
        word = omp.group(1)
        if word == "simd" and re.match(r"kernels/.*(\.isa\.cpp|\.h)$", path):
            return None
        if path == "kernels/parallel.cpp":
            return None
        return f"'omp {word}' here: threads come from kernels/parallel.h alone, 'omp simd' stands in kernels/*.isa.cpp and their headers"
    if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b.*\bISKRA_WITH_CUDA\b", line) and path != "core/launch.h":
        return "only core/launch.h asks for ISKRA_WITH_CUDA; elsewhere the device tag decides"
    if re.match(r"\s*using\s+namespace\s+std\b", line):
        return "'using namespace std': name what you use"
    return None


def check_file(path, text):
    """All broken rules of one file as (line, message)."""
    broken = []
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        broken.append((MAX_LINES + 1, f"{len(lines)} lines, the limit is {MAX_LINES}: two things live in one file"))
    if path.endswith((".h", ".cuh")) and not any(line.strip() == "#pragma once" for line in lines):
        broken.append((1, "a header without '#pragma once'"))
    for number, line in enumerate(lines, 1):
        message = check_line(path, line)
        if message:
            broken.append((number, message))
    return broken


def main(arguments):
    root = Path(arguments[0] if arguments else ".")
    paths = arguments[1:]
    if not paths:
        folders = [root / name for name in [*FLOORS, *sorted(OUTSIDE)]]
        paths = sorted(str(p.relative_to(root)) for f in folders for p in f.rglob("*") if p.is_file())
    paths = [p for p in paths if Path(p).suffix in SOURCES]
    count = 0
    for path in paths:
        for line, message in check_file(path, (root / path).read_text(encoding="utf-8")):
            print(f"{path}:{line}: {message}")
            count += 1
    print(f"{len(paths)} files, {count} broken rules", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
