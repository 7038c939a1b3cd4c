"""cmake/kernel_resources.py reads ptxas's reports, sees every change of the table, and keeps the limits."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "cmake"))
import compile_cuda  # noqa: E402

ANONYMOUS = "_GLOBAL__N__7b5def0f_5_x_cu_2c30e802"  # nvcc's name for it
PLACE = f"N5iskra7kernels{len(ANONYMOUS)}{ANONYMOUS}"


def kernel(name, arch="sm_90a", registers=32, shared=0, stack=0, stores=0, loads=0):
    """What ptxas 13 says of the template instance name<float>."""
    mangled = f"_Z{PLACE}{len(name)}{name}IfEEvPKT_i"
    smem = f", used 1 barriers, {shared} bytes smem" if shared else ", used 0 barriers"
    return (f"ptxas info    : Compiling entry function '{mangled}' for '{arch}'\n"
            f"ptxas info    : Function properties for {mangled}\n"
            f"    {stack} bytes stack frame, {stores} bytes spill stores, {loads} bytes spill loads\n"
            f"ptxas info    : Used {registers} registers{smem}\n"
            f"ptxas info    : Compile time = 1.300 ms\n")


START = "ptxas info    : 0 bytes gmem\n"


class Resources(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "reports").mkdir()
        (self.root / "kernels").mkdir()
        self.table = self.root / "table.txt"

    def plant(self, **reports):
        for name, text in reports.items():
            (self.root / "kernels" / f"{name}.cu").touch()
            (self.root / "reports" / f"{name}.txt").write_text(START + text, encoding="utf-8")

    def check(self, *options, nvcc="13.0.88"):
        done = subprocess.run([sys.executable, ROOT / "cmake" / "kernel_resources.py", "--nvcc", nvcc, *options,
                               self.root / "reports", self.root / "kernels", self.table],
                              capture_output=True, text=True, check=False)
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stdout, done.stderr

    def test_table(self):
        self.plant(x=kernel("f", registers=180, shared=16640) + kernel("g", stack=8, stores=4, loads=12),
                   a=kernel("h") + kernel("h", arch="sm_80", registers=99))
        self.assertEqual(self.check("--update")[:2], (0, ""))
        rows = [line for line in self.table.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        self.assertEqual(rows, ["  32      0      0      0  a.cu h<float>",
                                " 180  16640      0      0  x.cu f<float>",
                                "  32      0      8     16  x.cu g<float>"])
        code, out, err = self.check()
        self.assertEqual((code, out), (0, ""))
        self.assertIn("3 kernels (at most 300), 0 of GEMM (at most 120), 0 hot", err)

    def test_changes(self):
        self.plant(x=kernel("f") + kernel("g"))
        self.check("--update")
        self.plant(x=kernel("f", registers=40, shared=128) + kernel("h"))
        code, out, _ = self.check()
        self.assertEqual(code, 1)
        self.assertEqual(out.splitlines()[1:], ["- x.cu g<float>", "  x.cu f<float>: registers 32 -> 40, shared 0 -> 128",
                                                "+ x.cu h<float>: registers 32, shared 0, stack 0, spilled 0"])
        self.assertIn("./dev build cuda --update", out)
        code, out, err = self.check(nvcc="13.2.51")
        self.assertEqual((code, out), (0, ""))
        self.assertIn("is by nvcc 13.0.88, this is 13.2.51: rows are not compared", err)

    def test_no_table(self):
        self.plant(x=kernel("f"))
        code, out, _ = self.check()
        self.assertEqual(code, 1)
        self.assertIn("+ x.cu f<float>", out)

    def test_hot_kernels(self):
        for file, name in (("matmul", "gemm_simt"), ("softmax", "softmax_rows"), ("norm", "layer_norm_rows"),
                           ("attention_backward", "attention_delta"), ("conv_backward", "f"), ("gemm_hopper", "f")):
            for what in ({"stack": 8}, {"stores": 4}, {"loads": 4}):
                with self.subTest(file=file, what=what):
                    self.setUp()
                    self.plant(**{file: kernel(name, **what)})
                    code, out, _ = self.check("--update")
                    self.assertEqual(code, 1)
                    self.assertRegex(out, rf"^{file}\.cu {name}<float>: a hot kernel with [08] bytes of stack and [04] spilled\n$")
                    self.plant(**{file: kernel(name)})
                    self.assertEqual(self.check("--update")[:2], (0, ""))

    def test_numbers_of_kernels(self):
        self.plant(x="".join(kernel(f"f{i}") for i in range(300)))
        self.assertEqual(self.check("--update")[:2], (0, ""))
        self.plant(y=kernel("f"))
        code, out, _ = self.check("--update")
        self.assertEqual((code, out.split(":")[0]), (1, "301 kernels"))

    def test_numbers_of_gemms(self):
        self.plant(x="".join(kernel(f"gemm_{i}") for i in range(60)) + "".join(kernel(f"conv_{i}") for i in range(60)),
                   y=kernel("convert_general"))
        self.assertEqual(self.check("--update")[:2], (0, ""))
        self.plant(y=kernel("grouped_gemm"))
        code, out, _ = self.check("--update")
        self.assertEqual((code, out), (1, "121 kernels of GEMM: 120 is the most\n"))

    def test_what_is_no_report(self):
        self.plant(x="")
        self.assertEqual(self.check("--update")[:2], (1, ""))
        self.assertFalse(self.table.exists())
        self.plant(x=kernel("f"))
        (self.root / "reports" / "gone.txt").write_text(kernel("g"), encoding="utf-8")  # its source is no more
        self.assertEqual(self.check("--update")[:2], (0, ""))
        self.assertNotIn("gone", self.table.read_text(encoding="utf-8"))

    def test_broken_reports(self):
        self.plant(x=kernel("f") + kernel("f"))
        self.assertEqual(self.check()[:2], (1, "two kernels are named x.cu f<float>\n"))
        self.plant(x=kernel("f").split("    0 bytes")[0])
        code, out, _ = self.check()
        self.assertEqual(code, 1)
        self.assertRegex(out, r"^x\.cu: the report ends within _ZN5iskra\w+\n$")

    def test_messages_for_people_are_kept_apart(self):
        warning = 'x.cu(3): warning #177-D: variable "v" was declared but never referenced\n'
        report = START + kernel("f", shared=16)
        self.assertEqual(compile_cuda.split(warning + report), (report, warning))


if __name__ == "__main__":
    unittest.main()
