#!/usr/bin/env python3
"""Makes tests/golden/python.safetensors with the reference implementation: every dtype that iskra has.

    python tests/golden/make_python_safetensors.py

needs PyTorch 2 and safetensors. Element i of a tensor is i - 3 (for bool: i is odd; for unsigned types: i).
"""
import pathlib

import torch
from safetensors.torch import save_file

SIGNED = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64, "i64": torch.int64,
          "i32": torch.int32}


def main():
    values = torch.arange(6)
    tensors = {name: (values - 3).to(dtype).reshape(2, 3) for name, dtype in SIGNED.items()}
    tensors["u8"] = values.to(torch.uint8).reshape(3, 2)
    tensors["bool"] = (values % 2 == 1).reshape(1, 6)
    tensors["scalar"] = torch.tensor(-3.0)
    tensors["empty"] = torch.zeros(0, 4)
    tensors["näme \"quoted\""] = torch.tensor([7.0])
    save_file(tensors, pathlib.Path(__file__).parent / "python.safetensors", {"format": "pt"})


if __name__ == "__main__":
    main()
