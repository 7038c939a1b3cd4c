#!/usr/bin/env python3
"""What proves the CUDA kernels on a real GPU, in ten minutes: run in the folder that `./dev gpu pack` made.

    gpu_run.py [--out FOLDER] [--seconds N]

Needs Python 3 and a driver, nothing else; compute-sanitizer and nvidia-smi are used where they are. It runs the tests of
kernels, ops, gradients and modules, memcheck on a part of them, trainings whose losses must be the CPU's, and throughput
of models, and writes gpu-tests.json, gpu-memcheck.json, gpu-training.json and gpu-models.json into FOLDER (the variable
OUT, or results/). Each names commit, device, driver and clocks. Ends with 1 when something is wrong.
"""

import argparse
import ctypes
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

PACK = Path(__file__).resolve().parent
# Program, and the tests that have no device (as in tests/CMakeLists.txt).
TESTS = [("gpu-conformance", ""), ("test_kernels_cuda", ""), ("test_nn", ""),
         ("test_core", "-*Threads*:*FiniteDifferences*:SystemMemory*")]
MEMCHECK = ("test_core", "*MatchPyTorch/*")  # every op, forward and backward, once
TRAININGS = [(arch, precision) for arch in ("vit_mini", "vgg_mini") for precision in ("fp32", "bf16")]
TOLERANCE = {"fp32": 2e-3, "bf16": 5e-2}  # of a loss, relative, within STEPS
STEPS = 20
MODELS = [("vit_small_patch16_224", 256), ("vit_base_patch16_224", 128), ("vgg16", 64)]
ALONE = 40  # failed tests are run again alone, at most so many
DEVICE_LOST = "a kernel failed, here or before"  # as device_cuda.cpp says it; nothing works in that process any more


class Clock:
    """What is left of the time for all."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self, at_most=1e9):
        return max(1.0, min(at_most, self.end - time.monotonic()))


def missing_device():
    """Why no GPU can be used, or None."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver here (libcuda.so.1 is missing); run it on a machine with a GPU"
    code, count = cuda.cuInit(0), ctypes.c_int(0)
    if code == 0:
        code = cuda.cuDeviceGetCount(ctypes.byref(count))
    if code != 0 or count.value == 0:
        return f"the NVIDIA driver has no device to use (cuInit says {code}); run it on a machine with a GPU"
    return None


def ask_smi(query):
    """One line of nvidia-smi's answers, or unknowns."""
    names = query.split(",")
    try:
        done = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], capture_output=True,
                              text=True, check=True, timeout=20)
        return dict(zip(names, (word.strip() for word in done.stdout.splitlines()[0].split(","))))
    except (OSError, subprocess.SubprocessError, IndexError):
        return dict.fromkeys(names, "unknown")


def place():
    """What every result names."""
    device = ask_smi("name,driver_version,power.limit,memory.total")
    commit = PACK / "commit.txt"
    return {"commit": commit.read_text(encoding="utf-8").strip() if commit.exists() else "unknown",
            "device": device["name"], "driver": device["driver_version"], "power_limit": device["power.limit"],
            "memory": device["memory.total"], "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())}


def clocks():
    return ask_smi("clocks.sm,clocks.mem,temperature.gpu,power.draw")


def environment(folder):
    """The programs find their libraries and data in the folder, and work on the GPU."""
    return {**os.environ, "LD_LIBRARY_PATH": str(folder / "lib"), "ISKRA_TEST_SOURCES": str(folder / "data"),
            "ISKRA_TEST_DEVICE": "cuda", "OMP_WAIT_POLICY": "passive"}


def run(command, env, seconds, **more):
    """(exit code, stdout and stderr together); 124 when it took too long."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryDirectory() as scratch:
        process = subprocess.Popen([str(word) for word in command], env={**env, "TMPDIR": scratch, "TEST_TMPDIR": scratch},
                                   stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   start_new_session=True, **more)
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = 124
        out.seek(0)
        return code, out.read().decode(errors="replace")


# --- tests

def read_tests(text):
    """({test: "passed" | "failed" | "skipped"}, the test that the program died in or None, {test: its output})."""
    states, outputs, current, lines = {}, {}, None, []
    for line in text.splitlines():
        mark, _, rest = line.partition("] ")
        name = rest.split(" (")[0].split(", where")[0].strip()
        if mark == "[ RUN      ":
            current, lines = name, []
        elif current and name == current and mark in ("[       OK ", "[  FAILED  ", "[  SKIPPED "):
            states[current] = {"[       OK ": "passed", "[  FAILED  ": "failed"}.get(mark, "skipped")
            if states[current] == "failed":
                outputs[current] = "\n".join(lines[:12])[:1500]
            current = None
        elif current:
            lines.append(line)
    return states, current, outputs | ({current: "\n".join(lines[-12:])[-1500:]} if current else {})


def without_tests(chosen, names):
    """The filter `chosen`, less these tests."""
    if not names:
        return chosen
    return (chosen or "*") + (":" if "-" in chosen else ":-" if chosen else "-") + ":".join(names)


def run_program(program, chosen, env, seconds):
    """By a file of flags: a filter of all that has passed can be longer than an argument may be."""
    with tempfile.NamedTemporaryFile("w", suffix=".flags") as flags:
        flags.write(f"--gtest_filter={chosen or '*'}\n")
        flags.flush()
        return run([program, f"--gtest_flagfile={flags.name}"], env, seconds)


def after_broken_device(states, outputs):
    """The tests that failed because one before them had broken the device: (that one, those)."""
    broken = [name for name, state in states.items() if state == "failed" and DEVICE_LOST in outputs.get(name, "")]
    return (broken[0], broken[1:]) if broken else (None, [])


def run_tests(program, chosen, env, clock, at_most):
    """One program's tests. Whoever kills the program or breaks the device is named, and the others run without it."""
    states, outputs, culprits = {}, {}, []
    start, limit = time.monotonic(), Clock(clock.left(at_most))
    for _ in range(ALONE):
        code, text = run_program(program, without_tests(chosen, list(states)), env, limit.left())
        seen, died_in, told = read_tests(text)
        culprit, victims = after_broken_device(seen, told)
        states |= {name: state for name, state in seen.items() if name not in victims}
        outputs |= told
        if died_in:
            states[died_in] = "timed out" if code == 124 else f"died (exit code {code})"
        elif not victims:
            break
        culprits += [died_in or culprit]
        if limit.left() <= 2:
            break
    result = {"program": program.name, "passed": 0, "skipped": 0, "failed": []}
    if not states or (code == 124 and limit.left() <= 2):
        result["error"] = "not all tests ran: " + (text[-600:] or f"exit code {code}")
    for name, state in states.items():
        if state in ("passed", "skipped"):
            result[state] += 1
            continue
        alone = None
        if state == "failed" and name not in culprits and len(result["failed"]) < ALONE and limit.left() > 2:
            alone = read_tests(run_program(program, name, env, limit.left(60))[1])[0].get(name, "did not end")
        result["failed"].append({"test": name, "state": state, "alone": alone, "output": outputs.get(name, "")})
    return {**result, "seconds": round(time.monotonic() - start, 1)}


def all_tests(folder, env, clock):
    programs = [(folder / "bin" / name, chosen) for name, chosen in TESTS if (folder / "bin" / name).exists()]
    results = [run_tests(program, chosen, env, clock, 110) for program, chosen in programs]
    return {"programs": results, "ok": bool(results) and all(not r["failed"] and not r.get("error") for r in results)}


def memcheck(folder, env, clock):
    tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
    if tool is None:
        return {"ok": True, "ran": False, "why": "there is no compute-sanitizer here"}
    program, chosen = MEMCHECK
    code, text = run([tool, "--tool", "memcheck", "--error-exitcode", "9", folder / "bin" / program,
                      f"--gtest_filter={chosen}"], env, clock.left(120))
    states, died_in, _ = read_tests(text)
    problems = [line for line in text.splitlines() if line.startswith("=========")]
    if "Device not supported" in text:
        return {"ok": True, "ran": False, "why": "compute-sanitizer does not support this device here"}
    return {"ok": code in (0, 124) and not any("Invalid" in line for line in problems), "ran": True, "exit_code": code,
            "tests": len(states), "unfinished": died_in, "report": problems[-40:]}


# --- training and throughput

def objects(text):
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                pass
    return found


def losses(folder, env, clock, arch, precision, device):
    with tempfile.TemporaryDirectory() as out:
        code, text = run([folder / "bin" / "iskra", "train", "--arch", arch, "--data", folder / "data" / "pictures", "--out",
                          Path(out) / "run", "--steps", STEPS, "--batch", 64, "--precision", precision, "--device", device,
                          "--seed", 7, "--log-every", 1, "--json"], env, clock.left(60))
    found = [line["loss"] for line in objects(text) if line.get("event") == "train"]
    return found, None if code == 0 else f"exit code {code}: {text[-600:]}"


def training(folder, env, clock):
    rows = []
    for arch, precision in TRAININGS:
        cpu, cpu_error = losses(folder, env, clock, arch, precision, "cpu")
        cuda, cuda_error = losses(folder, env, clock, arch, precision, "cuda")
        worst = max((abs(a - b) / abs(a) for a, b in zip(cpu, cuda)), default=None)
        error = cpu_error or cuda_error or (None if len(cpu) == len(cuda) >= STEPS else "losses are missing")
        if not all(map(math.isfinite, cpu + cuda)):
            worst, error = None, error or "a loss is not finite"
        rows.append({"arch": arch, "precision": precision, "cpu": cpu, "cuda": cuda, "worst": worst,
                     "tolerance": TOLERANCE[precision], "error": error,
                     "ok": error is None and worst <= TOLERANCE[precision]})
    return {"runs": rows, "ok": all(row["ok"] for row in rows)}


def models(folder, env, clock):
    rows = []
    for arch, batch in MODELS:
        for mode in ("train", "infer"):
            for precision in ("fp32", "bf16"):
                if clock.left() < 8:
                    rows.append({"arch": arch, "mode": mode, "precision": precision, "error": "no time was left"})
                    continue
                code, text = run([folder / "bin" / "iskra", "bench", "model", "--arch", arch, "--mode", mode, "--batch", batch,
                                  "--precision", precision, "--device", "cuda", "--seconds", 2, "--json"], env, clock.left(30))
                answer = objects(text)
                good = code == 0 and answer
                rows.append({**answer[-1], "clocks": clocks()} if good else
                            {"arch": arch, "mode": mode, "precision": precision, "error": text[-600:] or f"exit code {code}"})
    return {"rows": rows, "ok": all("error" not in row for row in rows)}


STAGES = [("tests", all_tests), ("training", training), ("memcheck", memcheck), ("models", models)]


def unpack(folder):
    """Programs and libraries travel compressed; they are unpacked once."""
    if not (folder / "bin").exists():
        with tarfile.open(folder / "programs.tar.xz") as archive:
            archive.extractall(folder)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT") or PACK / "results"))
    parser.add_argument("--seconds", type=float, default=560)
    given = parser.parse_args(arguments)
    why = missing_device()
    if why:
        print(f"gpu run: error: {why}", file=sys.stderr)
        return 1
    clock = Clock(given.seconds)
    unpack(PACK)
    given.out.mkdir(parents=True, exist_ok=True)
    env, here, bad = environment(PACK), place(), []
    for name, stage in STAGES:
        start = time.monotonic()
        before = clocks()
        result = {**here, "clocks_before": before, **stage(PACK, env, clock), "clocks_after": clocks(),
                  "seconds": round(time.monotonic() - start, 1)}
        (given.out / f"gpu-{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {'ok' if result['ok'] else 'WRONG'}, {result['seconds']} s", flush=True)
        bad += [] if result["ok"] else [name]
    if bad:
        print(f"gpu run: wrong: {', '.join(bad)}; what and where: {given.out}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
