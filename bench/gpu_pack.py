#!/usr/bin/env python3
"""Makes the folder that runs on a machine with a GPU where nothing can be installed: `./dev gpu pack`.

    gpu_pack.py BUILD FOLDER     BUILD is build/cuda

Stripped programs and the shared libraries that such a machine may lack in programs.tar.xz, what tests and trainings
read in data/, the commit, and gpu_run.py, which runs it all. Fails above 40 MiB.
"""

import gzip
import lzma
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ["test_kernels_cuda", "test_core", "test_nn", "iskra"]
OPTIONAL = ["gpu-conformance"]
OF_THE_SYSTEM = ("linux-vdso", "ld-linux", "libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so")
PICTURES = Path("/usr/share/datasets/fashion-mnist")
TRAIN_PICTURES, TEST_PICTURES = 2048, 256
MOST_BYTES = 40 << 20


def libraries(programs):
    """{name: path} of the shared libraries that the programs load, but for glibc's."""
    found = {}
    for program in programs:
        done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            words = line.split()
            if not words[0].split("/")[-1].startswith(OF_THE_SYSTEM):
                if "=>" not in words or words[2] == "not":
                    raise SystemExit(f"gpu pack: error: {program.name} needs {words[0]}, which is not here")
                found[words[0]] = Path(words[2]).resolve()
    return found


def first_pictures(source, target, count):
    """The first ones of an IDX file."""
    data = gzip.decompress(source.read_bytes())
    rank = data[3]
    sizes = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
    each = 1
    for size in sizes[1:]:
        each *= size
    count = min(count, sizes[0])
    start = 4 + 4 * rank
    head = data[:4] + struct.pack(f">{rank}I", count, *sizes[1:])
    target.write_bytes(gzip.compress(head + data[start:start + count * each], mtime=0))


def add_data(folder):
    goldens = folder / "tests" / "golden"
    goldens.mkdir(parents=True)
    for path in (ROOT / "tests" / "golden").glob("*.safetensors"):
        shutil.copy(path, goldens)
    (folder / "core").mkdir()
    for path in (ROOT / "core").glob("*.h"):
        shutil.copy(path, folder / "core")
    (folder / "pictures").mkdir()
    for path in PICTURES.glob("*.gz"):
        first_pictures(path, folder / "pictures" / path.name,
                       TRAIN_PICTURES if path.name.startswith("train") else TEST_PICTURES)


def add_programs(build, archive_path):
    names = PROGRAMS + [name for name in OPTIONAL if (build / "bin" / name).exists()]
    programs = [build / "bin" / name for name in names]
    # The programs hold the same kernels: a dictionary that spans them all keeps these once.
    packing = [{"id": lzma.FILTER_LZMA2, "preset": 3, "dict_size": 128 << 20}]
    with (tempfile.TemporaryDirectory() as scratch, lzma.open(archive_path, "wb", filters=packing) as packed,
          tarfile.open(fileobj=packed, mode="w") as archive):
        for program in programs:
            stripped = Path(scratch) / program.name
            subprocess.run(["strip", "-o", stripped, program], check=True)
            archive.add(stripped, f"bin/{program.name}")
        for name, path in sorted(libraries(programs).items()):
            archive.add(path, f"lib/{name}")
    return names


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False).stdout.strip()
    return (git("rev-parse", "HEAD") or "unknown") + ("-dirty" if git("status", "--porcelain") else "")


def main(arguments):
    build, folder = (Path(word) for word in arguments)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = add_programs(build, folder / "programs.tar.xz")
    add_data(folder / "data")
    shutil.copy(ROOT / "bench" / "gpu_run.py", folder)
    (folder / "commit.txt").write_text(commit() + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / (1 << 20):.1f} MiB: {', '.join(names)}", file=sys.stderr)
    if size > MOST_BYTES:
        print(f"gpu pack: error: {MOST_BYTES >> 20} MiB is the most", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
