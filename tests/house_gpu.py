"""bench/gpu_run.py tells what fails, dies, hangs or breaks the device, and gpu_report.py prints it; on planted programs."""

import contextlib
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import gpu_pack  # noqa: E402
import gpu_report  # noqa: E402
import gpu_run  # noqa: E402

# A program that answers like GoogleTest: what each test does stands in its list of tests.
PROGRAM = """#!{python}
import fnmatch, os, sys, time
tests = {tests}
flags = open(sys.argv[1].split("=", 1)[1]).read().strip().split("=", 1)[1] if "flagfile" in sys.argv[1] else sys.argv[1]
positive, _, negative = flags.partition("-")
lost = False
for name, does in tests.items():
    match = lambda patterns: any(fnmatch.fnmatch(name, p) for p in patterns.split(":") if p)
    if not match(positive or "*") or match(negative):
        continue
    print("[ RUN      ] " + name, flush=True)
    if does == "die":
        os.kill(os.getpid(), 11)
    if does == "hang":
        time.sleep(60)
    lost = lost or does == "break"
    if lost:
        print("x.cpp:3: Failure\\nmatmul: unspecified launch failure; a kernel failed, here or before; run with ...")
    if does == "fail":
        print("x.cpp:7: Failure\\nExpected: 1")
    words = "[  FAILED  ] " if lost or does == "fail" else "[  SKIPPED ] " if does == "skip" else "[       OK ] "
    print(words + name + " (1 ms)", flush=True)
"""

TRAIN = """#!{python}
import json, sys
words = sys.argv[1:]
if words[0] == "train":
    for step in range(20):
        off = {off} if words[words.index("--device") + 1] == "cuda" else 0
        print(json.dumps({{"event": "train", "step": step, "loss": 2.0 - step / 20 + off}}))
else:
    print(json.dumps({{"arch": words[3], "mode": words[5], "precision": words[9], "batch": 8, "images_per_s_median": 100.0,
                       "peak_memory_bytes": 1 << 20}}))
"""


class Gpu(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "bin").mkdir()

    def plant(self, name, text, **values):
        path = self.root / "bin" / name
        path.write_text(text.format(python=sys.executable, **values), encoding="utf-8")
        path.chmod(0o755)
        return path

    def run_these(self, tests, chosen="", seconds=20):
        program = self.plant("test_x", PROGRAM, tests=tests)
        return gpu_run.run_tests(program, chosen, dict(os.environ), gpu_run.Clock(seconds), seconds)

    def test_all_pass(self):
        result = self.run_these({"A.a": "", "A.b": "skip", "A.Threads": "fail"}, "-*Threads*")
        self.assertEqual((result["passed"], result["skipped"], result["failed"]), (1, 1, []))
        self.assertNotIn("error", result)

    def test_a_failure_is_repeated_alone(self):
        result = self.run_these({"A.a": "", "A.b": "fail", "A.c": ""})
        self.assertEqual(result["passed"], 2)
        [failed] = result["failed"]
        self.assertEqual((failed["test"], failed["state"], failed["alone"]), ("A.b", "failed", "failed"))
        self.assertIn("Expected: 1", failed["output"])

    def test_a_death_does_not_hide_the_others(self):
        result = self.run_these({"A.a": "", "A.b": "die", "A.c": "", "A.d": "die", "A.e": "fail", "A.Threads": "die"}, "-*Threads*")
        self.assertEqual(result["passed"], 2)
        self.assertEqual([(f["test"], f["state"]) for f in result["failed"]],
                         [("A.b", "died (exit code -11)"), ("A.d", "died (exit code -11)"), ("A.e", "failed")])

    def test_a_broken_device_is_its_breaker_s_fault(self):
        result = self.run_these({"A.a": "", "A.b": "break", "A.c": "", "A.d": "skip"})
        self.assertEqual((result["passed"], result["skipped"]), (2, 1))
        self.assertEqual([(f["test"], f["alone"]) for f in result["failed"]], [("A.b", None)])

    def test_a_hang_ends(self):
        result = self.run_these({"A.a": "", "A.b": "hang", "A.c": ""}, seconds=3)
        self.assertEqual(result["passed"], 1)
        self.assertEqual([(f["test"], f["state"]) for f in result["failed"]], [("A.b", "timed out")])
        self.assertIn("not all tests ran", result["error"])

    def test_no_test_is_an_error(self):
        self.plant("test_core", PROGRAM, tests={})
        result = gpu_run.all_tests(self.root, dict(os.environ), gpu_run.Clock(20))
        self.assertFalse(result["ok"])
        self.assertFalse(gpu_run.all_tests(self.root / "none", {}, gpu_run.Clock(20))["ok"])

    def test_losses(self):
        for off, good in ((0.0005, True), (0.2, False), ("float('nan') * (step == 9)", False)):
            self.plant("iskra", TRAIN, off=off)
            result = gpu_run.training(self.root, dict(os.environ), gpu_run.Clock(60))
            self.assertEqual(result["ok"], good, off)
        self.plant("iskra", "#!/bin/sh\nexit 3\n")
        result = gpu_run.training(self.root, dict(os.environ), gpu_run.Clock(60))
        self.assertFalse(result["ok"])
        self.assertIn("exit code 3", result["runs"][0]["error"])

    def test_whole_run_and_report(self):
        self.plant("test_core", PROGRAM, tests={"A.a": "", "A.b": "fail"})
        self.plant("iskra", TRAIN, off=0.0)
        out = self.root / "out"
        before = gpu_run.PACK, gpu_run.missing_device
        gpu_run.PACK, gpu_run.missing_device = self.root, lambda: None
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
                code = gpu_run.main(["--out", str(out)])
        finally:
            gpu_run.PACK, gpu_run.missing_device = before
        self.assertEqual(code, 1)
        self.assertIn("wrong: tests;", err.getvalue())
        self.assertLessEqual(len(list(out.glob("*.json"))), 6)
        for path in out.glob("*.json"):
            result = json.loads(path.read_text(encoding="utf-8"))
            for word in ("commit", "device", "driver", "clocks_before", "clocks_after", "date", "ok"):
                self.assertIn(word, result, path)
        with contextlib.redirect_stdout(io.StringIO()) as text:
            self.assertEqual(gpu_report.main([str(out)]), 0)
        for line in ("test_core       1        0       1", "A.b: failed, alone: failed: x.cpp:7: Failure",
                     "vit_mini fp32     20         1.05000", "vgg16"):
            self.assertIn(line, text.getvalue())

    def test_first_pictures(self):
        whole, part = self.root / "whole.gz", self.root / "part.gz"
        pictures = bytes(range(24))
        whole.write_bytes(gzip.compress(bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3]) + pictures))
        gpu_pack.first_pictures(whole, part, 3)
        self.assertEqual(gzip.decompress(part.read_bytes()),
                         bytes([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3]) + pictures[:18])
        gpu_pack.first_pictures(whole, part, 5)
        self.assertEqual(gzip.decompress(part.read_bytes()), gzip.decompress(whole.read_bytes()))

    def test_libraries_to_bring_along(self):
        found = gpu_pack.libraries([Path("/bin/bash")])
        self.assertEqual([name for name in found if name.startswith(("libc.so", "ld-linux", "linux-vdso"))], [])
        self.assertTrue(any(name.startswith("libtinfo") for name in found), found)
        self.assertTrue(all(path.is_file() for path in found.values()))

    def test_without_a_driver_one_line(self):
        if gpu_run.missing_device() is None:
            self.skipTest("this machine has a GPU")
        done = subprocess.run([sys.executable, ROOT / "bench" / "gpu_run.py", "--out", self.root], capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^gpu run: error: .*run it on a machine with a GPU\n$")


if __name__ == "__main__":
    unittest.main()
