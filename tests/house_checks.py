"""cmake/check_house.py catches every rule's planted breach, and says nothing of clean files."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# file, its text, a part of the message
PLANTED = [
    ("kernels/bad.h", "#pragma once\n#include <iskra/core/tensor.h>\n", "core/ stands above it"),
    ("core/bad.cpp", "#include <iskra/nn/module.h>\n", "nn/ stands above it"),
    ("nn/bad.cpp", "#include <iskra/dist/mesh.h>\n", "dist/ stands above it"),
    ("dist/bad.cpp", "#  include <iskra/zoo/models/vit.h>\n", "zoo/ stands above it"),
    ("core/bad.h", '#pragma once\n#include "iskra/zoo/data/idx.h"\n', "zoo/ stands above it"),
    ("core/bad.cpp", '#include "../nn/module.h"\n', "include <iskra/floor/file.h>"),
    ("core/bad.cpp", "#include <iskra/cores/tensor.h>\n", "there is no floor 'cores'"),
    ("nn/bad.cpp", "#include <iskra/iskra.h>\n", "umbrella header"),
    ("zoo/models/bad.cpp", "#include <iskra/zoo/train/loop.h>\n", "zoo/train/ stands above it"),
    ("zoo/data/bad.cpp", "#include <iskra/zoo/app/args.h>\n", "zoo/app/ stands above it"),
    ("zoo/train/bad.cpp", "#include <iskra/zoo/app/args.h>\n", "zoo/app/ stands above it"),
    ("core/bad.cpp", "#include <dnnl.hpp>\n", "only kernels/onednn*"),
    ("kernels/matmul.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n", "only kernels/onednn*"),
    ("zoo/weights/bad.h", "#pragma once\n#include <iskra/zoo/json.h>\n", "is heavy"),
    ("zoo/weights/bad.h", "#pragma once\n#include <zlib.h>\n", "is heavy"),
    ("zoo/weights/bad.cpp", "#include <nlohmann/json.hpp>\n", "include <iskra/zoo/json.h>"),
    ("core/bad.cpp", "#ifdef ISKRA_WITH_CUDA\n#endif\n", "only core/launch.h"),
    ("core/bad.cpp", "#if defined(ISKRA_WITH_CUDA)\n#endif\n", "only core/launch.h"),
    ("kernels/bad.cpp", "#pragma omp parallel for\n", "'omp parallel'"),
    ("kernels/bad.cpp", "#pragma omp simd\n", "'omp simd'"),
    ("kernels/bad.isa.cpp", '_Pragma("omp parallel")\n', "'omp parallel'"),
    ("bench/bad.cpp", "using namespace std;\n", "name what you use"),
    ("nn/bad.h", "int f();\n", "#pragma once"),
    ("kernels/bad.cu", '__device__ void f() { asm volatile("nop;"); }\n', "'asm' in a kernel file"),
    ("kernels/gpu_types.h", '#pragma once\nDEV void f() { asm volatile("nop;"); }\n', "'asm' in a kernel file"),
    ("kernels/bad.cu", "void f() { kernel<<<1, 32>>>(); }\n", "launch by gpu::launch"),
    ("kernels/bad.cuh", "#pragma once\n__shared__ float x[3];\n", "declare by SHARED"),
    ("kernels/bad.cu", "#include <cooperative_groups.h>\n", "'cooperative_groups'"),
    ("kernels/bad.cuh", "#pragma once\n#if __CUDA_ARCH__ >= 900\n#endif\n", "ISKRA_GPU_ARCH"),
    ("kernels/bad.cuh", "DEV int f();\n", "#pragma once"),
    ("tests/bad.cpp", "int x;\n" * 501, "501 lines"),
]

CLEAN = {
    "kernels/onednn.cpp": "#include <dnnl.hpp>\n#include <iskra/kernels/kernels.h>\n",
    "kernels/softmax.cu": "SHARED(tile, float[32]);  // not __shared__, and no asm\n",
    "kernels/gpu_matrix.h": "#pragma once\nDEV void f() { asm volatile(\"x;\"); }\n",
    "kernels/parallel.cpp": "#pragma omp parallel num_threads(2)\n",
    "kernels/reduce.isa.cpp": "#pragma omp simd reduction(+ : sum)\n",
    "kernels/row_loops.h": "#pragma once\n#pragma omp simd\n",
    "zoo/json.h": "#pragma once\n#include <nlohmann/json.hpp>\n",
    "core/launch.h": "#pragma once\n#ifdef ISKRA_WITH_CUDA\n#endif\n",
    "core/tensor.cpp": "#include <iskra/core/tensor.h>\n#include <iskra/kernels/base.h>\n",
    "zoo/train/loop.cpp": "#include <iskra/zoo/models/vit.h>\n#include <iskra/zoo/json.h>\n",
    "zoo/app/main.cpp": "#include <iskra/zoo/train/loop.h>\n#include <CLI/CLI.hpp>\n",
    "tests/test_x.cpp": "#include <iskra/iskra.h>\n" + "int x;\n" * 499,
}


def check(files):
    """Exit code and output of the check on a tree of these files."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, ROOT / "cmake" / "check_house.py", root], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout


class Checks(unittest.TestCase):
    def test_each_planted_breach_is_caught_alone(self):
        for name, text, message in PLANTED:
            with self.subTest(file=name, text=text[:50]):
                code, out = check(CLEAN | {name: text})
                self.assertEqual(code, 1)
                self.assertEqual(len(out.splitlines()), 1, out)
                self.assertTrue(out.startswith(name + ":"), out)
                self.assertIn(message, out)

    def test_clean_files_pass(self):
        self.assertEqual(check(CLEAN), (0, ""))


if __name__ == "__main__":
    unittest.main()
